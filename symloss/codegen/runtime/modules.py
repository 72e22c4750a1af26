"""What people call: modules as torch's own losses, complete but for the formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symloss.codegen.runtime.branch import Batch
from symloss.codegen.runtime.classes import ClassPaths, index_loss, probability_loss
from symloss.codegen.runtime.fused import Path, reduced
from symloss.codegen.runtime.precision import narrowed, widened

__all__ = ["ClassLoss", "CrossEntropy", "LabelLoss", "MarginLoss", "NumberLoss", "TorchLoss", "checked"]


class ClassLoss(nn.Module):
    """The loss of logits `[N, C, ...]` and class indices `[N, ...]` or probabilities `[N, C, ...]`.

    As `nn.CrossEntropyLoss`: `weight` `[C]` multiplies each class's term, the mean over class indices divides by the
    summed weights of the targets, instances with the class `ignore_index` do not count. `priors` `[C]` and, on call,
    `w` `[N, ...]` are the values of the symbols `pi` and `w`, where the formula has them.
    """

    paths: ClassPaths
    weight: Tensor | None
    priors: Tensor | None
    widen: Callable[[Tensor], Tensor] = staticmethod(widened)

    def __init__(
        self, reduction: str = "mean", weight: Any = None, ignore_index: int = -100, priors: Any = None
    ) -> None:
        super().__init__()
        self.reduction, self.ignore_index = reduction, ignore_index
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight))
        self.register_buffer("priors", None if priors is None else torch.as_tensor(priors))

    def forward(self, outputs: Tensor, target: Tensor, w: Any = 1.0) -> Tensor:
        """The loss of a batch, in the dtype of the logits."""
        soft = target.is_floating_point()
        expected = outputs.shape if soft else outputs.shape[:1] + outputs.shape[2:]
        if target.shape != expected:
            raise ValueError(f"expected targets of shape {tuple(expected)}, got {tuple(target.shape)}")
        z = self.widen(outputs)
        shape = -1, *[1] * (z.dim() - 2)
        weight, pi = (x if x is None else x.to(z).view(shape) for x in (self.weight, self.priors))
        w = w.unsqueeze(1) if isinstance(w, Tensor) and w.dim() else w
        context = float(z.shape[1]), pi, w
        if not soft:
            loss = index_loss(self.paths, z, target, context, self.reduction, weight, self.ignore_index)
        elif self.ignore_index < 0:
            loss = probability_loss(self.paths, z, target.to(z.dtype), context, self.reduction, weight)
        else:
            raise RuntimeError("ignore_index is not supported for class probabilities")
        return narrowed(loss, outputs)


class NumberLoss(nn.Module):
    """The loss of predictions and targets of one shape; on call, `w` is the value of the symbol `w`."""

    path: Path
    widen: Callable[[Tensor], Tensor] = staticmethod(widened)

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, outputs: Tensor, target: Tensor, w: Any = 1.0) -> Tensor:
        """The loss of a batch, in the dtype of the predictions."""
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        p = self.widen(outputs)
        return narrowed(self.path(p, Batch(target.to(p.dtype), (w,)), self.reduction), outputs)


class MarginLoss(nn.Module):
    """The loss of margins, or of scores `f` and targets `t` in {0, 1} of one shape: `m = beta (2t - 1) f`.

    `weight` `[2]` multiplies the losses of target 0 and of target 1; on call, `w` is the value of the symbol `w`.
    """

    path: Path
    weight: Tensor | None
    widen: Callable[[Tensor], Tensor] = staticmethod(widened)

    def __init__(self, reduction: str = "mean", weight: Any = None, beta: float = 1.0) -> None:
        super().__init__()
        self.reduction, self.beta = reduction, beta
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight))

    def forward(self, outputs: Tensor, target: Tensor | None = None, w: Any = 1.0) -> Tensor:
        """The loss of a batch, in the dtype of the outputs."""
        m = self.beta * self.widen(outputs)
        if target is None:
            if self.weight is not None:
                raise ValueError("expected targets for the weight of each class, got margins alone")
            return narrowed(self.path(m, Batch(m, (w,)), self.reduction), outputs)
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        t = target.to(m.dtype)
        if target.is_cpu and bool(((t != 0) & (t != 1)).any()):  # an accelerator would have to be waited for
            raise ValueError("expected targets 0 and 1")
        m = m * (2 * t - 1)
        losses = self.path(m, Batch(m, (w,)), "none")
        if self.weight is not None:
            off, on = self.weight.to(m)
            losses = losses * (off * (1 - t) + on * t)
        return narrowed(reduced(losses, self.reduction), outputs)


class LabelLoss(nn.Module):
    """The loss of logits `[N, K, ...]` and labels of the same shape.

    `priors` `[K]` and, on call, `w` `[N, ...]` are the values of the symbols `pi` and `w`, where the formula has them.
    """

    path: Path
    priors: Tensor | None
    widen: Callable[[Tensor], Tensor] = staticmethod(widened)

    def __init__(self, reduction: str = "mean", priors: Any = None) -> None:
        super().__init__()
        self.reduction = reduction
        self.register_buffer("priors", None if priors is None else torch.as_tensor(priors))

    def forward(self, outputs: Tensor, target: Tensor, w: Any = 1.0) -> Tensor:
        """The loss of a batch, in the dtype of the logits."""
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        z = self.widen(outputs)
        pi = None if self.priors is None else self.priors.to(z).view(-1, *[1] * (z.dim() - 2))
        w = w.unsqueeze(1) if isinstance(w, Tensor) and w.dim() else w
        batch = Batch(target.to(z.dtype), (float(z.shape[1] if z.dim() > 1 else 1), pi, w))
        return narrowed(self.path(z, batch, self.reduction), outputs)


class CrossEntropy(nn.Module):
    """`nn.CrossEntropyLoss`, times `scale`."""

    weight: Tensor | None
    scale = 1.0

    def __init__(self, reduction: str = "mean", weight: Any = None, ignore_index: int = -100) -> None:
        super().__init__()
        self.reduction, self.ignore_index = reduction, ignore_index
        self.register_buffer("weight", None if weight is None else torch.as_tensor(weight))

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of logits `[N, C, ...]` and class indices `[N, ...]` or probabilities `[N, C, ...]`."""
        weight = None if self.weight is None else self.weight.to(outputs)
        loss = F.cross_entropy(
            outputs, target, weight, ignore_index=self.ignore_index, reduction=self.reduction
        )
        return loss if self.scale == 1 else self.scale * loss


class TorchLoss(nn.Module):
    """One of torch's own losses of outputs and targets of one shape, times `scale`."""

    kernel: Callable[..., Tensor]
    scale = 1.0

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch, in the dtype of the outputs."""
        if target.shape != outputs.shape:
            raise ValueError(f"expected targets of shape {tuple(outputs.shape)}, got {tuple(target.shape)}")
        z = widened(outputs)
        return narrowed(self.scale * self.kernel(z, target.to(z.dtype), reduction=self.reduction), outputs)


def checked(loss: nn.Module, outputs: Tensor, target: Tensor) -> str:
    """The loss, as text; raises where its gradient is not that of finite differences."""
    outputs = outputs.double().requires_grad_()
    torch.autograd.gradcheck(lambda z: loss(z, target), outputs)
    return f"loss {loss(outputs, target).item():.6f}; its gradient agrees with finite differences"
