"""Instance losses by composed torch operations: differentiable any number of times, under every transform."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from symloss.codegen.compiled import Composed, Formula
from symloss.codegen.logits import all_pairs, like, sigmoid_pair, target_pair, voided

__all__ = ["entry_losses", "instance_losses", "of_target", "regression_losses"]


def instance_losses(
    formula: Formula,
    z: Tensor,
    soft: Tensor | None,
    t: Tensor | None,
    weight: Tensor | None,
    inputs: dict[str, Any],
) -> Tensor:
    """`sum_i weight_i M(y_i, p_i)` of every instance, shape `[N, 1, ...]`.

    Args:
        formula: a classification formula.
        z: logits `[N, C, ...]`.
        soft: class probabilities `[N, C, ...]`, or None.
        t: class indices `[N, 1, ...]`, or None; exactly one of the two is given.
        weight: `[C, 1, ...]`, or None; of a formula that is 0 at `y = 0` the losses are multiplied afterwards.
        inputs: the values of `pi` `[C, 1, ...]`, `w` `[N, 1, ...]` and the coefficients `k`.
    """
    parts, classes = formula.composed, z.shape[1]
    z = z if weight is None else voided(z, weight)
    if t is None:
        assert soft is not None
        u, v = all_pairs(z)
        terms = _soft(parts, u, v, soft, classes, inputs)
        return (terms if weight is None else terms * weight).sum(1, keepdim=True)
    if parts.linear is not None and weight is None:
        a, b = parts.linear(classes, inputs["k"])
        u, _ = target_pair(z, t)
        return (a - b) * u + b * torch.log_softmax(z, 1).sum(1, keepdim=True)
    if parts.row is not None and weight is None:
        return _row(parts, *target_pair(z, t), classes, of_target(inputs, t))
    # The one-hot identity without its cancellation: `M0` everywhere, then `M1` in the target's place.
    u, v = all_pairs(z)
    terms = _call(parts.other, u, v, None, classes, inputs)
    hit = _call(parts.target, u.gather(1, t), v.gather(1, t), None, classes, of_target(inputs, t))
    terms = terms.scatter(1, t, hit)
    return (terms if weight is None else terms * weight).sum(1, keepdim=True)


def entry_losses(formula: Formula, z: Tensor, y: Tensor, inputs: dict[str, Any]) -> Tensor:
    """`M(y, sigmoid(z))` of every entry of a multilabel loss."""
    u, v = sigmoid_pair(z)
    return _soft(formula.composed, u, v, y, 1 if z.dim() < 2 else z.shape[1], inputs)


def regression_losses(formula: Formula, p: Tensor, y: Tensor, inputs: dict[str, Any]) -> Tensor:
    """`M(y, p)` of every entry of a regression loss."""
    return like(formula.composed.general(p, y, inputs["w"], inputs["k"]), p)


def _row(parts: Composed, u: Tensor, v: Tensor, classes: int, inputs: dict[str, Any]) -> Tensor:
    """The target-only loss of `log p` and `log(1 - p)`, by its tangent beyond its `reach`."""
    if parts.reach is None:
        return _call(parts.row, u, v, None, classes, inputs)
    assert parts.row is not None
    d = u - v
    near = d.clamp(*parts.reach)
    beyond, pair = d - near, sigmoid_pair(near)
    value, slope = parts.row(*pair, None, float(classes), inputs["pi"], inputs["w"], inputs["k"])
    return like(value, u) + slope * beyond


def _soft(parts: Composed, u: Tensor, v: Tensor, y: Tensor, classes: int, inputs: dict[str, Any]) -> Tensor:
    if not parts.singular_at_zero:
        return _call(parts.general, u, v, y, classes, inputs)
    # `where` masks the input of the branch, not its result: a masked infinity has a NaN gradient.
    zero = y == 0
    general = _call(parts.general, *_masked(zero, u, v), torch.where(zero, 1.0, y), classes, inputs)
    return torch.where(zero, _call(parts.other, *_masked(~zero, u, v), None, classes, inputs), general)


def _masked(where: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """`u` and `v`, those of `p = 1/2` where the condition holds."""
    half = -math.log(2)
    return torch.where(where, half, u), torch.where(where, half, v)


def _call(
    function: Callable[..., Any] | None,
    u: Tensor,
    v: Tensor,
    y: Tensor | None,
    classes: int,
    inputs: dict[str, Any],
) -> Tensor:
    assert function is not None
    return like(function(u, v, y, float(classes), inputs["pi"], inputs["w"], inputs["k"]), u)


def _pick(vector: Tensor, t: Tensor) -> Tensor:
    """The entries of a vector over classes at the indices `t` `[N, 1, ...]`."""
    return vector.flatten()[t]


def of_target(inputs: dict[str, Any], t: Tensor) -> dict[str, Any]:
    """The inputs of the entries at the indices `t` `[N, 1, ...]`."""
    return inputs if inputs["pi"] is None else {**inputs, "pi": _pick(inputs["pi"], t)}
