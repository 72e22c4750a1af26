"""Which learning rates count when a loss gets a rate of its own."""

from __future__ import annotations

import math

from symloss.search.loop.training import _steady


def test_a_rate_next_to_divergence_is_not_taken() -> None:
    means = {0.3: [[0.5, 0.4]], 1.0: [[0.4, 0.3]], 3.0: [[0.3, 0.2]], 10.0: [[0.25, math.inf]]}
    assert _steady(means, 0) == [0.3, 1.0], "3 is one step of the grid from a rate that breaks"


def test_the_largest_rate_counts_where_nothing_breaks() -> None:
    assert _steady({0.3: [[0.5]], 1.0: [[0.4]]}, 0) == [0.3, 1.0]


def test_without_a_steady_rate_the_best_of_what_trains_is_left() -> None:
    assert _steady({1.0: [[0.4]], 3.0: [[math.inf]]}, 0) == [1.0]
    assert _steady({1.0: [[math.inf]], 3.0: [[math.inf]]}, 0) == [1.0, 3.0]


def test_each_task_has_its_own_limit() -> None:
    means = {0.3: [[0.5], [0.5]], 1.0: [[0.4], [0.4]], 3.0: [[0.3], [math.inf]]}
    assert _steady(means, 0) == [0.3, 1.0, 3.0]
    assert _steady(means, 1) == [0.3]
