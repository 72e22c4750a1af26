"""A search without training is deterministic, keeps to its limits, and asks of a loss what its screen says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import symloss as sl
from symloss.expr.trees import symbols, weighted_from
from symloss.meta.gradient_distance import fixed_points, gradient_distance, unit_gradient
from symloss.search.loop.by_gradient import Screen, gated, pointed, search_by_gradient
from symloss.search.settings import PRESETS

POINTS = fixed_points("classification")
TARGET = unit_gradient(weighted_from(sl.named("gce")), POINTS)
SETTINGS = replace(PRESETS["quick"], population=12)


def outcomes(limit: int, **options: object) -> list:
    screen = Screen("classification", 10, gated("classification", 10))
    return list(search_by_gradient(SETTINGS, 3, TARGET, POINTS, screen, limit=limit, **options))  # type: ignore[arg-type]


def test_the_same_seed_looks_at_the_same_losses_and_a_longer_search_goes_on_where_a_shorter_ended() -> None:
    short, long = outcomes(20), outcomes(40)
    assert short == long[:20]
    assert [outcome.number for outcome in long] == list(range(40))


def test_the_fitness_is_the_distance_of_the_fitted_loss() -> None:
    known = [outcome for outcome in outcomes(30) if outcome.fitness is not None]
    assert len(known) > 5
    for outcome in known:
        distance = float(gradient_distance(unit_gradient(outcome.loss, POINTS), TARGET))
        # Rounding to six digits and a factor of one change no direction but its sign.
        assert distance == pytest.approx(outcome.fitness, rel=1e-2, abs=1e-5)


def test_formulas_beyond_the_longest_have_no_fitness() -> None:
    found = outcomes(40, longest=8)
    assert any(outcome.complexity > 8 for outcome in found)
    assert all(outcome.fitness is None or symbols(outcome.loss.formula) <= 8 for outcome in found)


def test_what_is_given_comes_first() -> None:
    given = weighted_from(sl.named("gce", q=0.4))
    first = outcomes(1, given=[given])[0]
    assert first.program == given.program
    assert first.fitness == pytest.approx(0, abs=1e-5)


def test_the_gate_asks_for_a_start_and_the_other_screen_for_a_gradient_alone() -> None:
    stuck = weighted_from(sl.parse("y*(p - 1/10)**2"))  # no pull at p = 1/C
    assert gated("classification", 10)(stuck) is None
    assert pointed(TARGET, POINTS)(stuck) is not None
    assert pointed(TARGET, POINTS)(weighted_from(sl.parse("log(p - 1/2)"))) is None  # not finite


def test_a_loss_is_turned_to_the_side_of_the_target() -> None:
    turned = pointed(TARGET, POINTS)(weighted_from(sl.parse("y*log(p)")))
    assert turned is not None
    assert float(unit_gradient(turned, POINTS) @ TARGET) > 0


def test_a_class_is_admitted_again_only_by_a_shorter_loss() -> None:
    screen = Screen("classification", 10, pointed(TARGET, POINTS))
    long, short = weighted_from(sl.parse("-y*log(p) - y*log(p**2)")), weighted_from(sl.parse("-y*log(p)"))
    assert long.program.size > short.program.size
    assert screen.admit(long) is not None
    assert screen.worth_it(short)
    assert screen.admit(short) is not None
    assert not screen.worth_it(long)
    assert np.isfinite(TARGET).all()
