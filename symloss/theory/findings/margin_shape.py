"""What a margin loss does along the line: its start, where it falls, its minimum, its bounds and its pull."""

from __future__ import annotations

import math
from itertools import pairwise

from sympy import Expr, oo

from symloss.expr import M
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.margin import Margin
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.convexity import low_chord, opens
from symloss.theory.functions.curve import Curve, Extreme, Limit
from symloss.theory.functions.enclose import enclose
from symloss.theory.functions.points import Point, Span
from symloss.theory.functions.probes import MARGINS_FEW

__all__ = [
    "bounded_margin", "convex_in_margin", "decreasing", "forgets", "is_convex", "lipschitz_in_margin",
    "minimum", "symmetric_margins",
]  # fmt: skip

_TIGHT = 1e-9
"""A relative width of enclosures up to which a bound is said to be the best one."""
_LONGEST = 16
"""Characters of a formula that stands in a sentence."""


def is_convex(view: Margin) -> bool:
    """Whether `M` is proved to be convex."""
    return view.bend.signs <= {0, 1} and all(opens(view.curve, i) for i in range(len(view.curve.parts) - 1))


@names_guards
def convex_in_margin(view: Margin) -> Finding:
    """`M'' >= 0`, and no kink or jump in the way."""
    if is_convex(view):
        return proved("M'' >= 0 on every smooth piece, and no slope falls at a border")
    chord = low_chord(view.curve)
    if chord is not None:
        return refuted(
            f"the chord from m = {chord.a:.6g} to {chord.b:.6g} runs below M in its middle",
            {"chord": [chord.a, chord.b]},
        )
    for span in view.bend.pattern:
        if span.sign == -1:
            return refuted(f"M'' < 0 {_between(span)}", {"between": _ends(span)})
    return unknown("the sign of M'' is open on a stretch")


def _ends(span: Span) -> list[float]:
    return [span.left.middle, span.right.middle]


def _between(span: Span) -> str:
    low, high = span.left, span.right
    if not low.is_finite and not high.is_finite:
        return "everywhere"
    if not low.is_finite:
        return f"for m below {_shown(high)}"
    return (
        f"for m above {_shown(low)}"
        if not high.is_finite
        else f"for m between {_shown(low)} and {_shown(high)}"
    )


def _shown(point: Point) -> str:
    return str(point.exact) if point.exact is not None and point.exact.is_Rational else f"{point.middle:.10g}"


@names_guards
def decreasing(view: Margin) -> Finding:
    """`M' <= 0`, and no jump upwards."""
    rising = [span for span in view.spans if span.sign == 1]
    if rising:
        where = " and ".join(_between(span) for span in rising)
        return refuted(f"M rises {where}", {"between": [_ends(span) for span in rising]})
    for i, (left, right, point) in enumerate(view.curve.steps()):
        if view.curve.is_continuous_at(i):
            continue
        if left is None or right is None:
            return unknown(f"whether M jumps upwards at m = {point.middle:.6g} is open")
        # A jump upwards is shown by limits that are apart, a jump down does no harm; where they overlap neither is
        # known.
        if left.hi < right.lo:
            return refuted(f"M jumps upwards at m = {point.middle:.6g}", {"between": [[point.lo, point.hi]]})
        if left.lo < right.hi:
            return unknown(f"whether M jumps upwards at m = {point.middle:.6g} is open")
    if any(span.sign is None for span in view.spans):
        return unknown("the sign of M' is open on a stretch")
    return proved("M' <= 0 on every smooth piece, and M jumps nowhere upwards")


@names_guards
def minimum(view: Margin) -> Finding:
    """The least value and the least margin that has it, or where the infimum is approached."""
    low = view.curve.extreme(-1)
    if low is None:
        return unknown("the infimum is not settled")
    if low.value.hi == -math.inf:
        return refuted(
            f"M falls without bound as m -> {_side(low.where)}{_turns(view)}", {"m": low.where.middle}
        )
    if any(span.sign is None for span in view.spans):
        return unknown("the sign of M' is open on a stretch")
    if not view.curve.is_continuous:
        return unknown("a jump or a singular point is not excluded")
    if all(span.sign == 0 for span in view.spans):
        return proved("M' = 0 on every smooth piece, and M is continuous: every margin has the least value")
    lowest = _lowest(_candidates(view))
    if lowest is None:
        return unknown("which of several margins has the least value is open")
    said, point = _amount(lowest.value), lowest.where
    if not point.is_finite:
        flat = view.spans[0 if point.lo < 0 else -1].sign == 0
        how = "is taken all the way to" if flat else "is approached, and not taken, as"
        return proved(
            f"the infimum {said} {how} m -> {_side(point)}{_turns(view)}", oo if point.lo > 0 else -oo
        )
    reason = f"the least value {said} is taken at m = {_shown(point)}{_turns(view, point)}"
    return proved(reason, point.exact) if point.exact is not None else proved(reason, None, point.middle)


