"""A regression loss as a curve of the residual `r = y - p`, where it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sympy import (
    Add,
    Expr,
    I,
    Integer,
    Max,
    Min,
    Poly,
    Rational,
    S,
    Symbol,
    cosh,
    expand,
    lambdify,
    log,
    nan,
    oo,
    preorder_traversal,
    zoo,
)

from symloss.errors import SymlossError
from symloss.expr import PI, Loss, P, W, Y, canonicalise, elementary, log_cosh, plog, psqrt
from symloss.theory.functions.curve import Curve, Limit
from symloss.theory.functions.interval import FloatArray
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import TARGETS_AND_RESIDUALS

__all__ = ["SEEN", "Family", "R", "Residual", "is_above", "value_at"]

R = Symbol("r", real=True)
_MOST_LEANS = 4


SEEN = 1e-12
"""A relative difference in floats that is worth a look at 50 digits."""
_SURE = Rational(1, 10**25)
"""A relative difference at 50 digits that is one."""


def is_above(value: Expr, other: Expr, *scales: Expr) -> bool:
    """Whether one value at 50 digits is larger than another, sizes being those of `scales`."""
    return bool(value - other > _SURE * max(map(abs, scales)))


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
        shifted = loss.value_expr.subs(P, Y - R).replace(_is_extremum, _shifted_extremum)
        formula = canonicalise(shifted, "regression") if Y in shifted.free_symbols else shifted
        if Y not in formula.free_symbols:
            return Residual(loss, formula, True, None)
        found = Residual(loss, shifted, None, None)
        points = TARGETS_AND_RESIDUALS
        values = found.table(points)
        for base, other in ((Integer(0), values[points.index(Integer(0))]), (points[-1], values[-1])):
            apart = np.abs(values - other) > SEEN * np.fmax(np.abs(values), np.abs(other))
            for i, k in zip(*np.nonzero(apart), strict=True):
                y, r = points[i], points[k]
                one, two = value_at(loss, y, y - r), value_at(loss, base, base - r)
                if one is not None and two is not None and is_above(abs(one - two), S.Zero, one, two):
                    return Residual(loss, shifted, False, ((y, y - r), (base, base - r)))
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
            Undefined, Undecided: see `Curve.build`.
        """
        expr = self.formula.subs(Y, self.target)
        if expr.has(nan, zoo, oo, -oo, I):
            raise Undefined(f"the loss has no finite real value at the target {self.target}")
        expr = expr.replace(lambda node: node.func == log and node.args[0].func == cosh, _as_log_cosh)
        return Curve.build(lambda resolver: resolver.smooth(expr, {}), R, -oo, oo)

    @cached_property
    def influence(self) -> Curve:
        """`psi(r) = dM/dr` at the same target."""
        return self.curve.derivative

    @cached_property
    def family(self) -> Family | None:
        """How the curves at the other targets follow from the one at 0; None if no way is found."""
        leans = [S.One, S.Zero, *_leans(self.loss.value_expr)]
        found = [(lean, self._along(lean)) for lean in leans]
        for lean, along in found:
            if Y not in along.free_symbols:
                return Family(lean, None, True)
        for lean, along in found:
            try:
                weight = _weight(along)
                _of_target(along.subs(R, S.One))  # raises where the loss has no value at some target
            except SymlossError:
                continue
            if weight is not None and weight.signs <= {0, 1}:
                return Family(lean, weight, False)
        return None

    def _along(self, lean: Expr) -> Expr:
        """`M(y, lean y - r)`."""
        return canonicalise(self.loss.value_expr.subs(P, lean * Y - R), "regression")


@dataclass(frozen=True)
class Family:
    """A loss `M(y, c y - s) = h(y) f(s) + k(y)` with `h >= 0`: one curve, moved and scaled from target to target.

    Attributes:
        lean: `c`; 1 where `s` is the residual, 0 where it is the prediction alone.
        weight: `h` as a curve of `y`, 1 at the target 0; None where it is 1 everywhere.
        same: whether `k` is a constant and `h` is 1, so that the values are the same at every target.
    """

    lean: Expr
    weight: Curve | None
    same: bool

    def __str__(self) -> str:
        form = "f(s)" if self.same else "h(y) f(s) + k(y), h >= 0,"
        target = {S.Zero: "", S.One: "y "}.get(self.lean, f"{float(self.lean):.6g} y ")
        return f"the loss is {form} of s = {target}- p"

    @cached_property
    def most(self) -> Limit | None:
        """The supremum of `h`, None where none is known."""
        if self.weight is None:
            return Limit(1.0, 1.0, S.One)
        top = self.weight.extreme(1)
        return None if top is None else top.value


def _leans(formula: Expr) -> list[Expr]:
    """The `c` of the forms `b (c y - p) + a` in a formula, the simplest first."""
    found = set()
    for node in preorder_traversal(formula):
        if node.is_Add and {Y, P} <= node.free_symbols and node.is_polynomial(Y, P):
            form = Poly(node, Y, P)
            if form.total_degree() == 1:
                found.add(-form.coeff_monomial(Y) / form.coeff_monomial(P))
    return sorted(found - {S.One}, key=lambda c: (c.count_ops(), str(c)))[:_MOST_LEANS]


def _weight(along: Expr) -> Curve | None:
    """`h(y)` of a formula `h(y) f(r) + k(y)` with `h(0) = 1`; None if it is not one."""
    slope = along.diff(R)
    at_zero = slope.subs(Y, 0)
    for r in (Rational(1, 2), Rational(-1, 2), Rational(2)):
        scale = at_zero.subs(R, r)
        if not scale.is_finite or scale == 0:
            continue
        ratio = slope.subs(R, r) / scale
        # Of the values and not of the slopes, which say nothing of jumps.
        if R in canonicalise(along - ratio * along.subs(Y, 0), "regression").free_symbols:
            return None
        return _of_target(ratio)
    return None


def _of_target(formula: Expr) -> Curve:
    """A formula of the target as a curve."""
    return Curve.build(lambda resolver: resolver.smooth(formula, {}), Y, -oo, oo)


def _is_extremum(node: Expr) -> bool:
    return isinstance(node, Max | Min)


def _shifted_extremum(node: Expr) -> Expr:
    """`max(y, y - r)` as `y + max(0, -r)`: what depends on the target in the same way drawn out of all arguments."""
    shared = Add(*[term for term in Add.make_args(expand(node.args[0])) if Y in term.free_symbols])
    rest = [expand(arg - shared) for arg in node.args]
    return node if any(Y in arg.free_symbols for arg in rest) else shared + node.func(*rest)


def _as_log_cosh(node: Expr) -> Expr:
    return log_cosh(node.args[0].args[0])
