"""What a finding says beside its verdict: a formula, a formula in pieces, a loss of the zoo, or a statistic.

Text is made of them at the edge alone; inside, nothing is read back from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sympy import Expr

from symloss.expr import to_latex

__all__ = ["Named", "Pieces", "Statistic", "Value", "latex_of", "text_of"]

_DIGITS = 10
"""Significant digits of a coefficient that is neither whole nor a root."""


@dataclass(frozen=True)
class Named:
    """A loss of the zoo with its coefficients, such as `gce(q=0.31)`.

    Attributes:
        name: of the entry.
        coefficients: by name, in the entry's order.
        digits: to which coefficients are shown.
    """

    name: str
    coefficients: tuple[tuple[str, Expr], ...] = ()
    digits: int = _DIGITS

    def __str__(self) -> str:
        inside = [f"{name}={float(value):.{self.digits}g}" for name, value in self.coefficients]
        return f"{self.name}({', '.join(inside)})" if inside else self.name


@dataclass(frozen=True)
class Statistic:
    """What the constant prediction of least mean loss is of the targets, such as `quantile(9/10)`."""

    name: str
    share: Expr | None = None

    def __str__(self) -> str:
        return self.name if self.share is None else f"{self.name}({self.share})"


@dataclass(frozen=True)
class Pieces:
    """Formulas of `r` on neighbouring stretches, each with the floats next to its ends."""

    parts: tuple[tuple[Expr, float, float], ...]

    def __str__(self) -> str:
        return "; ".join(f"{expr} for {low:.6g} < r < {high:.6g}" for expr, low, high in self.parts)


Value: TypeAlias = "Expr | Named | Statistic | Pieces"
"""The value of a finding."""


def text_of(value: Value | None) -> str:
    """The value as certificates print it: a formula as SymPy writes it, `""` for none.

    >>> text_of(Named("gce", (("q", Integer(1) / 2),)))
    'gce(q=0.5)'
    """
    return "" if value is None else str(value)


def latex_of(value: Value | None) -> str:
    """The value for math mode; `""` for none, and for what is no single formula."""
    return to_latex(value) if isinstance(value, Expr) else ""
