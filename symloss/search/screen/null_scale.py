"""The null-epoch scale of a loss, a learning rate in disguise: taken out, so that shape is what competes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from symloss.expr.trees import Weighted
from symloss.meta import NeuralLoss, TreeLoss
from symloss.tasks import SupervisedTask, Task
from symloss.tasks.train.loop import seeded
from symloss.tasks.train.objectives import ordinary

__all__ = ["NullScale", "null_scale"]


class NullScale:
    """How much steeper a loss is than the ordinary one where training starts.

    The root mean square of the gradient with respect to the outputs (logits, predictions), at the outputs of
    the fresh model on its first training batch, over that of cross-entropy, binary cross-entropy or squared
    error; the geometric mean over tasks. Not finite where the loss is not.

    The model and the batch are none of those that a training starts from. A loss is trained from many starts, a block
    or a replicate each its own, and divided by a scale of each it would be another loss in every one of them. So one
    start stands for all. From start to start the scale differs by a few percent with a perceptron, and by some 15 with
    a linear model and a batch of a small regression, for losses of one shape alike. What is left of a learning rate is
    taken out where finalists search their own.

    Args:
        tasks: with gradients; others count as 1.
        seed: of the fresh model, its dropout and its first batch.
    """

    def __init__(self, tasks: Sequence[Task], seed: int) -> None:
        self.tasks, self.seed = tuple(tasks), seed

    def __call__(self, loss: Weighted | NeuralLoss) -> float:
        """The scale of one loss."""
        ratios = [start.ratio(loss) if start else 1.0 for start in self._starts]
        # A geometric mean, as scales multiply: 2 on one task and 1/2 on another are no scale at all.
        logs = [math.log(ratio) if 0 < ratio < math.inf else math.nan for ratio in ratios]
        return math.exp(sum(logs) / len(logs))

    @cached_property
    def _starts(self) -> list[_Start | None]:
        # The model is made once: the same for every loss.
        return [
            _Start.of(task, self.seed) if isinstance(task, SupervisedTask) else None for task in self.tasks
        ]


def null_scale(tasks: Sequence[Task], loss: Weighted | NeuralLoss, seed: int) -> float:
    """`NullScale` of a single loss."""
    return NullScale(tasks, seed)(loss)


@dataclass(frozen=True)
class _Start:
    """The first batch of a training, and how steep the ordinary loss is there."""

    task: SupervisedTask
    outputs: Tensor
    targets: Tensor
    context: Mapping[str, Tensor]
    ordinary: float

    @classmethod
    def of(cls, task: SupervisedTask, seed: int) -> _Start:
        inputs, targets = next(iter(task.minibatches(seed, 1)))
        context = task.context(task.batches(seed, 1)[0])
        with torch.no_grad(), seeded(seed):  # dropout, too, as the training draws it
            outputs = task.build_model(seed)(inputs)
        return cls(
            task, outputs, targets, context, _gradient(outputs, lambda z: ordinary(task.kind, z, targets))
        )

    def ratio(self, loss: Weighted | NeuralLoss) -> float:
        learned = loss if isinstance(loss, NeuralLoss) else TreeLoss(self.task.kind, *loss.graph())
        phi = {name: each.to(self.outputs) for name, each in learned.coefficients.items()}
        slope = _gradient(self.outputs, lambda z: learned(phi, z, self.targets, self.context))
        return slope / self.ordinary


def _gradient(outputs: Tensor, function: Callable[[Tensor], Tensor]) -> float:
    leaf = outputs.detach().clone().requires_grad_()
    value = function(leaf)
    # A formula in which tuning or merging has left no prediction.
    if not value.requires_grad:
        return 0.0
    (gradient,) = torch.autograd.grad(value, leaf)
    # The square of a float32 gradient below 4e-23 would be 0.
    return float(gradient.double().square().mean().sqrt())
