"""Derivations whose every step is checked, and checkers that notice a wrong one."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from sympy import Rational, Symbol, log

import symloss as sl
from symloss.errors import DomainError
from symloss.theory.derivation import Derivation, identity, probabilities, sampled
from symloss.theory.sparsify import derive, sparsify


@pytest.fixture(scope="module", params=["sparse-lsr", "ace-lsr"])
def theorem(request: pytest.FixtureRequest) -> Derivation:
    return derive(request.param)


def test_every_step_says_what_was_checked(theorem: Derivation) -> None:
    for step in theorem.steps:
        assert step.name
        assert step.justification
        assert (
            "cancel symbolically" in step.check or "equal to 50 digits" in step.check or "< 0" in step.check
        )
    data = json.loads(json.dumps(theorem.to_dict()))
    assert sl.Loss.from_dict(data["result"]) == theorem.result


def test_text_and_latex(theorem: Derivation) -> None:
    text, document = theorem.to_text(), theorem.to_latex()
    for step in theorem.steps:
        assert step.name in text
    assert document.startswith(r"\documentclass")
    assert document.rstrip().endswith(r"\end{document}")
    assert document.count(r"\begin") == document.count(r"\end")
    bare = re.sub(r"\\verb\|[^|]*\||\\[{}]", "", document)
    assert bare.count("{") == bare.count("}")
    assert bare.count(r"\left") == bare.count(r"\right")
    outside = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}|\\\[.*?\\\]|\\\(.*?\\\)", "", bare, flags=re.S)
    assert not re.search(r"(?<!\\)[_^&#%]", outside), "a special character outside mathematics"


def test_sparse_lsr_has_five_steps_one_approximation_and_ends_at_the_zoo_s() -> None:
    found = derive("sparse-lsr")
    assert [step.exact for step in found.steps[:5]] == [True, True, False, True, True]
    assert all(step.exact for step in found.steps[5:])
    assert found.result == sl.named("sparse-lsr")


def _lsr(p: np.ndarray, xi: float) -> float:
    a = 1 - xi + xi / len(p)
    return float(-a * np.log(p[0]) - xi / len(p) * np.log(p[1:]).sum())


def test_remainder_holds_by_brute_force() -> None:
    """LSR = SparseLSR + b KL(uniform||q) in floats, by code that shares nothing with the derivation."""
    draw = np.random.default_rng(0)
    for classes in (2, 4, 30):
        for xi in (0.05, 0.5, 1.0):
            p = draw.dirichlet(np.ones(classes))
            b, q = xi * (classes - 1) / classes, p[1:] / (1 - p[0])
            sparse = -(1 - b) * np.log(p[0]) - b * np.log((1 - p[0]) / (classes - 1))
            kl = -np.log(classes - 1) - np.log(q).mean()
            assert _lsr(p, xi) == pytest.approx(sparse + b * kl, rel=1e-12)
            assert _lsr(p, xi) >= sparse - 1e-12


def test_checkers_notice_what_is_wrong() -> None:
    x = Symbol("x", positive=True)
    with pytest.raises(DomainError, match="the step does not hold"):
        identity(log(x**2), 3 * log(x))
    with pytest.raises(DomainError, match=r"differ by .* at C = 3"):
        sampled(lambda count, point: Rational(1, 10**40) if count == 3 else Rational(0))


def test_probabilities_are_a_distribution() -> None:
    for count in (2, 7):
        p = probabilities(count, 3)
        assert sum(p) == 1
        assert min(p) > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lsr", "a lower bound"),
        ("brier", "a lower bound"),
        ("ce", "nothing is dropped"),
        ("mae", "nothing is dropped"),
    ],
)
def test_sparse_forms(name: str, words: str) -> None:
    found = sparsify(sl.named(name))
    assert any(words in step.justification for step in found.steps)
    certificate = sl.analyze(found.result, classes=10)
    assert certificate.findings["target_only"].verdict == "proved"
    before, after = (sl.analyze(loss, classes=10) for loss in (sl.named(name), found.result))
    assert before.findings["attractor"].numeric == pytest.approx(after.findings["attractor"].numeric)


def test_sparsified_lsr_is_sparse_lsr_with_its_coefficient() -> None:
    found = derive(sl.named("lsr", xi=0.3))
    assert found.result == sl.named("sparse-lsr", xi=0.3)
    assert dict(found.result.coefficients) == {"xi": 0.3}


def test_bad_input() -> None:
    with pytest.raises(DomainError, match="no theorem is named 'lsr': expected one of sparse-lsr, ace-lsr"):
        derive("lsr")
    with pytest.raises(DomainError, match="only classification losses"):
        sparsify(sl.named("mse"))
    with pytest.raises(DomainError, match="no finite value at y = 0"):
        sparsify(sl.parse("abs(log(y*p))"))
