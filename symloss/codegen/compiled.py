"""A formula taken apart once: its branches, what they depend on, and the functions printed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sympy import Expr, Integer, Poly, Pow, Symbol, exp, nan, oo, zoo

from symloss.codegen.emit import Printed, build, print_function
from symloss.codegen.limits import at_zero
from symloss.codegen.rewrite import ENTRY, LOG_P, LOG_Q, P_, PRIOR, Q_, TARGET, WEIGHT, in_logs, plain
from symloss.errors import CompileError
from symloss.expr import PI, C, P, W, Y

__all__ = ["Affine", "Formula", "formula_of"]

ARGUMENTS = ("u", "v", "y", "C", "pi", "w", "k")
"""Of every printed classification and multilabel function: `log p`, `log(1-p)`, target, number of classes,
class priors, instance weights, coefficients."""
REGRESSION_ARGUMENTS = ("p", "y", "w", "k")


@dataclass(frozen=True)
class Affine:
    """`M0 = constant + slope * p`."""

    constant: Expr
    slope: Expr


@lru_cache(maxsize=512)
def formula_of(expr: Expr, kind: str, coefficients: tuple[str, ...] = ()) -> Formula:
    """The taken-apart form of a formula, remembered."""
    return Formula(expr, kind, coefficients)


class Formula:
    """The branches of `M(y, p)` as expressions in `p, q, u, v`, and as torch functions.

    Args:
        expr: the formula; symbols named in `coefficients` become inputs.
        kind: the loss's kind.
        coefficients: names of the coefficients that are inputs, in order.
    """

    def __init__(self, expr: Expr, kind: str, coefficients: tuple[str, ...] = ()) -> None:
        self.kind, self.coefficients = kind, coefficients
        self.source = expr
        self.entry = expr if kind == "regression" else expr.xreplace(ENTRY)
        self.uses_priors, self.uses_weights = expr.has(PI), expr.has(W)
        self.uses_classes = expr.has(C)

    def check(self) -> None:
        """Raises `CompileError` where a branch that hard labels need does not exist."""
        if self.kind == "regression":
            return
        if self.entry.xreplace({TARGET: Integer(1)}).has(oo, -oo, zoo, nan):
            raise CompileError(
                f"expected a formula that is finite at y = 1, got {self.source}, which is not; "
                "use the protected plog for a logarithm that vanishes there"
            )
        _ = self.other

    @cached_property
    def target(self) -> Expr:
        """`M(1, p)`."""
        return in_logs(self.entry.xreplace({TARGET: Integer(1)}))

    @cached_property
    def other(self) -> Expr:
        """`M(0, p)`, the limit `y -> 0+` where the value is not finite."""
        return in_logs(at_zero(self.entry, TARGET))

    @cached_property
    def general(self) -> Expr:
        """`M(y, p)` for soft labels and regression."""
        return plain(self.entry) if self.kind == "regression" else in_logs(self.entry)

    @cached_property
    def singular_at_zero(self) -> bool:
        """Whether `M(y, p)` cannot simply be evaluated at `y = 0`."""
        general = self.general
        if self.entry.xreplace({TARGET: Integer(0)}).has(oo, -oo, zoo, nan):
            return True
        negative = any(power.exp.is_negative is not False for power in general.atoms(Pow))
        return negative or general.has(exp)

    @cached_property
    def affine(self) -> Affine | None:
        """`M0` as an affine function of `p`, or None; then a sum over classes is known from `sum p = 1`."""
        other = self.other.xreplace({Q_: 1 - P_})
        if other.has(LOG_P, LOG_Q, PRIOR, WEIGHT):
            return None
        if not other.has(P_):
            return Affine(other, Integer(0))
        if not other.is_polynomial(P_):
            return None
        poly = Poly(other, P_)
        if poly.degree() > 1:
            return None
        return Affine(poly.coeff_monomial(1), poly.coeff_monomial(P_))

    @cached_property
    def row(self) -> Expr:
        """The instance loss as a function of the target's `p` alone; only where `affine`.

        `sum_i M = M1(p) - M0(p) + C constant + slope`, because the probabilities sum to 1.
        """
        assert self.affine is not None
        constant, slope = self.affine.constant, self.affine.slope
        return self.target - slope * P_ + constant * (C - 1) + slope

    def printed(self, *results: Expr, name: str = "value", language: str = "torch") -> Printed:
        """The source of a function of `ARGUMENTS` (`REGRESSION_ARGUMENTS`) that returns `results`."""
        if self.kind == "regression":
            names = {P: "p", Y: "y", W: "w"} | self._coefficient_names
            return print_function(name, results, REGRESSION_ARGUMENTS, names, language=language)
        names = {P_: "p", Q_: "q", LOG_P: "u", LOG_Q: "v", TARGET: "y", C: "C", PRIOR: "pi", WEIGHT: "w"}
        return print_function(
            name,
            results,
            ARGUMENTS,
            names | self._coefficient_names,
            language=language,
            scalars=frozenset({C}),
            prelude={Q_: "q = torch.exp(v)", P_: "p = torch.exp(u)"},
        )

    @property
    def _coefficient_names(self) -> dict[Symbol, str]:
        return {Symbol(name, real=True): f"k[{i}]" for i, name in enumerate(self.coefficients)}

    @cached_property
    def target_value(self) -> Callable[..., Any]:
        """`M(1, p)` as a function of `ARGUMENTS`."""
        return build(self.printed(self.target))

    @cached_property
    def other_value(self) -> Callable[..., Any]:
        """`M(0, p)` as a function of `ARGUMENTS`."""
        return build(self.printed(self.other))

    @cached_property
    def row_value(self) -> Callable[..., Any]:
        """The target-only instance loss as a function of `ARGUMENTS`."""
        return build(self.printed(self.row))

    @cached_property
    def general_value(self) -> Callable[..., Any]:
        """`M(y, p)` as a function of `ARGUMENTS` or `REGRESSION_ARGUMENTS`."""
        return build(self.printed(self.general))
