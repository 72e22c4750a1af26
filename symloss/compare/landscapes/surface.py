"""Losses and the metric at many points in the space of a model's weights, many points in one pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symloss.expr import PI, Loss, W
from symloss.tasks import SupervisedTask

__all__ = ["Surface", "at_once"]

_NUMBERS = 2**22
"""Of weights and of activations that are held at once."""
_POINTS = 64
"""Points of a pass: beyond, a matrix product of small layers gains nothing."""


@dataclass(frozen=True)
class Surface:
    """Losses on training rows and the task's metric on validation rows, as functions of a model's weights.

    The model is in evaluation mode: dropout is off, and batch normalisation has the statistics in its buffers.

    Attributes:
        task: whose rows they are; of the training part the first `rows`.
        model: any model of the task; its weights are not used, its buffers are where none are given.
        losses: the losses.
        rows: training rows, at most.
    """

    task: SupervisedTask
    model: nn.Module
    losses: Sequence[Loss]
    rows: int = 2048

    def values(
        self, weights: Tensor, buffers: Mapping[str, Tensor] | None = None
    ) -> tuple[list[list[float]], list[float]]:
        """The losses `[N][L]` and the metric `[N]` at weights `[N, P]`; infinite where they are not finite.

        Args:
            weights: see `plane`.
            buffers: by name `[N, ...]`; those of the model unless given.
        """
        train, validation = self.task.train, self.task.val
        outputs = self._outputs(weights, buffers, train.X[: self.rows])
        values = [self._losses(loss, outputs) for loss in self.losses]
        scores = self._outputs(weights, buffers, validation.X)
        metric = [self._finite(float(self.task.measure(each, validation.y)), worst=True) for each in scores]
        return [[column[i] for column in values] for i in range(len(weights))], metric

    def _finite(self, value: float, worst: bool = False) -> float:
        """The value, infinite where it is NaN, which is reserved for points not yet computed."""
        if not math.isnan(value):
            return value
        # The worst end of the metric: a point that diverged is not a good one.
        return -math.inf if worst and self.task.measure.greater_is_better else math.inf

    def mean(self, loss: Loss, outputs: Tensor) -> Tensor:
        """The mean of a loss over the first training rows, whose outputs these are: differentiable."""
        return self._each(loss, outputs.unsqueeze(0))[0].mean()

    def _losses(self, loss: Loss, outputs: Tensor) -> list[float]:
        return [self._finite(float(value)) for value in self._each(loss, outputs).cpu().double().mean(1)]

    def _each(self, loss: Loss, outputs: Tensor) -> Tensor:
        """The loss of each instance, or entry, at each point, `[N, ...]`."""
        points, rows = outputs.shape[:2]
        targets, context = self._repeated(loss, points, rows)
        criterion = loss.to_torch(reduction="none").to(outputs.device)
        each: Tensor = criterion(outputs.flatten(0, 1), targets, **context)
        return each.view(points, -1)

    def _repeated(self, loss: Loss, points: int, rows: int) -> tuple[Tensor, dict[str, Tensor]]:
        part, symbols = self.task.train, loss.expr.free_symbols
        targets = part.y[:rows].repeat(points, *[1] * (part.y.ndim - 1))
        context: dict[str, Tensor] = {}
        if W in symbols and part.w is not None:
            context["w"] = part.w[:rows].repeat(points)
        if PI in symbols and self.task.priors is not None:
            context["priors"] = self.task.priors
        return targets, context

    def _outputs(self, weights: Tensor, buffers: Mapping[str, Tensor] | None, inputs: Tensor) -> Tensor:
        """`[N, rows, ...]`: a pass over all points together, over rows in pieces."""
        own = {name: each.expand(len(weights), *each.shape) for name, each in self.model.named_buffers()}
        state = {**self._named(weights), **own, **(buffers or {})}
        run: Callable[..., Tensor] = _forward(self.model)
        # One model needs no vmap, which would make grouped convolutions of its own, see `at_once`.
        if len(weights) > 1:
            run = torch.func.vmap(run, in_dims=(0, None), randomness="same")
        else:
            state = {name: each[0] for name, each in state.items()}
        # 64 stands for the activations of a small layer, where inputs have few numbers.
        size = max(1, _NUMBERS // (len(weights) * max(64, inputs[0].numel())))
        was_training = self.model.training
        self.model.eval()
        with torch.no_grad():
            pieces = [run(state, piece) for piece in inputs.split(size)]
        self.model.train(was_training)
        if len(weights) == 1:
            return torch.cat(pieces).unsqueeze(0)
        return torch.cat(pieces, dim=1)

    def _named(self, weights: Tensor) -> dict[str, Tensor]:
        """The weights of many models by name, each `[N, ...]`."""
        named, start = {}, 0
        for name, weight in self.model.named_parameters():
            named[name] = weights[:, start : start + weight.numel()].view(len(weights), *weight.shape)
            start += weight.numel()
        return named


def _forward(model: nn.Module) -> Callable[[Mapping[str, Tensor], Tensor], Tensor]:
    def run(state: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(model, dict(state), (inputs,))
        return outputs

    return run


def at_once(model: nn.Module) -> int:
    """How many points of a model's landscape are looked at in one pass."""
    weights = list(model.parameters())
    # Kernels of their own for each point make a grouped convolution, which a CPU does up to four times slower.
    if any(weight.ndim > 2 and weight.device.type == "cpu" for weight in weights):
        return 1
    size = sum(weight.numel() for weight in weights)
    return max(1, min(_POINTS, _NUMBERS // max(1, size)))
