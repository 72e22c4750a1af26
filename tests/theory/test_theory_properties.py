"""Verdicts about drawn formulas, held against floats: no certificate may be contradicted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import symloss as sl
from symloss.errors import DomainError
from symloss.search.gate import gate
from symloss.search.gp import Rates, initial_program
from symloss.search.grammar import Grammar
from symloss.theory import analyze
from tests.theory.brute_force import contradictions


def evolved(seed: int, kind: str, classes: int | None) -> sl.Loss | None:
    """A tree as the search draws it, with coefficients and turned the right way, if it passes the gate."""
    program = initial_program(Grammar(), Rates(), seed)
    edges = np.random.default_rng(seed).normal(1, 0.3, program.size - 1).round(3).tolist()
    verdict = gate(program, kind, classes, edges)
    return sl.Loss(verdict.sign * program.to_expr(edges), kind) if verdict.passed else None


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
