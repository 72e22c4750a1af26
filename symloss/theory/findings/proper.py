"""Strict properness: is the true class posterior the only minimum of the expected loss?

For C >= 3 the risk `sum_i q_i M1(p_i) + (1 - q_i) M0(p_i)` is stationary at `p = q` for every `q` exactly when
`h(q) = q M1'(q) + (1-q) M0'(q)` is a constant `h`. Then the slope of each term, less `h`, is
`(q_i - p) (M1'(p) - M0'(p))`: the term falls before `q_i` and rises after it exactly when `M1' < M0'`.
For C = 2 the same holds of `k(p) = p A'(p)`, `A(p) = M1(p) + M0(1-p)`, with `k(p) = k(1-p)` and `k < 0`: the slope of
the risk `q A(p) + (1-q) A(1-p)` is then `k(p) (q-p)/(p (1-p))`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from sympy import Expr, Integer, Rational

from symloss.errors import DomainError
from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.digits import enclose_to
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import MOVES, POSTERIOR_SHARES, POSTERIOR_TOPS

__all__ = ["proper", "risk"]

_UNITS = 2.0**40
"""Probabilities are multiples of its inverse, so that sums of them are exact."""
_HALVINGS, _DIGITS = 60, 60


def risk(profile: Profile, posterior: FloatArray, p: FloatArray) -> Interval:
    """Enclosures of the expected loss of predictions `p` [..., C] under a class posterior [C]."""
    p = np.asarray(p, dtype=np.float64)
    present, absent = profile.m1.at(p), profile.m0.at(p)
    weight, left = Interval(posterior, posterior), 1 - posterior
    # For q > 1/2 the difference 1 - q is exact (Sterbenz). For q < 1/2 it is at least 1/2, so that 1 - left is exact,
    # and gives q back only where left was exact.
    exact = 1 - left == posterior
    rest = Interval(
        np.where(exact, left, np.nextafter(left, -1)), np.where(exact, left, np.nextafter(left, 2))
    )
    with np.errstate(all="ignore"):
        terms = weight * present + rest * absent
        total = Interval(terms.lo[..., 0], terms.hi[..., 0])
        for i in range(1, p.shape[-1]):
            total = total + Interval(terms.lo[..., i], terms.hi[..., i])
    return total


@names_guards
def proper(profile: Profile) -> Finding:
    """Whether the loss is strictly proper."""
    try:
        curve, fall, name = _conditions(profile)
    except (Undecided, Undefined) as error:
        return unknown(str(error))
    # For C = 2 the curve is k(p) - k(1-p), which changes sign when p and 1-p are swapped: if it is constant it is 0.
    line = curve.line
    continuous = profile.m1.is_continuous and profile.m0.is_continuous
    # A jump of M1 or M0 would be an extreme that slopes do not show.
    level = line is not None and number_sign(line.slope) == 0 and continuous
    if line is not None and level and fall.signs <= {-1}:
        return proved(
            f"{name} is constant ({line.intercept}) and M1' < M0' on (0, 1), so p = q is the only minimum"
        )
    # h constant and M1' = M0': both are h, so M1 and M0 are lines of one slope and the risk does not move on the
    # simplex.
    if level and fall.signs == {0}:
        rest = 0.4 / (profile.classes - 1)
        q, p = profile.listed([0.6], rest), profile.listed([rest, 0.6], rest)
        return refuted(
            "the risk is constant: every prediction is as good as the posterior",
            {"posterior": q, "prediction": p, "gain": 0.0},
        )
    witness = _better(profile)
    if witness is not None:
        q, p, gap = witness
        return refuted(
            f"under the posterior {_short(q)} the prediction {_short(p)} has a risk at least {gap:.3g} lower",
            {"posterior": q, "prediction": p, "gain": gap},
        )
    return unknown(f"whether {name} is constant is not settled")


def _conditions(profile: Profile) -> tuple[Curve, Curve, str]:
    if profile.classes > 2:
        curve = profile.pick(lambda m1, m0: P * m1.diff(P) + (1 - P) * m0.diff(P))
        return curve, profile.difference.derivative, "h(q) = q M1'(q) + (1-q) M0'(q)"
    spread = profile.on(lambda r: profile.target(r, P) + profile.other(r, 1 - P)).derivative
    mirrored = profile.on(
        lambda r: (
            P * (profile.target(r, P) + profile.other(r, 1 - P)).diff(P)
            + (1 - P) * (profile.target(r, 1 - P) + profile.other(r, P)).diff(P)
        )
    )
    # d/dp A(1-p) = -A'(1-p), so the sum is k(p) - k(1-p).
    return mirrored, spread, "k(p) - k(1-p), k(p) = p A'(p), A(p) = M1(p) + M0(1-p),"


def _better(profile: Profile) -> tuple[list[float], list[float], float] | None:
    """A posterior and a prediction that is proved to have a lower risk than the posterior itself.

    Probability moves between two classes; the terms of the others are equal, and cancel.
    """
    classes = profile.classes
    best: tuple[list[float], list[float], float] | None = None
    for first in POSTERIOR_TOPS:
        for share in POSTERIOR_SHARES if classes > 2 else (1.0,):
            # Of C >= 3 classes two entries move and the others, `rest` each, keep their terms, so `rest` need not be
            # exact.
            a = _dyadic(first)
            b = _dyadic((1 - a) * share) if classes > 2 else 1 - a
            rest = (1 - a - b) / max(classes - 2, 1)
            if classes > 2 and not np.isfinite(risk(profile, np.array([rest]), np.array([rest])).hi):
                continue
            q = np.array([a, b])
            moves = _dyadic(np.concatenate([b * MOVES, -a * MOVES]))
            # Multiples of one power of two: both sums are exactly equal.
            p = np.stack([a + moves, b - moves], axis=-1)
            here, there = risk(profile, q, q), risk(profile, q, p)
            with np.errstate(all="ignore"):
                gap = np.where(here.lo > there.hi, here.lo - there.hi, 0.0)
            gap = np.where(np.isfinite(gap), gap, 0.0)
            i = int(np.argmax(gap))
            if gap[i] > 0 and (best is None or gap[i] > best[2]):
                best = profile.listed(q.tolist(), rest), profile.listed(p[i].tolist(), rest), float(gap[i])
    return best or _tilted(profile)


def _dyadic(value: Any) -> Any:
    return np.round(value * _UNITS) / _UNITS


def _tilted(profile: Profile) -> tuple[list[float], list[float], float] | None:
    """The same where floats do not show it: `h(a) != h(b)` tilts the risk at the posterior, so that a step gains."""
    try:
        h = profile.pick(lambda m1, m0: P * m1.diff(P) + (1 - P) * m0.diff(P))
    except (Undecided, Undefined):
        return None
    for first in POSTERIOR_TOPS:
        a = _dyadic(first)
        b = 1 - a if profile.classes == 2 else _dyadic((1 - a) * POSTERIOR_SHARES[1])
        # Moving probability from b to a changes the risk at p = q at the rate h(a) - h(b): against its sign a small
        # enough step gains.
        tilt = h.at(np.array([a])) - h.at(np.array([b]))
        down = -int(tilt.sign[0])
        for k in range(1, _HALVINGS) if down else ():
            step = down * min(a, b) / 2**k
            if Fraction(a + step) + Fraction(b - step) != Fraction(a) + Fraction(b):
                break  # rounded: no longer two predictions of one sum, and a smaller step is no better
            gain = _gain(profile, (a, a + step), (b, b - step))
            if gain > 0:
                rest = (1 - a - b) / max(profile.classes - 2, 1)
                return profile.listed([a, b], rest), profile.listed([a + step, b - step], rest), gain
    return None


def _gain(profile: Profile, *moves: tuple[float, float]) -> float:
    """A lower bound, to many digits, of how much the risk falls as probabilities move; 0 where none is positive."""
    total: Expr = Integer(0)
    for before, after in moves:
        q, weight = Rational(before), Rational(after)
        for share, curve in ((q, profile.m1), (1 - q, profile.m0)):
            parts = curve.part_at(q), curve.part_at(weight)
            if parts[0] is None or parts[1] is None:
                return 0.0
            total += share * (parts[0].xreplace({P: q}) - parts[1].xreplace({P: weight}))
    try:
        low = float(enclose_to(total, _DIGITS).a)
    except DomainError:
        return 0.0
    return max(low, 0.0)


def _short(values: list[float]) -> str:
    shown = ", ".join(f"{v:.4g}" for v in values[:3])
    return f"({shown}{', ...' if len(values) > 3 else ''})"
