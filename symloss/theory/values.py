"""What a finding says beside its verdict: a formula, a formula in pieces, a loss of the zoo, or a statistic.

Text is made of them at the edge alone; inside, nothing is read back from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sympy import Expr, Pow, S, Symbol

from symloss.expr import to_latex, to_string

__all__ = ["MEAN", "ByWeight", "Named", "Pieces", "Statistic", "Value", "latex_of", "text_of"]

_DIGITS = 10
"""Significant digits of a coefficient that is neither whole nor a root."""


@dataclass(frozen=True)
class Named:
    """A loss of the zoo with its coefficients, such as `gce(q=0.31)`.

    Attributes:
        name: of the entry.
        coefficients: by name, in the entry's order.
        weight: what the loss of a target counts for, a formula of `y`; None where all count alike.
        scale: the factor of the target before it meets the prediction.
        digits: to which coefficients are shown.
    """

    name: str
    coefficients: tuple[tuple[str, Expr], ...] = ()
    weight: Expr | None = None
    scale: Expr = S.One
    digits: int = _DIGITS

    def __str__(self) -> str:
        inside = [f"{name}={self._shown(value)}" for name, value in self.coefficients]
        inside += [] if self.weight is None else [f"weight={to_string(self.weight)}"]
        inside += [] if self.scale == 1 else [f"scale={self.scale}"]
        return f"{self.name}({', '.join(inside)})" if inside else self.name

    def _shown(self, value: Expr) -> str:
        """A coefficient as a decimal, or a root as what it is."""
        root = value.as_coeff_Mul()[1]
        is_root = isinstance(root, Pow) and root.base.is_Rational and root.exp.is_Rational
        return str(value) if is_root else f"{float(value):.{self.digits}g}"


MEAN = Symbol("m", real=True)
"""Stands for the plain statistic in `Statistic.outer`, as in `log(m)`."""


@dataclass(frozen=True)
class Statistic:
    """What the constant prediction of least mean loss is of the targets, such as `quantile(9/10)` or `log(mean)`.

    Attributes:
        name: mean, median, quantile or expectile.
        share: which quantile or expectile.
        of: what it is taken of, a formula of `y`; None for the targets themselves.
        weight: what each target counts for, a formula of `y`; None where all count alike.
        outer: what is made of it, a formula of `MEAN`.
    """

    name: str
    share: Expr | None = None
    of: Expr | None = None
    weight: Expr | None = None
    outer: Expr = MEAN

    def __str__(self) -> str:
        inside = [] if self.share is None else [str(self.share)]
        inside += [] if self.of is None else [to_string(self.of)]
        inside += [] if self.weight is None else [f"weight={to_string(self.weight)}"]
        inner = f"{self.name}({', '.join(inside)})" if inside else self.name
        return str(self.outer.subs(MEAN, Symbol(inner)))

    def words(self) -> str:
        """In plain words: `the median of the targets weighted by abs(y), times 5/6`."""
        share = "" if self.share is None else f"{self.share} "
        inner = f"the {share}{self.name} of {'the targets' if self.of is None else to_string(self.of)}"
        inner += "" if self.weight is None else f" weighted by {to_string(self.weight)}"
        factor = self.outer / MEAN
        if factor == 1:
            return inner
        if MEAN not in factor.free_symbols:
            return f"{inner}, times {factor}"
        return f"{self.outer}, m being {inner}"


@dataclass(frozen=True)
class Pieces:
    """Formulas of `r` on neighbouring stretches, each with the floats next to its ends."""

    parts: tuple[tuple[Expr, float, float], ...]

    def __str__(self) -> str:
        return "; ".join(f"{expr} for {low:.6g} < r < {high:.6g}" for expr, low, high in self.parts)


@dataclass(frozen=True)
class ByWeight:
    """A value for each weight that a class has."""

    values: tuple[tuple[Expr, Expr], ...]

    def __str__(self) -> str:
        return ", ".join(f"{value} at weight {float(weight):g}" for weight, value in self.values)


Value: TypeAlias = "Expr | Named | Statistic | Pieces | ByWeight"
"""The value of a finding."""


def text_of(value: Value | None) -> str:
    """The value as certificates print it: a formula as SymPy writes it, `""` for none.

    >>> text_of(Named("gce", (("q", S.Half),)))
    'gce(q=0.5)'
    """
    return "" if value is None else str(value)


def latex_of(value: Value | None) -> str:
    """The value for math mode; `""` for none, and for what is no single formula."""
    return to_latex(value) if isinstance(value, Expr) else ""
