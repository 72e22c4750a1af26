"""Where a smooth formula is positive, negative or zero: proved, with its roots bracketed to 1e-12."""

from __future__ import annotations

from sympy import Add, Expr, Mul, Pow, Symbol

from symloss.expr import BY_HEAD, log_cosh
from symloss.theory.functions.algebra import differs, tidy, vanishes
from symloss.theory.functions.bisection import bisect
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.points import Cell, Point, Span
from symloss.theory.functions.work import remembered

__all__ = ["sign_pattern"]


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
    return bisect(factor, variable, cell)


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
