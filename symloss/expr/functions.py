"""Operators that SymPy does not have: the protected ones of EvoMAL, sigmoid and softplus."""

from __future__ import annotations

from typing import Any

from sympy import Abs, Expr, Function, Integer, Max, Piecewise, Rational, S, exp, log, sqrt

__all__ = ["GUARD", "elementary", "plog", "psqrt", "sigmoid", "softplus"]

GUARD = Rational(1, 10**7)
"""The floor of the protected operators; the constant of the EvoMAL release (arXiv 2209.08907)."""


class _RealFunction(Function):
    """A real function of one real argument, written in elementary functions by `_plain`."""

    nargs = 1

    @staticmethod
    def _plain(x: Expr) -> Expr:
        raise NotImplementedError

    # The values at `oo`, `-oo` and `zoo` (an infinity of unknown sign). SymPy takes a function without them for
    # finite there, and `0*softplus(zoo)` for 0.
    _at_infinities: tuple[Expr, Expr, Expr]

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        if x is S.NaN:
            return S.NaN
        if x in (S.Infinity, S.NegativeInfinity, S.ComplexInfinity):
            return cls._at_infinities[(S.Infinity, S.NegativeInfinity, S.ComplexInfinity).index(x)]
        return cls._plain(x) if x.is_Rational else None

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_evalf(self, prec: int) -> Any:
        return self._plain(self.args[0])._eval_evalf(prec)

    def _eval_rewrite_as_elementary(self, x: Expr, **_: Any) -> Expr:
        return self._plain(x)


class plog(_RealFunction):
    """Protected logarithm `log(max(|x|, 1e-7))`; its derivative is `1/x` outside the guard, 0 inside."""

    _at_infinities = (S.Infinity, S.Infinity, S.Infinity)

    @staticmethod
    def _plain(x: Expr) -> Expr:
        return log(Max(Abs(x), GUARD))

    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return Piecewise((1 / x, Abs(x) > GUARD), (Integer(0), True))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log_{{\varepsilon}}{power}\left|{printer._print(self.args[0])}\right|"


class psqrt(_RealFunction):
    """Protected square root `sqrt(max(|x|, 1e-7))`; its derivative is 0 inside the guard."""

    _at_infinities = (S.Infinity, S.Infinity, S.Infinity)

    @staticmethod
    def _plain(x: Expr) -> Expr:
        return sqrt(Max(Abs(x), GUARD))

    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return Piecewise((x / (2 * Abs(x) * sqrt(Abs(x))), Abs(x) > GUARD), (Integer(0), True))

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_extended_real

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        root = rf"\sqrt{{\left|{printer._print(self.args[0])}\right|_{{\varepsilon}}}}"
        return root if exp is None else rf"\left({root}\right)^{{{exp}}}"


class sigmoid(_RealFunction):
    """`1 / (1 + exp(-x))`."""

    _at_infinities = (S.One, S.Zero, S.NaN)

    @staticmethod
    def _plain(x: Expr) -> Expr:
        return 1 / (1 + exp(-x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_extended_real

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\sigma{power}\left({printer._print(self.args[0])}\right)"


class softplus(_RealFunction):
    """`log(1 + exp(x))`, whose derivative is the sigmoid."""

    _at_infinities = (S.Infinity, S.Zero, S.NaN)

    @staticmethod
    def _plain(x: Expr) -> Expr:
        return log(1 + exp(x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_extended_real

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\operatorname{{softplus}}{power}\left({printer._print(self.args[0])}\right)"


def elementary(expr: Expr) -> Expr:
    """`expr` with the project's own operators written in SymPy's functions (for evaluation, not for proofs).

    >>> from symloss.expr import P
    >>> elementary(psqrt(P))
    sqrt(Max(1/10000000, Abs(p)))
    """
    return expr.replace(lambda node: isinstance(node, _RealFunction), lambda node: node._plain(node.args[0]))
