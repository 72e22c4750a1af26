"""The slope of a formula in the prediction, as training sees it."""

from __future__ import annotations

from sympy import Abs, Expr, Function, Heaviside, Integer, sign

from symloss.expr import P, RealFunction
from symloss.theory.functions.enclose import is_smooth

__all__ = ["slope_in_p"]


class _sign(Function):
    """`sign` of a real number, with the slope 0: SymPy's may be of complex ones, and have a Dirac delta."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class _abs(Function):
    """`abs` of a real number."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return _sign(self.args[0])


def _plain_kinks(expr: Expr) -> Expr:
    """A formula with the project's own operators that have kinks written in SymPy's functions."""
    return expr.replace(
        lambda node: isinstance(node, RealFunction) and not is_smooth(node.func),
        lambda node: node.plain(node.args[0]),
    )


def slope_in_p(expr: Expr) -> Expr:
    """`dM/dp` as training sees it: a jump has no part in it."""
    # SymPy differentiates Abs and sign as functions of complex numbers: through classes that it does not know the real
    # rules hold. max(a, b) has the slope theta(a - b), with 1/2 at a tie as in torch.
    kinked = _plain_kinks(expr)
    real = kinked.replace(Abs, _abs).replace(sign, _sign)
    slope = real.diff(P).replace(Heaviside, lambda x, *_: (1 + _sign(x)) / 2)
    return slope.replace(_abs, Abs).replace(_sign, sign)
