"""The outputs and targets that training with a loss visits, and the gradient of the loss there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from symloss.codegen.links import count, entries_of
from symloss.errors import DomainError, TaskError
from symloss.expr import KINDS
from symloss.expr.trees import Weighted
from symloss.meta import LearnedLoss
from symloss.meta.gradient_distance import Array, Points, gradient_of, points_at
from symloss.runs import derive, generator
from symloss.tasks import InContext, SupervisedTask

__all__ = ["Visits", "drawn", "instances", "looked_at", "visited"]

ENTRIES = 1280
"""Entries at which gradients are compared, about: what a fit costs grows with them, and what it gains does not."""
LEAST = 16
"""Instances below which nothing is fitted."""
_EDGE = 1e-12
"""Probabilities keep this distance from 0 and 1, where logarithms end; gradients in logits vanish there anyway."""
Function = Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Visits:
    """The gradient of a loss in the outputs, at some instances.

    Attributes:
        points: these instances.
        gradient: of each instance's loss, `[n]`; as it is, in units of one instance (softmax) or entry.
    """

    points: Points
    gradient: Array

    @cached_property
    def target(self) -> Array:
        """The gradient, of norm 1."""
        return np.asarray(self.gradient / np.linalg.norm(self.gradient))

    def scale(self, loss: Weighted) -> float:
        """What brings a formula's gradient nearest to this one, by least squares: `<g, f>/<f, f>`."""
        ours = gradient_of(loss, self.points)
        with np.errstate(all="ignore"):
            return float(ours @ self.gradient / (ours @ ours))

    def unexplained(self, loss: Weighted, scale: float) -> float:
        """`1 - R2`, with `R2 = 1 - |g - a f|^2 / |g - mean(g)|^2` at the scale `a`; infinite where `f` is not finite.

        The constant gradient is what explains nothing. Of softmax the mean is 0, since each instance's gradient adds
        up to 0.
        """
        spread = self.gradient - self.gradient.mean()
        missed = self.gradient - scale * gradient_of(loss, self.points)
        with np.errstate(all="ignore"):
            share = float(missed @ missed / (spread @ spread))
        return share if math.isfinite(share) else math.inf


def instances(kind: str, classes: int | None) -> int:
    """How many instances are looked at: those of many classes have many entries each."""
    return max(4 * LEAST, ENTRIES // (classes or 1 if KINDS[kind].probabilities else 1))


def visited(
    loss: LearnedLoss, coefficients: Mapping[str, Tensor], task: SupervisedTask, seed: int, times: int = 1
) -> tuple[Tensor, Tensor]:
    """Outputs and targets that a training with this loss visits: a sample of all steps and rows alike.

    As many early as late: what a training passes through quickly is rare in it, as it is for the loss. `times` as many
    as a fit takes: instances that are badly wrong are rare, and weigh much.

    Raises:
        TaskError: when it diverges before anything can be seen.
    """
    device = task.device
    phi = {name: each.to(device) for name, each in coefficients.items()}
    wanted = times * instances(task.kind, task.classes)
    # Four times as many as wanted, rounded up: rows that are not finite fall out, and the last draw thins the rest
    # evenly.
    each = -(-4 * wanted // max(task.settings.steps, 1))
    draw = generator(derive(seed, "visits"), "rows")
    seen: list[tuple[Tensor, Tensor]] = []

    def watched(outputs: Tensor, targets: Tensor, context: Mapping[str, Tensor]) -> Tensor:
        rows = torch.as_tensor(draw.permutation(len(outputs))[:each], device=device)
        seen.append((outputs.detach()[rows].cpu(), targets[rows].cpu()))
        return loss(phi, outputs, targets, context)

    task.fit(InContext(watched), seed=derive(seed, "visits", "training"))
    outputs, targets = (torch.cat(parts) for parts in zip(*seen, strict=True))
    finite = torch.isfinite(outputs.reshape(len(outputs), -1)).all(1)
    outputs, targets = outputs[finite], targets[finite]
    if len(outputs) < LEAST:
        raise TaskError(
            f"training with this loss on {task.name} diverges at once: lower the learning rate, or name no task"
        )
    rows = torch.as_tensor(draw.permutation(len(outputs))[:wanted])
    return outputs[rows], targets[rows]


def drawn(kind: str, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Outputs and targets without a task: from undecided to sure, every other target the likeliest class.

    Regression: targets of standard deviation 1, errors of up to about four.
    """
    draw, size = generator(seed, "instances"), instances(kind, classes)
    if not KINDS[kind].probabilities:
        y = KINDS[kind].targets_of(draw.normal(size=size))
        errors = draw.permutation(np.linspace(-1, 1, size)) * np.abs(draw.normal(scale=1.7, size=size))
        return torch.tensor(y + errors), torch.tensor((y > 0).astype(float) if KINDS[kind].signed else y)
    # A spread that grows from 0.1 to 4: from nearly uniform predictions to probabilities near 0 and 1.
    logits = draw.normal(size=(size, classes)) * np.linspace(0.1, 4, size)[:, None]
    if KINDS[kind].independent:
        return torch.tensor(logits), torch.tensor((draw.random(logits.shape) < 0.5).astype(float))
    # Half of the targets are the predicted class: late in training most are, early one in C is.
    target = np.where(np.arange(size) % 2, logits.argmax(1), draw.integers(classes, size=size))
    return torch.tensor(logits), torch.tensor(target)


def looked_at(
    loss: LearnedLoss, coefficients: Mapping[str, Tensor], outputs: Tensor, targets: Tensor
) -> Visits:
    """The gradient of a loss at some instances, in double precision.

    Raises:
        DomainError: where it is flat or not finite, or the instances are not of its kind.
    """
    kind = KINDS[loss.kind]
    _check(loss.kind, outputs, targets)
    outputs = outputs.detach().double().cpu()
    targets = targets.detach().cpu()
    targets = targets.double() if targets.is_floating_point() or not kind.exclusive else targets.long()
    phi = {name: each.detach().double().cpu() for name, each in coefficients.items()}
    # The loss is a mean; its gradient carries 1/N, which would make the scale depend on the size of the sample.
    slope = loss.output_gradient(phi, outputs, targets) * count(kind, outputs)
    p, y = (each.numpy() for each in entries_of(kind, outputs, targets))
    if kind.probabilities:
        p = np.clip(p, _EDGE, 1 - _EDGE)
    gradient = slope.numpy().ravel()
    if not np.isfinite(gradient).all() or not np.abs(gradient - gradient.mean()).max() > 0:
        raise DomainError(
            "the loss has no gradient to distil: it is flat or not finite where it is looked at"
        )
    return Visits(points_at(loss.kind, p, y), gradient)


def _check(kind: str, outputs: Tensor, targets: Tensor) -> None:
    like = KINDS[kind]
    shape, classed = tuple(outputs.shape), like.exclusive and not targets.is_floating_point()
    expected = shape[:1] if classed else shape
    dimensions = 2 if like.probabilities else 1
    if outputs.ndim != dimensions or tuple(targets.shape) != expected or len(outputs) < LEAST:
        wanted = {True: "outputs [N, C] and class indices [N]", False: "outputs and targets of one shape"}
        raise DomainError(
            f"outputs {shape} and targets {tuple(targets.shape)}: expected {wanted[like.exclusive]} of a {kind} loss, "
            f"of at least {LEAST} instances"
        )
