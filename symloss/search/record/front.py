"""What no other loss beats: the archive over the whole run, and which of its rows to take."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from symloss.search.record.result import FrontRow

__all__ = ["build_front", "non_dominated", "pick", "standard_error"]


def non_dominated(points: Iterable[tuple[float, float, int]]) -> list[int]:
    """The numbers of the points that no other beats in both objectives, by rising complexity.

    Args:
        points: `(fitness, complexity, number)`; one whose fitness is not finite is never kept, and of equal
            points the lowest number is.

    >>> non_dominated([(0.5, 3, 0), (0.4, 7, 1), (0.6, 5, 2), (0.4, 7, 3), (float("nan"), 1, 4)])
    [0, 1]
    """
    kept: list[int] = []
    lowest = math.inf
    for fitness, _, number in sorted(
        (point for point in points if math.isfinite(point[0])),
        key=lambda point: (point[1], point[0], point[2]),
    ):
        if fitness < lowest:
            kept.append(number)
            lowest = fitness
    return kept


def standard_error(values: Sequence[float]) -> float:
    """Of their mean: `s / sqrt(n)`; 0 for a single value.

    >>> standard_error([1.0, 3.0])
    1.0
    """
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def pick(rows: Sequence[FrontRow], fresh: Mapping[int, Sequence[float]]) -> int:
    """Which row to take: the simplest within one standard error of the best on fresh seeds.

    Rows without fresh values - of a run that was interrupted - are compared by their fitness alone.

    Args:
        rows: by rising complexity.
        fresh: by evaluation number, fitnesses (lower is better) on fresh seeds; a loss that diverged on one
            of them has an infinite mean and is never taken before one that did not.

    Returns:
        an index into `rows`.
    """
    means = [statistics.fmean(fresh.get(row.evaluation) or [row.fitness]) for row in rows]
    means = [mean if math.isfinite(mean) else math.inf for mean in means]
    best = min(range(len(rows)), key=lambda i: means[i])
    values = [value for value in fresh.get(rows[best].evaluation, ()) if math.isfinite(value)]
    limit = means[best] + standard_error(values)
    return next(i for i in range(len(rows)) if means[i] <= limit)


def build_front(
    rows: Iterable[FrontRow], fresh: Mapping[int, Sequence[float]] | None = None, *, positive: bool = True
) -> tuple[FrontRow, ...]:
    """The non-dominated rows, numbered, scored and one of them picked.

    Args:
        rows: every trained loss, in order of evaluation.
        fresh: see `pick`.
        positive: whether fitnesses are errors, so that a score is a difference of logarithms.
    """
    by_number = {row.evaluation: row for row in rows}
    kept = [
        by_number[number]
        for number in non_dominated(
            (row.fitness, row.complexity, row.evaluation) for row in by_number.values()
        )
    ]
    if not kept:
        return ()
    taken = pick(kept, fresh or {})
    scores = [None, *(_score(a, b, positive) for a, b in pairwise(kept))]
    return tuple(
        replace(row, row=i + 1, score=score, picked=i == taken)
        for i, (row, score) in enumerate(zip(kept, scores, strict=True))
    )


def _score(simpler: FrontRow, row: FrontRow, positive: bool) -> float:
    symbols = row.complexity - simpler.complexity
    if positive and row.fitness > 0:
        return math.log(simpler.fitness / row.fitness) / symbols
    return (simpler.fitness - row.fitness) / symbols
