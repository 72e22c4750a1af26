"""The learning rate and the number of steps at which a loss is trained: chosen on validation data.

The search chooses them for the ordinary loss before it begins, and the comparison at its end for every loss
that it compares, from one grid.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

from symloss.expr import Loss
from symloss.tasks import SupervisedTask, Task, TrainingSettings

__all__ = [
    "RATES",
    "STOPS",
    "TRIALS",
    "best_settings",
    "curve",
    "fitness",
    "rates",
    "stops",
    "tuned_settings",
]

RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Learning rates that are tried, as multiples of the task's."""
STOPS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Numbers of steps that are tried, as shares of the task's."""
TRIALS = 3
"""Training seeds over which validation chooses."""


def stops(task: Task) -> list[int]:
    """The numbers of steps that are tried on a task."""
    return sorted({max(1, round(share * task.settings.steps)) for share in STOPS})


def curve(task: Task, loss: Loss, seed: int, rate: float) -> list[float]:
    """The validation fitness after each of `stops`; infinite from where training diverges.

    Args:
        task: of any kind.
        loss: to be trained with.
        seed: of the training.
        rate: times the task's learning rate; 1 where the trainer is the user's, whose rate is not ours.
    """
    settings = replace(task.settings, learning_rate=task.settings.learning_rate * rate)
    found = task.score_steps(loss, stops(task), seed=seed, settings=settings)
    return [fitness(task, value) for value in found]


def rates(task: Task) -> tuple[float, ...]:
    """The learning rates that are tried on a task: those of a user's trainer are not ours to change."""
    return RATES if isinstance(task, SupervisedTask) else (1.0,)


def tuned_settings(task: Task, loss: Loss, trials: Sequence[int]) -> TrainingSettings:
    """The learning rate and number of steps of the best mean validation fitness over some training seeds."""
    curves = {rate: [curve(task, loss, seed, rate) for seed in trials] for rate in rates(task)}
    return best_settings(task, curves)


def best_settings(task: Task, curves: dict[float, list[list[float]]]) -> TrainingSettings:
    """Of the curves at each rate, one a seed, the rate and the stop of the lowest mean."""
    best, chosen = math.inf, task.settings
    for rate, found in curves.items():
        for stop, values in zip(stops(task), zip(*found, strict=True), strict=True):
            mean = statistics.fmean(values)
            if mean < best:
                best = mean
                chosen = replace(task.settings, learning_rate=task.settings.learning_rate * rate, steps=stop)
    return chosen


def fitness(task: Task, value: float) -> float:
    """What is minimised for a value of the task's metric; infinite for one that is not finite."""
    found = task.measure.fitness(value)
    return found if math.isfinite(found) else math.inf
