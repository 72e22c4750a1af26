"""How the numbers of a formula are written: exactly, and with as few digits as can be.

SymPy multiplies out what it can: `0.96*(1.042*y + 0.962*p)` comes back as `1.00032*y + 0.92352*p`, and
`aq(y, 1.155*p)` with 1.334025 under the root. Here common factors are drawn out again, and squares undone, where
a number would have more digits than people read. All arithmetic is on fractions: every layout is the same formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache, reduce
from math import gcd, isqrt, lcm, log10
from typing import Any

from sympy import Add, Expr, Function, Integer, Mul, Pow, Rational, Symbol, sqrt

__all__ = ["DIGITS", "Grouped", "decimal", "excess", "laid_out"]

DIGITS = 4
"""Numbers of up to so many significant digits are left alone."""
_NUMBER, _LONG = 3, 4
"""Prices of a layout: of each number in it, and of having numbers with too many digits at all. A minus before the
whole costs 1, one before every term of a sum 2."""


class Grouped(Function):
    """Stands for its argument in brackets, so that SymPy does not multiply a power of it out."""

    nargs = 1

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"\left({printer._print(self.args[0])}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"


def decimal(value: Rational | Fraction, digits: int = 40) -> str | None:
    """The exact decimal literal of `value`, or None where it has none of at most `digits` digits.

    >>> decimal(Rational(13, 10)), decimal(Rational(1, 3)), decimal(Rational(1, 10**7))
    ('1.3', None, '1e-7')
    """
    top, bottom = _parts(value)
    # A fraction in lowest terms is a decimal exactly where its denominator is 2**a 5**b; it has max(a, b) places.
    rest, twos, fives = bottom, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > digits:
        return None
    whole = str(abs(top) * 10**places // bottom)
    scaled = whole.rjust(places + 1, "0")
    if len(scaled) > digits + 1:
        return None
    text = f"{scaled[:-places]}.{scaled[-places:]}" if places else scaled
    if places - len(whole) >= 4:
        # Below 0.00001 with an exponent, as people write it.
        text = f"{whole[0]}.{whole[1:]}".rstrip(".") + f"e-{places - len(whole) + 1}"
    return f"-{text}" if top < 0 else text


@lru_cache(maxsize=4096)
def excess(value: Fraction) -> int:
    """How many significant digits beyond `DIGITS` the number is written with."""
    bottom = value.denominator
    for prime in (2, 5):
        while bottom % prime == 0:
            bottom //= prime
    # Trailing zeros do not count: 20000 reads as one digit. A fraction without a decimal is read as two numbers.
    if bottom == 1:
        text = decimal(value, 10**6) or "0"
        shown = text.partition("e")[0].replace("-", "").replace(".", "").strip("0")
    else:
        shown = f"{abs(value.numerator)}{value.denominator}"
    return max(0, len(shown) - DIGITS)


def laid_out(expr: Expr) -> tuple[Expr, dict[Symbol, str]]:
    """`expr` with its numbers as symbols that are named as they are written, and those names.

    SymPy would print 13/10 as `13*p/10`, and a Float would be evaluated and rounded.
    """
    layout = _Layout()
    return layout.of(expr), layout.names


class _Layout:
    def __init__(self) -> None:
        self.names: dict[Symbol, str] = {}
        self._seen: dict[Expr, Expr] = {}

    def of(self, expr: Expr) -> Expr:
        if expr not in self._seen:
            self._seen[expr] = self._of(expr)
        return self._seen[expr]

    def _of(self, expr: Expr) -> Expr:
        if expr.is_Rational:
            return self.number(_fraction(expr))
        if not expr.args:
            return expr
        if expr.is_Mul or expr.is_Pow or expr.is_Add:
            return self._product(expr)
        return expr.func(*map(self.of, expr.args), evaluate=False)

    def number(self, value: Fraction, force: bool = False) -> Expr:
        """A decimal as a symbol; whole numbers and halves as they are, unless they must not be multiplied out."""
        if not force and (value.denominator == 1 or abs(value) == Fraction(1, 2)):
            return Rational(value.numerator, value.denominator)
        text = decimal(abs(value))
        if text is None or abs(value) == 1:
            return Rational(value.numerator, value.denominator)
        # A symbol is printed as its name, and SymPy neither multiplies it out nor rounds it.
        literal = Symbol(text, positive=True)
        self.names[literal] = text
        # The minus stays outside, where printers find it: `- 1.3*p`, not `+ -1.3*p`.
        return Mul(-1, literal) if value < 0 else literal

    def _product(self, expr: Expr) -> Expr:
        """Of numbers, sums, powers of sums and anything else; a sum and a power are products of one factor."""
        coefficient, rest = expr.as_coeff_Mul()
        number, factors = _fraction(coefficient), list(Mul.make_args(rest))
        for i, factor in enumerate(factors):
            if factor.is_Pow and factor.exp == Rational(1, 2) and factor.base.is_Integer and excess(number):
                number, factors[i] = self._below_root(number, factor)
        # Where a square stands beside it a number may go inside: c x**2 = (sqrt(c) x)**2.
        square = any(not _base(f)[0].is_Add and _is_even(_base(f)[1]) for f in factors)
        scales: dict[int, Fraction] = {}
        for i, factor in enumerate(factors):
            base, exponent = _base(factor)
            if base.is_Add:
                scales[i] = _best_scale(number, square, exponent, _coefficients(base))
                # c (s a + s b)**k = c s**k (a + b)**k.
                number *= _raised(scales[i], exponent) or 1
        root = _root(abs(number)) if square and excess(number) else None
        # sqrt(c) is tried for its digits alone: 1.334025 is 1.155**2.
        if root is not None and excess(root) >= excess(number):
            root = None
        group: list[Expr] = []
        others: list[Expr] = []
        for i, factor in enumerate(factors):
            base, exponent = _base(factor)
            if root is not None and _is_even(exponent) and not base.is_Add:
                group.append(Pow(self.of(base), exponent / 2))
            elif base.is_Add:
                others.append(Pow(self._sum(base, scales[i]), self.of(exponent)))
            elif factor.is_Pow:
                others.append(Pow(self.of(factor.base), self.of(factor.exp)))
            else:
                others.append(self.of(factor))
        if root is not None:
            return Mul(-1 if number < 0 else 1, Grouped(Mul(self.number(root), *group)) ** 2, *others)
        # SymPy distributes a number over a lone sum, 2*(x + 1) -> 2*x + 2, but not a symbol.
        alone = len(others) == 1 and others[0].is_Add and number != 1
        return Mul(self.number(number, force=alone), *others)

    def _below_root(self, number: Fraction, root: Expr) -> tuple[Fraction, Expr]:
        """What SymPy makes `6791*sqrt(199980001)/199980001` of, as `0.6791/sqrt(0.9999**2 + 1)`."""
        inside = int(root.base)
        # c sqrt(n) = (c n/10**k)/sqrt(n/100**k), with k such that n/100**k lies in [1, 100).
        places = (len(str(inside)) - 1) // 2
        above, below = number * inside / 10**places, Fraction(inside, 100**places)
        if excess(above) >= excess(number):
            return number, root
        # aq(a, b) = a/sqrt(1 + b**2): under the root stands 1 more than the square of a short number.
        side = _root(below - 1) if excess(below) else None
        if side is not None and not excess(side):
            return above, 1 / sqrt(self.number(side) ** 2 + 1)
        return above, 1 / sqrt(self.number(below, force=True))

    def _sum(self, expr: Expr, scale: Fraction) -> Expr:
        terms = []
        for term in expr.args:
            number, rest = term.as_coeff_Mul()
            terms.append(self._product(rest * _rational(_fraction(number) / scale)))
        return Add(*terms)


def _base(factor: Expr) -> tuple[Expr, Expr]:
    """Base and exponent of a power whose base can be divided by a number: whole and half exponents."""
    # (s b)**(k/2) = s**(k/2) b**(k/2) stays rational for a square s; other roots of rationals would not.
    if factor.is_Pow and factor.exp.is_Rational and factor.exp.q <= 2:
        return factor.base, factor.exp
    return factor, Integer(1)


def _is_even(exponent: Expr) -> bool:
    return bool(exponent.is_Integer and exponent > 0 and exponent % 2 == 0)


def _parts(value: Rational | Fraction) -> tuple[int, int]:
    if isinstance(value, Fraction):
        return value.numerator, value.denominator
    return int(value.p), int(value.q)


def _fraction(value: Expr) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def _rational(value: Fraction) -> Rational:
    return Rational(value.numerator, value.denominator)


def _coefficients(expr: Expr) -> list[tuple[Fraction, bool]]:
    """The number of each term of a sum, and whether the rest of the term is a square."""
    rows = []
    for term in expr.args:
        number, rest = term.as_coeff_Mul()
        bases = map(_base, Mul.make_args(rest))
        square = any(_is_even(e) and not base.is_Add for base, e in bases)
        rows.append((_fraction(number), square))
    return rows


def _written(value: Fraction, square: bool) -> int:
    """The excess digits of a coefficient; of a square's, with its root inside the brackets."""
    plain = excess(value)
    root = _root(abs(value)) if square and plain else None
    return plain if root is None else min(plain, excess(root))


