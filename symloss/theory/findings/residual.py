"""A regression loss as a curve of the residual `r = y - p`, where it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from sympy import (
    Abs,
    Add,
    Expr,
    I,
    Integer,
    Max,
    Min,
    S,
    Symbol,
    cosh,
    expand,
    lambdify,
    log,
    nan,
    oo,
    sqrt,
    zoo,
)

from symloss.errors import DomainError
from symloss.expr import PI, Loss, P, W, Y, canonicalise, elementary, log_cosh, plog, psqrt
from symloss.theory.findings.family import Family, R, family_of
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.digits import enclose_to
from symloss.theory.functions.interval import FloatArray
from symloss.theory.functions.periodic import period_of
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import TARGETS_AND_RESIDUALS
from symloss.theory.functions.slope import slope_in_p

__all__ = ["SEEN", "R", "Residual", "on_line", "value_at"]

SEEN = 1e-12
"""A relative difference in floats that is worth a look at many digits."""
_DIGITS = 50
_NO_VALUES = (nan, zoo, oo, -oo, I)


def value_at(loss: Loss, y: Expr, p: Expr) -> Any:
    """An interval of mpmath around `M(y, p)` at rational numbers, 50 digits; None where it is not seen to be real."""
    try:
        return enclose_to(loss.value_expr, _DIGITS, {Y: y, P: p})
    except DomainError:
        return None


def on_line(expr: Expr, variable: Symbol) -> Curve:
    """A formula as a curve on the whole line; a periodic one on two periods around 0: every extreme lies inside.

    Raises:
        Undefined, Undecided: see `Curve.build`; the former too where it has no finite value.
    """
    if expr.has(*_NO_VALUES):
        raise Undefined("the loss has no finite real value there")
    expr = expr.replace(lambda node: node.func == log and node.args[0].func == cosh, _as_log_cosh)
    # Extremes of a periodic curve on (-T, T) are those on the line. One period would not do: its end would be a place
    # that is nowhere inside.
    period = period_of(expr, variable)
    ends = (-oo, oo) if period is None else (-period, period)
    return Curve.build(lambda resolver: resolver.smooth(expr, {}), variable, *ends)


@dataclass(frozen=True)
class Residual:
    """The loss in residuals.

    Attributes:
        loss: the loss.
        formula: `M(y, y - r)`, free of `y` where the loss is translation-invariant.
        invariant: whether it is proved to be.
        witness: two points of one residual at which the values differ, of a loss that is not.
        target: the `y` of `curve` and `influence`; of no matter where the loss is invariant.
    """

    loss: Loss
    formula: Expr
    invariant: bool
    witness: tuple[tuple[Expr, Expr], tuple[Expr, Expr]] | None
    target: Expr = S.Zero

    @staticmethod
    def of(loss: Loss) -> Residual:
        """The loss in residuals.

        Raises:
            Undecided: where it depends on something else than target and prediction.
        """
        foreign = loss.value_expr.free_symbols & {PI, W} or loss.value_expr.free_symbols - {Y, P}
        if foreign:
            raise Undecided(f"the formula depends on {min(map(str, foreign))}, which is not a fixed number")
        # M(y, y - r) free of y by algebra proves that M depends on r alone; a pair of points with one residual and two
        # values refutes it.
        shifted = loss.value_expr.subs(P, Y - R).replace(_is_extremum, _shifted_extremum)
        formula = canonicalise(shifted, "regression") if Y in shifted.free_symbols else shifted
        if Y not in formula.free_symbols:
            return Residual(loss, formula, True, None)
        found = Residual(loss, shifted, False, None)
        points = TARGETS_AND_RESIDUALS
        values = found.table(points)
        # Against the row of the target 0, then against the last: at 0 the loss may have no value.
        for base, other in ((Integer(0), values[points.index(Integer(0))]), (points[-1], values[-1])):
            apart = np.abs(values - other) > SEEN * np.fmax(np.abs(values), np.abs(other))
            for i, k in zip(*np.nonzero(apart), strict=True):
                y, r = points[i], points[k]
                one, two = value_at(loss, y, y - r), value_at(loss, base, base - r)
                if one is not None and two is not None and (one.a > two.b or two.a > one.b):
                    return replace(found, witness=((y, y - r), (base, base - r)))
        return found

    @property
    def classes(self) -> int:
        return 2  # of no account

    @property
    def guard_note(self) -> str:
        """What is assumed of protected operators, or `""`."""
        guarded = self.formula.has(plog, psqrt)
        return "; protected operators count as outside their guard" if guarded else ""

    def table(self, points: Sequence[Expr]) -> FloatArray:
        """`M(y, y - r)` in floats, targets by residuals, NaN where it has no value: to find what is then checked."""
        # Integers beyond 64 bits are none of numpy's: constants as floats.
        function = lambdify([Y, P], elementary(self.loss.value_expr).evalf(), modules="numpy")
        line = np.array([float(point) for point in points])
        y = np.repeat(line[:, None], len(points), axis=1)
        with np.errstate(all="ignore"):
            values = np.broadcast_to(np.asarray(function(y, y - line)), y.shape)
        return np.where(np.isfinite(values), values, np.nan).astype(np.float64)

    def at(self, target: Expr) -> Residual:
        """The same loss, looked at with another target."""
        return replace(self, target=target)

    @cached_property
    def curve(self) -> Curve:
        """`f(r)` of a translation-invariant loss, else `M(y, y - r)` at the target.

        Raises:
            Undefined, Undecided: see `on_line`.
        """
        return on_line(self.formula.subs(Y, self.target), R)

    @cached_property
    def influence(self) -> Curve:
        """`psi(r) = dM/dr` at the same target."""
        return self.curve.derivative

    @cached_property
    def slope(self) -> Expr:
        """`dM/dp`, protected operators as outside their guard."""
        # plog(u) = log(|u|) and psqrt(u) = sqrt(|u|) outside their guards.
        plain = self.loss.value_expr
        for guarded, free in ((plog, log), (psqrt, sqrt)):
            plain = plain.replace(guarded, lambda x, f=free: f(Abs(x)))
        return shorter(slope_in_p(plain))

    @cached_property
    def family(self) -> Family | None:
        """The one curve that the loss is at every target, moved and scaled; None where that is not seen."""
        if self.invariant:
            return Family(S.One, self.formula, S.One, S.Zero, self.target)
        return family_of(self.loss.value_expr)


def _is_extremum(node: Expr) -> bool:
    return isinstance(node, Max | Min)


def _shifted_extremum(node: Expr) -> Expr:
    """`max(y, y - r)` as `y + max(0, -r)`: what depends on the target in the same way drawn out of all arguments."""
    shared = Add(*[term for term in Add.make_args(expand(node.args[0])) if Y in term.free_symbols])
    rest = [expand(arg - shared) for arg in node.args]
    return node if any(Y in arg.free_symbols for arg in rest) else shared + node.func(*rest)


def _as_log_cosh(node: Expr) -> Expr:
    return log_cosh(node.args[0].args[0])
