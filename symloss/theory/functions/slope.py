"""The slope of a formula in the prediction, as training sees it."""

from __future__ import annotations

from sympy import Abs, Expr, Function, Heaviside, Integer, sign

from symloss.expr import P, elementary

__all__ = ["slope_in_p"]


class _sign(Function):
    """`sign` of a real number, with the slope 0: SymPy's may be of complex ones, and have a Dirac delta."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class _abs(Function):
    """`abs` of a real number."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return _sign(self.args[0])


def slope_in_p(expr: Expr) -> Expr:
    """`dM/dp` as training sees it: a jump has no part in it."""
    real = elementary(expr).replace(Abs, _abs).replace(sign, _sign)
    slope = real.diff(P).replace(Heaviside, lambda x, *_: (1 + _sign(x)) / 2)
    return slope.replace(_abs, Abs).replace(_sign, sign)
