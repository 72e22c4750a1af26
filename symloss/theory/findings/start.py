"""What training does first: the null epoch `p = 1/C` (Gonzalez, Miikkulainen, arXiv 2010.00788)."""

from __future__ import annotations

from sympy import Expr, Rational

from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve

__all__ = ["implicit_learning_rate", "slope_at", "trainable_at_start"]


def slope_at(curve: Curve, point: Expr) -> Expr | None:
    """The derivative at an exact point; None at a kink, or where a border may fall on the point."""
    part = curve.part_at(point)
    if part is not None:
        return part.diff(curve.variable).xreplace({curve.variable: point})
    for i in range(len(curve.parts) - 1):
        border = curve.parts[i][0].right
        if border.exact is not None and number_sign(border.exact - point) == 0:
            here = {curve.variable: point}
            (_, a), (_, b) = curve.parts[i], curve.parts[i + 1]
            slopes = a.diff(curve.variable).xreplace(here), b.diff(curve.variable).xreplace(here)
            # Two formulas that meet with one slope are differentiable at the border, whatever cut there.
            equal = all(s.is_finite for s in slopes) and number_sign(slopes[0] - slopes[1]) == 0
            if equal and curve.is_continuous_at(i):
                return slopes[0]
    return None


def _slopes(profile: Profile) -> tuple[Expr, Expr] | None:
    point = Rational(1, profile.classes)
    target, other = slope_at(profile.m1, point), slope_at(profile.m0, point)
    return None if target is None or other is None else (target, other)


_KINK = "a kink or singular point may lie exactly at the uniform prediction"


@names_guards
def trainable_at_start(profile: Profile) -> Finding:
    """`M1'(1/C) < M0'(1/C)`: the first step raises the target's probability."""
    slopes = _slopes(profile)
    if slopes is None:
        return unknown(_KINK)
    target, other = slopes
    # At p = 1/C all entries but the target have the slope M0', so dL/dz_t = p (1-p) (M1' - M0'), by dL/dz_j = p_j (g_j
    # - sum_i p_i g_i).
    pull = shorter(other - target)
    direction = number_sign(pull)
    where = f"at p = 1/{profile.classes}"
    if direction is None:
        return unknown(f"the sign of M0' - M1' = {pull} {where} is not settled")
    if direction > 0:
        return proved(f"M0' - M1' = {float(pull):.6g} > 0 {where}, by evaluation")
    witness = {"p": 1 / profile.classes, "pull": float(pull)}
    return refuted(f"M0' - M1' = {float(pull):.6g} <= 0 {where}: the first step does not raise p_t", witness)


@names_guards
def implicit_learning_rate(profile: Profile) -> Finding:
    """The null-epoch logit gradient over that of cross-entropy: `(M0'(1/C) - M1'(1/C)) / C`."""
    slopes = _slopes(profile)
    if slopes is None:
        return unknown(_KINK)
    target, other = slopes
    # Cross-entropy has M1' = -C and M0' = 0 there: its pull is C.
    ratio = shorter((other - target) / profile.classes)
    return proved(f"(M0'(1/C) - M1'(1/C))/C at C = {profile.classes}, by evaluation", ratio)
