"""Losses whose risk has no lower bound: a wrong class can be on top while the risk falls for ever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sympy import Expr, Integer, Rational

from symloss.expr import P
from symloss.theory.certificate import Finding, refuted
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.pieces import Resolver, Undecided, Undefined

__all__ = ["bottomless"]

_TOP = Rational(3, 5)


def bottomless(profile: Profile) -> Finding | None:
    """The refutation of calibration by a risk that is unbounded below where the first class is not on top.

    The posterior has 3/5 for the first class and shares the rest. A risk that falls without bound on a path
    of such predictions is least at none with the first class on top.
    """
    for groups in _paths(profile.classes):
        finding = _falls_along(profile, groups)
        if finding is not None:
            return finding
    return _falls_inside(profile)


def _paths(classes: int) -> list[list[tuple[int, Expr]]]:
    """Predictions as functions of `x -> 0+`: how many classes, in order, have which probability."""
    rest = Integer(classes - 1)
    # Towards the corner of the second class, and towards the middle of the face where the third vanishes: the
    # logarithms and powers of losses diverge where a probability is 0.
    vertex = [(1, P), (1, 1 - rest * P), (classes - 2, P)]
    if classes == 2:
        return [vertex[:2]]
    share = Rational(1, 5) / (classes - 2)
    face = [(1, share), (1, Rational(4, 5) - P), (1, P), (classes - 3, share)]
    return [vertex, face]


def _falls_along(profile: Profile, groups: Sequence[tuple[int, Expr]]) -> Finding | None:
    classes = profile.classes
    share = (1 - _TOP) / (classes - 1)

    def risk(r: Resolver) -> Expr:
        total, first = Integer(0), 0
        for count, p in groups:
            if count:
                q = share if first else _TOP
                total += count * (q * profile.target(r, p) + (1 - q) * profile.other(r, p))
                first += count
        return total

    try:
        # On x < 1/(20 C) the second class stays on top: 1 - (C-1) x > 0.95, and 4/5 - x > 1/5.
        limit = profile.on(risk, Rational(1, 20 * classes)).limit(0, -1)
    except (Undecided, Undefined):
        return None
    if limit is None or not limit.lo == limit.hi == -np.inf:
        return None
    near, far = (
        [float(p.subs(P, x)) for count, p in groups for _ in range(min(count, 3))]
        for x in (Rational(0), Rational(1, 20 * classes))
    )
    return _refuted(profile, far, near)


def _falls_inside(profile: Profile) -> Finding | None:
    """The same of a function that diverges at a point inside (0, 1), with the other terms finite."""
    classes = profile.classes
    for curve, other in ((profile.m1, profile.m0), (profile.m0, profile.m1)):
        for left, right, point in curve.steps():
            sides = [s for s, limit in ((-1, left), (1, right)) if limit is not None and limit.hi == -np.inf]
            # With two classes the second is on top only beyond 1/2; with more, `_around` puts another above the first.
            if not sides or (classes == 2 and point.lo <= 0.5):
                continue
            where = point.middle
            prediction = _around(where, classes)
            terms = [profile.m1.at(np.array(prediction)), profile.m0.at(np.array(prediction))]
            others = [i for i in range(len(prediction)) if i != 1]
            finite = all(np.isfinite([b.lo[i], b.hi[i]]).all() for b in terms for i in others)
            there = other.at(np.array([where]))
            if finite and np.isfinite([there.lo[0], there.hi[0]]).all():
                step = sides[0] * 1e-3
                start = list(prediction)
                start[1] += step
                start[0] -= step
                return _refuted(profile, start, prediction)
    return None


def _around(where: float, classes: int) -> list[float]:
    """A prediction with the second class at `where` and another than the first on top; those after the fourth
    are as the fourth."""
    if classes == 2:
        return [1 - where, where]
    rest = 1 - where
    if classes == 3:
        return [0.3 * rest, where, 0.7 * rest]
    return [0.1 * rest, where, 0.6 * rest] + [0.3 * rest / (classes - 3)]


def _refuted(profile: Profile, start: Sequence[float], end: Sequence[float]) -> Finding:
    posterior = profile.listed([float(_TOP)], float((1 - _TOP) / (profile.classes - 1)))
    start, end = (profile.listed(some[: profile.classes], some[-1]) for some in (start, end))
    shown = ", ".join(f"{v:.4g}" for v in end[:3])
    return refuted(
        f"under the posterior ({posterior[0]:.4g}, {posterior[1]:.4g}, ...) the risk falls without"
        f" bound towards the prediction ({shown}{', ...' if len(end) > 3 else ''}), in which the first class is"
        " not on top",
        {"posterior": posterior, "from": start, "toward": end},
    )
