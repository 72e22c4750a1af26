"""Arguments for every number of classes at once, by algebra on formulas that may speak of `C`.

A rational function of `C = 2 + m` and of `t`, which runs through the positive numbers as `p = 1/(1 + t)` runs through
(0, 1), has one sign where all coefficients of its numerator have one, and those of its denominator too. That is
sufficient, not necessary, and cheap; nothing else is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sympy import (
    Expr,
    I,
    Integer,
    Poly,
    Pow,
    Rational,
    Symbol,
    exp,
    fraction,
    log,
    nan,
    oo,
    sqrt,
    zoo,
)
from sympy.core.function import Application
from sympy.polys.polyerrors import PolynomialError

from symloss.errors import DomainError
from symloss.expr import C, P, at_one, at_zero
from symloss.theory.certificate import Finding, proved, unknown
from symloss.theory.findings.posterior import shifted, with_map
from symloss.theory.functions.algebra import multiplied_out, one_fraction, shorter
from symloss.theory.functions.constants import number_sign

__all__ = ["Algebra", "one_sign"]

_MAX_OPERATIONS = 80
_M, _T = Symbol("m", integer=True, nonnegative=True), Symbol("t", positive=True)
# C >= 2 as m >= 0: a polynomial in m and t with coefficients of one sign has that sign for all m >= 0, t > 0.
_COUNT = _M + 2
_INSIDE = 1 / (1 + _T)  # every p in (0, 1); 1 - p = t/(1 + t)
_LOWER_HALF = 1 / (2 + _T)  # every p in (0, 1/2)
_NO_VALUES = (nan, zoo, oo, -oo, I)


@dataclass(frozen=True)
class Algebra:
    """`M1` and `M0` of a formula as functions of `p` and `C`.

    Raises:
        ValueError: by `of`, for formulas that are not smooth on (0, 1) for every C, or too long.
    """

    m1: Expr
    m0: Expr

    @staticmethod
    def of(expr: Expr) -> Algebra:
        if expr.count_ops() > _MAX_OPERATIONS:
            raise ValueError("the formula is too long to settle it for every C at once")
        # Max and Min are no Functions to SymPy, and their derivatives are step functions with a value at the kink.
        kinds = {type(node) for node in expr.atoms(Application)}
        if not kinds <= {log, exp}:
            raise ValueError("the formula has parts other than log, exp and powers")
        try:
            values = at_one(expr), at_zero(expr)
        except DomainError as error:
            raise ValueError(str(error)) from None
        if any(value.positive or value.nonzero for value in values):
            raise ValueError("a root or logarithm is not seen to be real for every C")
        m1, m0 = (value.expr for value in values)
        if m1.has(*_NO_VALUES) or m0.has(*_NO_VALUES):
            raise ValueError("the formula has no finite real value at y = 0 or y = 1")
        for node in m1.atoms(log, Pow) | m0.atoms(log, Pow):
            _demand_value(node)
        return Algebra(m1, m0)

    @cached_property
    def bends(self) -> tuple[int | None, int | None]:
        """The signs of `M1''` and `M0''` on (0, 1); None where they are not seen to keep one."""
        first, second = (on_interval(m.diff(P, 2)) for m in (self.m1, self.m0))
        return first, second

    @property
    def is_convex(self) -> bool:
        """Whether both are seen to be convex, and so bounded below: a convex function lies above its tangents."""
        return set(self.bends) <= {0, 1}

    @property
    def pull(self) -> Expr:
        """`M1' - M0'`."""
        return self.m1.diff(P) - self.m0.diff(P)

    def trainable(self) -> Finding:
        """Whether `M1' < M0'` at `p = 1/C`."""
        pull = self.pull.subs(P, 1 / C)
        if one_sign(pull) == -1:
            return proved(f"M1' - M0' = {shorter(one_fraction(pull))} < 0 at p = 1/C for every C >= 2")
        return unknown("the sign of M1' - M0' at p = 1/C is not settled for every C")

    def convex(self) -> Finding:
        if self.is_convex:
            return proved(
                "M0'' >= 0 and M1'' >= 0 on (0, 1) for every C >= 2, by the signs of their coefficients"
            )
        return unknown("the signs of M0'' and M1'' are not settled for every C")

    def target_only(self) -> Finding:
        if self.bends[1] == 0:
            return proved("M0 is affine in p for every C >= 2, and the probabilities sum to 1")
        return unknown("whether M0 is affine is not settled for every C")

    def attractor(self) -> Finding:
        """`p*` where `T` and `M0` are convex: the stationary point, or 1 without one."""
        # The even spread is a minimum, by Jensen, where M0 is convex; then T alone counts.
        if self.bends[1] not in (0, 1):
            return unknown("M0 is not seen to be convex for every C")
        rest = (1 - P) / (C - 1)
        spread = self.m1 + (C - 1) * self.m0.subs(P, rest)
        slope = one_fraction(spread.diff(P))
        if on_interval(slope) == -1:
            return proved("T falls on (0, 1) for every C >= 2, and M0 is convex", Integer(1), 1.0)
        if on_interval(spread.diff(P, 2)) != 1:
            return unknown("T is not seen to be strictly convex for every C")
        for root in _roots(fraction(one_fraction(slope.subs(C, _COUNT)))[0]):
            # 0 < root < 1, by squares where a square root stands in the way.
            inside = root.is_positive and (one_sign(1 - root) == 1 or one_sign(1 - root**2) == 1)
            if inside:
                value = shorter(root.subs(_M, C - 2))
                return proved(
                    "the stationary point of T, which is strictly convex for every C >= 2; M0 is convex",
                    value,
                )
        return unknown("the stationary point of T has no formula")

    def least(self, attractor: Expr) -> Expr | None:
        """`T(p*)`, below which the loss does not fall; None where it has no formula at `p*`."""
        rest = (1 - attractor) / (C - 1)
        value = self.m1.subs(P, attractor) + (C - 1) * self.m0.subs(P, rest)
        return shorter(value) if value.subs(C, 10).is_finite else None

    def bounded_below(self) -> Finding:
        if self.is_convex:
            return proved("M1 and M0 are convex on (0, 1) for every C >= 2, so above their tangents")
        return unknown("M1 and M0 are not seen to be convex for every C")

    def calibrated(self) -> Finding:
        """The exchange argument of `classification_calibrated`: D falls on (0, 1/2] and `D(x) > D(1-x)` there."""
        # D(x) - D(1-x) is 0 at 1/2: if it falls, it is positive before. The slope of D at 1/2 itself breaks a tie of
        # two classes there.
        mirrored = self.pull + self.pull.subs(P, 1 - P)  # the slope of D(x) - D(1-x), which vanishes at 1/2
        steps = [self.pull.subs(P, x) for x in (_LOWER_HALF, Rational(1, 2))] + [
            mirrored.subs(P, _LOWER_HALF)
        ]
        if not (self.is_convex and {one_sign(step) for step in steps} == {-1}):
            return unknown("the exchange argument is not seen to hold for every C")
        found = proved(
            "exchange argument, for every C >= 2: D = M1 - M0 and D(x) - D(1-x) fall on (0, 1/2], and M1 and M0,"
            " being convex, are bounded below"
        )
        return with_map(found, self._posterior_map())

    def _posterior_map(self) -> Expr | None:
        """That of `M1' = c - a1/p`, `M0' = c - a0/p`; see `closed_map`."""
        # k = 1 in `closed_map`: -p (M1' - M0') = a1 - a0 and p**2 M0'' = a0.
        gain, base = one_fraction(-P * self.pull), one_fraction(P**2 * self.m0.diff(P, 2))
        if P in gain.free_symbols | base.free_symbols or one_sign(gain) != 1 or one_sign(base) not in (0, 1):
            return None
        return shifted(base, gain, C)

    def lipschitz(self) -> Finding:
        """`p (1-p) M'` a polynomial in `p`, so bounded on (0, 1), for `M1` and `M0`."""
        for m in (self.m1, self.m0):
            # The gradient in the logits is bounded by these (see `lipschitz`), and a polynomial is bounded on (0, 1).
            pull = one_fraction(P * (1 - P) * m.diff(P))
            if not pull.is_polynomial(P):
                return unknown("p (1-p) M' is not seen to be bounded for every C")
        return proved(
            "p (1-p) M1' and p (1-p) M0' are polynomials in p, so bounded, for every C >= 2; give the number of"
            " classes for the constant"
        )


def _roots(polynomial: Expr) -> list[Expr]:
    """The roots in `p` of a polynomial of degree 1 or 2 in it."""
    try:
        coefficients = Poly(polynomial, P).all_coeffs()
    except PolynomialError:
        return []
    if len(coefficients) == 2:
        return [-coefficients[1] / coefficients[0]]
    if len(coefficients) != 3:
        return []
    a, b, c = coefficients
    root = sqrt(multiplied_out(b**2 - 4 * a * c))
    return [(-b + side * root) / (2 * a) for side in (-1, 1)]


def _demand_value(node: Expr) -> None:
    """That a logarithm or power is finite and real for every `p` in (0, 1) and `C >= 2`.

    Raises:
        ValueError: where that is not seen.
    """
    inner = node.args[0]
    if isinstance(node, Pow) and node.exp.is_Integer:
        if node.exp < 0 and on_interval(inner) not in (-1, 1):
            raise ValueError("a division by zero is not excluded for every C")
    elif inner.free_symbols and on_interval(inner) != 1:
        raise ValueError("an argument of log, or under a root, is not seen to be positive for every C")


def on_interval(expr: Expr) -> int | None:
    """The sign that a formula has for every `p` in (0, 1) and `C >= 2`; None where it is not seen to keep one."""
    return one_sign(expr.subs(P, _INSIDE))


def one_sign(expr: Expr) -> int | None:
    """The sign of a rational function of `C >= 2`, `m >= 0` and `t > 0`: 1, -1, 0 where it vanishes, or None."""
    quotient = one_fraction(expr.subs(C, _COUNT))
    if quotient == 0:
        return 0
    if not quotient.is_rational_function(_M, _T):
        return None
    above, below = (_of_coefficients(part) for part in fraction(quotient))
    return None if above is None or below is None else above * below


def _of_coefficients(polynomial: Expr) -> int | None:
    """The sign of all coefficients in `m` and `t`, if they have one and do not vanish together at `m = 0`."""
    try:
        signs = {number_sign(c) for c in Poly(polynomial, _M, _T).coeffs()}
    except PolynomialError:
        return None
    # With t > 0 a nonzero polynomial of one sign cannot vanish, except where every term has a factor m and m = 0.
    if signs not in ({1}, {-1}) or multiplied_out(polynomial.subs(_M, 0)) == 0:
        return None
    return signs.pop()
