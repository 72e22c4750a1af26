"""The theorem that symmetric and strictly proper exclude each other: its steps by brute force, by code of its own."""

from __future__ import annotations

import numpy as np
import pytest

import symloss as sl
from symloss.theory.derivations.exclusive import proper_symmetric_exclusive


def risks(name: str, classes: int, q: np.ndarray, **coefficients: float) -> np.ndarray:
    """The expected loss of random predictions under a posterior."""
    loss = sl.named(name, **coefficients).lambdify("numpy")
    p = np.random.default_rng(0).dirichlet(np.ones(classes), 200)
    return sum(q[k] * loss(np.eye(classes)[k], p).sum(-1) for k in range(classes))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_under_the_uniform_posterior(classes: int) -> None:
    uniform = np.full(classes, 1 / classes)
    assert np.ptp(risks("mae", classes, uniform)) < 1e-12, "symmetric: every prediction is as good"
    for name in ("ce", "brier"):
        assert np.ptp(risks(name, classes, uniform)) > 0.1, "proper: one is the best"


def test_what_the_certificate_says_of_the_zoo_agrees() -> None:
    for name in sl.names("classification"):
        found = sl.analyze(sl.named(name), classes=3).findings
        both = [found[key].verdict == "proved" for key in ("proper", "symmetric_noise_robust")]
        assert not all(both), name


def test_it_ends_at_a_constant() -> None:
    found = proper_symmetric_exclusive()
    assert str(found.result) == "p"
    assert all(step.exact for step in found.steps)
    assert sl.derive("proper-symmetric-exclusive") == found
