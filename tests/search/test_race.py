"""Who goes on after a rung, and how the trust in rungs is measured."""

from __future__ import annotations

import math

import pytest

from symloss.search.loop.race import Race, rank_correlations
from symloss.search.record.result import Evaluation


def evaluation(number: int, rung: float, full: float, outcome: str = "trained") -> Evaluation:
    scores, rungs = {"a": full, "b": -full}, {"0.2": {"b": -full, "a": rung}}
    return Evaluation(
        number, 0, number, ("y",), outcome, "", None, full, full, 0.0, scores=scores, rungs=rungs
    )


def test_the_field_is_the_whole_run() -> None:
    race = Race(0.5)
    assert race.survivors([([0.1], 5), ([0.2], 5)]) == [True, False]
    # A poor generation keeps only what is good among all that came before.
    assert race.survivors([([0.5], 5), ([0.6], 5)]) == [True, False]
    assert race.survivors([([0.15], 5), ([0.05], 9)]) == [True, True]


def test_the_simple_end_of_the_front_goes_on() -> None:
    assert Race(0.25).survivors([([0.1], 9), ([0.2], 9), ([0.3], 9), ([0.9], 2)]) == [
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_finite_never_goes_on(value: float) -> None:
    fitness = math.inf if math.isnan(value) else value
    assert Race(1.0).survivors([([fitness], 1), ([0.3], 9)]) == [False, True]


def test_several_tasks_count_by_mean_rank() -> None:
    assert Race(0.5).survivors([([0.1, 9.0], 5), ([0.2, 1.0], 5), ([0.3, 8.0], 5), ([0.4, 10.0], 5)]) == [
        True, True, False, False,
    ]  # fmt: skip


def test_rank_correlation_is_over_full_trainings() -> None:
    entries = [evaluation(i, rung, full) for i, (rung, full) in enumerate([(1, 1), (2, 3), (3, 2), (4, 4)])]
    entries.append(evaluation(4, 9.0, 0.0, "rejected"))
    ((rung, (rho, count)),) = rank_correlations(entries).items()
    assert (rung, count) == ("0.2", 4)
    assert rho == pytest.approx(0.9), "the mean of 0.8 on task a and 1 on task b, whatever their order"
    assert rank_correlations(entries[:2]) == {}
