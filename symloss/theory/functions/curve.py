"""A function of one variable in smooth pieces, and what can be proved of its shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sympy import Expr, Integer, Rational, Symbol, exp, nan, oo, zoo

from symloss.expr import sigmoid
from symloss.theory.functions.algebra import differs, shorter, tidy, vanishes
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.enclose import enclose, enclose_number
from symloss.theory.functions.ends import limit_at
from symloss.theory.functions.exponentials import exponential_limit
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.pieces import Piece, Resolver, pieces_of
from symloss.theory.functions.points import Cell, Point, Span
from symloss.theory.functions.probes import LIMIT_REACHES
from symloss.theory.functions.signs import sign_pattern

__all__ = ["Curve", "Extreme", "Limit", "Line"]


@dataclass(frozen=True)
class Limit:
    """A one-sided limit: the ends of an interval around it, and its formula where there is one."""

    lo: float
    hi: float
    exact: Expr | None = None

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.lo) and math.isfinite(self.hi)

    @property
    def middle(self) -> float:
        return self.lo if self.lo == self.hi else (self.lo + self.hi) / 2


@dataclass(frozen=True)
class Extreme:
    """The infimum or supremum of a curve: its value, and where it is taken or approached."""

    value: Limit
    where: Point
    inside: bool


@dataclass(frozen=True)
class Line:
    """`slope x + intercept`, exactly."""

    slope: Expr
    intercept: Expr


@dataclass(frozen=True)
class Curve:
    """Smooth formulas on neighbouring cells."""

    variable: Symbol
    parts: tuple[tuple[Cell, Expr], ...]

    @staticmethod
    def build(make: Callable[[Resolver], Expr], variable: Symbol, left: Expr, right: Expr) -> Curve:
        """The curve of the formula that `make` resolves.

        Raises:
            Undefined, Undecided: see `pieces_of`.
        """
        pieces, _ = pieces_of(lambda r: (r.without_abs(make(r)),), variable, Point.at(left), Point.at(right))
        return Curve.of_pieces(variable, pieces, lambda exprs: exprs[0])

    @staticmethod
    def of_pieces(
        variable: Symbol, pieces: tuple[Piece, ...], pick: Callable[[tuple[Expr, ...]], Expr]
    ) -> Curve:
        """One curve out of pieces that hold several formulas; neighbours with one formula are joined."""
        parts: list[tuple[Cell, Expr]] = []
        for piece in pieces:
            expr, cell = _smooth(pick(piece.exprs), variable, piece.cell), piece.cell
            # Resolving may cut where nothing happens, as `abs(u)**2` does at u = 0: one formula on both sides that is
            # smooth across is one part.
            if parts and parts[-1][1] == expr and _regular(expr, variable, cell.left):
                before = parts.pop()[0]
                cell = Cell(before.left, cell.right, before.zeros_left, cell.zeros_right)
            parts.append((cell, expr))
        return Curve(variable, tuple(parts))

    def map(self, change: Callable[[Expr], Expr]) -> Curve:
        """The curve of another formula of the same pieces, smooth where they are."""
        parts = [(cell, _smooth(change(expr), self.variable, cell)) for cell, expr in self.parts]
        return Curve(self.variable, tuple(parts))

    @cached_property
    def derivative(self) -> Curve:
        return self.map(lambda expr: expr.diff(self.variable))

    def at(self, points: FloatArray) -> Interval:
        """Enclosures at points; unbounded at those too near a border."""
        points = np.asarray(points, dtype=np.float64)
        lo, hi = np.full(points.shape, -np.inf), np.full(points.shape, np.inf)
        for cell, expr in self.parts:
            inside = (points > cell.left.hi) & (points < cell.right.lo)
            if np.any(inside):
                value, _ = enclose(expr, self.variable, Interval(points[inside], points[inside]))
                lo[inside], hi[inside] = value.lo, value.hi
        return Interval(lo, hi)

    def part_at(self, value: Expr) -> Expr | None:
        """The smooth formula around an exact point; None where a border may fall on it."""
        box = enclose_number(value)
        for cell, expr in self.parts:
            if cell.left.hi < box.lo and box.hi < cell.right.lo:
                return expr
        return None

    def limit(self, index: int, side: int) -> Limit | None:
        """The limit of part `index` at its left (-1) or right (1) end; None where it is not settled."""
        cell, expr = self.parts[index]
        point = cell.left if side < 0 else cell.right
        limit = limit_at(expr, self.variable, cell, side, LIMIT_REACHES)
        return None if limit is None else Limit(*limit, _exact_value(expr, self.variable, point, *limit))

    @cached_property
    def pattern(self) -> tuple[Span, ...]:
        """The signs of the curve on all its cells in turn; borders of cells are kept."""
        return tuple(s for cell, expr in self.parts for s in sign_pattern(expr, self.variable, cell))

    @property
    def signs(self) -> set[int | None]:
        return {span.sign for span in self.pattern}

    def steps(self) -> Iterator[tuple[Limit | None, Limit | None, Point]]:
        """The limits from both sides at every inner border."""
        for i in range(len(self.parts) - 1):
            yield self.limit(i, 1), self.limit(i + 1, -1), self.parts[i][0].right

    def is_continuous_at(self, index: int) -> bool:
        """Whether part `index` and the next are proved to meet at one value.

        Of a border without a formula enclosures cannot tell: there the difference of the two parts must have as a
        factor what is known to vanish at the border, such as `a - b` at that of `max(a, b)`.
        """
        left, right = self.limit(index, 1), self.limit(index + 1, -1)
        if left is None or right is None or not (left.is_finite and right.is_finite):
            return False
        # Overlapping enclosures prove nothing; equal formulas do.
        if left.exact is not None and right.exact is not None:
            return number_sign(left.exact - right.exact) == 0
        if left.lo > right.hi or right.lo > left.hi:
            return False
        (cell, before), (following, after) = self.parts[index], self.parts[index + 1]
        # a - b vanishes at a border of max(a, b); if (before - after)/(a - b) stays finite there, before - after
        # vanishes too.
        gap = before - after
        return gap == 0 or any(
            self._stays_finite(tidy(gap / zero), cell) for zero in cell.zeros_right | following.zeros_left
        )

    def _stays_finite(self, expr: Expr, cell: Cell) -> bool:
        """Whether a formula has a finite limit at the right end of a cell."""
        limit = limit_at(expr, self.variable, cell, 1, LIMIT_REACHES)
        return limit is not None and all(map(math.isfinite, limit))

    @cached_property
    def is_continuous(self) -> bool:
        """Whether it is proved that no border inside is a jump or a singular point."""
        return all(self.is_continuous_at(i) for i in range(len(self.parts) - 1))

    @cached_property
    def line(self) -> Line | None:
        """The line that the curve is proved to be, if it is."""
        lines = [self._line_of(cell, expr) for cell, expr in self.parts]
        first = lines[0]
        same = first is not None and all(
            line is not None
            and number_sign(line.slope - first.slope) == 0
            and number_sign(line.intercept - first.intercept) == 0
            for line in lines[1:]
        )
        return first if same else None

    @cached_property
    def is_bent(self) -> bool:
        """Whether the curve is proved to be no line: one piece bends, or two are on different lines."""
        lines = []
        for cell, expr in self.parts:
            if differs(expr.diff(self.variable, 2), self.variable, *cell.inner):
                return True
            lines.append(self._line_of(cell, expr))
        known = [line for line in lines if line is not None]
        return any(
            number_sign(one - other)
            for line in known[1:]
            for one, other in ((line.slope, known[0].slope), (line.intercept, known[0].intercept))
        )

    def _line_of(self, cell: Cell, expr: Expr) -> Line | None:
        low, high = cell.inner
        if not vanishes(expr.diff(self.variable, 2)):
            return None
        slope = shorter(expr.diff(self.variable))
        intercept = shorter(expr - slope * self.variable)
        # f'' = 0 is proved, but algebra does not show f' free of the variable: its value at any one point will do.
        if self.variable in slope.free_symbols | intercept.free_symbols:
            middle = Rational(str(round((low + high) / 2, 4)))
            slope = expr.diff(self.variable).subs(self.variable, middle)
            intercept = expr.subs(self.variable, middle) - slope * middle
        return Line(slope, intercept)

    def extreme(self, side: int) -> Extreme | None:
        """The supremum (`side` 1) or infimum (-1) over the whole curve; None where it is not settled.

        A limit at an end or border counts; a stretch where the derivative's sign stays open counts with
        the enclosure of the curve on it.
        """
        extremes: list[Extreme] = []
        for i, (cell, expr) in enumerate(self.parts):
            for end, point in ((-1, cell.left), (1, cell.right)):
                limit = self.limit(i, end)
                if limit is None:
                    return None
                extremes.append(Extreme(limit, point, False))
            # Between borders of the derivative's signs the curve is monotone: only its limits at ends and its values at
            # those borders count.
            spans = sign_pattern(expr.diff(self.variable), self.variable, cell)
            for j, span in enumerate(spans):
                if span.sign is None:
                    if not (span.left.is_finite and span.right.is_finite):
                        return None
                    box = Interval(np.asarray(span.left.lo), np.asarray(span.right.hi))
                    value, _ = enclose(expr, self.variable, box)
                    if not np.isfinite([value.lo, value.hi]).all():
                        return None
                    extremes.append(Extreme(Limit(float(value.lo), float(value.hi)), span.left, True))
                if j:
                    extremes.append(self._stationary(expr, span.left))
        # Of equal values one that is taken goes before one that is only approached.
        best = max(extremes, key=lambda e: (side * e.value.middle, e.inside))
        ends = [(side * e.value.lo, side * e.value.hi) for e in extremes]
        reach = max(max(pair) for pair in ends)
        # sup f = max of all the values: it lies between the largest lower end and the largest upper end. Its formula
        # may be named only where no rival is beyond it.
        if reach > side * best.value.middle and not math.isinf(reach):
            bounds = max(min(pair) for pair in ends), reach
            lo, hi = sorted((side * bounds[0], side * bounds[1]))
            rivals = [
                e for e, pair in zip(extremes, ends, strict=True) if max(pair) > side * best.value.middle
            ]
            exact = best.value.exact if all(_not_beyond(e, best, side) for e in rivals) else None
            return Extreme(Limit(lo, hi, exact), best.where, best.inside)
        return best

    @cached_property
    def places(self) -> tuple[Extreme, ...] | None:
        """Every place where an extreme may be: ends, borders, stationary points; None where one is open."""
        extremes: list[Extreme] = []
        for i, (cell, expr) in enumerate(self.parts):
            for end, point in ((-1, cell.left), (1, cell.right)):
                limit = self.limit(i, end)
                if limit is None:
                    return None
                extremes.append(Extreme(limit, point, False))
            spans = sign_pattern(expr.diff(self.variable), self.variable, cell)
            if any(span.sign is None for span in spans):
                return None
            extremes += [self._stationary(expr, span.left) for span in spans[1:]]
        return tuple(extremes)

    def over(self, borders: FloatArray) -> Interval | None:
        """Enclosures of the curve on the cells between ascending `borders`, tight but for rounding.

        Between neighbouring places of `places` a curve is monotone, so its ends and those places suffice.
        """
        if self.places is None:
            return None
        value = self.at(borders)
        lo = np.minimum(value.lo[:-1], value.lo[1:])
        hi = np.maximum(value.hi[:-1], value.hi[1:])
        # `at` knows nothing too near a border: there the end that is known and the border's own limits, which are
        # places, hold the cell.
        edge = ~(np.isfinite(lo) & np.isfinite(hi))
        lo, hi = np.where(edge, np.inf, lo), np.where(edge, -np.inf, hi)
        for point in (borders[:-1], borders[1:]):
            inner = self.at(point)
            use = edge & np.isfinite(inner.lo)
            lo, hi = np.where(use, np.minimum(lo, inner.lo), lo), np.where(use, np.maximum(hi, inner.hi), hi)
        for place in self.places:
            touched = (borders[:-1] <= place.where.hi) & (borders[1:] >= place.where.lo)
            lo = np.where(touched, np.minimum(lo, place.value.lo), lo)
            hi = np.where(touched, np.maximum(hi, place.value.hi), hi)
        return Interval(lo, hi)

    def _stationary(self, expr: Expr, point: Point) -> Extreme:
        value, _ = enclose(expr, self.variable, point.box)
        exact = None
        if point.exact is not None:
            # The enclosure is over the whole bracket, so it holds the value at the true point.
            exact = shorter(_rational_sigmoids(expr.xreplace({self.variable: point.exact})))
        return Extreme(Limit(float(value.lo), float(value.hi), exact), point, True)


def _not_beyond(rival: Extreme, best: Extreme, side: int) -> bool:
    """Whether a place whose enclosure overlaps is seen to be no more extreme: by formulas, rounding hides it."""
    if rival is best:
        return True
    if rival.value.exact is None or best.value.exact is None:
        return False
    return number_sign(side * (rival.value.exact - best.value.exact)) in (0, -1)


def _rational_sigmoids(expr: Expr) -> Expr:
    """`2/3` for `sigmoid(log(2))`."""
    return expr.replace(
        lambda e: isinstance(e, sigmoid) and exp(e.args[0]).is_Rational, lambda e: 1 / (1 + exp(-e.args[0]))
    )


def _smooth(expr: Expr, variable: Symbol, cell: Cell) -> Expr:
    return Resolver(variable, cell, {}).without_abs(expr)


def _regular(expr: Expr, variable: Symbol, point: Point) -> bool:
    """Whether `expr` is smooth across a point: enclosed with its derivative on a neighbourhood."""
    box = Interval(np.asarray(point.lo - 1e-9), np.asarray(point.hi + 1e-9))
    value, slope = enclose(expr, variable, box)
    return bool(np.all(np.isfinite([value.lo, value.hi, slope.lo, slope.hi])))


def _exact_value(expr: Expr, variable: Symbol, point: Point, lo: float, hi: float) -> Expr | None:
    if math.isinf(lo):
        return None
    # Equal ends are exact: every rounding moves them apart.
    if lo == hi == 0.0:
        return Integer(0)
    if not point.is_finite and lo != hi:
        value = exponential_limit(expr, variable, 1 if point.lo > 0 else -1)
        return value if value is not None and _may_be(value, lo, hi) else None
    if point.exact is None or not point.is_finite:
        return Rational(lo) if lo == hi else None
    # Substitution is not the limit where the formula is no number there, or a different one: it is used only if it may
    # be what the tail proved.
    value = expr.xreplace({variable: point.exact})
    if value.is_finite is False or not value.is_number or value.has(nan, zoo, oo, -oo):
        return Rational(lo) if lo == hi else None
    return shorter(value) if _may_be(value, lo, hi) else None


def _may_be(value: Expr, lo: float, hi: float) -> bool:
    """Whether the enclosure of a constant, where it has one, meets an interval."""
    try:
        box = enclose_number(value)
    except (ArithmeticError, TypeError, ValueError):
        return False
    return float(box.lo) <= hi and float(box.hi) >= lo
