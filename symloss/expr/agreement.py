"""Whether two formulas have the same values: at 50 digits, over the domain, at its ends and across every kink."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import Any

from mpmath import MPContext
from sympy import Abs, Expr, Max, Min, Symbol, sign

from symloss.expr.functions import elementary
from symloss.expr.kinds import KINDS
from symloss.expr.operators import GUARD, plog, psqrt

__all__ = ["agrees", "value"]

# A context of its own: the precision of the caller's stays as it is.
_CONTEXT = MPContext()
_CONTEXT.dps = 50
# Leaves 20 of the 50 digits to cancellation: 1 - p at p = 0.999999999 alone costs 9.
_NEAR = _CONTEXT.mpf(10) ** -30
_LARGEST = 10**5
"""A value of more binary digits before the point counts as undefined: mpmath has no overflow of its own."""
_LARGEST_ARGUMENT = 17
"""The same for the argument of a function: neither exp(200000) nor sin(200000) is worked out."""
MAX_KINKS = 12
"""Kinks that are approached from both sides."""
MAX_CROSSINGS = 3
"""Places at which one kink is approached."""
_BISECTIONS = 30

Point = Mapping[str, Any]

# Beside round numbers decimals of 1/pi, 2/pi, 3/pi and sin(1), at which no identity holds by chance. 3e-8 lies inside
# the guard of plog and psqrt, 1e-6 outside.
_PROBABILITIES = (
    "0.31830988618", "0.03183098861", "0.1", "0.5", "0.63661977236", "0.84147098480", "0.95492965855",
    "1e-3", "1e-6", "3e-8", "1e-12", "0.999", "0.999999999",
)  # fmt: skip
_HARD = ("0", "1")
_SOFT = ("0.27182818284", "0.77245385090", "1e-8", "0.9999")
_TARGETS = ("0", "0.57721566490", "-0.36787944117", "1.6180339887", "-2.6651441426", "41.3")
# Differences y - p rather than predictions: a regression loss has its kinks and thresholds in the residual.
_RESIDUALS = (
    "0", "1e-9", "-1e-9", "1e-4", "-1e-4", "0.0141421356", "0.31415926535", "-0.27182818284", "1.1283791670",
    "-1.7724538509", "7.3890560989", "-5.8598744820", "531.4", "-612.7",
)  # fmt: skip


def value(expr: Expr, point: Point) -> Any:
    """`expr` at 50 digits with every symbol's value by name, or None where it has no real finite one.

    >>> from symloss.expr import P, Y
    >>> float(value(Y * P, {"y": 2, "p": 0.5})), value(1 / (Y - P), {"y": 1, "p": 1})
    (1.0, None)
    """
    # By way of Fraction, which takes ints, floats and decimal strings alike and rounds none of them.
    exact = {name: Fraction(number) for name, number in point.items()}
    return _Function(expr)({name: _CONTEXT.mpf(x.numerator) / x.denominator for name, x in exact.items()})


def agrees(a: Expr, b: Expr, kind: str, *, hard_labels: bool = False) -> bool:
    """Whether `b` has the value of `a` wherever `a` has one, on many points of the domain.

    Soft labels are part of the domain of a classification loss unless `hard_labels`. At least a quarter of
    the points must be defined; a point where `a` has no value counts for nothing.
    """
    first, second = _Function(a), _Function(b)
    names = sorted({symbol.name for symbol in a.free_symbols | b.free_symbols})
    points = list(_points(kind, names, hard_labels))
    points += _across_kinks((a, b), points, KINDS[kind].variable.name)
    asked: Counter[str] = Counter()
    defined: Counter[str] = Counter()
    for point in points:
        # A hard label with hardly a value, such as 0 in y*log(y), would be left unchecked.
        part = str(point["y"]) if hard_labels else ""
        asked[part] += 1
        expected = first(point)
        if expected is None:
            continue
        defined[part] += 1
        value = second(point)
        # Only where `a` has a value: a rewriting may widen the domain, as y/y to 1, but must not narrow it.
        if value is None or abs(value - expected) > _NEAR * (1 + abs(expected)):
            return False
    # Agreement on a handful of points is none: `log(-p - 1)` would agree with everything.
    return all(4 * defined[part] >= count for part, count in asked.items())


def _points(kind: str, names: Sequence[str], hard_labels: bool) -> Iterator[dict[str, Any]]:
    variable = KINDS[kind].variable.name
    if KINDS[kind].probabilities:
        labels = _HARD if hard_labels else (*_HARD, *_SOFT)
        pairs = [(y, _CONTEXT.mpf(p)) for y, p in product(labels, _PROBABILITIES)]
    else:
        pairs = [(y, _CONTEXT.mpf(y) - _CONTEXT.mpf(r)) for y, r in product(_TARGETS, _RESIDUALS)]
    for n, (y, p) in enumerate(pairs):
        point = {"y": _CONTEXT.mpf(y), variable: p}
        for i, name in enumerate(name for name in names if name not in point):
            # The fractional parts of multiples of an irrational number: spread, and the same in every run.
            unit = _CONTEXT.frac((n + 1) * (i + 2) * _CONTEXT.sqrt(2))
            point[name] = {"C": _CONTEXT.mpf(2 + n % 9), "pi": unit, "w": 3 * unit}.get(name, 6 * unit - 3)
        yield point


def _across_kinks(exprs: Sequence[Expr], points: Sequence[Point], variable: str) -> list[dict[str, Any]]:
    """A point closely on each side of where an argument of a kinked function turns, between two points."""
    beside: list[dict[str, Any]] = []
    for turning in list(dict.fromkeys(each for expr in exprs for each in _turning(expr)))[:MAX_KINKS]:
        plain = _Function(turning)
        lines: dict[str, list[Point]] = {}
        for point in points:
            # A kink is crossed along the prediction, with the target fixed. The other symbols differ from point to
            # point, so the bisection keeps those of its left end.
            lines.setdefault(str(point["y"]), []).append(point)
        crossed = 0
        for line in lines.values():
            ordered = sorted(line, key=lambda point: point[variable])
            signs = [_direction(plain, point) for point in ordered]
            for left, right, s, t in zip(ordered, ordered[1:], signs, signs[1:], strict=False):
                # A sign change between neighbours proves a crossing of a continuous function; a touching zero is
                # missed.
                if s * t < 0 and crossed < MAX_CROSSINGS:
                    beside += _sides(plain, left, right, s, variable)
                    crossed += 1
    return beside


def _turning(expr: Expr) -> list[Expr]:
    """What changes its sign at a kink of `expr`, in a fixed order."""
    turning: list[Expr] = []
    # Sorted, since `atoms` is a set: which kinks fall under MAX_KINKS must not depend on hashes.
    for node in sorted(expr.atoms(Abs, sign, Max, Min, plog, psqrt), key=lambda node: node.sort_key()):
        if isinstance(node, Max | Min):
            # An extremum can switch between any two of its arguments.
            turning += [a - b for a, b in combinations(node.args, 2)]
        elif isinstance(node, plog | psqrt):
            turning.append(Abs(node.args[0]) - GUARD)
        else:
            turning.append(node.args[0])
    return turning


def _direction(function: _Function, point: Point) -> int:
    value = function(point)
    return 0 if not value else 1 if value > 0 else -1


def _sides(
    function: _Function, left: Point, right: Point, before: int, variable: str
) -> list[dict[str, Any]]:
    """Bisects between two values of the variable, everything else as on the left."""
    low, high = left[variable], right[variable]
    # 30 halvings bring both sides within 1e-9 of the distance of the two points, which is at most 1 for probabilities.
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _direction(function, {**left, variable: middle}) == before:
            low = middle
        else:
            high = middle
    return [{**left, variable: low}, {**left, variable: high}]


class _Function:
    """A formula as a list of steps, each a function of earlier results: quicker than a walk for every point."""

    def __init__(self, expr: Expr) -> None:
        self._steps: list[tuple[Callable[..., Any], list[int]]] = []
        self._symbols: list[tuple[int, str]] = []
        self._places: dict[Expr, int] = {}
        self._add(elementary(expr))

    def __call__(self, point: Point) -> Any:
        """The value, or None where there is no real finite one of moderate size."""
        values: list[Any] = []
        for step, places in self._steps:
            try:
                found = step(point, *(values[place] for place in places))
            except (ValueError, ZeroDivisionError, OverflowError, TypeError):
                # TypeError: an argument has no value, or a complex one is compared.
                return None
            if not isinstance(found, _CONTEXT.mpf) or not _CONTEXT.isfinite(found):
                return None
            if found and _CONTEXT.mag(found) > _LARGEST:
                return None
            values.append(found)
        return values[-1]

    def _add(self, expr: Expr) -> int:
        if expr not in self._places:
            places = (
                # A constant is one step, evaluated once and not once a point.
                [] if expr.is_number and not expr.has(Max, Min) else [self._add(arg) for arg in expr.args]
            )
            self._steps.append((_step(expr), places))
            self._places[expr] = len(self._steps) - 1
        return self._places[expr]


def _step(expr: Expr) -> Callable[..., Any]:
    if isinstance(expr, Symbol):
        return lambda point: point[expr.name]
    if expr.is_Rational:
        # Before `is_number`, which would go through a decimal string.
        exact = _CONTEXT.mpf(int(expr.p)) / int(expr.q)
        return lambda point: exact
    if expr.is_number and not expr.has(Max, Min):
        # Ten digits more than the context has, so that the last of its 50 is right.
        number = _CONTEXT.mpf(str(expr.evalf(60)))
        return lambda point: number
    if expr.is_Add:
        return lambda point, *args: _CONTEXT.fsum(args)
    if expr.is_Mul:
        return lambda point, *args: _CONTEXT.fprod(args)
    if expr.is_Pow:
        return _power
    if isinstance(expr, Max | Min | Abs | sign):
        plain = {Max: max, Min: min, Abs: abs, sign: _CONTEXT.sign}[expr.func]
        return lambda point, *args: plain(*args)
    # SymPy's elementary functions have mpmath's names.
    function = getattr(_CONTEXT, expr.func.__name__)
    return lambda point, x: function(x) if not x or _CONTEXT.mag(x) <= _LARGEST_ARGUMENT else None


def _power(point: Point, base: Any, exponent: Any) -> Any:
    # |log2(base**exponent)| <= |exponent| (|mag(base)| + 1): the bound on values, before the power is taken.
    if base and abs(exponent) * abs(_CONTEXT.mag(base)) > _LARGEST:
        return None
    return base**exponent
