"""What a compiled loss accepts, checked once at the edge; every refusal says expected, got and what to do."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from symloss.errors import CompileError
from symloss.numbers import as_real, as_whole

__all__ = [
    "REDUCTIONS", "check_beta", "check_class_shapes", "check_entry_shapes", "check_floating", "check_index",
    "check_indices", "check_kernels", "check_nothing_ignored", "check_reduction", "check_signs", "class_vector",
    "instance_weights",
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "none")


def check_reduction(reduction: str) -> str:
    """`reduction` itself, if there is such a reduction."""
    if reduction not in REDUCTIONS:
        raise CompileError(f"expected reduction {' or '.join(map(repr, REDUCTIONS))}, got {reduction!r}")
    return reduction


def check_beta(beta: Any) -> float:
    """`beta` as a positive number."""
    number = as_real(beta)
    if number is None or not 0 < number < math.inf:
        raise CompileError(f"expected beta as a positive number, got {beta!r}; it multiplies the margins")
    return number


def check_kernels(kernels: Any) -> bool | None:
    """`kernels` itself, if it is an answer."""
    if kernels is not None and not isinstance(kernels, bool):
        raise CompileError(
            f"expected kernels True, False or None, got {kernels!r}; None decides by the batch"
        )
    return kernels


def check_index(ignore_index: Any) -> int:
    """`ignore_index` as an integer."""
    index = as_whole(ignore_index)
    if index is None:
        raise CompileError(f"expected ignore_index as an integer, got {ignore_index!r}; give a class index")
    return index


def _shape(x: Tensor) -> str:
    return str(list(x.shape))


def check_floating(outputs: Tensor, what: str = "logits") -> None:
    """Refuses outputs that are no tensor of a floating dtype."""
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        got = str(outputs.dtype) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise CompileError(f"expected outputs of a floating dtype, got {got}; pass the raw {what}")


def check_class_shapes(outputs: Tensor, targets: Tensor) -> bool:
    """Checks a classification loss's inputs; True where the targets are class indices."""
    check_floating(outputs)
    if outputs.dim() == 0:
        raise CompileError(
            "expected logits of shape [N, C, ...] or [C], got a scalar; add the class dimension"
        )
    if not isinstance(targets, Tensor) or targets.dtype is torch.bool or targets.is_complex():
        got = str(targets.dtype) if isinstance(targets, Tensor) else type(targets).__name__
        raise CompileError(
            f"expected class indices (integers) or probabilities (floats) as targets, got {got}"
        )
    indices = not targets.is_floating_point()
    shape = outputs.shape
    expected = shape[1:1] if outputs.dim() == 1 else shape[:1] + shape[2:]
    if not indices:
        expected = shape
    if targets.shape != expected:
        what = "class indices" if indices else "class probabilities"
        raise CompileError(
            f"expected {what} of shape {list(expected)} for logits of shape {_shape(outputs)}, got "
            f"{_shape(targets)}" + ("" if indices else "; class indices must have an integer dtype")
        )
    return indices


def check_entry_shapes(outputs: Tensor, targets: Tensor, kind: str) -> None:
    """Checks a multilabel or regression loss's inputs: one target for each output."""
    check_floating(outputs)
    if not isinstance(targets, Tensor) or targets.is_complex():
        raise CompileError(
            f"expected a real tensor of targets for a {kind} loss, got {type(targets).__name__}"
        )
    if targets.shape != outputs.shape:
        raise CompileError(
            f"expected targets of the outputs' shape {_shape(outputs)} for a {kind} loss, got "
            f"{_shape(targets)}; squeeze or unsqueeze one of them"
        )


def check_signs(targets: Tensor) -> None:
    """Refuses targets of a margin loss other than 0 and 1."""
    wrong = (targets != 0) & (targets != 1)
    if bool(wrong.any()):
        raise CompileError(
            f"expected targets 0 and 1 for a margin loss, got {targets[wrong].flatten()[0].item():g}; (t + 1)/2 makes "
            "them of -1 and 1, and margins alone need no targets"
        )


def check_indices(targets: Tensor, classes: int, ignore_index: int) -> None:
    """Refuses class indices outside `[0, classes)`, apart from `ignore_index`."""
    wrong = targets[((targets < 0) | (targets >= classes)) & (targets != ignore_index)]
    if wrong.numel():
        raise CompileError(
            f"expected class indices from 0 to {classes - 1} (or ignore_index {ignore_index}), got "
            f"{int(wrong.flatten()[0])}; check the labels or the size of the output layer"
        )


def check_nothing_ignored(ignore_index: int) -> None:
    """Refuses a class to ignore where the targets are class probabilities, as torch does."""
    if ignore_index >= 0:
        raise CompileError(
            f"expected class indices as targets for ignore_index {ignore_index}, got class probabilities; "
            "leave ignore_index out, or weigh instances by w in the formula"
        )


def class_vector(value: Any, name: str, *, positive: bool = False) -> Tensor | None:
    """`weight` or `priors` as a floating tensor of one value for each class; None stays None.

    A NaN among weights, not among priors, is let through as torch's losses do: it is one in the loss.
    """
    if value is None:
        return None
    vector = torch.as_tensor(value)
    if not vector.is_floating_point():
        vector = vector.to(torch.get_default_dtype())
    known = vector if positive else vector.nan_to_num(nan=0.0, posinf=math.inf, neginf=-math.inf)
    if vector.dim() != 1 or not bool(torch.isfinite(known).all()):
        raise CompileError(
            f"expected {name} as a vector of one finite number for each class, got shape {_shape(vector)}"
            + ("" if vector.dim() != 1 else " with values that are not finite")
        )
    if positive and bool((vector <= 0).any()):
        raise CompileError(f"expected positive {name}, got {float(vector.min()):g}; smooth the class counts")
    if not positive and bool((vector < 0).any()):
        raise CompileError(f"expected {name} of at least 0, got {float(vector.min()):g}")
    return vector


def instance_weights(w: Any, outputs: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The symbol `w` as a tensor of one weight for each instance (`shape`) or a number."""
    tensor = torch.as_tensor(w, dtype=outputs.dtype, device=outputs.device)
    if tensor.dim() and tuple(tensor.shape) != shape:
        raise CompileError(f"expected instance weights w of shape {list(shape)}, got {_shape(tensor)}")
    return tensor
