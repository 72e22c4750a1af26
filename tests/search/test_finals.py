"""The final blocks: all of them, at a loss's own rates, and once more at slower ones where a training diverged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from symloss.expr import parse
from symloss.expr.trees import weighted_from
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.ending import _said_of_rates
from symloss.search.loop.finals import hold_finals, write_out, written_candidates
from symloss.search.loop.training import Training
from symloss.search.record.finals import Own
from symloss.tasks import Task, load_task


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("wine", model="linear")


def candidate(number: int) -> Candidate:
    loss = weighted_from(parse("-y*log(p)"))
    return Candidate(number, 0, number, loss.program, loss)


class Breaks:
    """Trainings of candidate 1 diverge on block 2 from a rate on."""

    def __init__(self, task: Task, rate: float) -> None:
        self.tasks, self.trainer, self.rate = (task,), self, rate
        self.settings = SimpleNamespace(blocks=SimpleNamespace(final=4))
        self.asked: list[Training] = []

    def values(self, purpose: str, trainings: Sequence[Training]) -> Iterator[tuple[float | None, ...]]:
        assert purpose == "final"
        self.asked += trainings
        for each in trainings:
            fails = each.candidate.number == 1 and each.block == 2 and each.rates[0] >= self.rate
            yield (None if fails else each.rates[0],)


def held(task: Task, rate: float) -> tuple[Breaks, Any]:
    stages: Any = Breaks(task, rate)
    own = {0: Own((1.0,), (10,)), 1: Own((9.0,), (20,))}
    return stages, hold_finals(stages, [candidate(0), candidate(1)], own, 0)


def test_a_loss_that_diverges_meets_every_block_again_at_a_third_of_its_rate(task: Task) -> None:
    stages, finals = held(task, 9.0)
    assert finals.own == {0: Own((1.0,), (10,)), 1: Own((3.0,), (20,))}
    assert finals.scores[1] == dict.fromkeys(range(4), (3.0,)), "no score is left of the bolder rate"
    assert finals.scores[0] == dict.fromkeys(range(4), (1.0,))
    assert len(stages.asked) == 8 + 4, "the others are not trained again"


def test_it_is_given_up_where_it_diverges_again(task: Task) -> None:
    _, finals = held(task, 3.0)
    assert finals.scores[1][2] == (None,)
    assert finals.evidence([1.0], [1.0]).candidates == (0,)


def test_what_trains_is_trained_once(task: Task) -> None:
    stages, finals = held(task, 100.0)
    assert len(stages.asked) == 8
    assert finals.own[1].rates == (9.0,)


def test_a_long_number_is_written_short_unless_a_requirement_forbids_it() -> None:
    row = candidate(7)
    row.weighted = weighted_from(parse("-1.23456789*y*log(p)"))
    row.formula = row.weighted.formula

    def write(one: Candidate) -> bool:
        return write_out(one, "classification", 4, hard_labels=True)

    (one,) = written_candidates([row], 9, 2, write, lambda one: "")
    assert (one.number, one.parent, one.outcome, one.formula) == (9, 7, "trained", "-1.235*y*log(p)")
    assert row.formula == "-1.23456789*y*log(p)", "the loss itself stays"
    assert written_candidates([row], 9, 2, write, lambda one: "required proper is refuted") == []
    row.formula = "-1.235*y*log(p)"
    assert written_candidates([row], 9, 2, write, lambda one: "") == []


def test_one_candidate_is_not_several() -> None:
    own = {3: Own((1.0,), (10,), edge=True), 5: Own((9.0,), (20,)), 7: Own((9.0,), (20,))}
    kept = own | {5: Own((3.0,), (20,)), 7: Own((3.0,), (20,))}
    said = _said_of_rates(own, kept)
    assert [each.partition(":")[0] for each in said] == ["candidate 3", "candidates 5, 7"]
