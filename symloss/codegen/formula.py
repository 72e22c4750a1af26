"""A formula taken apart once: its branches, what they depend on, and the functions printed from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from sympy import Expr, Integer, Poly, Pow, Symbol, exp

from symloss.codegen.soundness import sound
from symloss.codegen.source.printer import Printed, build, print_function, rounded
from symloss.codegen.symbols.log_domain import (
    ENTRY,
    LOG_P,
    LOG_Q,
    P_,
    PRIOR,
    Q_,
    RESIDUAL,
    TARGET,
    WEIGHT,
    in_logs,
    log_slope,
    logit_slope,
    plain,
)
from symloss.codegen.symbols.nodes import void
from symloss.errors import CompileError, DomainError
from symloss.expr import KINDS, PI, C, HardValue, P, W, Y, at_one, at_zero

__all__ = ["Affine", "Formula", "formula_of"]

ARGUMENTS = ("u", "v", "C", "pi", "w", "k=()")
"""Of every printed classification and multilabel function: `log p`, `log(1-p)`, number of classes, class priors,
instance weights, coefficients; the target `y` is a keyword."""
ONE_SIDED_ARGUMENTS = ("u", "p", "q", "C", "pi", "w", "k=()")
"""Of functions that are smooth at `p = 1`: there `1 - p` needs no logarithm, and `p` is known already."""
LOGIT_ARGUMENTS = ("d", "C", "pi", "w", "k=()")
"""Of functions of the binary logit `d = log(p/(1 - p))`."""
REGRESSION_ARGUMENTS = ("p", "y", "w", "k=()")
OF_ENTRIES = frozenset({P_, Q_, LOG_P, LOG_Q, P, RESIDUAL})
"""An expression that has one of these is a tensor of the entries' shape; any other may be a constant."""

REACHES = (2e4, 80.0, 40.0, 28.0, 20.0, 16.0, 10.0)
"""Sizes of logits; `exp` of the second is near the end of float32, of its parts near the end of squares, ..."""


@dataclass(frozen=True)
class Affine:
    """`M0 = constant + slope * p`."""

    constant: Expr
    slope: Expr


@lru_cache(maxsize=512)
def formula_of(expr: Expr, kind: str, coefficients: tuple[str, ...] = ()) -> Formula:
    """The taken-apart form of a formula, remembered."""
    return Formula(expr, kind, coefficients)


def _hard(value: Callable[[Expr], HardValue], formula: Expr) -> HardValue:
    """The formula at a hard label; what has no value there cannot be compiled."""
    try:
        return value(formula)
    except DomainError as error:
        raise CompileError(str(error)) from None


