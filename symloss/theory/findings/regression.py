"""Findings about regression losses: of the residual where they depend on it alone, at a target otherwise.

Of a loss that is not translation-invariant, what fails at one of a few targets is refuted, and what holds at the
target 0 is proved where the loss is one curve `f` of `c y - p`, moved and scaled: see `Family`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sympy import Abs, Expr, Max, Min, Rational, log, sign, sqrt

from symloss.expr import plog, psqrt
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.residual import SEEN, Family, R, Residual, is_above, value_at
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.convexity import is_convex, low_chord
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import RESIDUALS, TARGETS
from symloss.theory.identify.signature import slope_in_p
from symloss.theory.values import Pieces, Statistic

__all__ = [
    "bounded_above",
    "bounded_influence",
    "converges_to",
    "convex",
    "influence",
    "minimum_at_target",
    "redescending",
    "translation_invariant",
]


def _at_targets(find: Callable[[Residual], Finding], residual: Residual) -> Finding:
    """What is found at the target 0, or a refutation at another."""
    first = find(residual)
    if residual.invariant or first.verdict != "unknown":
        return first
    for target in TARGETS[1:]:
        try:
            finding = find(residual.at(target))
        except (Undecided, Undefined):  # the loss has no value there
            continue
        if finding.verdict == "refuted":
            return finding
    return first


def _for_every_target(residual: Residual, finding: Finding, follows: Callable[[Family], bool]) -> Finding:
    """What was found at the target 0, for all targets, where the loss is of a family of which that follows."""
    if finding.verdict != "proved" or residual.invariant:
        return finding
    family = residual.family
    if family is not None and follows(family):
        return replace(finding, reason=f"{finding.reason} at the target 0, and {family}")
    return unknown(f"holds at the target 0 ({finding.reason}); not settled for the other targets")


def _has_its_shape(family: Family) -> bool:
    return True


def _has_its_values(family: Family) -> bool:
    return family.same


def _turns_at_the_target(family: Family) -> bool:
    return family.lean == 1


@names_guards
def translation_invariant(residual: Residual) -> Finding:
    if residual.invariant:
        return proved(f"M(y, y - r) = {shorter(residual.formula)} is free of y, by algebra")
    if residual.witness is None:
        return unknown("M(y, y - r) is not free of y by algebra, and no two values differ on a grid")
    (y1, p1), (y2, p2) = residual.witness
    values = [float(value_at(residual.loss, y, p) or 0) for y, p in residual.witness]
    return refuted(
        f"M({y1}, {p1}) = {values[0]:.6g} but M({y2}, {p2}) = {values[1]:.6g}, with equal residuals",
        {"points": [[float(y1), float(p1)], [float(y2), float(p2)]]},
    )  # fmt: skip


@names_guards
def minimum_at_target(residual: Residual) -> Finding:
    lower = _lower_than_target(residual)
    if lower is not None:
        return lower
    slope = residual.influence
    if any(span.sign is None for span in slope.pattern):
        return unknown("the sign of the derivative is open on a stretch")
    for span in slope.pattern:
        at_left, at_right = span.right.hi <= 0, span.left.lo >= 0
        if span.sign == 0:
            continue
        if not (at_left or at_right):
            return unknown("the derivative's sign does not change at the target")
        if (at_left and span.sign == 1) or (at_right and span.sign == -1):
            return unknown("the derivative points away from the target on a stretch")
    if not residual.curve.is_continuous:
        return unknown("a jump or a singular point is not excluded")
    reason = "M does not rise towards the target on either side: signs of its derivative in r on every piece"
    return _for_every_target(residual, proved(reason), _turns_at_the_target)


def _lower_than_target(residual: Residual) -> Finding | None:
    """A target and a prediction at which the loss is lower than where they meet: found in floats, then checked."""
    values = residual.table(RESIDUALS)
    there = values[:, [RESIDUALS.index(Rational(0))]]
    lower = there - values > SEEN * np.fmax(np.abs(values), np.abs(there))
    for i, k in zip(*np.nonzero(lower), strict=True):
        y, r = RESIDUALS[i], RESIDUALS[k]
        here, best = value_at(residual.loss, y, y), value_at(residual.loss, y, y - r)
        if here is not None and best is not None and is_above(here, best, here, best):
            reason = f"M({y}, {y - r}) = {float(best):.6g} is below M({y}, {y}) = {float(here):.6g}"
            return refuted(reason, {"y": float(y), "p": float(y - r)})
    return None


@names_guards
def convex(residual: Residual) -> Finding:
    """Whether `M` is convex in the prediction, for every target."""
    return _at_targets(_convex, residual)


def _convex(residual: Residual) -> Finding:
    if is_convex(residual.curve):
        reason = "the second derivative is nowhere negative, and no kink points down, on every piece"
        return _for_every_target(residual, proved(reason), _has_its_shape)
    chord = low_chord(residual.curve)
    if chord is not None:
        a, b, y = chord.a, chord.b, float(residual.target)
        reason = f"at y = {y:g} the chord from p = {y - a:.6g} to p = {y - b:.6g} runs below M at its middle"
        return refuted(reason, {"y": y, "p": [y - a, y - b]})
    return unknown("the sign of the second derivative is open")


@names_guards
def influence(residual: Residual) -> Finding:
    if residual.invariant:
        parts = [shorter(expr) for _, expr in residual.influence.parts]
        if len(parts) == 1:
            return proved("the derivative of M in r, by SymPy", parts[0])
        pieces = tuple(
            (expr, cell.left.middle, cell.right.middle)
            for (cell, _), expr in zip(residual.influence.parts, parts, strict=True)
        )
        return proved("the derivative of M in r on every piece, by SymPy", Pieces(pieces))
    plain = residual.loss.value_expr
    for guarded, free in ((plog, log), (psqrt, sqrt)):
        plain = plain.replace(guarded, lambda x, f=free: f(Abs(x)))
    slope = shorter(-slope_in_p(plain))
    where = ", wherever M has a slope," if plain.has(Abs, sign, Max, Min) else ","
    return proved(f"-dM/dp at fixed y{where} by SymPy", slope)


def _bound(value: float) -> str:
    return f"{value:.6g}"


@names_guards
def bounded_influence(residual: Residual) -> Finding:
    """Whether the pull of an outlier is bounded, and by what."""
    return _at_targets(_bounded_influence, residual)


def _bounded_influence(residual: Residual) -> Finding:
    ends = [residual.influence.extreme(side) for side in (-1, 1)]
    if any(end is None for end in ends):
        return unknown("an extreme of the influence is not settled")
    values = [end.value for end in ends if end is not None]
    if any(math.isinf(v.lo) or math.isinf(v.hi) for v in values):
        if all(math.isinf(v.lo) == math.isinf(v.hi) for v in values):
            escape = next(end for end in ends if end is not None and math.isinf(end.value.lo))
            where = f"r -> {_bound(escape.where.middle)}"
            return refuted(
                f"psi grows without bound as {where}, at y = {float(residual.target):g}",
                {"r": escape.where.middle, "y": float(residual.target)},
            )
        return unknown("the influence is not enclosed")
    broken = _jump(residual)
    if broken is not None:
        return broken
    largest = max(values, key=lambda v: max(abs(v.lo), abs(v.hi)))
    size = max(abs(largest.lo), abs(largest.hi))
    reason = "the largest |psi| over all pieces, their ends and stationary points"
    family = None if residual.invariant else residual.family
    found = _with_number(reason, largest.exact, size, abs)
    most = None if family is None or family.same else family.most
    if most is not None and most.is_finite:
        reason = f"{reason} at the target 0, times the largest h; {family}"
        exact = None if largest.exact is None or most.exact is None else shorter(largest.exact * most.exact)
        return _with_number(reason, exact, math.nextafter(size * most.hi, math.inf), abs)
    return _for_every_target(residual, found, _has_its_values)


def _with_number(
    reason: str, exact: Expr | None, bound: float, change: Callable[[Expr], Expr] = lambda value: value
) -> Finding:
    """A bound by its formula where there is one, else by its enclosure's outer end."""
    return proved(reason, None, bound) if exact is None else proved(reason, change(exact))