def _best_scale(
    number: Fraction, square: bool, exponent: Expr, terms: Sequence[tuple[Fraction, bool]]
) -> Fraction:
    """By what to divide the sum in `number * sum**exponent`, so that it is short; 1 to leave it."""

    def cost(scale: Fraction) -> tuple[int, int] | None:
        outside = _raised(scale, exponent)
        if outside is None:
            return None
        inside = [value / scale for value, _ in terms]
        digits = sum(_written(value, even) for value, (_, even) in zip(inside, terms, strict=True))
        numbers = [number * outside, *inside]
        digits += _written(number * outside, square)
        # Of `(-p - y)*log(p)` and `-(p + y)*log(p)` people write the second.
        signs = (number * outside < 0) + 2 * all(value < 0 for value in inside)
        return _NUMBER * sum(map(_literals, numbers)) + signs + (_LONG if digits else 0), digits

    # The price of leaving it; `_raised(1, k)` is 1, so there is one.
    as_it_is = cost(Fraction(1)) or (0, 0)
    best = (as_it_is, 0.0, Fraction(1))
    for scale in _scales([value for value, _ in terms], number, exponent, bool(as_it_is[1])):
        price = cost(scale)
        if price is not None and price < as_it_is:
            # Among equal prices the sum whose largest coefficient is nearest to 1; ties beyond that by the scale
            # itself, so that the choice never depends on order.
            size = abs(log10(max(abs(value / scale) for value, _ in terms)))
            best = min(best, (price, size, scale))
    return best[2]


