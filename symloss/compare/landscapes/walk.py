"""The trainings around whose ends a landscape is evaluated, and the sharpness of each trained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from symloss.compare.landscapes.plane import flat
from symloss.compare.landscapes.record import Array, Sharpness
from symloss.compare.landscapes.surface import Surface
from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.meta.sharpness import rise, top_eigenvalue
from symloss.tasks import SupervisedTask
from symloss.tasks.train.objectives import ordinary

__all__ = ["Progress", "Walk", "alone", "sharpness", "walk"]

_SNAPSHOTS, _NUMBERS = 50, 2**27
"""Points of a path that are kept, and the numbers that they may have together."""
_ROWS, _PRODUCTS, _TOLERANCE = 512, 100, 1e-4
"""Of sharpness: training rows, products with the Hessian at most, and the change of the eigenvalue that ends them."""
Progress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Walk:
    """One training: the model, the weights on its way, and the buffers at its end."""

    model: nn.Module
    points: Tensor
    buffers: Mapping[str, Tensor]


def walk(task: SupervisedTask, loss: Loss, seed: int, all_along: bool, on_progress: Progress | None) -> Walk:
    """Trains, and keeps the start, the end and, if asked for, points between."""
    start = flat(task.build_model(seed))
    steps = task.settings.steps
    # Whole weight vectors: of a large model fewer are kept.
    count = max(2, min(_SNAPSHOTS, _NUMBERS // max(1, start.numel()))) if all_along else 1
    kept = {round(i * steps / count) for i in range(1, count + 1)}
    points = [start]

    def look(step: int, model: nn.Module) -> None:
        if step in kept:
            points.append(flat(model))
        if on_progress is not None and (step % 50 == 0 or step == steps):
            on_progress(f"training with {loss}", step, steps)

    model = task.fit(loss, seed=seed, on_step=look)
    if not bool(torch.isfinite(flat(model)).all()):
        raise DomainError(
            f"training with {loss} diverged: there is no minimum to look around; try fewer steps"
        )
    points[-1] = flat(model)
    return Walk(model, torch.stack(points), dict(model.named_buffers()))


def alone(surface: Surface, points: Sequence[Tensor], walks: Sequence[Walk]) -> Array:
    """Losses and the metric at points, `[N, L + 1]`, each with the buffers of its own training."""
    rows = []
    for weights, one in zip(points, walks, strict=True):
        buffers = {name: each.unsqueeze(0) for name, each in one.buffers.items()}
        values, scores = surface.values(weights.unsqueeze(0), buffers)
        rows.append([*values[0], scores[0]])
    return np.array(rows)


def sharpness(task: SupervisedTask, loss: Loss, trained: Walk) -> Sharpness:
    """Of a trained model, in evaluation mode, on the first training rows."""
    model = trained.model.eval()
    inputs, targets = task.train.X[:_ROWS], task.train.y[:_ROWS]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    surface = Surface(task, model, [loss], _ROWS)

    def own() -> Tensor:
        return surface.mean(loss, model(inputs))

    def usual() -> Tensor:
        return ordinary(task.kind, model(inputs), targets)

    return Sharpness(
        top_eigenvalue(own(), weights, _PRODUCTS, _TOLERANCE), top_eigenvalue(usual(), weights, _PRODUCTS, _TOLERANCE),
        rise(own, weights), rise(usual, weights),
    )  # fmt: skip