def _amount(value: Limit) -> str:
    """A value in words: its formula where that is short, else ten digits."""
    if value.exact is not None and len(str(value.exact)) <= _LONGEST:
        return str(value.exact)
    return "0 (to 12 decimals)" if max(abs(value.lo), abs(value.hi)) < 1e-12 else f"{value.middle:.10g}"


def _side(point: Point) -> str:
    """An end of the line, or a point of it."""
    return f"{point.middle:g}".replace("inf", "oo")


def _candidates(view: Margin) -> list[Extreme]:
    """Where a continuous `M` may be least, from left to right: ends that it falls to, and where it stops to fall."""
    curve, spans, found = view.curve, view.spans, []
    first, last = curve.limit(0, -1), curve.limit(len(curve.parts) - 1, 1)
    if spans[0].sign in (0, 1) and first is not None:
        found.append(Extreme(first, spans[0].left, False))
    # A continuous curve is least only at an end that it falls towards, or where it stops to fall.
    for before, after in pairwise(spans):
        if before.sign == -1 and after.sign in (0, 1):
            least = _at(curve, before.right)
            if least is None:
                return []
            found.append(least)
    if spans[-1].sign == -1 and last is not None:
        found.append(Extreme(last, spans[-1].right, False))
    return found


def _at(curve: Curve, where: Point) -> Extreme | None:
    """The value at a point: of `places` where they are known, else enclosed; None where neither tells."""
    for each in curve.places or ():
        if _meets(each.where, where):
            return each
    for cell, expr in curve.parts:
        if cell.left.hi < where.lo and where.hi < cell.right.lo:
            value, _ = enclose(expr, M, where.box)
            return Extreme(Limit(float(value.lo), float(value.hi)), where, True)
    return None


def _meets(a: Point, b: Point) -> bool:
    return a.lo <= b.hi and b.lo <= a.hi


def _lowest(found: list[Extreme]) -> Extreme | None:
    """The first of those with the least value; None where enclosures do not tell."""
    best: Extreme | None = None
    for each in found:
        if best is None or each.value.hi < best.value.lo:
            best = each
        elif each.value.lo <= best.value.hi:
            if each.value.exact is None or best.value.exact is None:
                return None
            # Enclosures overlap: formulas tell, and of equal values the first, the least margin, stays.
            order = number_sign(each.value.exact - best.value.exact)
            if order is None:
                return None
            best = each if order < 0 else best
    return best


def _turns(view: Margin, best: Point | None = None) -> str:
    """The other stationary points, in words."""
    turns = view.stationary
    if not turns:
        return ""
    said = []
    for turn in turns:
        if best is not None and _meets(turn.where, best):
            continue
        falls = next(span.sign for span in view.spans if _meets(span.right, turn.where)) == -1
        said.append(
            f"local {'minimum' if falls else 'maximum'} {_amount(turn.value)} at m = {_shown(turn.where)}"
        )
    return "; " + ", ".join(said) if said else ""


@names_guards
def bounded_margin(view: Margin, side: int) -> Finding:
    """The infimum (`side` -1) or supremum (1) over the line."""
    end, word = view.curve.extreme(side), "infimum" if side < 0 else "supremum"
    if end is None:
        return unknown(f"the {word} is not settled")
    if math.isinf(end.value.lo) and math.isinf(end.value.hi):
        verb = "falls" if side < 0 else "grows"
        return refuted(f"M {verb} without bound as m -> {_side(end.where)}", {"m": end.where.middle})
    if math.isinf(end.value.lo) or math.isinf(end.value.hi):
        return unknown(f"the {word} is not enclosed")
    reason = f"the {word} over all pieces, their ends and stationary points"
    if end.value.exact is not None:
        return proved(reason, end.value.exact)
    return proved(reason + _loose(end.value), None, end.value.lo if side < 0 else end.value.hi)


