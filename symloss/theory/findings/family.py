"""Losses that are one curve at every target, moved and scaled: `M(y, c y - s) = h(y) f(s) + k(y)` with `h >= 0`.

What holds of `f` then holds at every target, weights by the target included: `abs(y)*abs(y - 1.2*p)` is `|s|` with
`c = 5/6` and `h = 1.2 |y|`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from sympy import Expr, Integer, Poly, Rational, S, Symbol, nan, oo, preorder_traversal, zoo

from symloss.errors import SymlossError
from symloss.expr import P, Y, canonicalise
from symloss.theory.functions.curve import Curve, Limit
from symloss.theory.functions.plane import is_defined, is_nonnegative

__all__ = ["Family", "R", "bare", "family_of"]

R = Symbol("r", real=True)
_MOST_LEANS = 4
_NO_VALUES = (nan, zoo, oo, -oo)
_BASES = tuple(map(Integer, (0, 1, -1, 2)))
"""Targets that are tried for the one whose curve is `f`: at some of them weights vanish."""
_SPOTS = (Rational(1, 2), Rational(-1, 2), Rational(2))


@dataclass(frozen=True)
class Family:
    """`M(y, c y - s) = h(y) f(s) + k(y)`, `h >= 0`.

    Attributes:
        lean: `c`; 1 where `s` is the residual, 0 where it is the prediction alone.
        shape: `f`, a formula of `R`.
        weight: `h`, a formula of `Y` that is 1 at the base.
        offset: `k`, a formula of `Y`.
        base: the target at which `f` is the loss.
    """

    lean: Expr
    shape: Expr
    weight: Expr
    offset: Expr
    base: Expr

    @property
    def moves_alone(self) -> bool:
        """Whether the curve has the same values at every target."""
        return self.weight == 1 and Y not in self.offset.free_symbols

    def __str__(self) -> str:
        form = "f(s)" if self.moves_alone else "h(y) f(s) + k(y), h >= 0,"
        target = {S.Zero: "", S.One: "y "}.get(self.lean, f"{float(self.lean):.6g} y ")
        return f"the loss is {form} of s = {target}- p"

    def prediction(self, s: float) -> float:
        """The `p` at the base that has this `s`."""
        return float(self.lean * self.base) - s

    def residual(self, s: float) -> float:
        """The `r = y - p` at the base that has this `s`."""
        return float((1 - self.lean) * self.base) + s

    @property
    def bare_weight(self) -> Expr:
        """`h` without a factor that is a number."""
        return bare(self.weight)

    @cached_property
    def most(self) -> Limit | None:
        """The supremum of `h`; None where none is known."""
        if self.weight == 1:
            return Limit(1.0, 1.0, S.One)
        top = _of_target(self.weight).extreme(1)
        return None if top is None else top.value


def bare(weight: Expr) -> Expr:
    """A weight of targets without a factor that is a number."""
    return weight.as_content_primitive()[1] if weight.is_Add else weight.as_independent(Y, as_Add=False)[1]


def family_of(formula: Expr) -> Family | None:
    """The family that a loss is seen to be, the simplest `c` first; None where it is seen to be none."""
    # Along p = c y - s a family has the variables y and s apart.
    leans = [S.One, S.Zero, *_leans(formula)]
    found = [(lean, canonicalise(formula.subs(P, lean * Y - R), "regression")) for lean in leans]
    for lean, along in found:
        if Y not in along.free_symbols:
            return _written(formula, Family(lean, along, S.One, S.Zero, S.Zero))
    for lean, along in found:
        if not _has_values(along):
            continue
        for base in _BASES:
            family = _scaled(lean, along, base)
            if family is not None:
                return _written(formula, family)
    return None


def _written(formula: Expr, family: Family) -> Family:
    """The family, its curve as the formula has it: a canonical form over one denominator is no good for enclosures."""
    shape = formula.subs({Y: family.base, P: family.lean * family.base - R}, simultaneous=True)
    return family if shape.has(*_NO_VALUES) else replace(family, shape=shape)


def _leans(formula: Expr) -> list[Expr]:
    """The `c` of the forms `b (c y - p) + a` in a formula, the simplest first."""
    found = set()
    for node in preorder_traversal(formula):
        if node.is_Add and {Y, P} <= node.free_symbols and node.is_polynomial(Y, P):
            form = Poly(node, Y, P)
            if form.total_degree() == 1:
                # b (c y - p) + a has the coefficients b c of y and -b of p.
                found.add(-form.coeff_monomial(Y) / form.coeff_monomial(P))
    return sorted(found - {S.One}, key=lambda c: (c.count_ops(), str(c)))[:_MOST_LEANS]


def _has_values(along: Expr) -> bool:
    """Whether the loss is real at every target, for one `s` at least."""
    spot = along.subs(R, S.One)
    if is_defined(spot):
        return True
    try:
        return _of_target(spot).is_continuous
    except SymlossError:
        return False


def _scaled(lean: Expr, along: Expr, base: Expr) -> Family | None:
    # If the family exists, its slopes at two targets are in the ratio of the weights, at every s: one s proposes h, and
    # the values decide.
    slope, shape = along.diff(R), along.subs(Y, base)
    for spot in _SPOTS:
        scale = slope.subs({Y: base, R: spot})
        if not scale.is_finite or scale == 0:
            continue
        weight = canonicalise(slope.subs(R, spot) / scale, "regression")
        # Of the values and not of the slopes, which say nothing of jumps.
        offset = canonicalise(along - weight * shape, "regression")
        if R in offset.free_symbols or not _is_weight(weight):
            return None
        return Family(lean, shape, weight, offset, base)
    return None


def _is_weight(weight: Expr) -> bool:
    if is_defined(weight) and is_nonnegative(weight):
        return True
    try:
        curve = _of_target(weight)
        return curve.signs <= {0, 1} and curve.is_continuous
    except SymlossError:
        return False


def _of_target(formula: Expr) -> Curve:
    """A formula of the target as a curve.

    Raises:
        Undefined, Undecided: see `Curve.build`.
    """
    return Curve.build(lambda resolver: resolver.smooth(formula, {}), Y, -oo, oo)
