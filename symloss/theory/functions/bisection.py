"""The signs of a formula between its roots, each bracketed to 1e-12: bisection with enclosures, tails at the ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sympy import Expr, Symbol

from symloss.theory.functions.closed_roots import closed_root
from symloss.theory.functions.enclose import enclose, enclose_sharply
from symloss.theory.functions.ends import tails_at
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.points import Cell, Point, Span
from symloss.theory.functions.probes import CUT, GROWTH, LEAST_STEP, SIGN_REACHES, STEP_SHIFT

__all__ = ["bisect"]

_MAX_CELLS = 6000
_ROUNDS = 60
_MAX_ROOTS = 48


@dataclass
class _Found:
    """What the bisection has settled: signed cells, cells with one simple root, open cells."""

    signed: list[tuple[float, float, int | None]] = field(default_factory=list)
    roots: list[tuple[float, float, int]] = field(default_factory=list)


def bisect(f: Expr, x: Symbol, cell: Cell) -> tuple[Span, ...]:
    """The stretches of a cell on which `f` keeps its sign; a root of even order is left within an open one."""
    # Next to its ends a formula may vanish or diverge, and no enclosure has a sign: there tails decide, and bisection
    # does the rest.
    low, left_sign, low_known = _end(f, x, cell, -1)
    high, right_sign, high_known = _end(f, x, cell, 1)
    if low >= high:  # the two tails meet
        if left_sign == right_sign and left_sign:
            return (Span(cell.left, cell.right, left_sign),)
        return (Span(cell.left, cell.right, None),)
    found = _search(f, x, _grid(cell, low, high))
    if len(found.roots) > _MAX_ROOTS:  # it turns for ever
        return (Span(cell.left, cell.right, None),)
    if not low_known:
        found.signed.append((cell.left.lo, low, left_sign))
    if not high_known:
        found.signed.append((high, cell.right.hi, right_sign))
    return _assembled(f, x, cell, found)


def _end(f: Expr, x: Symbol, cell: Cell, side: int) -> tuple[float, int | None, bool]:
    """Where the bisection must begin at one end, the sign beyond it, and whether it covers the end itself."""
    point = cell.left if side < 0 else cell.right
    other = cell.right if side < 0 else cell.left
    width = min(1.0, abs(other.middle - point.middle)) if point.is_finite else 1.0
    edge = point.lo if side < 0 else point.hi
    if point.is_finite:
        near = edge - side * 1e-3 * width
        box = Interval(np.asarray(min(edge, near)), np.asarray(max(edge, near)))
        value, slope = enclose_sharply(f, x, box)
        # One sign up to the end, or a slope of one sign and a value that is not 0 there: no tail is needed.
        if value.sign != 0 or (
            slope.sign != 0 and np.isfinite(slope.lo) and np.isfinite(slope.hi) and not _touches(f, x, point)
        ):
            return edge, None, True
    for reach in SIGN_REACHES:
        tails = tails_at(f, x, cell, side, reach * (width if point.is_finite else 1.0))
        sign = next((found for tail in tails if (found := tail.sign())), 0)
        if sign:
            # `edge` is the bracket's outer end, so the true point lies no farther out, and what the tail proved up to
            # `reach` from it covers what lies beyond `start`.
            start = edge - side * reach * width * (1 - 1e-9) if point.is_finite else side / reach
            return start, sign, False
    # No tail tells: a stretch at the end stays open.
    return (edge - side * 1e-9 * width if point.is_finite else side * 1e6), None, False


def _touches(f: Expr, x: Symbol, point: Point) -> bool:
    value, _ = enclose(f, x, point.box)
    return bool(value.sign == 0)


def _grid(cell: Cell, low: float, high: float) -> FloatArray:
    """Cell borders from `low` to `high`, finer by powers towards an end that a tail covers."""
    # Near an end a formula may change on every scale, so cells grow with their distance from it.
    borders = {low, high}
    span = high - low
    for point, start, side in ((cell.left, low, 1), (cell.right, high, -1)):
        if point.is_finite:
            distance = max(abs(start - point.middle), LEAST_STEP * min(span, 1.0))
            while distance < span / 2:
                borders.add(point.middle + side * distance)
                distance *= GROWTH
        else:
            distance = abs(start)
            while distance > 1:
                borders.add(-side * distance)
                distance /= GROWTH
    inside = np.array(sorted(b for b in borders if low <= b <= high))
    steps = np.linspace(0, 1, 9)[:-1] + 0.0
    steps[1:] += STEP_SHIFT
    count = len(inside)
    if count > 12:
        return inside
    widths = np.diff(inside)
    fine = (inside[:-1, None] + widths[:, None] * steps[None, :]).ravel()
    return np.append(fine, inside[-1])


def _search(f: Expr, x: Symbol, borders: FloatArray) -> _Found:
    found = _Found()
    lo, hi = borders[:-1], borders[1:]
    smallest = 1e-11 * max(1.0, float(abs(borders).max())) if len(borders) else 0.0
    used = 0
    for _ in range(_ROUNDS):
        if not len(lo):
            return found
        used += len(lo)
        # All cells of a round in one array. A cell is settled by its sign, or by a slope of one sign and the values at
        # both ends: then it has one simple root, or none.
        value, slope = enclose_sharply(f, x, Interval(lo, hi))
        sign, monotone = np.broadcast_to(value.sign, lo.shape), np.broadcast_to(slope.sign, lo.shape)
        for i in np.flatnonzero(sign):
            found.signed.append((float(lo[i]), float(hi[i]), int(sign[i])))
        todo = sign == 0
        if np.any(todo & (monotone != 0)):
            at_lo = np.broadcast_to(enclose(f, x, Interval(lo, lo))[0].sign, lo.shape)
            at_hi = np.broadcast_to(enclose(f, x, Interval(hi, hi))[0].sign, lo.shape)
            for i in np.flatnonzero(todo & (monotone != 0) & (at_lo * at_hi != 0)):
                if at_lo[i] == at_hi[i]:
                    found.signed.append((float(lo[i]), float(hi[i]), int(at_lo[i])))
                else:
                    found.roots.append((float(lo[i]), float(hi[i]), int(at_hi[i])))
                todo[i] = False
        # A root of even order never settles; its cell is left open once it is too small to matter.
        small = todo & (hi - lo < smallest)
        stop = used > _MAX_CELLS
        for i in np.flatnonzero(todo if stop else small):
            found.signed.append((float(lo[i]), float(hi[i]), None))
        if stop:
            return found
        lo, hi = lo[todo & ~small], hi[todo & ~small]
        cut = lo + (hi - lo) * CUT
        lo, hi = np.concatenate([lo, cut]), np.concatenate([cut, hi])
    for a, b in zip(lo, hi, strict=True):
        found.signed.append((float(a), float(b), None))
    return found


def _assembled(f: Expr, x: Symbol, cell: Cell, found: _Found) -> tuple[Span, ...]:
    events: list[tuple[float, float, int | None, Point | None]] = [
        (a, b, s, None) for a, b, s in found.signed
    ]
    for a, b, after in found.roots:
        root = _refined(f, x, a, b)
        # In a cell with one simple root the sign before it is the opposite of the one after.
        events += [(a, root.lo, -after, None), (root.hi, b, after, root)]
    events.sort(key=lambda e: (e[0], e[1]))
    spans: list[Span] = []
    left, sign = cell.left, events[0][2]
    for start, _, s, found_root in events[1:]:
        if found_root is None and s == sign:
            continue
        border = found_root or Point(start, start)
        spans.append(Span(left, border, sign))
        left, sign = border, s
    spans.append(Span(left, cell.right, sign))
    return tuple(spans)


def _refined(f: Expr, x: Symbol, lo: float, hi: float) -> Point:
    """The one simple root in [lo, hi] by the interval Newton method, then as a formula where there is one."""
    box = Interval(np.asarray(lo), np.asarray(hi))
    for _ in range(80):
        middle = np.asarray((box.lo + box.hi) / 2)
        value, _ = enclose(f, x, Interval(middle, middle))
        _, slope = enclose(f, x, box)
        with np.errstate(all="ignore"):
            # f(m) + f'(xi) (root - m) = 0 puts the root into m - f(m)/f'(X), and into X: both are kept. Where the
            # slope's box touches 0 the quotient is unbounded, and the half below does the work.
            step = Interval(middle, middle) - value * slope.reciprocal()
        new = box.meet(step)
        if value.sign != 0 and slope.sign != 0:  # the half that keeps the change of sign
            # f rises and is positive at m, or falls and is negative: the root lies to the left.
            rising = int(slope.sign) == int(value.sign)
            new = new.meet(Interval(box.lo, middle) if rising else Interval(middle, box.hi))
        if new.lo > new.hi or new.hi - new.lo > 0.99 * (box.hi - box.lo):
            break
        box = new
    low, high = float(box.lo), float(box.hi)
    # The bracket holds exactly one root, and the candidate is a root: where its enclosure leaves nothing of the bracket
    # it was another's.
    exact = closed_root(f, x, low, high)
    if exact is not None:
        point = Point.at(exact)
        low, high = max(low, point.lo), min(high, point.hi)
        if low > high:
            low, high, exact = float(box.lo), float(box.hi), None
    return Point(low, high, exact)
