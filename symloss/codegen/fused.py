"""One autograd node for a whole loss: the gradient by formula, its derivatives by composed operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd import forward_ad

from symloss.codegen.logits import voided

__all__ = ["ComposedPath", "Path", "Reduction", "apply", "composes", "run"]


class Path(Protocol):
    """How the losses of the instances (or entries) of a batch are computed, with the gradient by hand.

    The losses of instances are `[N, 1, ...]`: a dimension less would cost as much as a term of the formula.
    """

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The losses, and what `backward` needs."""

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """The gradient by `z`, given the gradient `g` by the losses; `state` is left as it is."""

    def composed(self, z: Tensor) -> Tensor:
        """The losses by composed operations, for higher derivatives."""


class Reduction:
    """`sum(factor * losses) / count`, or the losses themselves.

    Args:
        how: "mean", "sum" or "none".
        classes: the losses are those of instances, `[N, 1, ...]`; reduced or not, the second dimension goes.
        factor: what multiplies each loss, or None for 1.
        count: the divisor of the mean, or None for the number of losses.
        kept: which losses count, or None for all: of the others neither loss nor gradient is more than 0.
    """

    def __init__(
        self,
        how: str,
        classes: bool,
        factor: Tensor | None = None,
        count: Tensor | None = None,
        kept: Tensor | None = None,
    ) -> None:
        self.how, self.classes, self.factor, self.count, self.kept = how, classes, factor, count, kept
        self.plain = factor is None and kept is None

    def forward(self, losses: Tensor) -> Tensor:
        """The reduced losses."""
        if self.classes and (self.how == "none" or not self.plain):
            losses = losses.squeeze(1)
        if self.factor is not None:
            losses = losses * self.factor
        if self.kept is not None:
            losses = torch.where(self.kept, losses, 0.0)
        if self.how == "mean":
            return losses.mean() if self.count is None else losses.sum() / self.count
        return losses.sum() if self.how == "sum" else losses

    def composed(self, losses: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
        """The reduced losses of `z`, where autograd differentiates them."""
        if self.factor is not None:
            z = voided(z, self.factor.unsqueeze(1) if self.classes else self.factor)
        return self.forward(losses(z))

    def backward(self, g: Tensor, size: int) -> Tensor | float:
        """The gradient by the `size` losses: a number, or a tensor of their shape."""
        if self.how == "mean" and self.count is not None:
            g = g / self.count
        elif self.how == "mean":
            size = max(size, 1)  # of an empty batch: there is nothing to give the gradient to
            if self.plain and g.is_cpu:
                return g.item() / size  # a number saves a broadcast over the whole batch
            g = g / size
        elif self.how == "sum" and self.plain and g.is_cpu:
            return g.item()
        if self.factor is not None:
            g = g * self.factor
        if self.kept is not None:
            g = torch.where(self.kept, g, 0.0)  # where nothing counts `g` is infinite
        return g.unsqueeze(1) if self.classes and g.dim() else g


class ComposedPath:
    """Losses without a fused form, such as those with trainable coefficients: autograd does it all."""

    def __init__(self, losses: Callable[[Tensor], Tensor]) -> None:
        self.losses = losses


def composes(z: Tensor) -> bool:
    """Whether a transform is at work that sees through composed operations only.

    Under `torch.func`, forward-mode derivatives and `torch.compile` the composed form is used: it has every
    rule that its operations have.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def apply(path: Path | ComposedPath, reduction: Reduction, z: Tensor) -> Tensor:
    """The reduced loss of `z`."""
    if isinstance(path, ComposedPath):
        return reduction.composed(path.losses, z)
    if composes(z):
        return reduction.composed(path.composed, z)
    return run(path, reduction, z)


def run(path: Path, reduction: Reduction, z: Tensor) -> Tensor:
    """The reduced loss of `z` where no transform is at work."""
    if not (z.requires_grad and torch.is_grad_enabled()):
        return reduction.forward(path.forward(z, False)[0])
    result: Tensor = _Fused.apply(z, path, reduction)
    return result


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, path: Path, reduction: Reduction) -> Tensor:
        losses, state = path.forward(z, True)
        ctx.path, ctx.reduction, ctx.size = path, reduction, losses.numel()
        ctx.save_for_backward(z, *state)
        return reduction.forward(losses)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        z, *state = ctx.saved_tensors
        if not torch.is_grad_enabled():
            return ctx.path.backward(state, ctx.reduction.backward(grads[0], ctx.size)), None, None
        # A derivative of the derivative is wanted: the same loss, as operations that autograd knows.
        loss = ctx.reduction.composed(ctx.path.composed, z)
        (gradient,) = torch.autograd.grad(loss, z, grads[0], create_graph=True)
        return gradient, None, None
