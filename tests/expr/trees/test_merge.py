"""Merging keeps the function and writes fewer numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from symloss.expr import OPERATORS, Program
from symloss.expr.trees import Weighted
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.propose.grammar import Grammar


def value(loss: Weighted, y: float, p: float) -> float:
    program, edges = loss.graph()

    def at(i: int) -> float:
        token = program.tokens[i]
        if not program.children(i):
            return {"y": y, "p": p, "1": 1.0, "-1": -1.0}[token]
        return OPERATORS[token].evaluate(*(edges[c - 1] * at(c) for c in program.children(i)))

    return at(0)


@pytest.mark.parametrize("seed", range(40))
def test_merging_keeps_the_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = initial_program(Grammar(), Rates(), seed)
    loss = Weighted(program, tuple(rng.normal(1, 0.5, program.size - 1).tolist()), -1.7)
    merged = loss.merged()
    assert merged.coefficients <= loss.coefficients
    assert merged.program.size <= program.size
    for y, p in rng.normal(size=(50, 2)).tolist():
        assert value(merged, y, p) == pytest.approx(value(loss, y, p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("tokens", "edges", "text"),
    [
        (("mul", "y", "plog", "p"), (2.0, 3.0, -0.5), "6*y*plog(p/2)"),
        (("mul", "y", "plog", "p"), (-2.0, 3.0, 0.5), "-6*y*plog(p/2)"),
        (("square", "sub", "y", "p"), (2.0, 3.0, 3.0), "36*(y - p)**2"),
        (("add", "mul", "y", "1", "p"), (1.5, 2.0, 3.0, 1.0), "p + 9*y"),
        (("tanh", "mul", "p", "aq", "1", "1"), (1.0, 1.0, 1.0, 1.0, 0.0), "tanh(p)"),
        (("abs", "mul", "y", "p"), (-2.0, 1.0, 1.0), "2*abs(p*y)"),
    ],
)
def test_products_have_one_coefficient_and_constants_fold(
    tokens: tuple[str, ...], edges: tuple[float, ...], text: str
) -> None:
    assert str(Weighted(Program(tokens), edges).merged().to_loss("regression")) == text


def test_rounding_is_what_is_printed() -> None:
    loss = Weighted(Program(("mul", "y", "plog", "p")), (1.23456, 1.0, 0.98765)).merged().rounded()
    assert str(loss.to_loss("classification")) == "1.235*y*plog(0.9877*p)"


def test_what_overflows_is_left_as_it_was() -> None:
    loss = Weighted(Program(("square", "mul", "y", "p")), (1e200, 1e200, 1.0))
    assert loss.merged() == loss
    assert not Weighted(loss.program, (math.inf, 1.0, 1.0)).finite


def test_a_factor_becomes_part_of_the_graph() -> None:
    loss = Weighted.plain(Program(("sub", "y", "p"))).scaled(0.5)
    assert loss.graph() == (Program(("mul", "1", "sub", "y", "p")), (0.5, 1.0, 1.0, 1.0))
    assert value(loss, 3.0, 1.0) == 1.0


def test_a_number_under_a_free_exponent_comes_out_of_it() -> None:
    """SymPy would write `1.43**0.191` as powers of primes."""
    loss = Weighted(Program(("mul", "y", "pow", "p", "1")), (1.0, 1.43, 1.43, 0.191), -0.2384).merged()
    assert loss.program.tokens == ("mul", "y", "pow", "p", "1")
    assert loss.edges[2:] == (1.0, 0.191)
    assert str(loss.rounded().to_loss("classification")) == "-0.365*p**0.191*y"
    negative = Weighted(Program(("pow", "p", "1")), (-1.43, 2.0)).merged()
    assert negative.edges == (-1.43, 2.0), "a negative base stays: its power need not be real"
