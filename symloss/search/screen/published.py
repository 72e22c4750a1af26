"""The filters as published: optimise the predictions themselves, and compare gradient norms.

Both look at a fresh model's outputs on a few training instances (arXiv 2209.08907; the steps and the
threshold, a gain above 0, as in the authors' release).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from symloss.codegen.trees.interpret import output_gradient
from symloss.expr.trees import Weighted
from symloss.tasks import SupervisedTask
from symloss.tasks.train.loop import seeded

__all__ = ["INSTANCES", "STEPS", "gain", "norms_key"]

INSTANCES = 100
STEPS = 1000
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


def gain(task: SupervisedTask, loss: Weighted, seed: int, steps: int = STEPS) -> float:
    """By how much the metric improves when the outputs themselves descend the loss; NaN if they diverge.

    Adam at the base learning rate, from the outputs of a fresh model on the first training instances.
    """
    outputs, targets = _start(task, seed)
    program, edges = loss.graph()
    coefficients = torch.tensor(edges, dtype=outputs.dtype, device=outputs.device)
    context = task.context(slice(INSTANCES))
    z, mean, square = outputs.clone(), torch.zeros_like(outputs), torch.zeros_like(outputs)
    for step in range(1, steps + 1):
        slope = output_gradient(program, task.kind, z, targets, coefficients, context)
        # Adam with bias correction (Kingma and Ba 2015, algorithm 1), on the outputs in place of weights.
        mean = _BETAS[0] * mean + (1 - _BETAS[0]) * slope
        square = _BETAS[1] * square + (1 - _BETAS[1]) * slope**2
        size = (square / (1 - _BETAS[1] ** step)).sqrt() + _EPSILON
        z = z - task.settings.learning_rate * (mean / (1 - _BETAS[0] ** step)) / size
    before, after = (task.measure.fitness(task.measure(each, targets)) for each in (outputs, z))
    # Positive where the metric improves, as `measure.fitness` is minimised.
    return before - after if math.isfinite(after) else math.nan


def norms_key(task: SupervisedTask, loss: Weighted, seed: int) -> str:
    """The gradient norm of each instance to two significant digits: equal keys share a fitness."""
    outputs, targets = _start(task, seed)
    program, edges = loss.graph()
    coefficients = torch.tensor(edges, dtype=outputs.dtype, device=outputs.device)
    slope = output_gradient(
        program, task.kind, outputs, targets, coefficients, task.context(slice(INSTANCES))
    )
    norms: Sequence[float] = slope.reshape(len(slope), -1).norm(dim=1).tolist()
    # The loss is a mean over instances, so each row of the gradient carries 1/N.
    return " ".join(f"{len(slope) * norm:.1e}" for norm in norms)


def _start(task: SupervisedTask, seed: int) -> tuple[Tensor, Tensor]:
    with torch.no_grad(), seeded(seed):  # the same dropout for every loss
        outputs = task.build_model(seed)(task.train.X[:INSTANCES])
    return outputs, task.train.y[:INSTANCES]
