"""Verdicts about drawn formulas, held against floats: no certificate may be contradicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symloss as sl
from symloss.errors import DomainError
from symloss.expr.trees import Weighted
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar
from symloss.search.screen.gate import gate
from symloss.theory import analyze
from tests.theory.brute_force import contradictions


def evolved(seed: int, kind: str, classes: int | None) -> sl.Loss | None:
    """A tree as the search draws it, with coefficients and turned the right way, if it passes the gate."""
    program = initial_program(Grammar(), Rates(), seed)
    edges = np.random.default_rng(seed).normal(1, 0.3, program.size - 1).round(3).tolist()
    verdict = gate(program, kind, classes, edges)
    return Weighted(program, tuple(edges), verdict.sign).to_loss(kind) if verdict.passed else None


@given(st.integers(0, 2**20), st.sampled_from([2, 3, 10]))
@settings(max_examples=12)
def test_no_certificate_is_contradicted(seed: int, classes: int) -> None:
    loss = evolved(seed, "classification", classes)
    assume(loss is not None)
    try:
        certificate = analyze(loss, classes)
    except DomainError:
        return
    assert contradictions(certificate, classes) == []


@pytest.mark.parametrize("name", sl.names("classification"))
def test_no_certificate_of_the_zoo_is_contradicted(name: str) -> None:
    assert contradictions(analyze(sl.named(name, "classification"), 10), 10) == []


ODD = [
    "y*sign(0.5 - p)",  # steps: constant in pieces, not constant
    "y*sign(abs(p - 1/2) - 0.2)",
    "y*0.5",
    "y*abs(p - 1/3)",  # a kink at the null epoch
    "-y*log(p) - 5*(1 - y)*p**2",  # the others drift apart
    "-y*log(p) + (1 - y)*sin(6*p)",
    "y*((p - 0.3)**2*(p - 0.8)**2 + 0.001*p)",  # two valleys
    "y*min(abs(p - 0.2) + 0.01, abs(p - 0.9))",
    "y*abs(log(1.000000001*p))",  # an attractor next to 1
    "-y*log(p) + 1e-9*p**2",
    "-y*log(p) - 3*abs(p - 0.4)",
    "(p - 1/2)**2/(p - 1/2)*y",
    "plog(y*p)",
    "-psqrt(y - p)",
    "aq(1 - y, 1 - p)",
    "y/(p - 1/2)**2",
    "-y*log(1 - (1 - p)**2)",
    "y*(1 - p) + plog(tanh(0.5 - p/2))",  # no bound below with the rest on one class
]


@pytest.mark.parametrize("formula", ODD)
def test_no_certificate_of_an_odd_shape_is_contradicted(formula: str) -> None:
    assert contradictions(analyze(sl.parse(formula), 3), 3) == []


def test_steps_are_not_constant() -> None:
    finding = analyze(sl.parse("y*sign(0.5 - p)"), 3).findings["attractor"]
    assert "constant from p = 0.5 to p = 1" in finding.reason
    finding = analyze(sl.parse("y/2"), 3).findings["proper"]
    assert finding.verdict == "refuted"
    assert "the risk is constant" in finding.reason
