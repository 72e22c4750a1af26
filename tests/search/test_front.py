"""The archive of all that is not dominated, and the rule that picks a row."""

from __future__ import annotations

import math

import pytest

from symloss.expr import parse
from symloss.search.record.codec import presented
from symloss.search.record.front import build_front, non_dominated, pick
from symloss.search.record.result import FrontRow


def row(number: int, fitness: float, complexity: int) -> FrontRow:
    loss = parse("(y - p)**2", kind="regression")
    return FrontRow(0, loss, complexity, fitness, fitness, None, False, number)


def test_what_is_shown_of_a_trained_formula() -> None:
    exact, shown = presented("min(1.252*y, 1.253*y)**2*-log(p)", "classification", True)
    assert str(exact) == "-log(p)*(1.252*y)**2"
    assert shown == parse("-1.567504*y*log(p)")
    assert presented("abs(y)**3*p", "regression", False)[1] == parse("abs(y)**3*p", kind="regression")


def test_dominated_equal_and_infinite_points_are_left_out() -> None:
    points = [(0.5, 5, 0), (0.5, 5, 1), (0.5, 6, 2), (0.4, 6, 3), (math.inf, 1, 4), (math.nan, 1, 5)]
    assert non_dominated(points) == [0, 3]
    assert non_dominated([]) == []


def test_rows_are_numbered_and_scored_by_what_a_symbol_gains() -> None:
    front = build_front([row(0, 0.8, 3), row(1, 0.4, 7), row(2, 0.9, 9)])
    assert [(r.row, r.evaluation) for r in front] == [(1, 0), (2, 1)]
    assert front[0].score is None
    assert front[1].score == pytest.approx(math.log(2) / 4)
    assert [r.picked for r in front] == [False, True]


def test_an_accuracy_is_scored_by_plain_difference() -> None:
    front = build_front([row(0, -0.8, 3), row(1, -0.9, 7)], positive=False)
    assert front[1].score == pytest.approx(0.025)


def test_the_simplest_within_one_standard_error_is_picked() -> None:
    rows = [row(0, 0.60, 3), row(1, 0.50, 5), row(2, 0.49, 9)]
    fresh = {0: [0.7, 0.7, 0.7], 1: [0.50, 0.53, 0.50], 2: [0.47, 0.50, 0.53]}
    assert pick(rows, fresh) == 1
    assert pick(rows, {**fresh, 1: [0.6, 0.6, 0.6]}) == 2
    assert pick(rows, {}) == 2


def test_a_row_that_diverges_on_a_fresh_seed_is_not_picked() -> None:
    rows = [row(0, 0.4, 3), row(1, 0.5, 5)]
    assert pick(rows, {0: [0.4, math.inf], 1: [0.5, 0.5]}) == 1