def _jump(residual: Residual) -> Finding | None:
    """What a loss that jumps, or may, says of its influence: no slope bounds a jump."""
    curve = residual.curve
    for left, right, point in curve.steps():
        if left is None or right is None or not (left.is_finite and right.is_finite):
            continue
        if left.hi < right.lo or right.hi < left.lo:
            y, r = float(residual.target), point.middle
            return refuted(
                f"M jumps from {left.middle:.6g} to {right.middle:.6g} at r = {_bound(r)}, at y = {y:g}",
                {"r": r, "y": y, "left": left.middle, "right": right.middle},
            )
    return None if curve.is_continuous else unknown("a jump or a singular point is not excluded")


@names_guards
def redescending(residual: Residual) -> Finding:
    """Whether the pull of an outlier vanishes as it moves away."""
    return _at_targets(_redescending, residual)


def _redescending(residual: Residual) -> Finding:
    slope = residual.influence
    tails = [slope.limit(0, -1), slope.limit(len(slope.parts) - 1, 1)]
    if any(tail is None for tail in tails):
        return unknown("the limit of the influence at infinity is not settled")
    for tail, where in zip(tails, ("-oo", "oo"), strict=True):
        if tail is not None and (tail.lo > 0 or tail.hi < 0):
            y = float(residual.target)
            reason = f"psi tends to {_bound(tail.middle)} as r -> {where}, at y = {y:g}"
            return refuted(reason, {"r": where, "limit": tail.middle, "y": y})
    if all(tail is not None and tail.lo == tail.hi == 0 for tail in tails):
        return _for_every_target(
            residual, proved("psi tends to 0 as r -> oo and as r -> -oo"), _has_its_shape
        )
    return unknown("the limit of the influence at infinity is not settled")


