"""Formulas as presentation MathML, which browsers and screen readers read."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

from sympy import Expr, Mul, S, fraction
from sympy.printing.mathml import MathMLPresentationPrinter
from sympy.printing.precedence import PRECEDENCE

from symloss.expr.layout import laid_out
from symloss.expr.operators import BY_HEAD
from symloss.expr.printing import numbers_last, positive_first, target_first

__all__ = ["to_mathml"]

_TAGS = {"mrow", "mi", "mn", "mo", "msup", "msub", "mfrac", "msqrt", "mroot", "mspace"}
"""Every tag that is ever written: a page can rely on a formula bringing no other markup."""
_MINUS, _APPLY, _TIMES, _DOT = "\u2212", "\u2061", "\u2062", "\u00b7"
"""The sign, the application of a function and the product, both invisible, and the product of two numbers."""
_BRACKETS, _FLAT = ("(", ")", "|"), ' stretchy="false"'


class _FormulaMathMLPrinter(MathMLPresentationPrinter):
    """As SymPy writes it, with the order of terms and the operators that our LaTeX has.

    SymPy's own has `-p + y`, draws numbers out of a sum into its terms (`fraction` that is not exact), takes a decimal
    literal for a variable and does not mark where a function is applied.
    """

    def __init__(self, literals: Sequence[str]) -> None:
        super().__init__()
        self._literals = set(literals)

    def _leaf(self, tag: str, text: str) -> Any:
        node = self.dom.createElement(tag)
        node.appendChild(self.dom.createTextNode(text))
        return node

    def _group(self, tag: str, *nodes: Any) -> Any:
        group = self.dom.createElement(tag)
        for node in nodes:
            group.appendChild(node)
        return group

    def _brackets(self, *nodes: Any) -> Any:
        return self._group("mrow", self._l_paren(), *nodes, self._r_paren())

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Expr]:
        return positive_first(super()._as_ordered_terms(expr, order))

    def _print_Mul(self, expr: Any) -> Any:
        if expr.could_extract_minus_sign():
            # The number is a factor of its own here, which SymPy would multiply into a sum.
            return self._group("mrow", self._leaf("mo", _MINUS), self.parenthesize(-expr, PRECEDENCE["Add"]))
        # Inexact, `fraction` would turn (x + 1)/2 into x/2 + 1/2: numbers of a sum into its terms.
        above, below = fraction(expr, exact=True)
        if below is not S.One:
            return self._group("mfrac", self._print(above), self._print(below))
        coefficient, terms = expr.as_coeff_mul()
        factors = [
            *([] if coefficient is S.One else [coefficient]),
            *Mul._from_args(terms).as_ordered_factors(),
        ]
        nodes: list[Any] = []
        for factor in factors:
            if nodes:
                numbers = nodes[-1].nodeName == "mn" and (factor.is_Rational or str(factor) in self._literals)
                nodes.append(self._leaf("mo", _DOT if numbers else _TIMES))
            node = self.parenthesize(factor, PRECEDENCE["Mul"]) if len(factors) > 1 else self._print(factor)
            if nodes and _is_word(node):
                nodes.append(self.dom.createElement("mspace"))
            nodes.append(node)
        return nodes[0] if len(nodes) == 1 else self._group("mrow", *nodes)

    def _print_Symbol(self, expr: Any, style: str = "plain") -> Any:
        if expr.name not in self._literals:
            return super()._print_Symbol(expr, style)
        mantissa, _, exponent = expr.name.partition("e")
        if not exponent:
            return self._leaf("mn", mantissa)
        tens = self._group("msup", self._leaf("mn", "10"), self._leaf("mn", exponent))
        return (
            tens
            if mantissa == "1"
            else self._group("mrow", self._leaf("mn", mantissa), self._leaf("mo", _DOT), tens)
        )

    def _applied(self, name: str, args: Sequence[Any]) -> Any:
        inside: list[Any] = []
        for arg in args:
            inside += [*([self._comma()] if inside else []), self._print(arg)]
        return self._group("mrow", self._leaf("mi", name), self._leaf("mo", _APPLY), self._brackets(*inside))

    def _print_Function(self, expr: Any) -> Any:
        operator = BY_HEAD.get(expr.func)
        name = operator.name if operator else expr.func.__name__
        return self._applied(
            name, [target_first(arg) for arg in expr.args] if operator and operator.parity > 0 else expr.args
        )

    def _print_Max(self, expr: Any) -> Any:
        return self._applied(BY_HEAD[expr.func].name, numbers_last(expr.args))

    _print_Min = _print_Max

    def _print_Abs(self, expr: Any, exp: Any = None) -> Any:
        return self._group("mrow", self._bar(), self._print(target_first(expr.args[0])), self._bar())

    def _print_Grouped(self, expr: Any) -> Any:
        return self._brackets(self._print(expr.args[0]))

    def _print_ExpBase(self, expr: Any) -> Any:
        return self._group("msup", self._leaf("mi", "e"), self._print(expr.exp))

    def _print_Exp1(self, expr: Any) -> Any:
        return self._leaf("mi", "e")


def to_mathml(expr: Expr) -> str:
    """`expr` as presentation MathML, without the `math` element around it; every name in it is escaped.

    >>> from symloss.expr import P, Y
    >>> to_mathml(Y - P)
    '<mrow><mi>y</mi><mo>−</mo><mi>p</mi></mrow>'
    """
    swapped, names = laid_out(expr)
    return _written(_FormulaMathMLPrinter(list(names.values()))._print(swapped))


def _is_word(node: Any) -> bool:
    """Whether it begins with the name of a function, before which there is a space: `y log(p)`."""
    while node.nodeName in ("mrow", "msup"):
        node = node.firstChild
    return node.nodeName == "mi" and len(node.firstChild.data) > 1 and node.firstChild.data.isascii()


def _written(node: Any, tall: bool = False) -> str:
    """The text of a node. SymPy writes the names of symbols as they are; here nothing but known tags gets through.

    Args:
        node: of SymPy's tree.
        tall: whether a fraction stands beside it; brackets grow for no less, as without a mathematical font they would
            grow too far.
    """
    if node.nodeType == node.TEXT_NODE:
        return html.escape(html.unescape(node.data).replace("-", _MINUS))
    name = node.nodeName
    if name not in _TAGS:
        raise ValueError(f"no tag of a formula: {name}")
    if name == "mspace":
        return '<mspace width="0.17em"></mspace>'
    inside = "".join(_written(child, bool(node.getElementsByTagName("mfrac"))) for child in node.childNodes)
    return f"<{name}{_FLAT if name == 'mo' and inside in _BRACKETS and not tall else ''}>{inside}</{name}>"
