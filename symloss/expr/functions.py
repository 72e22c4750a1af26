"""The base class of operators that SymPy lacks, and formulas rewritten without them."""

from __future__ import annotations

from typing import Any, ClassVar

from sympy import Expr, Function, S, cosh, log, tanh

__all__ = ["RealFunction", "elementary", "log_cosh"]

_INFINITIES = (S.Infinity, S.NegativeInfinity, S.ComplexInfinity)


class RealFunction(Function):
    """A real function of one real argument, defined by elementary functions.

    A subclass gives `plain`, `fdiff` and `at_infinities`; the derivative is written out, as SymPy turns that of
    `Abs` and `Max` into distributions. SymPy's own evaluation never looks inside.
    """

    nargs = 1
    at_infinities: ClassVar[tuple[Expr, Expr, Expr]]
    """The values at `oo`, `-oo` and `zoo` (an infinity of unknown sign). SymPy takes a function without them for
    finite there, and 0 times it for 0."""
    positive: ClassVar[bool] = False
    """Whether the value is positive for every real argument."""
    tex: ClassVar[str] = ""
    r"""Its name in LaTeX; `\operatorname{name}` unless given."""

    @staticmethod
    def plain(x: Expr) -> Expr:
        """The same in SymPy's own functions."""
        raise NotImplementedError

    @classmethod
    def eval(cls, x: Expr) -> Expr | None:
        if x is S.NaN:
            return S.NaN
        if x in _INFINITIES:
            return cls.at_infinities[_INFINITIES.index(x)]
        # Unfolded, plog(p) stays one node, which printing and proofs recognise; a number is worth no node of its own.
        return cls.plain(x) if x.is_Rational else None

    def _eval_is_extended_real(self) -> bool | None:
        return self.args[0].is_extended_real

    def _eval_is_positive(self) -> bool | None:
        return self.args[0].is_extended_real if self.positive else None

    def _eval_evalf(self, prec: int) -> Any:
        return self.plain(self.args[0])._eval_evalf(prec)

    def _eval_rewrite_as_elementary(self, x: Expr, **_: Any) -> Expr:
        return self.plain(x)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = self.tex or rf"\operatorname{{{type(self).__name__}}}"
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"{name}{power}\left({printer._print(self.args[0])}\right)"


class log_cosh(RealFunction):
    """`log(cosh(x))` in one: it grows no faster than `|x|`, while `cosh` alone overflows.

    No formula is written with it; theory and codegen put it in.
    """

    at_infinities = (S.Infinity, S.Infinity, S.Infinity)

    @staticmethod
    def plain(x: Expr) -> Expr:
        return log(cosh(x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return tanh(self.args[0])


def elementary(expr: Expr) -> Expr:
    """`expr` with the project's own operators written in SymPy's functions (for evaluation, not for proofs).

    >>> from symloss.expr import P, psqrt
    >>> elementary(psqrt(P))
    sqrt(Max(1/10000000, Abs(p)))
    """
    return expr.replace(lambda node: isinstance(node, RealFunction), lambda node: node.plain(node.args[0]))
