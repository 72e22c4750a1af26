"""Strict properness: is the true class posterior the only minimum of the expected loss?

For C >= 3 the risk `sum_i q_i M1(p_i) + (1 - q_i) M0(p_i)` is stationary at `p = q` for every `q` exactly when
`h(q) = q M1'(q) + (1-q) M0'(q)` is a constant `h`. Then the slope of each term, less `h`, is
`(q_i - p) (M1'(p) - M0'(p))`: the term falls before `q_i` and rises after it exactly when `M1' < M0'`.
For C = 2 the same holds of `k(p) = p A'(p)`, `A(p) = M1(p) + M0(1-p)`, with `k(p) = k(1-p)` and `k < 0`.
"""

from __future__ import annotations

import numpy as np

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.guards import names_guards
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.constants import number_sign
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.probes import MOVES, POSTERIOR_SHARES, POSTERIOR_TOPS

__all__ = ["proper", "risk"]


def risk(profile: Profile, posterior: FloatArray, p: FloatArray) -> Interval:
    """Enclosures of the expected loss of predictions `p` [..., C] under a class posterior [C]."""
    p = np.asarray(p, dtype=np.float64)
    present, absent = profile.m1.at(p), profile.m0.at(p)
    weight, rest = Interval(posterior, posterior), Interval(1 - posterior, np.nextafter(1 - posterior, 2))
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
    line = curve.line
    continuous = profile.m1.is_continuous and profile.m0.is_continuous
    level = line is not None and number_sign(line.slope) == 0 and continuous
    if line is not None and level and fall.signs <= {-1}:
        return proved(
            f"{name} is constant ({line.intercept}) and M1' < M0' on (0, 1), so p = q is the only minimum"
        )
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
    """A posterior and a prediction that is proved to have a lower risk than the posterior itself."""
    classes = profile.classes
    best: tuple[list[float], list[float], float] | None = None
    for a in POSTERIOR_TOPS:
        for share in POSTERIOR_SHARES if classes > 2 else (1.0,):
            b = (1 - a) * share
            # The predictions move between two classes: the terms of the others are equal, and cancel.
            q = np.array([a, b if classes > 2 else 1 - a])
            rest = (1 - a - b) / max(classes - 2, 1)
            if classes > 2 and not np.isfinite(risk(profile, np.array([rest]), np.array([rest])).hi):
                continue
            moves = np.concatenate([b * MOVES, -a * MOVES])
            p = np.repeat(q[None, :], len(moves), axis=0)
            p[:, 0] += moves
            p[:, 1] -= moves
            here, there = risk(profile, q, q), risk(profile, q, p)
            gap = here.lo - there.hi
            # Rounding of the moves leaves sums that differ by a unit in the last place.
            gap = np.where(np.isfinite(gap), gap, -np.inf)
            i = int(np.argmax(gap))
            if gap[i] > 1e-12 and (best is None or gap[i] > best[2]):
                best = profile.listed(q.tolist(), rest), profile.listed(p[i].tolist(), rest), float(gap[i])
    return best


def _short(values: list[float]) -> str:
    shown = ", ".join(f"{v:.4g}" for v in values[:3])
    return f"({shown}{', ...' if len(values) > 3 else ''})"
