"""The scale of a loss: a learning rate in disguise, taken out so that shape is what competes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from symloss.codegen.interpret import program_loss
from symloss.meta.tune import task_context
from symloss.search.weighted import Weighted
from symloss.tasks import Task
from symloss.tasks.objectives import ordinary

__all__ = ["null_scale"]


def null_scale(tasks: Sequence[Task], loss: Weighted, seed: int) -> float:
    """How much steeper a loss is than the ordinary one where training starts.

    The root mean square of the gradient with respect to the outputs (logits, predictions), at the outputs of
    the fresh model on its first training batch, over that of cross-entropy, binary cross-entropy or squared
    error; the geometric mean over tasks. Not finite where the loss is not.

    Args:
        tasks: with gradients; others count as 1.
        loss: the weighted tree.
        seed: that of the training, so that this is the batch that the training begins with.
    """
    logs = [
        math.log(ratio) if 0 < (ratio := _ratio(task, loss, seed)) < math.inf else math.nan for task in tasks
    ]
    return math.exp(sum(logs) / len(logs))


def _ratio(task: Task, loss: Weighted, seed: int) -> float:
    if not task.has_gradients:
        return 1.0
    inputs, targets = next(iter(task.minibatches(seed, 1)))
    with torch.no_grad():
        outputs = task.build_model(seed)(inputs)
    program, edges = loss.graph()
    coefficients = torch.tensor(edges, dtype=outputs.dtype, device=outputs.device)
    context = task_context(task)
    slope = _gradient(outputs, lambda z: program_loss(program, task.kind, z, targets, coefficients, context))
    return slope / _gradient(outputs, lambda z: ordinary(task.kind, z, targets))


def _gradient(outputs: Tensor, function: Callable[[Tensor], Tensor]) -> float:
    leaf = outputs.detach().clone().requires_grad_()
    value = function(leaf)
    if not value.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(value, leaf)
    return float(gradient.double().square().mean().sqrt())