@names_guards
def bounded_above(residual: Residual) -> Finding:
    """Whether the loss is bounded above, and by what."""
    return _at_targets(_bounded_above, residual)


def _bounded_above(residual: Residual) -> Finding:
    top = residual.curve.extreme(1)
    if top is None:
        return unknown("the supremum is not settled")
    if math.isinf(top.value.hi):
        if math.isinf(top.value.lo) and top.value.lo > 0:
            where = _bound(top.where.middle)
            y = float(residual.target)
            reason = f"M grows without bound as r -> {where}, at y = {y:g}"
            return refuted(reason, {"r": top.where.middle, "y": y})
        return unknown("the supremum is not enclosed")
    reason = "the supremum over all pieces, their ends and stationary points"
    finding = _with_number(reason, top.value.exact, top.value.hi)
    return _for_every_target(residual, finding, _has_its_values)


@names_guards
def converges_to(residual: Residual) -> Finding:
    """The constant that minimises the mean loss, where the influence is piecewise constant or linear."""
    if not residual.invariant:
        return unknown("the loss does not depend on the residual alone")
    if not residual.curve.is_continuous:
        return unknown("a jump or a singular point is not excluded")
    left, right = _side(residual.influence, -1), _side(residual.influence, 1)
    if left is None or right is None:
        return unknown("the influence is neither constant nor linear on both sides of the target")
    if left.diff(R, 2) != 0 or right.diff(R, 2) != 0:
        return unknown("the influence is neither constant nor linear on both sides of the target")
    steep, level = (left.diff(R), right.diff(R)), (left.subs(R, 0), right.subs(R, 0))
    if steep == (0, 0) and number_sign(level[1]) == 1 and number_sign(level[0]) == -1:
        share = shorter(level[1] / (level[1] - level[0]))
        value = Statistic("median") if share == Rational(1, 2) else Statistic("quantile", share)
        return proved("psi is one constant above the target and another below it", value)
    if level == (0, 0) and number_sign(steep[0]) == 1 and number_sign(steep[1]) == 1:
        share = shorter(steep[1] / (steep[0] + steep[1]))
        value = Statistic("mean") if share == Rational(1, 2) else Statistic("expectile", share)
        return proved("psi is linear above the target and below it", value)
    return unknown("the influence is neither constant nor linear on both sides of the target")


def _side(curve: Curve, side: int) -> Expr | None:
    """The one formula of the curve on the whole of one side of 0."""
    found = {
        shorter(expr) for cell, expr in curve.parts if (cell.right.hi > 0 if side > 0 else cell.left.lo < 0)
    }
    return found.pop() if len(found) == 1 else None
