"""Formulas as text that parses back to the same formula, and as LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sympy import Expr, Symbol
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from symloss.expr.layout import laid_out
from symloss.expr.operators import BY_HEAD
from symloss.expr.symbols import Y

__all__ = [
    "MAX_EXPONENT", "numbers_last", "positive_first", "target_first", "to_latex", "to_string",
]  # fmt: skip

MAX_EXPONENT = 64
"""The largest integer exponent the grammar takes in one step; larger ones are printed as nested powers."""


def positive_first(terms: list[Expr]) -> list[Expr]:
    """`y - p` rather than `-p + y`."""
    lead = next((i for i, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
    return [terms[lead], *terms[:lead], *terms[lead + 1 :]]


def target_first(argument: Expr) -> Expr:
    """Of an even function's argument and its negative, the one in which `y` is positive."""
    return -argument if argument.is_Add and argument.coeff(Y).is_negative else argument


def numbers_last(args: Sequence[Expr]) -> list[Expr]:
    """`max(y - p, 0)` rather than `max(0, y - p)`; a literal is a symbol that is named by its digits."""
    return sorted(args, key=lambda arg: all(symbol.name[0].isdigit() for symbol in arg.free_symbols))


class _FormulaPrinter(StrPrinter):
    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Expr]:
        return positive_first(super()._as_ordered_terms(expr, order))

    def _print_Function(self, expr: Any) -> str:
        operator = BY_HEAD.get(expr.func)
        name = operator.name if operator else expr.func.__name__
        args = [target_first(arg) for arg in expr.args] if operator and operator.parity > 0 else expr.args
        return f"{name}({self.stringify(args, ', ')})"

    def _print_extremum(self, expr: Any) -> str:
        # The grammar's min and max take two arguments; SymPy's are flat.
        name, (*rest, last) = BY_HEAD[expr.func].name, numbers_last(expr.args)
        text = self._print(last)
        # max(a, b, c) = max(a, max(b, c)).
        for arg in reversed(rest):
            text = f"{name}({self._print(arg)}, {text})"
        return text

    _print_Max = _print_Min = _print_extremum
    _print_Abs = _print_Function

    def _print_Grouped(self, expr: Any) -> str:
        return f"({self._print(expr.args[0])})"

    def _print_Exp1(self, expr: Any) -> str:
        # SymPy writes E, which the grammar would take for an unknown name.
        return "exp(1)"

    def _print_ExpBase(self, expr: Any) -> str:
        return f"exp({self._print(expr.exp)})"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        exponent = expr.exp
        if exponent.is_Integer and abs(exponent) > MAX_EXPONENT:
            # x**(64 q + r) = (x**64)**q x**r; the parser's limit on total exponents, 64**2, keeps q within 64 too.
            quotient, remainder = divmod(abs(int(exponent)), MAX_EXPONENT)
            # Above SymPy's precedence of calls (70) and below that of atoms (1000): all but atoms get brackets.
            base = self.parenthesize(expr.base, 200)
            text = f"({base}**{MAX_EXPONENT})" + (f"**{quotient}" if quotient > 1 else "")
            if remainder:
                text += f"*{base}" + (f"**{remainder}" if remainder > 1 else "")
            return f"1/({text})" if exponent < 0 else f"({text})"
        return super()._print_Pow(expr, rational)


class _FormulaLatexPrinter(LatexPrinter):
    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Expr]:
        return positive_first(super()._as_ordered_terms(expr, order))

    def _print_Abs(self, expr: Any, exp: str | None = None) -> str:
        text = rf"\left|{{{self._print(target_first(expr.args[0]))}}}\right|"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _print_extremum(self, expr: Any, exp: str | None = None) -> str:
        inside = ", ".join(map(self._print, numbers_last(expr.args)))
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\{expr.func.__name__.lower()}{power}\left({inside}\right)"

    _print_Max = _print_Min = _print_extremum

    def _print_Function(self, expr: Any, exp: str | None = None) -> str:
        own = getattr(expr, "_latex", None)
        return own(self, exp=exp) if own else super()._print_Function(expr, exp)


def _tex(text: str) -> str:
    """A decimal literal for math mode."""
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    return rf"10^{{{exponent}}}" if mantissa == "1" else rf"{mantissa} \cdot 10^{{{exponent}}}"


def to_string(expr: Expr) -> str:
    """`expr` in the grammar of `symloss.parse`, numbers written out exactly.

    >>> from sympy import Rational
    >>> from symloss.expr import P, Y
    >>> to_string(Y * abs(P * Rational(13, 10)))
    '1.3*y*abs(p)'
    """
    swapped, _ = laid_out(expr)
    return _FormulaPrinter().doprint(swapped)


def to_latex(expr: Expr) -> str:
    """`expr` as LaTeX for math mode, decimals written as decimals."""
    swapped, names = laid_out(expr)
    written = {symbol: _tex(text) for symbol, text in names.items()}
    return _FormulaLatexPrinter({"symbol_names": {**written, Symbol("pi", real=True): r"\pi"}}).doprint(
        swapped
    )
