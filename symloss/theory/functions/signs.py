"""Where a smooth formula is positive, negative or zero: proved, with its roots bracketed to 1e-12."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from sympy import Add, Expr, Mul, Pow, Rational, Symbol

from symloss.expr import BY_HEAD, log_cosh
from symloss.theory.functions.algebra import differs, tidy, vanishes
from symloss.theory.functions.closed_roots import closed_root
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.enclose import enclose, enclose_number, enclose_sharply
from symloss.theory.functions.expand import expand_at
from symloss.theory.functions.growth import Growth
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.probes import CUT, GROWTH, LEAST_STEP, SIGN_REACHES, STEP_SHIFT
from symloss.theory.functions.tail import Tail, TailError
from symloss.theory.functions.work import remembered

__all__ = ["Cell", "Point", "Span", "limit_at", "sign_pattern", "tail_at"]

_MAX_CELLS = 6000
_ROUNDS = 60
_MAX_ROOTS = 48
_LEAST_REACH = 1 / 690
"""Nearer to infinity `exp(-|v|)` is no float."""


@dataclass(frozen=True)
class Point:
    """A point of the line, bracketed; `exact` where it has a formula."""

    lo: float
    hi: float
    exact: Expr | None = None

    @staticmethod
    def at(value: Expr) -> Point:
        """The point that a constant formula names; plus or minus infinity too."""
        if value.is_infinite:
            end = math.inf if value.is_extended_positive else -math.inf
            return Point(end, end, value)
        box = enclose_number(value)
        return Point(float(box.lo), float(box.hi), value)

    @property
    def middle(self) -> float:
        return self.lo if self.lo == self.hi else (self.lo + self.hi) / 2

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.lo)

    @property
    def box(self) -> Interval:
        return Interval(np.asarray(self.lo), np.asarray(self.hi))


_NOTHING: frozenset[Expr] = frozenset()


@dataclass(frozen=True)
class Cell:
    """An open stretch of the line between two points.

    Attributes:
        zeros_left, zeros_right: formulas known to vanish at the ends.
    """

    left: Point
    right: Point
    zeros_left: frozenset[Expr] = field(default=_NOTHING)
    zeros_right: frozenset[Expr] = field(default=_NOTHING)

    @property
    def inner(self) -> tuple[float, float]:
        """Two finite floats strictly inside, for probing."""
        lo = (
            self.left.hi
            if self.left.is_finite
            else min(-10.0, self.right.lo - 10.0 if self.right.is_finite else 0.0)
        )
        hi = self.right.lo if self.right.is_finite else max(10.0, lo + 20.0)
        return lo, hi


@dataclass(frozen=True)
class Span:
    """A stretch on which a formula has one sign: 1, -1, 0 (it vanishes), or None where that is open."""

    left: Point
    right: Point
    sign: int | None


def tail_at(expr: Expr, variable: Symbol, cell: Cell, side: int, eps: float, fast: bool = False) -> Growth:
    """What `expr` does at the left (`side` -1) or right (1) end of `cell`.

    Args:
        fast: at infinity the variable v is `log(1/x)` for `x = exp(-|v|)`, so that exponentials are powers and of
            several none is lost; otherwise it is `1/x`, and of several exponentials the strongest is kept.

    Raises:
        TailError: where there is none.
    """
    point = cell.left if side < 0 else cell.right
    zero, one = Fraction(0), Fraction(1)
    if point.is_finite:
        at = point.exact
        # A rational point stays exact, so that terms which cancel there do; a bracket is a constant term that is an
        # interval. `x` is the distance from the point into the cell, hence the factor -side.
        here = Fraction(at.p, at.q) if isinstance(at, Rational) else (point.lo, point.hi)
        start = Tail.build([(zero, zero, here), (one, zero, Fraction(-side))], [], eps)
    elif fast:
        # v = +-L with x = exp(-|v|): |v| >= 1/eps is x <= exp(-1/eps).
        start = Tail(((zero, one, Fraction(side)),), None, math.exp(-1 / eps))
    else:
        # v = +-1/x: |v| >= 1/eps is x <= eps.
        start = Tail(((-one, zero, Fraction(side)),), None, eps)
    known = cell.zeros_left if side < 0 else cell.zeros_right

    def vanishes(node: Expr) -> bool:
        if node in known:
            return True
        return exact is not None and number_sign(node.xreplace({variable: exact})) == 0

    exact = point.exact if point.is_finite else None
    try:
        return expand_at(expr, variable, start, vanishes)
    except (OverflowError, ZeroDivisionError) as error:
        raise TailError(str(error)) from None


def _tails_at(expr: Expr, variable: Symbol, cell: Cell, side: int, eps: float) -> Iterator[Growth]:
    """What `expr` does there on every scale that tells, the cheaper first."""
    is_finite = (cell.left if side < 0 else cell.right).is_finite
    for fast in (False, True):
        # On the second scale exponentials of v are powers of x, which tell `exp(-v) - exp(-2 v)` apart; powers of v are
        # those of L.
        if fast and (is_finite or eps <= _LEAST_REACH):
            return
        try:
            yield tail_at(expr, variable, cell, side, eps, fast)
        except TailError:
            continue


def limit_at(
    expr: Expr, variable: Symbol, cell: Cell, side: int, reaches: Iterable[float]
) -> tuple[float, float] | None:
    """The ends of an interval around a one-sided limit at an end of `cell`; None where it is not settled."""
    for eps in reaches:
        for tail in _tails_at(expr, variable, cell, side, eps):
            try:
                return tail.limit()
            except TailError:
                continue
    return None


@remembered(8192)
def sign_pattern(expr: Expr, variable: Symbol, cell: Cell) -> tuple[Span, ...]:
    """The stretches of `cell` on which `expr` keeps its sign, from left to right.

    Factors that share no root are told apart first, and monotone functions peeled off (`log(u)` has the
    sign of `u - 1`), so that double roots do not hide from the bisection.
    """
    sign = _of_terms(expr)  # of a sum as it stands: rewriting may take `log(7*p)**2` apart
    spans: tuple[Span, ...] = (Span(cell.left, cell.right, sign or 1),)
    if sign:
        return spans
    # The sign of a product is that of its factors on the common refinement of their stretches.
    for factor in Mul.make_args(tidy(expr)):
        spans = _combined(spans, _factor_pattern(factor, variable, cell))
    return spans


def _factor_pattern(factor: Expr, variable: Symbol, cell: Cell) -> tuple[Span, ...]:
    if variable not in factor.free_symbols:
        return (Span(cell.left, cell.right, number_sign(factor)),)
    if isinstance(factor, Pow):
        pattern = sign_pattern(factor.base, variable, cell)
        if factor.exp.is_Integer and factor.exp % 2:
            # Odd powers keep the sign, negative ones too.
            return pattern
        if factor.exp.is_Integer:
            return tuple(Span(s.left, s.right, s.sign and abs(s.sign)) for s in pattern)
        # A root or real power is positive wherever it is real and its base not 0: `pieces` has cut the line at the
        # zeros of bases before.
        return tuple(Span(s.left, s.right, 1 if s.sign in (1, None) else s.sign) for s in pattern)
    if isinstance(factor, log_cosh):
        # log(cosh u) is positive but for a double root at u = 0, as u**2 is.
        return sign_pattern(factor.args[0] ** 2, variable, cell)
    row = BY_HEAD.get(factor.func)
    if row is not None and row.positive:
        return (Span(cell.left, cell.right, 1),)
    if row is not None and row.zero is not None:
        # f increases and f(z) = 0: f(u) has the sign of u - z.
        return sign_pattern(factor.args[0] - row.zero, variable, cell)
    if isinstance(factor, Mul):
        return sign_pattern(factor, variable, cell)
    sign = _of_terms(factor) or _of_squashed(factor)
    if sign:
        return (Span(cell.left, cell.right, sign),)
    # Algebra is dear, a probe cheap: asked only where nothing shows the formula to differ from 0.
    if not differs(factor, variable, *cell.inner) and vanishes(factor):
        return (Span(cell.left, cell.right, 0),)
    return _bisect(factor, variable, cell)


def _of_terms(factor: Expr) -> int:
    """The sign of a sum whose terms all have it wherever they are real, such as `1 + log(p)**2`, else 0."""
    terms = Add.make_args(factor)
    if all(term.is_nonnegative or _is_square(term) for term in terms):
        # One positive term keeps the sum of others >= 0 away from 0; without one nothing is claimed.
        return int(any(term.is_positive for term in terms))
    if all(term.is_nonpositive for term in terms):
        return -int(any(term.is_negative for term in terms))
    return 0


def _is_square(term: Expr) -> bool:
    """Whether a term is an even power of what is real here, times a number of at least 0."""
    number, power = term.as_coeff_Mul()
    even = isinstance(power, Pow) and power.exp.is_Integer and power.exp % 2 == 0
    return bool(number.is_nonnegative and even)


def _of_squashed(factor: Expr) -> int:
    """The sign of `a + b f(u)`, as of `1 - tanh(u)`, where the open range of `f` settles it, else 0.

    Tails do not: `1 - tanh(u)` vanishes at infinity faster than every power.
    """
    a, rest = factor.as_coeff_Add()
    b, squashed = rest.as_coeff_Mul()
    row = BY_HEAD.get(squashed.func)
    if row is None or not (row.range.left_open and row.range.right_open and row.range.sup.is_finite):
        return 0
    # Neither end of the range is attained, so an end that is 0 will do.
    ends = (a + b * row.range.inf, a + b * row.range.sup)
    return 1 if min(ends) >= 0 else -1 if max(ends) <= 0 else 0


def _combined(a: tuple[Span, ...], b: tuple[Span, ...]) -> tuple[Span, ...]:
    """The signs of a product on the common refinement."""
    if len(a) == 1 or len(b) == 1:
        one, many = (a[0], b) if len(a) == 1 else (b[0], a)
        return tuple(Span(s.left, s.right, _times(one.sign, s.sign)) for s in many)
    result: list[Span] = []
    i = j = 0
    left = a[0].left
    while i < len(a) and j < len(b):
        sign = _times(a[i].sign, b[j].sign)
        first, second = a[i].right, b[j].right
        last = i == len(a) - 1 and j == len(b) - 1
        if last or (first.lo <= second.hi and second.lo <= first.hi):
            if last or _same_point(first, second):
                right = first if first.exact is not None else second
                result.append(Span(left, right, sign))
            else:
                # Two roots that the brackets cannot tell apart: between them, if they differ, the product has
                # the other sign, so nothing is claimed there.
                low, high = min(first.lo, second.lo), max(first.hi, second.hi)
                before, right = Point(low, low), Point(high, high)
                result += [Span(left, before, sign), Span(before, right, None)]
            left, i, j = right, i + 1, j + 1
        elif first.hi < second.lo:
            result.append(Span(left, first, sign))
            left, i = first, i + 1
        else:
            result.append(Span(left, second, sign))
            left, j = second, j + 1
    return tuple(result)


def _same_point(a: Point, b: Point) -> bool:
    return a.exact is not None and b.exact is not None and number_sign(a.exact - b.exact) == 0


def _times(a: int | None, b: int | None) -> int | None:
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else a * b


@dataclass
class _Found:
    """What the bisection has settled: signed cells, cells with one simple root, open cells."""

    signed: list[tuple[float, float, int | None]] = field(default_factory=list)
    roots: list[tuple[float, float, int]] = field(default_factory=list)


def _bisect(f: Expr, x: Symbol, cell: Cell) -> tuple[Span, ...]:
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
        tails = _tails_at(f, x, cell, side, reach * (width if point.is_finite else 1.0))
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
