"""Findings about outliers: how hard a residual pulls, whether that is bounded, and whether it ends.

`psi(r) = dM/dr`. Of a loss of more than the residual it is `-dM/dp` at a fixed target; an outlier is then a prediction
far from its target, or a target far from every prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sympy import Abs, Expr, Max, Min, Symbol, oo, sign

from symloss.errors import SymlossError
from symloss.expr import P, Y
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.family import Family
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.residual import R, Residual, on_line, value_at
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.curve import Curve, Extreme, Limit
from symloss.theory.functions.ends import limit_at
from symloss.theory.functions.periodic import along_periods, period_of, turns
from symloss.theory.functions.plane import is_defined, range_on_plane, separated
from symloss.theory.functions.points import Cell, Point
from symloss.theory.functions.probes import TARGETS
from symloss.theory.values import Pieces

__all__ = ["bounded_above", "bounded_influence", "influence", "redescending"]


@names_guards
def influence(residual: Residual) -> Finding:
    """`psi`, as a formula."""
    if residual.invariant:
        parts = [shorter(expr) for _, expr in residual.influence.parts]
        if len(parts) == 1:
            return proved("the derivative of M in r, by SymPy", parts[0])
        pieces = tuple(
            (expr, cell.left.middle, cell.right.middle)
            for (cell, _), expr in zip(residual.influence.parts, parts, strict=True)
        )
        return proved("the derivative of M in r on every piece, by SymPy", Pieces(pieces))
    kinks = residual.loss.value_expr.has(Abs, sign, Max, Min)
    where = ", wherever M has a slope," if kinks else ","
    return proved(f"-dM/dp at fixed y{where} by SymPy", shorter(-residual.slope))


@names_guards
def bounded_influence(residual: Residual) -> Finding:
    """Whether the pull of an outlier is bounded, and by what."""
    finding = _of_family(residual, _bounded_pull)
    if finding.verdict != "unknown":
        return finding
    formula = residual.loss.value_expr
    # A bound of the slope bounds the pull only where the loss has a slope and no jumps.
    if is_defined(formula) and is_defined(residual.slope) and not _jumps_in_p(formula):
        reach = range_on_plane(residual.slope)
        most = max(abs(reach.low), abs(reach.high))
        if math.isfinite(most):
            return proved("|dM/dp| is bounded by its structure; the bound need not be attained", None, most)
    return _at_targets(residual, _pull_at_target) or _far_targets(residual, residual.slope, "psi") or finding


@names_guards
def redescending(residual: Residual) -> Finding:
    """Whether the pull of an outlier vanishes as it moves away: `-dM/dp -> 0` as `p -> oo` and `-oo`, at every fixed y.

    How the pull grows with the target at a fixed prediction is what `bounded_influence` asks.
    """
    finding = _of_family(residual, _pull_ends)
    if finding.verdict == "unknown" and _parts_vanish(residual.slope):
        return proved(
            "every term of dM/dp is one of y times one of p that vanishes as p -> oo and as p -> -oo"
        )
    return (_at_targets(residual, _pull_lasts) or finding) if finding.verdict == "unknown" else finding


@names_guards
def bounded_above(residual: Residual) -> Finding:
    """Whether the loss is bounded above, and by what."""
    finding = _of_family(residual, _bounded_values)
    if finding.verdict != "unknown":
        return finding
    formula = residual.loss.value_expr
    reach = range_on_plane(formula)
    if math.isfinite(reach.high) and is_defined(formula):
        return proved("M is bounded by its structure; the bound need not be attained", None, reach.high)
    return _at_targets(residual, _grows_at_target) or _far_targets(residual, formula, "M") or finding


def _of_family(residual: Residual, find: Callable[[Residual, Curve], Finding]) -> Finding:
    """What follows from the one curve that the loss is, moved and scaled."""
    family = residual.family
    if family is None:
        return unknown("the loss is not one curve of y and p, and its structure does not settle it")
    try:
        return find(residual, on_line(family.shape, R))
    except SymlossError as error:
        return unknown(str(error))


def _at_targets(residual: Residual, refute: Callable[[Residual], Finding | None]) -> Finding | None:
    """A refutation at one of a few targets."""
    for target in TARGETS if not residual.invariant else ():
        try:
            finding = refute(residual.at(target))
        except SymlossError:  # the loss has no value there
            continue
        if finding is not None:
            return finding
    return None


def _far_targets(residual: Residual, formula: Expr, name: str) -> Finding | None:
    """The refutation by a formula that grows without bound as the target moves away from a prediction."""
    # At a fixed target psi may be bounded and still grow with the target: such an outlier pulls without limit too.
    for prediction in _real_predictions(residual) if not residual.invariant else ():
        try:
            ends = _far_ends(formula.subs(P, prediction), Y)
        except SymlossError:
            continue
        for end, where in zip(ends, ("-oo", "oo"), strict=True):
            grows = end is not None and math.isinf(end.lo) and end.lo == end.hi
            if end is not None and grows and (name == "psi" or end.lo > 0):
                p = float(prediction)
                return refuted(
                    f"{name} grows without bound as y -> {where}, at p = {p:g}", {"y": where, "p": p}
                )
    return None


# Bounded influence


def _bounded_pull(residual: Residual, curve: Curve) -> Finding:
    family = residual.family
    assert family is not None
    psi, y = curve.derivative, float(family.base)
    ends = [psi.extreme(side) for side in (-1, 1)]
    settled = [end for end in ends if end is not None]
    escape = next((end for end in settled if end.value.lo == end.value.hi and math.isinf(end.value.lo)), None)
    if escape is not None:
        where = family.residual(escape.where.middle)
        return refuted(f"psi grows without bound as r -> {where:.6g}, at y = {y:g}", {"r": where, "y": y})
    # `r sin(r)` has no limit, so no tail tells; along whole turns it is a formula without sines, and one sequence on
    # which psi grows is enough.
    if turns(family.shape, R):
        far = _grows_along(psi)
        if far:
            return refuted(f"psi grows without bound along {far}, at y = {y:g}", {"r": math.inf, "y": y})
    broken = _jump(family, curve)
    if broken is not None:
        return broken
    if len(settled) < 2 or any(math.isinf(v) for end in settled for v in (end.value.lo, end.value.hi)):
        return unknown("an extreme of the influence is not settled")
    largest = max(settled, key=_size)
    reason = "the largest |psi| over all pieces, their ends and stationary points"
    if family.weight == 1:
        return _bound(
            reason if family.moves_alone else f"{reason}; {family}", _exact(largest, abs), _size(largest)
        )
    return _weighted(residual, largest, reason)


def _weighted(residual: Residual, largest: Extreme, reason: str) -> Finding:
    family = residual.family
    assert family is not None
    most = family.most
    if most is None:
        return unknown("the largest weight of a target is not settled")
    reason = f"{reason} at y = {float(family.base):g}, times the largest h; {family}"
    if most.is_finite:
        exact = _exact(largest, abs)
        exact = None if exact is None or most.exact is None else shorter(exact * most.exact)
        return _bound(reason, exact, math.nextafter(_size(largest) * most.hi, math.inf))
    # |psi| = h(y) |f'(s)|: unbounded with h where f' is not 0 at that s.
    if math.isinf(most.lo) and largest.value.lo * largest.value.hi > 0:
        return refuted(
            f"psi = h(y) f'(s) grows with the weight h(y) = {family.weight} of the target, without bound; {family}",
            {"weight": str(family.weight), "s": largest.where.middle},
        )
    return unknown("the largest weight of a target is not settled")


def _size(end: Extreme) -> float:
    return max(abs(end.value.lo), abs(end.value.hi))


def _exact(end: Extreme, change: Callable[[Expr], Expr] = lambda value: value) -> Expr | None:
    return None if end.value.exact is None else change(end.value.exact)


def _bound(reason: str, exact: Expr | None, outer: float) -> Finding:
    """A bound by its formula where there is one, else by its enclosure's outer end."""
    return proved(reason, None, outer) if exact is None else proved(reason, exact)


