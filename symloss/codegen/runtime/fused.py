"""One autograd node for a whole loss: the gradient by formula, its derivatives by composed operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from symloss.codegen.runtime.branch import Batch
from symloss.codegen.runtime.logits import voided

__all__ = ["ComposedPath", "FusedLoss", "Path", "composes", "reduced", "shared"]


def composes() -> bool:
    """Whether a transform is at work that sees through composed operations only.

    Under `torch.func`, forward-mode derivatives and `torch.compile` losses are composed of operations that have
    every rule.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """The losses, or their mean or sum."""
    if reduction == "mean":
        return losses.mean()
    return losses.sum() if reduction == "sum" else losses


def shared(g: Tensor, size: int, reduction: str) -> Tensor:
    """From the gradient by what `reduced` gives, that by each of the `size` losses: stays on the device."""
    return g / max(size, 1) if reduction == "mean" else g


class Path:
    """How the losses of instances `[N, 1, ...]`, or of entries, are computed.

    A dimension less would cost as much as a term of the formula.
    """

    def __call__(self, z: Tensor, batch: Batch, reduction: str) -> Tensor:
        """The reduced losses of the outputs `z`."""
        if composes():
            return reduced(self.composed(z, batch), reduction)
        return self.run(z, batch, reduction)

    def run(self, z: Tensor, batch: Batch, reduction: str) -> Tensor:
        """The reduced losses where no transform is at work."""
        if not torch.is_grad_enabled():
            return reduced(self.forward(z, batch)[0], reduction)
        if batch.wants_gradient():
            return reduced(self.composed(z, batch), reduction)
        if not z.requires_grad:
            return reduced(self.forward(z, batch)[0], reduction)
        result: Tensor = FusedLoss.apply(z, self, batch, reduction)
        return result

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """The losses, and what `backward` needs: here their gradient by `z`."""
        raise NotImplementedError

    def backward(self, state: Sequence[Tensor], g: Tensor) -> Tensor:
        """The gradient by `z`, given that by the losses; `state` is left as it is."""
        return state[0] * g

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """The losses by operations that autograd knows, for higher derivatives."""
        raise NotImplementedError


class ComposedPath(Path):
    """A path without a gradient by hand: autograd does it all."""

    def run(self, z: Tensor, batch: Batch, reduction: str) -> Tensor:
        """The reduced losses."""
        return reduced(self.composed(z, batch), reduction)


class FusedLoss(torch.autograd.Function):
    """The reduced losses of a path as one node of the graph."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, path: Path, batch: Batch, reduction: str) -> Tensor:
        """The loss; the gradient is prepared beside it."""
        losses, *state = path.forward(z, batch)
        ctx.save_for_backward(z, *state)
        ctx.call = path, batch, reduction, losses.numel()
        return reduced(losses, reduction)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient by the outputs."""
        (z, *state), (path, batch, reduction, size) = ctx.saved_tensors, ctx.call
        (g,) = grads
        if not torch.is_grad_enabled():
            return path.backward(state, shared(g, size, reduction)), None, None, None
        # A derivative of the derivative is wanted: the same loss, as operations that autograd knows.
        loss = reduced(path.composed(voided(z, g.detach()), batch), reduction)
        (gradient,) = torch.autograd.grad(loss, z, g, create_graph=True)
        return gradient, None, None, None
