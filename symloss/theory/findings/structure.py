"""What the instance loss depends on: the target alone, or every label alike."""

from __future__ import annotations

import numpy as np
from sympy import Integer

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import MOVE_SHARES, UNIT_HALF, UNIT_INSIDE

__all__ = ["symmetric_noise_robust", "target_only"]


@names_guards
def target_only(profile: Profile) -> Finding:
    """`M0` is affine on (0, 1), or C = 2: the instance loss is a function of `p_t` alone."""
    if profile.classes == 2:
        return proved("with two classes the other probability is 1 - p_t")
    line = profile.m0.line
    if line is not None:
        # sum_j (s p_j + b) over the others is s (1 - p_t) + (C-1) b.
        formula = shorter(line.slope * P + line.intercept)
        return proved(f"M0(p) = {formula} is affine, and the probabilities sum to 1")
    witness = _uneven(profile.m0, profile.classes)
    if witness is not None:
        a, b, step, gap = witness
        return refuted(
            f"moving {step:.4g} from one other class at {a:.6g} to another at {b:.6g} keeps p_t and changes the"
            f" loss by {gap:.3g}",
            {"from": a, "to": b, "step": step, "change": gap},
        )
    return unknown("whether M0 is affine is not settled")


def _uneven(curve: Curve, classes: int) -> tuple[float, float, float, float] | None:
    """`(a, b, d, change)` with `M0(a-d) + M0(b+d)` apart from `M0(a) + M0(b)`, `a + b < 1`."""
    a, b, share = (v.ravel() for v in np.meshgrid(UNIT_INSIDE, UNIT_INSIDE, MOVE_SHARES))
    step = a * share
    keep = (a + b < 0.97) & (a - step > 0) & (np.abs(a - step - b) > 1e-12)
    a, b, step = a[keep], b[keep], step[keep]
    # Multiples of 2**-40: `a - step` and `b + step` are then exact, and the two sums equal.
    step = np.round(step * 2.0**40) / 2.0**40
    a, b = np.round(a * 2.0**40) / 2.0**40, np.round(b * 2.0**40) / 2.0**40
    # Both pairs have one sum, and an affine function one value on both.
    before = curve.at(a) + curve.at(b)
    after = curve.at(a - step) + curve.at(b + step)
    change = after - before
    gap = np.where(change.lo > 0, change.lo, np.where(change.hi < 0, change.hi, 0.0))
    gap[~np.isfinite(gap)] = 0.0
    best = int(np.argmax(np.abs(gap)))
    if gap[best] == 0:
        return None
    return float(a[best]), float(b[best]), float(step[best]), float(gap[best])


@names_guards
def symmetric_noise_robust(profile: Profile) -> Finding:
    """`sum_k L(e_k, p)` is constant (Ghosh, Kumar, Sastry 2017): `G = M1 + (C-1) M0` is affine."""
    classes = Integer(profile.classes)
    try:
        if profile.classes == 2:
            return _two_classes(profile)
        curve = profile.pick(lambda m1, m0: m1 + (classes - 1) * m0)
    except (Undecided, Undefined) as error:
        return unknown(str(error))
    line = curve.line
    if line is not None:
        # sum_k L(e_k, p) = sum_i G(p_i): entry i is the target for one k and another class for C-1 of them. With G(p) =
        # s p + b it is s + C b.
        constant = shorter(line.slope + classes * line.intercept)
        return proved(
            "G(p) = M1(p) + (C-1) M0(p) is affine, so its sum over the classes is constant", constant
        )
    witness = _uneven(curve, profile.classes)
    if witness is not None:
        a, b, step, gap = witness
        return refuted(
            f"moving {step:.4g} of probability from a class at {a:.6g} to one at {b:.6g} changes the sum over all"
            f" labels by {gap:.3g}",
            {"from": a, "to": b, "step": step, "change": gap},
        )
    return unknown("whether G = M1 + (C-1) M0 is affine is not settled")


def _two_classes(profile: Profile) -> Finding:
    curve = profile.on(
        lambda r: sum((profile.target(r, q) + profile.other(r, q) for q in (P, 1 - P)), Integer(0))
    )
    line = curve.line
    if line is not None and number_sign(line.slope) == 0:
        return proved("G(p) + G(1-p), G = M1 + M0, is constant", shorter(line.intercept))
    value = curve.at(UNIT_HALF)
    low, high = int(np.argmin(value.hi)), int(np.argmax(value.lo))
    if value.hi[low] < value.lo[high]:
        a, b = float(UNIT_HALF[low]), float(UNIT_HALF[high])
        return refuted(
            f"the sum over both labels is {value.hi[low]:.6g} at p = {a:.6g} and {value.lo[high]:.6g} at {b:.6g}",
            {"p": a, "other_p": b},
        )
    return unknown("whether G(p) + G(1-p) is constant is not settled")
