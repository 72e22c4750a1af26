"""The Lipschitz constant in the logits: `sup |dL/dz|_2`, `dL/dz_j = p_j (g_j - sum_i p_i g_i)`.

With `M0` affine only the target has a slope: `dL/dz_t = p (1-p) D'(p)` and `dL/dz_j = -p p_j D'(p)`, so the norm is
`p |D'(p)| sqrt((1-p)**2 + sum_j p_j**2)`, at most `p (1-p) |D'(p)|` times the square root of 2, which is approached
when one other class holds the rest. In general `|dL/dz_j| <= sum_i |psi_i|` with `psi = p (1-p) M'(p)`, because
`dL/dz_j = p_j (1-p_j) g_j - sum_{i != j} p_i p_j g_i` and `p_j <= 1 - p_i`.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from sympy import sqrt

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.curve import Curve, Extreme
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import UNIT_TO_THE_ENDS

__all__ = ["lipschitz_in_logits"]


@names_guards
def lipschitz_in_logits(profile: Profile) -> Finding:
    """Whether the 2-norm of the gradient in the logits is bounded, and by what."""
    try:
        curves = {"T": profile.spread} if profile.classes == 2 else {"M1": profile.m1, "M0": profile.m0}
        for name, curve in curves.items():
            broken = _break(name, curve)
            if broken is not None:
                return broken
        if profile.classes == 2:
            return _one_slope(profile.spread)
        if profile.m0.line is not None:
            return _one_slope(profile.difference)
        return _general(profile)
    except (Undecided, Undefined) as error:
        return unknown(str(error))


def _break(name: str, curve: Curve) -> Finding | None:
    """The refutation by a jump, or by a point inside at which the loss diverges."""
    for left, right, point in curve.steps():
        if left is None or right is None:
            continue
        where, limits = point.middle, (left.middle, right.middle)
        if not (left.is_finite and right.is_finite):
            what = "diverges"
        elif left.hi < right.lo or right.hi < left.lo:
            what = "jumps"
        else:
            continue
        return refuted(
            f"{name} {what} at p = {where:.6g}: no slope bounds it",
            {"p": where, "function": name, "left": limits[0], "right": limits[1]},
        )
    return None


def _largest(curve: Curve) -> Extreme | None:
    """Where the absolute value of a curve is largest."""
    top, bottom = curve.extreme(1), curve.extreme(-1)
    if top is None or bottom is None:
        return None
    return top if top.value.middle >= -bottom.value.middle else bottom


def _size(extreme: Extreme) -> float:
    return max(abs(extreme.value.lo), abs(extreme.value.hi))


def _one_slope(curve: Curve) -> Finding:
    if not curve.is_continuous:
        return unknown("the loss is not proved continuous")
    pull = curve.derivative.map(lambda e: shorter(P * (1 - P) * e))
    largest = _largest(pull)
    if largest is None:
        return unknown("the extreme of p (1-p) D'(p) is not settled")
    where = largest.where.middle
    if math.isinf(_size(largest)):
        return refuted(
            f"p (1-p) D'(p), the pull on the target's logit, diverges as p -> {where:.6g}",
            {"p_t": where, "diverges_to": largest.value.middle, "along": "target"},
        )
    reason = f"sup of sqrt(2) p (1-p) |D'(p)|, approached at p_t = {where:.6g} with the rest on one class"
    if largest.value.exact is not None:
        return proved(reason, shorter(sqrt(2) * abs(largest.value.exact)))
    # 1e-15 is more than the three roundings.
    return proved(reason, None, math.sqrt(2) * _size(largest) * (1 + 1e-15))


def _general(profile: Profile) -> Finding:
    if not (profile.m1.is_continuous and profile.m0.is_continuous):
        return unknown("the loss is not proved continuous")
    sizes = []
    for name, curve in (("M1", profile.m1), ("M0", profile.m0)):
        largest = _largest(curve.derivative.map(lambda e: shorter(P * (1 - P) * e)))
        if largest is None:
            return unknown(f"the extreme of p (1-p) {name}' is not settled")
        where = largest.where.middle
        if math.isinf(_size(largest)):
            if where < 1 or _vanishing_rest(profile):
                return refuted(
                    f"p (1-p) {name}'(p) diverges as p -> {where:.6g}, while the other terms stay bounded",
                    {"p": where, "function": name, "diverges_to": largest.value.middle},
                )
            return unknown(f"p (1-p) {name}'(p) diverges as p -> 1, where other terms may make up for it")
        sizes.append(_size(largest))
    sharp = _relaxed(profile)
    # Every one of the C components is at most sum_i |psi_i|.
    crude = sizes[0] + (profile.classes - 1) * sizes[1]
    bound = min(sharp, crude * math.sqrt(profile.classes) * (1 + 1e-14))
    return proved(
        "p (1-p) M1' and p (1-p) M0' are bounded; the constant is an upper bound by intervals, and"
        f" {_attained(profile):.6g} is attained",
        None,
        bound,
    )


def _vanishing_rest(profile: Profile) -> bool:
    limit = Curve(P, profile.m0.derivative.map(lambda e: shorter(P * e)).parts).limit(0, -1)
    return limit is not None and limit.is_finite


def _relaxed(profile: Profile, cells: int = 400) -> float:
    """An upper bound of the norm: for each cell of `g = sum_i p_i g_i`, the terms `(phi_j - g p_j)**2` are
    bounded one by one under Lagrange's relaxation of `sum_j p_j = 1`."""
    borders = np.concatenate([[0.0], 10.0 ** np.arange(-6, -2, 0.25), np.linspace(0.0101, 1.0, cells)])
    boxes = [c.derivative.map(lambda e: shorter(P * e)).over(borders) for c in (profile.m1, profile.m0)]
    if boxes[0] is None or boxes[1] is None or not all(np.all(np.isfinite([b.lo, b.hi])) for b in boxes if b):
        return math.inf
    lo, hi = borders[:-1], borders[1:]
    rest = profile.classes - 1
    # g = sum_i p_i g_i lies between the sums of the extremes of its terms.
    low = boxes[0].lo.min() + rest * boxes[1].lo.min()
    high = boxes[0].hi.max() + rest * boxes[1].hi.max()
    worst = 0.0
    edges = np.linspace(low, high, 200)
    for g_lo, g_hi in itertools.pairwise(edges):
        # dL/dz_j = phi_j - g p_j with phi = p M': enclosed for p in each cell and g in each stretch.
        products = np.array([g_lo * lo, g_lo * hi, g_hi * lo, g_hi * hi])
        squares = []
        for box in boxes:
            assert box is not None
            a, b = box.lo - products.max(axis=0), box.hi - products.min(axis=0)
            squares.append(np.maximum(a**2, b**2))
        best = math.inf
        scale = max(1e-12, float(max(s.max() for s in squares)))
        # sum_j s_j(p_j) <= sum_j sup (s_j(p) - l p) + l for every l, as in `bounds`.
        for slope in np.linspace(-2, 2, 41) * scale:
            top = [float((s - np.minimum(slope * lo, slope * hi)).max()) for s in squares]
            best = min(best, top[0] + rest * top[1] + slope)
        worst = max(worst, best)
    return math.sqrt(worst) * (1 + 1e-12)


def _attained(profile: Profile) -> float:
    """The largest norm on a set of predictions: along the edges to one other class and the even spread."""
    classes = profile.classes
    t = UNIT_TO_THE_ENDS
    # The others just above 0, where their slopes may diverge.
    rest, floor = classes - 1, np.full_like(t, 1e-10)
    largest = 0.0
    for counts, groups in (((1, 1, rest - 1), (t, 1 - t, floor)), ((1, rest), (t, (1 - t) / rest))):
        count, p = np.array(counts)[:, None], np.array(groups)
        p /= (count * p).sum(axis=0)
        boxes = [profile.m1.derivative.at(p[:1]), profile.m0.derivative.at(p[1:])]
        g = np.concatenate([(box.lo + box.hi) / 2 for box in boxes])
        norm = np.sqrt((count * (p * (g - (count * p * g).sum(axis=0))) ** 2).sum(axis=0))
        largest = max(largest, float(np.max(norm[np.isfinite(norm)], initial=0.0)))
    return largest
