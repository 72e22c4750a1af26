"""A regression loss as a curve of the residual `r = y - p`, where it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sympy import Expr, Integer, Rational, S, Symbol, cosh, lambdify, log, oo

from symloss.errors import SymlossError
from symloss.expr import PI, Loss, P, W, Y, canonicalise, elementary
from symloss.theory.curve import Curve
from symloss.theory.enclose import log_cosh
from symloss.theory.interval import FloatArray
from symloss.theory.pieces import Undecided

__all__ = ["R", "Residual", "value_at"]

R = Symbol("r", real=True)
_POINTS = [Rational(n, 4) for n in (-13, -6, -2, 0, 1, 3, 9)]


def value_at(loss: Loss, y: Expr, p: Expr) -> Expr | None:
    """`M(y, p)` to 50 digits; None where it is not a finite real number."""
    value = elementary(loss.value_expr).subs({Y: y, P: p}, simultaneous=True).evalf(50)
    return value if value.is_Float or value.is_Rational else None


@dataclass(frozen=True)
class Residual:
    """The loss in residuals.

    Attributes:
        loss: the loss.
        formula: `M(y, y - r)`, free of `y` where the loss is translation-invariant.
        invariant: whether it is; None where that is not settled.
        witness: two points of one residual at which the values differ, of a loss that is not.
        target: the `y` of `curve` and `influence`; of no matter where the loss is invariant.
    """

    loss: Loss
    formula: Expr
    invariant: bool | None
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
        shifted = loss.value_expr.subs(P, Y - R)
        formula = canonicalise(shifted, "regression") if Y in shifted.free_symbols else shifted
        if Y not in formula.free_symbols:
            return Residual(loss, formula, True, None)
        found = Residual(loss, shifted, None, None)
        values = found.table(_POINTS)
        base = values[_POINTS.index(Rational(0))]
        for i, k in zip(*np.nonzero(np.abs(values - base) > 1e-9), strict=True):
            y, r = _POINTS[i], _POINTS[k]
            one, two = value_at(loss, y, y - r), value_at(loss, Integer(0), -r)
            if one is not None and two is not None and abs(one - two) > Rational(1, 10**25):
                return Residual(loss, shifted, False, ((y, y - r), (Integer(0), -r)))
        return found

    def table(self, points: Sequence[Expr]) -> FloatArray:
        """`M(y, y - r)` in floats, targets by residuals, NaN where it has no value: to find what is then checked."""
        function = lambdify([Y, P], elementary(self.loss.value_expr), modules="numpy")
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
            Undefined, Undecided: see `Curve.build`.
        """
        expr = self.formula.subs(Y, self.target)
        expr = expr.replace(lambda node: node.func == log and node.args[0].func == cosh, _as_log_cosh)
        return Curve.build(lambda resolver: resolver.smooth(expr, {}), R, -oo, oo)

    @cached_property
    def influence(self) -> Curve:
        """`psi(r) = dM/dr` at the same target."""
        return self.curve.derivative

    @cached_property
    def weight(self) -> Curve | None:
        """`h(y) > 0` of a loss `h(y) f(r) + k(y)` with `f(r) = M(0, -r)`, as a curve of `y`; None if it is not one."""
        slope = self.formula.diff(R)
        at_zero = slope.subs(Y, 0)
        for r in (Rational(1, 2), Rational(-1, 2), Rational(2)):
            try:
                scale = at_zero.subs(R, r)
                if not scale.is_finite or scale == 0:
                    continue
                ratio = slope.subs(R, r) / scale
                if canonicalise(slope - ratio * at_zero, "regression") != 0:
                    return None
                return _of_target(ratio)
            except SymlossError:
                return None
        return None


def _as_log_cosh(node: Expr) -> Expr:
    return log_cosh(node.args[0].args[0])


def _of_target(ratio: Expr) -> Curve:
    """A formula of the target as a curve."""
    return Curve.build(lambda resolver: resolver.smooth(ratio, {}), Y, -oo, oo)