class Formula:
    """The branches of `M(y, p)` as expressions in `p, q, u, v`, and as torch functions.

    Args:
        expr: the formula; symbols named in `coefficients` become inputs.
        kind: the loss's kind.
        coefficients: names of the coefficients that are inputs, in order.
    """

    def __init__(self, expr: Expr, kind: str, coefficients: tuple[str, ...] = ()) -> None:
        self.kind, self.coefficients = KINDS[kind], coefficients
        # A margin is computed as a prediction that has no target.
        self.source = expr.xreplace({self.kind.variable: P})
        self.entry = self.source.xreplace(ENTRY) if self.kind.probabilities else self.source
        self.uses_priors, self.uses_weights = expr.has(PI), expr.has(W)
        self._checked = False
        self._built: dict[object, Callable[..., Any]] = {}

    def check(self) -> None:
        """Raises `CompileError` where a branch that hard labels need does not exist."""
        if self._checked:
            return
        foreign = self.kind.vocabulary.keys() - self.kind.symbols
        if foreign & {symbol.name for symbol in self.source.free_symbols}:
            raise CompileError(
                f"expected a {self.kind.name} formula without {' and '.join(sorted(foreign))}, "
                f"got {self.source}; there are no classes"
            )
        if not self.kind.probabilities:
            self._checked = True
            return
        _ = self.target, self.other
        self._checked = True

    @cached_property
    def target(self) -> Expr:
        """`M(1, p)`."""
        return in_logs(_hard(at_one, self.source).expr.xreplace(ENTRY))

    @cached_property
    def other(self) -> Expr:
        """`M(0, p)`, the limit `y -> 0+` where the value is not finite."""
        return in_logs(_hard(at_zero, self.source).expr.xreplace(ENTRY))

    @cached_property
    def general(self) -> Expr:
        """`M(y, p)` for soft labels and regression."""
        return in_logs(self.entry) if self.kind.probabilities else plain(self.entry)

    @cached_property
    def of_residual(self) -> Expr | None:
        """`M` of a regression loss as a function of the residual `p - y`, where it is one."""
        found = self.general.xreplace({P: Y + RESIDUAL})
        return None if found.has(Y) else found

    @cached_property
    def singular_at_zero(self) -> bool:
        """Whether `M(y, p)` cannot simply be evaluated at `y = 0`."""
        general = self.general
        if _hard(at_zero, self.source).is_limit:
            return True
        negative = any(power.exp.is_negative is not False for power in general.atoms(Pow))
        return negative or general.has(exp) or (self.kind.exclusive and self._is_void_at_masks)

    @property
    def _is_void_at_masks(self) -> bool:
        """Whether `M(y, p)` is NaN at `y = 0`, `p = 0`, as `y*log(p)`: a masked class that is not the target."""
        zero = torch.zeros(1)
        k = [torch.tensor(0.7)] * len(self.coefficients)
        found = self.function(self.general)(zero - math.inf, zero, 10.0, zero + 0.1, zero + 1, k, y=zero)
        return bool(torch.isnan(torch.as_tensor(found)).any())

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
    def linear(self) -> tuple[Expr, Expr] | None:
        """`(a, b)` with `M1 = a log p` and `M0 = b log p`, or None."""
        factors = self.target / LOG_P, self.other / LOG_P
        known = {C, *self._coefficient_names}
        return None if any(factor.free_symbols - known for factor in factors) else factors

    def linear_printed(self, docstring: str = "") -> Printed:
        """The source of the function of the context that returns `a` and `b`, where `linear`."""
        assert self.linear is not None
        names = {C: "C"} | self._coefficient_names
        return print_function(
            "coefficients",
            self.linear,
            ("C", "pi", "w", "k=()"),
            names,
            scalars=frozenset({C}),
            docstring=docstring,
        )

    @cached_property
    def linear_coefficients(self) -> Callable[..., tuple[Any, Any]]:
        """`a` and `b`, where `linear`, of the context."""
        return build(self.linear_printed())

    @cached_property
    def _coefficient_names(self) -> dict[Symbol, str]:
        return {Symbol(c, real=True): f"k[{i}]" for i, c in enumerate(self.coefficients)}

    @cached_property
    def row(self) -> Expr:
        """The instance loss as a function of the target's `p` alone; only where `affine`.

        `sum_i M = M1(p) + (C - 1) constant + slope (1 - p)`, because the probabilities sum to 1.
        """
        assert self.affine is not None
        constant, slope = self.affine.constant, self.affine.slope
        return self.target + slope * Q_ + constant * (C - 1)

    def sound(self, value: Expr) -> Expr:
        """A branch, such that value and derivative by autograd are NaN where an input or the value is."""
        slope = logit_slope(value) if self.kind.probabilities else value.diff(P)
        found, its_slope = sound(self, value, slope)
        return found + void(found) if its_slope.has(void) else found

    @cached_property
    def reach(self) -> tuple[float, float] | None:
        """The logits between which `row`, as it is printed, does not overflow; None: within +-2e4.

        Outside, the composed form and exported files continue the loss by its tangent in the logit: there a
        loss is linear or constant, up to what rounds away, or grows exponentially.
        """
        if self.coefficients:
            return None
        results = rounded(self.row), rounded(logit_slope(self.row))
        function = self.function(*results, differentiable=False)

        def is_finite(size: float, sign: int) -> bool:
            d = sign * size * torch.tensor([[0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.25, 0.5, 1.0]])
            u, v = F.logsigmoid(d), F.logsigmoid(-d)
            found = function(u, v, 10.0, torch.full_like(u, 0.1), torch.ones_like(u))
            return all(bool(torch.isfinite(torch.as_tensor(x)).all()) for x in found)

        sides = [next((size for size in REACHES if is_finite(size, sign)), REACHES[0]) for sign in (-1, 1)]
        low, high = -sides[0], sides[1]
        return None if (low, high) == (-REACHES[0], REACHES[0]) else (low, high)

    def is_one_sided(self, *values: Expr) -> bool:
        """Whether every expression and its slope by `log p` are smooth at `p = 1`."""
        zeros, ones = torch.zeros(2), torch.ones(2)
        at_one = zeros, ones, zeros, 10.0, torch.full((2,), 0.1), ones
        y = torch.tensor([0.3, 1.0])
        coefficients = [torch.tensor(0.7)] * len(self.coefficients)
        for value in values:
            pair = rounded(value), rounded(log_slope(value))
            for expr in pair:
                powers = [power.exp for power in expr.atoms(Pow) if power.base == Q_]
                if expr.has(LOG_Q) or any(power.is_nonnegative is not True for power in powers):
                    return False
            function = self.function(*pair, one_sided=True, differentiable=False)
            ends = function(*at_one, coefficients, y=y)
            if not all(bool(torch.isfinite(torch.as_tensor(end)).all()) for end in ends):
                return False
        return True

    def printed(
        self,
        *results: Expr,
        name: str = "value",
        language: str = "torch",
        one_sided: bool = False,
        of_logit: bool = False,
        differentiable: bool = True,
        docstring: str = "",
    ) -> Printed:
        """The source of a function that returns `results`, tensors of the entries' shape.

        Its parameters are `REGRESSION_ARGUMENTS`, where `one_sided` `ONE_SIDED_ARGUMENTS`, where `of_logit`
        `LOGIT_ARGUMENTS`, else `ARGUMENTS`.
        """
        names: dict[Symbol, str] = {P: "p", Y: "y", W: "w", RESIDUAL: "r"}
        arguments: tuple[str, ...] = REGRESSION_ARGUMENTS
        prelude = {RESIDUAL: "r = p - y"}
        if self.kind.probabilities:
            names = {P_: "p", Q_: "q", LOG_P: "u", LOG_Q: "v", TARGET: "y", C: "C", PRIOR: "pi", WEIGHT: "w"}
            arguments, prelude = ARGUMENTS, {Q_: "q = torch.exp(v)", P_: "p = torch.exp(u)"}
            if one_sided:
                del names[LOG_Q]
                arguments, prelude = ONE_SIDED_ARGUMENTS, {}
            if of_logit:
                # The derivative of `sigmoid` has no digits left where it rounds to 1; its value has all of them.
                known = frozenset[Symbol]().union(*(expr.free_symbols for expr in results))
                if not differentiable and LOG_Q not in known:
                    prelude[Q_] = "q = torch.sigmoid(-d)"
                if not differentiable and LOG_P not in known:
                    prelude[P_] = "p = torch.sigmoid(d)"
                arguments = LOGIT_ARGUMENTS
                prelude |= {LOG_Q: "v = F.logsigmoid(-d)", LOG_P: "u = F.logsigmoid(d)"}
        keywords = ("*", "y=None") if self.kind.probabilities else ()
        return print_function(
            name,
            results,
            (*arguments, *keywords),
            names | self._coefficient_names,
            language=language,
            scalars=frozenset({C}),
            prelude=prelude,
            docstring=docstring,
            differentiable=differentiable,
            entries=(arguments[1 if one_sided else 0], OF_ENTRIES),
        )

    def function(
        self, *results: Expr, one_sided: bool = False, of_logit: bool = False, differentiable: bool = True
    ) -> Callable[..., Any]:
        """The function that `printed` gives the source of, built once."""
        key = (results, one_sided, of_logit, differentiable)
        if key not in self._built:
            self._built[key] = build(
                self.printed(*results, one_sided=one_sided, of_logit=of_logit, differentiable=differentiable)
            )
        return self._built[key]
