"""Tuning on made-up curves: equal budgets, edges that are widened, early stopping."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from symloss.compare.selection import BLOCKS, BUDGET, Chosen, Configuration, Selection
from symloss.tasks import load_task

TASK = load_task("diabetes").with_settings(steps=100)


def tuned(score: Callable[[Configuration, int], float | None], variants: int = 1) -> tuple[Chosen, Selection]:
    selection = Selection(TASK, variants)
    while wanted := selection.wanted():
        for each in wanted:
            assert each not in selection.curves
            selection.record(each, [[score(each, step) for step in selection.stops]] * BLOCKS)
    return selection.chosen(), selection


def bowl(best: float) -> Callable[[Configuration, int], float]:
    return lambda each, step: abs(math.log(each.rate / best))


@pytest.mark.parametrize(("variants", "best"), [(1, 1.0), (4, 0.3), (1, 0.02), (3, 200.0)])
def test_every_loss_gets_as_many_configurations(variants: int, best: float) -> None:
    chosen, selection = tuned(bowl(best), variants)
    assert BUDGET - 2 <= len(selection.curves) <= BUDGET
    assert not chosen.edge
    assert abs(math.log(chosen.rate / best)) < math.log(1.8)


def test_the_grid_is_refined_around_its_best() -> None:
    chosen, _ = tuned(bowl(0.5))
    assert abs(math.log(chosen.rate / 0.5)) < math.log(1.2)


def test_an_edge_is_widened_and_where_that_ends_it_is_said() -> None:
    chosen, selection = tuned(lambda each, step: each.rate)
    assert min(each.rate for each in selection.curves) == pytest.approx(0.1 / 81, rel=0.01)
    assert chosen.edge
    chosen, _ = tuned(lambda each, step: -each.rate)
    assert chosen.edge
    # Nothing is known of what lies beyond 810, the last of the grid.
    assert chosen.rate == pytest.approx(270, rel=0.01)


def test_a_rate_is_chosen_a_step_below_what_diverged_on_any_block() -> None:
    selection = Selection(TASK, 1)
    while wanted := selection.wanted():
        for each in wanted:
            later = len(selection.stops) - 1
            curves: list[list[float | None]] = [[0.0, *[-each.rate] * later]] * BLOCKS
            if each.rate > 9:
                curves[-1] = [0.0, *[None] * later]
            selection.record(each, curves)
    assert any(3 < each.rate < 9 for each in selection.curves), "the best that trained to the end"
    for chosen in (selection.chosen(), selection.chosen(all_steps=True)):
        assert (chosen.rate, chosen.edge) == (3.0, False)


def test_steps_by_early_stopping_and_the_control_without() -> None:
    def overfits(each: Configuration, step: int) -> float:
        return (each.rate * step - 20) ** 2

    chosen, selection = tuned(overfits)
    assert chosen.rate * chosen.steps == pytest.approx(20, abs=0.1)
    assert chosen.steps < 100
    control = selection.chosen(all_steps=True)
    assert control.steps == 100
    assert control.rate == 0.3  # of what the search for the best of all saw


def test_variants_are_compared_and_divergence_is_worst() -> None:
    def second(each: Configuration, step: int) -> float | None:
        return None if each.variant == 0 or each.rate > 5 else 1 - 0.1 * each.variant

    chosen, _ = tuned(second, variants=3)
    assert (chosen.variant, chosen.rate) == (2, 1.0)
    nothing, _ = tuned(lambda each, step: None)
    assert nothing.rate == 1.0
