"""What an adapting loss is said to do by itself, tuned by hand: a rate schedule, a step to stop at, label smoothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from symloss.meta import FormulaLoss, LearnedLoss
from symloss.meta.adapt_training import train_along
from symloss.meta.adaptable import ScaledLoss
from symloss.meta.learned_loss import packed
from symloss.runs import derive
from symloss.search.loop.training import RATES
from symloss.tasks import SupervisedTask
from symloss.zoo import named

__all__ = ["SMOOTHINGS", "THIRDS", "by_thirds", "smoothed", "tuned", "turned_down"]

THIRDS = 3
"""Parts of a training, in each of which a value of its own is tuned."""
FACTORS = (0.1, 0.3, 1.0, 3.0)
"""Of the learning rate of a third, over the best constant one."""
SMOOTHINGS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)
LOOKS = 20
_NONE = 1e-4
"""The smoothing of a third that has none: the coefficient lies within (0, 1)."""
Fitness = Callable[[Sequence[float]], float]


def by_thirds(fitness: Fitness, start: float, choices: Sequence[float]) -> list[float]:
    """Values of the three thirds, chosen one after the other from the last, smaller fitness being better.

    >>> by_thirds(lambda values: sum((v - w) ** 2 for v, w in zip(values, (3, 2, 1))), 2, (1, 2, 3))
    [3, 2, 1]
    """
    values, best = [start] * THIRDS, fitness([start] * THIRDS)
    for place in reversed(range(THIRDS)):
        for choice in choices:
            tried = [*values[:place], choice, *values[place + 1 :]]
            if choice != values[place] and (found := fitness(tried)) < best:
                values, best = tried, found
    return values


def turned_down(rates: Sequence[float], steps: int) -> Tensor:
    """The path of a `ScaledLoss` whose learning rate is `rates[i]` times the task's in third i, `[steps, 1]`."""
    return torch.tensor([_third(rates, step, steps) for step in range(steps)]).log()[:, None]


def smoothed(smoothings: Sequence[float], steps: int) -> tuple[LearnedLoss, Tensor]:
    """Label smoothing with `xi` of its own in each third, and its path, `[steps, 1]`."""
    losses = [FormulaLoss(named("lsr", xi=max(xi, _NONE))) for xi in smoothings]
    phis = [packed(loss.coefficients).float() for loss in losses]
    return losses[0], torch.stack([_third(phis, step, steps) for step in range(steps)])


def _third(values: Sequence[Any], step: int, steps: int) -> Any:
    return values[min(len(values) - 1, step * len(values) // steps)]


def tuned(task: SupervisedTask, seed: int, trials: int) -> dict[str, Any]:
    """Everything tuned on the validation rows, each over `trials` starts, and what it scores on the test rows.

    Rates, schedule and step are of the ordinary loss; smoothing is tuned at its best constant rate.

    Args:
        task: with its settings.
        seed: of the starts, the last of them for the test rows alone.
        trials: starts over which a choice is made.

    Returns:
        `rate` (over the task's), `rates` (of the thirds), `stop` (a share of the training), for classification
        `smoothing` and `smoothings` (of the thirds), and `test` by name.
    """
    ordinary, steps = ScaledLoss(task.kind), task.settings.steps
    seeds = [derive(seed, "by hand", trial) for trial in range(trials)]
    reported = derive(seed, "by hand", "reported")

    def fitness(loss: LearnedLoss, path: Tensor) -> float:
        found = [_fitness(task, loss, path, each) for each in seeds]
        return statistics.fmean(found)

    def scaled(rates: Sequence[float]) -> float:
        return fitness(ordinary, turned_down(rates, steps))

    rate = min(RATES, key=lambda each: (scaled([each]), each))
    rates = by_thirds(scaled, rate, [rate * factor for factor in FACTORS])
    paths: dict[str, tuple[SupervisedTask, LearnedLoss, Tensor]] = {
        "constant rate": (task, ordinary, turned_down([rate], steps)),
        "rate by thirds": (task, ordinary, turned_down(rates, steps)),
    }
    chosen: dict[str, Any] = {"rate": rate, "rates": rates, "stop": _stop(task, rate, seeds)}
    if task.classes:
        at = task.with_settings(learning_rate=task.settings.learning_rate * rate)

        def smooth(smoothings: Sequence[float]) -> float:
            loss, path = smoothed(smoothings, steps)
            return statistics.fmean(_fitness(at, loss, path, each) for each in seeds)

        xi = min(SMOOTHINGS, key=lambda each: (smooth([each]), each))
        thirds = by_thirds(smooth, xi, SMOOTHINGS[::2])
        chosen |= {"smoothing": xi, "smoothings": thirds}
        paths |= {
            "smoothing": (at, *smoothed([xi], steps)),
            "smoothing by thirds": (at, *smoothed(thirds, steps)),
        }
    test = {name: _score(*each, reported, "test") for name, each in paths.items()}
    return {**chosen, "test": test}


def _score(
    task: SupervisedTask, loss: LearnedLoss, path: Tensor, seed: int, part: str = "val"
) -> float | None:
    """The metric, or None where training diverged."""
    found = train_along(task, loss, path, seed=seed)
    return None if found.diverged else task.evaluate(found.model, part)[task.metric]


def _fitness(task: SupervisedTask, loss: LearnedLoss, path: Tensor, seed: int) -> float:
    score = _score(task, loss, path, seed)
    return float("inf") if score is None else task.measure.fitness(score)


def _stop(task: SupervisedTask, rate: float, seeds: Sequence[int]) -> float:
    """The share of the training after which the ordinary loss is best, at a constant rate."""
    steps = task.settings.steps
    looks = sorted({round(steps * place / LOOKS) for place in range(1, LOOKS + 1)})
    sums = dict.fromkeys(looks, 0.0)

    def look(step: int, model: nn.Module, phi: Tensor) -> None:
        sums[step] += task.measure.fitness(task.evaluate(model, "val")[task.metric])

    for seed in seeds:
        train_along(
            task, ScaledLoss(task.kind), turned_down([rate], steps), seed=seed, looks=looks, look=look
        )
    return min(looks, key=lambda step: (sums[step], step)) / steps