def _loose(value: Limit) -> str:
    """Where an enclosure is wide, that the number is a bound and not the best one."""
    if value.hi - value.lo <= _TIGHT * (1 + abs(value.hi)):
        return ""
    return f"; it lies between {value.lo:.6g} and {value.hi:.6g}"


@names_guards
def lipschitz_in_margin(view: Margin) -> Finding:
    """`sup |M'|`, of a loss without jumps."""
    # Without jumps |M(a) - M(b)| <= sup |M'| |a - b| across kinks too.
    for i, (left, right, point) in enumerate(view.curve.steps()):
        if view.curve.is_continuous_at(i):
            continue
        if left is not None and right is not None and (left.hi < right.lo or right.hi < left.lo):
            return refuted(f"M jumps at m = {point.middle:.6g}", {"m": point.middle})
        return unknown("a jump or a singular point is not excluded")
    ends = [view.slope.extreme(side) for side in (-1, 1)]
    if None in ends:
        return unknown("an extreme of M' is not settled")
    known = [end for end in ends if end is not None]
    for end in known:
        if math.isinf(end.value.lo) and math.isinf(end.value.hi):
            return refuted(f"M' is unbounded as m -> {_side(end.where)}", {"m": end.where.middle})
    if any(math.isinf(bound) for end in known for bound in (end.value.lo, end.value.hi)):
        return unknown("M' is not enclosed")
    steepest = max(known, key=lambda end: max(abs(end.value.lo), abs(end.value.hi)))
    reason = "the largest |M'| over all pieces, their ends and inflections"
    if steepest.value.exact is not None:
        return proved(reason, abs(steepest.value.exact))
    return proved(reason + _loose(steepest.value), None, max(abs(steepest.value.lo), abs(steepest.value.hi)))


@names_guards
def symmetric_margins(view: Margin) -> Finding:
    """`M(m) + M(-m)` is a constant: flipped labels leave the minimum where it is."""
    line = view.total.line
    if line is not None and number_sign(line.slope) == 0:
        odd = _off(view, line.intercept)
        if odd is not None:
            return unknown(
                f"M(m) + M(-m) is a constant but for what it is at m = {odd.middle:.6g}, where M has a value of its own"
            )
        return proved("M(m) + M(-m) is a constant, by algebra on every smooth piece", shorter(line.intercept))
    values = view.total.at(MARGINS_FEW)
    for i in range(1, len(MARGINS_FEW)):
        if values.hi[0] < values.lo[i] or values.hi[i] < values.lo[0]:
            a, b = float(MARGINS_FEW[0]), float(MARGINS_FEW[i])
            sums = [float((values.lo[k] + values.hi[k]) / 2) for k in (0, i)]
            return refuted(
                f"M(m) + M(-m) is {sums[0]:.6g} at m = {a:g} and {sums[1]:.6g} at m = {b:g}",
                {"m": [a, b], "sums": sums},
            )
    return unknown("whether M(m) + M(-m) is a constant is open")


def _off(view: Margin, total: Expr) -> Point | None:
    """A border of pieces at which `M(m) + M(-m)` is not seen to be what it is beside it: a jump or a pole."""
    for i, (cell, _) in enumerate(view.curve.parts[:-1]):
        if view.curve.is_continuous_at(i):
            continue
        at = cell.right.exact
        if at is None:
            return cell.right
        value = view.formula.xreplace({M: at}) + view.formula.xreplace({M: -at})
        if not value.is_finite or number_sign(value - total) != 0:
            return cell.right
    return None


@names_guards
def forgets(view: Margin) -> Finding:
    """`M' -> 0` as `m -> -oo`."""
    tail = view.slope.limit(0, -1)
    if tail is None:
        return unknown("the limit of M' as m -> -oo is not settled")
    if tail.lo == tail.hi == 0:
        return proved("M' tends to 0 as m -> -oo")
    if tail.lo > 0 or tail.hi < 0:
        return refuted(
            f"M' tends to {tail.middle:.6g}".replace("inf", "oo") + " as m -> -oo", {"limit": tail.middle}
        )
    return unknown("the limit of M' as m -> -oo is not settled")
