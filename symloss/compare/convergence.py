"""Speed of convergence: validation curves, steps to a target score, area under the curve."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symloss.compare.statistics import kaplan_meier, kaplan_meier_median, paired_t
from symloss.compare.work import Answer
from symloss.tasks import Task

__all__ = ["Reported", "convergence", "target_of"]

_OF_THE_WAY = 0.9
"""The target of steps-to-target: so much of the ordinary loss's way from the untrained model to its best."""


@dataclass(frozen=True)
class Reported:
    """A training that is reported: how, and what came of it."""

    stops: tuple[int, ...]
    answer: Answer

    def value_at(self, step: int) -> float | None:
        """The validation metric after so many steps; after the last of its own the model stays what it is."""
        values: list[float | None] = self.answer["values"]
        # A loss that was tuned to fewer steps is compared at every step, at the model that it ended with.
        seen = [value for stop, value in zip(self.stops, values, strict=True) if stop <= step]
        return seen[-1] if seen else None


def target_of(task: Task, ordinary: Mapping[int, Sequence[Reported]]) -> float | None:
    """The score after nine tenths of the ordinary loss's way, from the untrained model to its best.

    Args:
        task: for its metric.
        ordinary: its trainings as it is, by number of the replicate.
    """
    curves = [each.answer["values"] for runs in ordinary.values() for each in runs]
    # With one diverged training the mean curve is no curve.
    if not curves or len(curves[0]) < 2 or any(value is None for curve in curves for value in curve):
        return None
    means = [statistics.fmean(at_stop) for at_stop in zip(*curves, strict=True)]
    best = min(means, key=task.measure.fitness)
    return means[0] + _OF_THE_WAY * (best - means[0])


def convergence(
    task: Task, reports: Mapping[int, Sequence[Reported]], target: float | None, overlap: float
) -> dict[str, Any]:
    """The fields of a row that say how fast it got there.

    Args:
        task: for its metric and steps.
        reports: the trainings by number of the replicate.
        target: see `target_of`.
        overlap: of the replicates, see `statistics.paired_t`.
    """
    runs = [each for number in sorted(reports) for each in reports[number]]
    times, reached = _to_target(task, runs, target)
    return {
        "area": _area(runs, task.settings.steps), "curve": _curve(reports, overlap), "target": target,
        "steps_to_target": None if target is None else kaplan_meier_median(times, reached),
        "reached": tuple((int(time), 1 - share) for time, share in kaplan_meier(times, reached)),
    }  # fmt: skip


def _to_target(task: Task, runs: Sequence[Reported], target: float | None) -> tuple[list[float], list[bool]]:
    """By training, the steps to the target or to its end, and whether it got there."""
    if target is None:
        return [], []
    fitness = task.measure.fitness
    times, reached = [], []
    for each in runs:
        hits = [
            stop
            for stop, value in zip(each.stops, each.answer["values"], strict=True)
            if value is not None and fitness(value) <= fitness(target)
        ]
        # Without a hit the time is censored: the target may lie beyond the end.
        times.append(float(hits[0] if hits else each.stops[-1]))
        reached.append(bool(hits))
    return times, reached


def _curve(reports: Mapping[int, Sequence[Reported]], overlap: float) -> tuple[tuple[float | None, ...], ...]:
    """By step the mean over the replicates, seeds averaged within each, with its interval, until one diverged."""
    steps = sorted({stop for runs in reports.values() for each in runs for stop in each.stops})
    points: list[tuple[float | None, ...]] = []
    for step in steps if len(steps) > 1 else ():
        values = [[each.value_at(step) for each in reports[number]] for number in sorted(reports)]
        # A mean over those that still train would improve as the others fail.
        if any(value is None for runs in values for value in runs):
            break
        means = [statistics.fmean(value for value in runs if value is not None) for runs in values]
        low, high = paired_t(means, overlap).interval()
        ends = (None, None) if math.isnan(low) else (low, high)
        points.append((step, statistics.fmean(means), *ends))
    return tuple(points)


def _area(runs: Sequence[Reported], steps: int) -> float | None:
    areas = [_area_under(each, steps) for each in runs]
    known = [area for area in areas if area is not None]
    # As for the curve: all, or none.
    return statistics.fmean(known) if known and len(known) == len(areas) else None


def _area_under(reported: Reported, steps: int) -> float | None:
    """The mean of the metric over the task's steps, by trapezia; after the last step the model stays what it is."""
    values = reported.answer["values"]
    if len(values) < 2 or any(value is None for value in values):
        return None
    # To the task's own number of steps for every loss, so that areas share an axis.
    stops = [*reported.stops, max(steps, reported.stops[-1])]
    return float(np.trapezoid([*values, values[-1]], stops)) / stops[-1]