def _pull_at_target(residual: Residual) -> Finding | None:
    finding = _bounded_pull(_alone(residual), residual.curve)
    return finding if finding.verdict == "refuted" else None


def _jump(family: Family, curve: Curve) -> Finding | None:
    """The verdict on the influence of a loss that jumps, or may: no bound on its slope bounds a jump."""
    for left, right, point in curve.steps():
        if left is None or right is None or not (left.is_finite and right.is_finite):
            continue
        if left.hi < right.lo or right.hi < left.lo:
            r, y = family.residual(point.middle), float(family.base)
            return refuted(
                f"M jumps from {left.middle:.6g} to {right.middle:.6g} at r = {r:.6g}, at y = {y:g}",
                {"r": r, "y": y, "left": left.middle, "right": right.middle},
            )
    return None if curve.is_continuous else unknown("a jump or a singular point is not excluded")


def _jumps_in_p(formula: Expr) -> bool:
    return any(P in node.free_symbols for node in formula.atoms(sign))


def _grows_along(curve: Curve) -> str:
    """A sequence far out along which a formula with sines and cosines grows without bound, in words, or `""`."""
    for phase, limit in _limits_along(curve):
        if math.isinf(limit[0]) and limit[0] == limit[1]:
            return f"whole turns and {phase} of one"
    return ""


def _limits_along(curve: Curve) -> Iterator[tuple[Expr, tuple[float, float]]]:
    """Limits at oo along phases of a common turn."""
    cell, expr = curve.parts[-1]
    for phase, smooth in along_periods(expr, R):
        limit = limit_at(smooth, R, Cell(cell.left, Point.at(oo)), 1, (1e-3, 1e-6))
        if limit is not None:
            yield phase, limit