def _literals(value: Fraction) -> int:
    """How many literals a coefficient is written with: none for 1, two for a fraction without a decimal."""
    if abs(value) == 1:
        return 0
    return 1 if abs(value.numerator) == 1 or decimal(value) else 2


def _scales(values: Sequence[Fraction], number: Fraction, exponent: Expr, long: bool) -> Iterator[Fraction]:
    # Only a whole power lets the sign through: (-s)**(1/2) is not real.
    sign = -1 if exponent.is_Integer and all(value < 0 for value in values) else 1
    yield from (sign * abs(value) for value in values)
    if sign < 0:
        yield Fraction(-1)
    if not long:
        return
    if exponent == 1:
        # Moves the number outside into the sum.
        yield sign / abs(number)
    elif exponent == 2 and (root := _root(abs(number))) is not None:
        yield sign / root
    bottom = reduce(lcm, (value.denominator for value in values))
    whole = [abs(value.numerator) * (bottom // value.denominator) for value in values]
    common = Fraction(reduce(gcd, whole), bottom)
    largest = max(abs(value) for value in values) / common
    # One digit more than is written: a trailing zero is none.
    # The common factor c of all coefficients, times a power of ten over a divisor that an inner factor may have brought
    # in: 1.00032*y + 0.92352*p has c = 0.00192, and 1000 c/2 = 0.96 leaves 1.042*y + 0.962*p.
    for divisor in _divisors(common.numerator, 10 ** (DIGITS + 1) // int(largest)):
        places = int(log10(largest * divisor))
        for power in (places, places + 1):
            yield sign * common * Fraction(10) ** power / divisor


def _divisors(number: int, limit: int) -> Iterator[int]:
    """What a factor of `number` may have been multiplied by, up to powers of ten, which cost no digit."""
    for divisor in range(1, limit + 1):
        rest = divisor
        while rest % 2 == 0:
            rest //= 2
        while rest % 5 == 0:
            rest //= 5
        if divisor % 10 and number % rest == 0:
            yield divisor


def _raised(scale: Fraction, exponent: Expr) -> Fraction | None:
    """`scale**exponent` where that is rational."""
    if exponent.is_Integer:
        return scale ** int(exponent)
    root = _root(scale)
    return None if root is None else root ** int(exponent.p)


def _root(value: Fraction) -> Fraction | None:
    """The square root where that is rational."""
    if value < 0:
        return None
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    return Fraction(top, bottom) if Fraction(top**2, bottom**2) == value else None
