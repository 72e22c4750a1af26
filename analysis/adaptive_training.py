"""Trainings of `analysis.adaptive_losses` beside those of `symloss.adapt`: cost, divergence, horizons."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from symloss.meta import AdaptiveLoss, LearnedLoss
from symloss.meta.adapt_path import read
from symloss.meta.adapt_training import Trained, adapt_model, offline, train_along
from symloss.meta.adaptable import NEURAL, RATE_ONLY, ScaledLoss, adaptable
from symloss.meta.hypergradient import unrolled_hypergradient
from symloss.meta.inner import Adam
from symloss.meta.learned_loss import packed, unpacked
from symloss.runs import derive
from symloss.tasks import SupervisedTask

__all__ = ["RATES", "compare_cost", "divergence", "fixed_rate", "with_horizon"]

RATES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Times the task's own learning rate."""
LONGEST = 200
"""Steps of a training that may diverge."""
ETA = 1e-3
"""Of adaptation where learning rates are compared: tuning it would hide what diverges."""
OUTER_ETA = {RATE_ONLY: 0.05, NEURAL: 1e-3}
"""Of Adam where a loss is learned with a horizon."""
ORDINARY = torch.zeros(1, 1)
"""The path of the ordinary loss: a `ScaledLoss` at 1."""


def compare_cost(task: SupervisedTask, loss: str, steps: int) -> dict[str, float]:
    """Processor time of an adapting step over one with the ordinary loss: the best of three, by turns."""
    task, learned = task.with_settings(steps=steps), adaptable(loss, task.kind, task.classes)
    plain: list[float] = []
    dear: list[float] = []
    for _ in range(3):
        for times, train in (
            (plain, lambda: train_along(task, ScaledLoss(task.kind), ORDINARY, seed=0)),
            (dear, lambda: _adapt(task, learned, packed(learned.coefficients), 0)),
        ):
            began = time.process_time()
            train()
            times.append((time.process_time() - began) / steps)
    return {"plain": min(plain), "adaptive": min(dear), "ratio": max(1.0, min(dear) / min(plain))}


def _adapt(task: SupervisedTask, loss: LearnedLoss, start: Tensor, seed: int) -> Trained:
    adaptive = AdaptiveLoss(loss, eta=ETA, objective=task.meta_loss)
    adaptive.coefficients = unpacked(start.double(), loss.coefficients)
    return adapt_model(task, adaptive, seed=seed)


def divergence(
    task: SupervisedTask, losses: Sequence[str], seed: int, initial: Callable[[str], int]
) -> dict[str, dict[str, Any]]:
    """By way of training and learning rate, why it stopped (`""`), and whether it ended worse than it began.

    Losses are initialised offline at the task's own learning rate: what is asked is what a rate too large does to them.

    Args:
        task: at its own learning rate.
        losses: that adapt, beside the learning rate only.
        seed: of start and batches.
        initial: steps of offline initialisation of a loss.
    """
    starts: dict[str, tuple[LearnedLoss, Tensor]] = {}
    for name in (*losses, RATE_ONLY):
        loss = adaptable(name, task.kind, task.classes, seed=derive(seed, "network"))
        starts[name] = loss, offline(loss, task, seed=derive(seed, "offline"), steps=initial(name))
    found: dict[str, dict[str, Any]] = {}
    for factor in RATES:
        rate = task.settings.learning_rate * factor
        at = task.with_settings(learning_rate=rate, steps=min(LONGEST, task.settings.steps))
        trained = {"ordinary": train_along(at, ScaledLoss(task.kind), ORDINARY, seed=seed)}
        for name, (loss, start) in starts.items():
            trained[f"{name}, adaptive"] = _adapt(at, loss, start, seed)
            trained[f"{name}, fixed"] = train_along(at, loss, start[None], seed=seed)
        for way, each in trained.items():
            found.setdefault(way, {})[f"{factor:g}"] = {
                "diverged": each.diverged, "worse": not _better(at, each, seed),
            }  # fmt: skip
    return found


def _better(task: SupervisedTask, trained: Trained, seed: int) -> bool:
    """Whether a training ended with a better score on the validation rows than it began with."""
    if trained.diverged:
        return False
    before, now = (_fitness(task, model) for model in (task.build_model(seed), trained.model))
    return now < before


def _fitness(task: SupervisedTask, model: torch.nn.Module) -> float:
    return task.measure.fitness(task.evaluate(model, "val")[task.metric])


def fixed_rate(task: SupervisedTask, seed: int) -> dict[str, float]:
    """Of the learning rates at which the ordinary loss trains to the end, the best by the validation rows."""
    fitness = {}
    for factor in RATES:
        at = task.with_settings(learning_rate=task.settings.learning_rate * factor)
        found = train_along(at, ScaledLoss(task.kind), ORDINARY, seed=seed)
        fitness[factor] = math.inf if found.diverged else _fitness(at, found.model)
    return {"factor": min(fitness, key=lambda factor: (fitness[factor], factor))}


def with_horizon(task: SupervisedTask, name: str, horizon: int, outer: int, seed: int) -> dict[str, Any]:
    """A loss learned through so many unrolled steps from fresh starts, what rate it implies, and how it trains.

    Args:
        task: its optimiser is the inner one, momentum carried along.
        name: `"neural"` or `"learning rate only"`.
        horizon: inner steps.
        outer: meta-steps.
        seed: of starts and batches.
    """
    loss = adaptable(name, task.kind, task.classes, seed=derive(seed, "network"))
    like = loss.coefficients
    phi, state, rule = packed(like).float(), dict[str, Tensor](), Adam(OUTER_ETA[name])
    order = derive(seed, "horizon", horizon)
    batches = task.minibatches(order, outer * horizon)
    meta = task.minibatches(derive(order, "val"), outer, split="val")
    reason = ""
    for step, val in enumerate(meta):
        model = task.build_model(derive(order, "start", step))
        found = unrolled_hypergradient(
            model, lambda c, outputs, targets: loss(unpacked(c, like), outputs, targets), phi,
            list(itertools.islice(batches, horizon)), val, task.meta_loss, task.settings,
        )  # fmt: skip
        if not bool(torch.isfinite(found.gradient).all()):
            reason = f"the meta-gradient was not finite at meta-step {step + 1}"
            break
        phi, state = rule.step(phi, found.gradient, state)
    trained = train_along(task, loss, phi[None], seed=seed)
    score = math.nan if trained.diverged else task.evaluate(trained.model, "test")[task.metric]
    reading = read(loss, unpacked(phi, like), task.classes, task.train.y)
    return {
        "implicit learning rate": reading.implicit_learning_rate, "reason": reason, "diverged": trained.diverged,
        "test": score if math.isfinite(score) else None, "metric": task.metric,
    }  # fmt: skip