# Redescending


def _pull_ends(residual: Residual, curve: Curve) -> Finding:
    family = residual.family
    assert family is not None
    psi, y = curve.derivative, float(family.base)
    # `on_line` shows two periods alone of such a loss, so its ends are not at infinity.
    if period_of(family.shape, R) is not None:
        return _repeats(family, psi)
    tails = [psi.limit(0, -1), psi.limit(len(psi.parts) - 1, 1)]
    for tail, where in zip(tails, ("-oo", "oo"), strict=True):
        if tail is not None and (tail.lo > 0 or tail.hi < 0):
            reason = f"psi tends to {tail.middle:.6g} as r -> {where}, at y = {y:g}"
            return refuted(reason, {"r": where, "limit": tail.middle, "y": y})
    if all(tail is not None and tail.lo == tail.hi == 0 for tail in tails):
        reason = "psi tends to 0 as r -> oo and as r -> -oo"
        return proved(reason if residual.invariant else f"{reason}; {family}")
    if turns(family.shape, R):
        for phase, (low, high) in _limits_along(psi):
            if low > 0 or high < 0:
                return refuted(
                    f"psi tends to {(low + high) / 2:.6g} along whole turns and {phase} of one, at y = {y:g}",
                    {"r": "oo", "limit": (low + high) / 2, "y": y, "phase": float(phase)},
                )
    return unknown("the limit of the influence at infinity is not settled")


def _repeats(family: Family, psi: Curve) -> Finding:
    """A periodic pull vanishes far out only if it is zero everywhere."""
    y = float(family.base)
    for side in (-1, 1):
        end = psi.extreme(side)
        if end is not None and (end.value.lo > 0 if side > 0 else end.value.hi < 0):
            r = family.residual(end.where.middle)
            return refuted(
                f"psi is {end.value.middle:.6g} at r = {r:.6g} and a period later again, at y = {y:g}",
                {"r": r, "limit": end.value.middle, "y": y},
            )
    return unknown("the limit of the influence at infinity is not settled")


def _pull_lasts(residual: Residual) -> Finding | None:
    finding = _pull_ends(_alone(residual), residual.curve)
    return finding if finding.verdict == "refuted" else None


def _real_predictions(residual: Residual) -> Iterator[Expr]:
    """Predictions at which the loss has a value, for one target at least."""
    return (p for p in TARGETS if any(value_at(residual.loss, y, p) is not None for y in TARGETS))


def _far_ends(formula: Expr, variable: Symbol) -> list[Limit | None]:
    """The limits at -oo and at oo; not settled of what repeats itself.

    Raises:
        Undefined, Undecided: see `on_line`.
    """
    if period_of(formula, variable) is not None:
        return [None, None]
    curve = on_line(formula, variable)
    return [curve.limit(0, -1), curve.limit(len(curve.parts) - 1, 1)]


def _parts_vanish(slope: Expr) -> bool:
    """Whether a slope is a sum of terms `u(y) v(p)` with `v` vanishing far out."""
    parts = separated(slope)
    for fixed, moving in parts.items():
        if not is_defined(fixed):
            return False
        try:
            ends = _far_ends(moving.subs(P, R), R)
        except SymlossError:
            return False
        if not all(end is not None and end.lo == end.hi == 0 for end in ends):
            return False
    return bool(parts)


# Bounded above


def _bounded_values(residual: Residual, curve: Curve) -> Finding:
    family = residual.family
    assert family is not None
    y = float(family.base)
    top = curve.extreme(1)
    if top is not None and top.value.lo == math.inf:
        where = family.residual(top.where.middle)
        return refuted(f"M grows without bound as r -> {where:.6g}, at y = {y:g}", {"r": where, "y": y})
    if turns(family.shape, R):
        for phase, (low, _) in _limits_along(curve):
            if low == math.inf:
                return refuted(
                    f"M grows without bound along whole turns and {phase} of one, at y = {y:g}",
                    {"r": math.inf, "y": y},
                )
    if top is None or math.isinf(top.value.hi):
        return unknown("the supremum is not settled")
    if not family.moves_alone:
        return unknown(f"bounded at y = {y:g}; not settled for the other targets")
    return _bound("the supremum over all pieces, their ends and stationary points", _exact(top), top.value.hi)


def _grows_at_target(residual: Residual) -> Finding | None:
    finding = _bounded_values(_alone(residual), residual.curve)
    return finding if finding.verdict == "refuted" else None


def _alone(residual: Residual) -> Residual:
    """The loss at one target, as if every target had this curve."""
    # A refutation at one target refutes; nothing proved of this view holds for the loss, and callers drop it.
    return Residual(residual.loss, residual.formula.subs(Y, residual.target), True, None, residual.target)
