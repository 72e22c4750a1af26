"""From a batch on a device to its loss, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from symloss.codegen.accelerator import current, kernels
from symloss.codegen.accelerator.written import Kernels

__all__ = ["Call", "fits", "fits_elements", "loss_of"]

DTYPES = torch.float32, torch.bfloat16, torch.float16
BLOCK, DENSE_BLOCK = 4096, 1024
"""The most columns that a program reads at once, the latter where every class counts: the fastest on an H100."""
ROWS = 64
"""The most rows of a program."""


class Call(NamedTuple):
    """How a loss is asked for.

    Attributes:
        kernels: the formula's.
        reduction: "mean", "sum" or "none".
        ignore_index: the class whose instances do not count.
        general: the same loss of outputs and targets by operations that autograd knows, for higher derivatives.
    """

    kernels: Kernels
    reduction: str
    ignore_index: int
    general: Callable[[Tensor, Tensor], Tensor]


def fits(z: Tensor, t: Tensor) -> bool:
    """Whether the kernels take these logits `[N, C]` and class indices `[N]`."""
    return (
        z.dim() == 2
        and z.dtype in DTYPES
        and t.dtype is torch.int64
        and t.shape == z.shape[:1]
        and t.device == z.device
        and z.stride(1) == 1
        and 1 < z.shape[1] < 1 << 24  # a place among the classes is kept as a float32
        and z.shape[0] > 0
    )


def fits_elements(z: Tensor, y: Tensor) -> bool:
    """Whether the kernels take these outputs and targets."""
    same = y.shape == z.shape and y.device == z.device
    return z.dtype in DTYPES and y.is_floating_point() and same and not y.requires_grad and z.numel() > 0


def loss_of(z: Tensor, targets: Tensor, call: Call) -> Tensor:
    """The loss of outputs and targets that the kernels take, in float32."""
    function = ElementLoss if call.kernels.way == "elements" else RowLoss
    with current(z):
        loss: Tensor = function.apply(z, targets, call)
    return loss


class RowLoss(torch.autograd.Function):
    """The loss of rows of logits: one kernel forward and one backward."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, t: Tensor, call: Call) -> Tensor:
        """The loss."""
        t = t.contiguous()
        state, sums = _forward(z, t, call), None
        if call.reduction == "none":
            loss = state[0].clone()
        else:
            # Two sums in one operation: of the losses, and of the rows that count.
            sums = state[:2].sum(1)
            loss = sums[0] / sums[1] if call.reduction == "mean" else sums[0].clone()
        ctx.save_for_backward(z, t, state, sums)
        ctx.call = call
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """The gradient by the logits."""
        (z, t, state, sums), call, (g,) = ctx.saved_tensors, ctx.call, grads
        if in_general(g):
            return _generally(call, z, t, g), None, None
        gradient = torch.empty(z.shape, dtype=z.dtype, device=z.device)
        (n, c), (way, curves, _, linear) = z.shape, call.kernels
        rows, block, warps = tile(c, BLOCK)
        grid = (-(-n // rows), -(-c // block))
        # A kernel takes no None: of a loss that is not a mean `g` stands in its place, and is not read.
        outer = g, g.stride(0) if g.dim() else 0, g if sums is None else sums
        options = {"SHARED": call.reduction == "mean", "ROWS": rows, "BLOCK": block, "num_warps": warps}
        if way == "dense":
            kernels.dense_backward[grid](
                z, z.stride(0), t, state, *outer, gradient, n, c, call.ignore_index, *curves, **options
            )
        else:
            base = float(linear(float(c), None, None)[1]) if way == "linear" else 0.0
            kernels.rows_backward[grid](
                z, z.stride(0), t, state, base, *outer, gradient, n, c, call.ignore_index, **options
            )
        return gradient, None, None


def in_general(g: Tensor) -> bool:
    """Whether a derivative of the derivative is wanted, or many at once (`is_grads_batched`), which no kernel gives."""
    return torch.is_grad_enabled() or torch._C._functorch.is_legacy_batchedtensor(g)


def _generally(call: Call, z: Tensor, targets: Tensor, g: Tensor) -> Tensor:
    """The gradient by operations that autograd knows."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        loss = call.general(z, targets)
    (gradient,) = torch.autograd.grad(loss, z, g, create_graph=again)
    return gradient


def _forward(z: Tensor, t: Tensor, call: Call) -> Tensor:
    """The losses, which rows count, and what the way back needs, `[5, N]`, or `[7, N]` where every class counts."""
    (n, c), (way, curves, reach, linear) = z.shape, call.kernels
    rows, block, warps = tile(c, DENSE_BLOCK if way == "dense" else BLOCK)
    options = {"ROWS": rows, "BLOCK": block, "num_warps": warps}
    # One allocation: a small batch spends its time on calls.
    state = torch.empty(7 if way == "dense" else 5, n, dtype=torch.float32, device=z.device)
    given, grid = (z, z.stride(0), t, state, n, c, call.ignore_index), (-(-n // rows),)
    if way == "dense":
        kernels.dense_forward[grid](*given, *curves, **options)
    elif way == "linear":
        a, b = (float(x) for x in linear(float(c), None, None))
        s = -(a + (c - 1) * b)
        kernels.linear_forward[grid](*given, a, b, s, a + s, **options)
    else:
        low, high = reach or (0.0, 0.0)
        kernels.target_forward[grid](*given, low, high, *curves, reach is not None, **options)
    return state


def tile(columns: int, most: int) -> tuple[int, int, int]:
    """Rows and columns of a program's block, and its warps."""
    block = min(most, 1 << max(4, (columns - 1).bit_length()))
    return max(1, min(ROWS, 2048 // block)), block, 8 if block >= 4096 else 4


class ElementLoss(torch.autograd.Function):
    """The loss of entries: one kernel forward, one backward, and a sum."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, y: Tensor, call: Call) -> Tensor:
        """The loss."""
        ctx.save_for_backward(z, y)
        ctx.call = call
        z, y = z.contiguous(), y.contiguous()
        n, summed = z.numel(), call.reduction != "none"
        blocks = -(-n // BLOCK)
        losses = torch.empty(blocks if summed else z.shape, dtype=torch.float32, device=z.device)
        kernels.elements_forward[(blocks,)](
            z, y, losses, n, _classes(z), *call.kernels.curves, summed, BLOCK=BLOCK, num_warps=8
        )
        if not summed:
            return losses
        return losses.sum() / n if call.reduction == "mean" else losses.sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """The gradient by the outputs."""
        (z, y), call, (g,) = ctx.saved_tensors, ctx.call, grads
        if in_general(g):
            return _generally(call, z, y, g), None, None
        z, y = z.contiguous(), y.contiguous()
        gradient, n = torch.empty_like(z), z.numel()
        share = 1 / n if call.reduction == "mean" else 1.0
        g, every = (g.contiguous(), 1) if g.dim() else (g, 0)
        kernels.elements_backward[(-(-n // BLOCK),)](
            z, y, g, every, share, gradient, n, _classes(z), *call.kernels.curves, BLOCK=BLOCK, num_warps=8
        )
        return gradient, None, None


def _classes(z: Tensor) -> float:
    return float(z.shape[1] if z.dim() > 1 else 1)
