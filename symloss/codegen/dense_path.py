"""Losses in which every entry counts: value and gradient in one sweep, in blocks that fit the cache."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from symloss.codegen.compiled import Formula
from symloss.codegen.curves import Curve, entry_curve, signed_inputs
from symloss.codegen.instance import instance_losses, of_target
from symloss.codegen.logits import all_pairs
from symloss.codegen.signed_log import SignedLog

__all__ = ["DensePath", "dense_curves"]

BLOCK = 1 << 17
"""Entries in a block: half a megabyte of float32, so that temporaries stay in the second-level cache."""


@lru_cache(maxsize=512)
def dense_curves(formula: Formula, soft: bool) -> tuple[Curve, Curve]:
    """The curves `(M(y, p), M(0, p))` for soft labels, `(M(1, p), M(0, p))` for hard ones."""
    first = formula.general if soft else formula.target
    one_sided = formula.is_one_sided(first, formula.other)
    return entry_curve(formula, first, one_sided), entry_curve(formula, formula.other, one_sided)


class _Entries(NamedTuple):
    """The entries of a block.

    Attributes:
        u: `log p`; where a smooth curve does not ask for it `p`.
        second: `log(1 - p)`, for smooth curves `p`.
        q: `1 - p` where a smooth curve asks for it.
        top, rest: for smooth curves the index of each instance's largest entry, and the sum of the others.
    """

    u: Tensor
    second: Tensor
    q: Tensor | None = None
    top: Tensor | None = None
    rest: Tensor | None = None

    def at(self, t: Tensor) -> _Entries:
        """Those at the indices `t`."""
        q = None if self.q is None else self.q.gather(1, t)
        return _Entries(self.u.gather(1, t), self.second.gather(1, t), q)


class DensePath:
    """`L = sum_i weight_i M(y_i, p_i)` with the gradient computed beside the value.

    With `h = dM/du`: `dL/dz_j = h_j - p_j sum_i h_i`. The instance's largest entry `k` is apart, the only one
    whose `q = 1 - p` can cancel: `q_k` is the sum of the others, `u_k` is `log(1 - q_k)` and
    `dL/dz_k = h_k q_k - p_k sum_{i != k} h_i`. Where `M` is singular at `p = 1` the derivatives `G` by the
    binary logits `d_i = u_i - v_i` take the place of `h`:
    `dL/dz_j = G_j/q_j - p_j sum_{i != k} G_i/q_i - G_k p_j/q_k` for `j != k`.

    Args:
        formula: a classification formula without coefficients as inputs.
        soft: probabilities `[N, C, ...]`, or None.
        t: class indices `[N, 1, ...]`, all valid, or None; exactly one of the two is given.
        weight: `[C, 1, ...]`, or None.
        inputs: the values of `pi` `[C, 1, ...]` and `w` `[N, 1, ...]`.
    """

    def __init__(
        self,
        formula: Formula,
        soft: Tensor | None,
        t: Tensor | None,
        weight: Tensor | None,
        inputs: dict[str, Any],
    ) -> None:
        self.formula, self.soft, self.t, self.weight, self.inputs = formula, soft, t, weight, inputs
        self.first, self.other = dense_curves(formula, soft is not None)

    def composed(self, z: Tensor) -> Tensor:
        """See `fused.Path`."""
        return instance_losses(self.formula, z, self.soft, self.t, self.weight, self.inputs)

    def forward(self, z: Tensor, gradient: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        """See `fused.Path`."""
        if z.shape[1] == 1 or z.numel() == 0:
            return self.composed(z.detach()), (torch.zeros_like(z),)
        if self.t is not None:
            z.gather(1, self.t)  # refuses an index before the work is done
        rows = max(1, BLOCK * z.shape[0] // z.numel())
        if rows >= z.shape[0]:
            losses, grad = self._block(z, slice(None), gradient)
            return losses, () if grad is None else (grad,)
        D = torch.empty_like(z) if gradient else None
        parts = []
        for start in range(0, z.shape[0], rows):
            block = slice(start, start + rows)
            losses, grad = self._block(z[block], block, gradient)
            parts.append(losses)
            if D is not None and grad is not None:
                D[block] = grad
        return torch.cat(parts), () if D is None else (D,)

    def backward(self, state: Sequence[Tensor], g: Tensor | float) -> Tensor:
        """See `fused.Path`."""
        return state[0] * g

    def _block(self, z: Tensor, block: slice, gradient: bool) -> tuple[Tensor, Tensor | None]:
        entries = self._smooth(z) if self.first.one_sided else _Entries(*all_pairs(z))
        terms, slopes = self._terms(entries, z.shape[1], block, gradient)
        losses = terms.sum(1, keepdim=True)
        grad = None if slopes is None else self._gradient(entries, slopes)
        if self.first.fragile or self.other.fragile:
            total = losses if grad is None else losses + grad.sum(1, keepdim=True)
            bad = ~torch.isfinite(total).squeeze(1)
            if bad.any():
                self._repair(z, bad, block, losses, grad)
        return losses, grad

    def _smooth(self, z: Tensor) -> _Entries:
        """The entries for curves that are smooth at `p = 1`."""
        log = self.first.uses_log or self.other.uses_log
        u = torch.log_softmax(z, 1) if log else None
        p = torch.softmax(z, 1) if u is None else torch.exp(u)
        top = p.argmax(1, keepdim=True)
        rest = p.scatter(1, top, 0.0).sum(1, keepdim=True)
        if u is not None:
            # Of no use where many entries share the probability: there `rest` has lost the digits.
            u.scatter_(1, top, torch.where(rest < 0.5, torch.log1p(-rest), u.gather(1, top)))
        q = (1 - p).scatter_(1, top, rest) if self.first.uses_rest or self.other.uses_rest else None
        return _Entries(p if u is None else u, p, q, top, rest)

    def _terms(
        self, entries: _Entries, classes: int, block: slice, gradient: bool
    ) -> tuple[Tensor, Tensor | None]:
        """The terms of the sum over classes, and their slopes."""
        if self.soft is not None:
            y = self.soft[block]
            if self.formula.singular_at_zero:
                zero = y == 0
                y = torch.where(zero, 1.0, y)
            found = self._call(self.first, entries, y, classes, block, gradient)
            if self.formula.singular_at_zero:
                at_zero = self._call(self.other, entries, None, classes, block, gradient)
                found = tuple(torch.where(zero, b, a) for a, b in zip(found, at_zero, strict=True))
        else:
            assert self.t is not None
            t = self.t[block]
            hits = self._call(self.first, entries.at(t), None, classes, block, gradient, t)
            rest = self._call(self.other, entries, None, classes, block, gradient)
            # Value and slope may be one tensor, as of `4 p`, or one of the inputs.
            given = [entries.u, entries.second, *rest]
            found = tuple(_put(x, t, hit, given) for x, hit in zip(rest, hits, strict=True))
        if self.weight is not None:
            found = tuple(x * self.weight for x in found)
        return found[0], found[1] if gradient else None

    def _call(
        self,
        curve: Curve,
        entries: _Entries,
        y: Tensor | None,
        classes: int,
        block: slice,
        gradient: bool,
        t: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        w = self.inputs["w"]
        inputs = {"pi": self.inputs["pi"], "w": w if w is None or w.dim() == 0 else w[block]}
        if t is not None:
            inputs = of_target(inputs, t)
        pair = (entries.u, entries.second, entries.q) if curve.one_sided else (entries.u, entries.second)
        arguments = (*pair, y, float(classes), inputs["pi"], inputs["w"], ())
        return curve.both(*arguments) if gradient else (curve.alone(*arguments),)

    def _gradient(self, entries: _Entries, slopes: Tensor) -> Tensor:
        if entries.top is not None and entries.rest is not None:
            p, top = entries.second, entries.top
            peak, others = slopes.gather(1, top), slopes.scatter(1, top, 0.0).sum(1, keepdim=True)
            grad = torch.addcmul(slopes, p, peak + others, value=-1)
            return grad.scatter_(1, top, peak * entries.rest - p.gather(1, top) * others)
        u, v = entries.u, entries.second
        top = u.argmax(1, keepdim=True)
        odds = slopes * torch.exp(-v.scatter(1, top, 0.0))
        p = torch.exp(u)
        pulls = odds.scatter(1, top, 0.0).sum(1, keepdim=True)
        ratio = torch.exp((u - v.gather(1, top)).scatter(1, top, -math.inf))
        return odds - p * pulls - slopes.gather(1, top) * ratio

    def _repair(self, z: Tensor, bad: Tensor, block: slice, losses: Tensor, grad: Tensor | None) -> None:
        """Does the instances that are not finite again, on signed logarithms."""

        def chosen(x: Tensor | None, per_row: bool) -> Tensor | None:
            if x is None:
                return None
            x = x[block] if per_row and x.dim() else x
            return x.expand_as(z).movedim(1, -1)[bad].double()

        u, v = all_pairs(z.movedim(1, -1)[bad].double())
        y = chosen(self.soft, True)
        inputs = signed_inputs(
            u, v, y, z.shape[1], chosen(self.inputs["pi"], False), chosen(self.inputs["w"], True)
        )
        other = entry_curve(self.formula, self.other.value).repaired(inputs)
        first = entry_curve(self.formula, self.first.value).repaired(inputs)
        if y is None:
            assert self.t is not None
            t = self.t[block].movedim(1, -1)[bad]
            is_first = torch.zeros_like(u, dtype=torch.bool).scatter(1, t, True)
        else:
            is_first = y != 0
        value, slope = (a.where(is_first, b) for a, b in zip(first, other, strict=True))
        if self.weight is not None:
            weight = SignedLog.of(self.weight.expand_as(z).movedim(1, -1)[bad])
            value, slope = value * weight, slope * weight
        losses.squeeze(1)[bad] = value.sum(1).value.to(losses.dtype)
        if grad is None:
            return
        # By every logit: `G_i` by its own, `-G_i p_j / q_i` by the others; here `j` runs over dimension 1.
        p, inverse_q = SignedLog.exp_of(u), SignedLog.exp_of(-v)
        pull = slope * inverse_q
        top = u.argmax(1, keepdim=True)
        at_top = torch.zeros_like(is_first).scatter(1, top, True)
        nothing = SignedLog.of(torch.zeros_like(u))
        rest = nothing.where(at_top, pull).sum(1, keepdim=True)
        peak = SignedLog(pull.sign.gather(1, top), pull.log.gather(1, top))
        total = slope.where(at_top, pull) + -(p * rest) + -nothing.where(at_top, p * peak)
        grad.movedim(1, -1)[bad] = total.value.to(grad.dtype)


def _put(x: Tensor, t: Tensor, values: Tensor, given: list[Tensor]) -> Tensor:
    """`x` with `values` at the indices `t`: in place only where nothing else of `given` shares its memory."""
    alone = sum(other.data_ptr() == x.data_ptr() for other in given) == 1
    return x.scatter_(1, t, values) if alone and x.is_contiguous() else x.scatter(1, t, values)
