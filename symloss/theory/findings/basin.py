"""Whether small asymmetries of the other classes stay small on the way to an attractor.

Gradient flow on the logits from the null epoch keeps the others' probabilities equal, `x = (1-p)/(C-1)`; where their
logits are pulled together, it does so from starts nearby as well. To first order their differences shrink at the rate

    s(x) = x (M0'(x) - g) + x**2 M0''(x),    g = p M1'(p) + (1-p) M0'(x):

`dz_j/dt = -p_j (M0'(p_j) - g)`, whose derivative in `p_j` is `-(M0' - g + x M0'')`, and `dp_j = x dz_j`; g changes to
second order only, as differences of the others sum to 0. As `M0' - g = -p T'(p)`, both terms are at least 0 where M0 is
convex and p rises.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from sympy import Expr, Integer, Rational

from symloss.expr import P
from symloss.theory.findings.profile import Profile
from symloss.theory.functions.algebra import shorter
from symloss.theory.functions.convexity import is_convex, opens
from symloss.theory.functions.curve import Curve
from symloss.theory.functions.enclose import enclose_sharply
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.points import Point
from symloss.theory.functions.probes import ENTRIES_OF_CERTAINTY

__all__ = ["stays_even"]

_MAX_GROWTH = 20
"""A start counts as nearly symmetric only if its asymmetry grows by no more than this factor."""


def stays_even(profile: Profile, end: Point) -> str:
    """Why the other classes stay together as far as it matters, on the way from the null epoch to `p = end`.

    Raises:
        Undecided: where that is not settled.
    """
    if profile.classes == 2:
        return "with two classes there is nothing to spread"
    # By Jensen's inequality no spread of the others has a lower loss than the even one, at any p.
    if is_convex(profile.m0):
        return "M0 is convex"
    problem = _asymmetry(profile, end)
    if not problem:
        return "M0 pulls the other classes together along the way"
    # M0 need not pull together to the very end: beyond some p_t the target rises however the others are spread.
    if end.lo == end.hi == 1.0:
        entry = _entry_of_certainty(profile)
        if entry is not None and not _splits(profile, entry) and _growth(profile, entry) <= _MAX_GROWTH:
            return (
                f"M0 is not convex, but a small asymmetry of the other classes grows at most {_MAX_GROWTH}-fold"
                f" until p_t = {entry:g}, from where p_t rises whatever their spread (M0' > M1' there)"
            )
    raise Undecided(problem)


def _asymmetry(profile: Profile, end: Point) -> str:
    """Why the other classes might drift apart on the way, or `""` when that is excluded."""
    low, high = sorted([1 / profile.classes, end.middle])
    if _splits(profile, end.middle):
        return "M0 has a kink on the way to p* at which the other classes may drift apart"
    try:
        curve = _along(profile, _shrinking)
    except (Undecided, Undefined) as error:
        return str(error)
    for span in curve.pattern:
        if span.right.hi <= low or span.left.lo >= high:
            continue
        overlap = min(span.right.hi, high) - max(span.left.lo, low)
        if span.sign not in (0, 1) and overlap > 1e-9:
            return "M0 is not convex, and the other classes may drift apart on the way to p*"
    if not end.is_finite or end.lo <= 0 or end.hi >= 1:
        return ""
    # At p* inside (0, 1) T' = 0, so that s(x) = x**2 M0''(x).
    x = (1 - end.middle) / (profile.classes - 1)
    bend = profile.m0.derivative.derivative.at(np.array([x]))
    return "" if bend.lo[0] > 0 else "the even spread is not proved to be a minimum at p*"


def _splits(profile: Profile, end: float) -> bool:
    """Whether the other classes meet a kink of `M0` that bends down between the null epoch and `p = end`.

    Of two classes on its two sides, the one above is pushed up: `-y*log(p) - 2*(1 - y)*max(p, 1/5)` with five
    classes ends at 1/2, and not at 1.
    """
    low, high = sorted((1 - p) / (profile.classes - 1) for p in (1 / profile.classes, end))
    return any(
        cell.right.hi >= low - 1e-12 and cell.right.lo <= high + 1e-12 and not opens(profile.m0, i)
        for i, (cell, _) in enumerate(profile.m0.parts[:-1])
    )


def _along(profile: Profile, make: Callable[[Expr, Expr, Expr], Expr]) -> Curve:
    """A curve in `p` made of `M1(p)`, `M0(x)` and `x = (1-p)/(C-1)`."""
    x = (1 - P) / Integer(profile.classes - 1)
    return profile.on(lambda r: make(profile.target(r, P), profile.other(r, x), x))


def _shrinking(m1: Expr, even: Expr, x: Expr) -> Expr:
    """`s(x)`, from `M0(x)` as a function of `p`."""
    # x' = -1/(C-1), so M0'(x) = -(C-1) d/dp M0(x(p)) and M0''(x) = (C-1)**2 d2/dp2 M0(x(p)).
    rest = -1 / x.diff(P)
    pull = -rest * even.diff(P)  # M0'(x)
    mean = P * m1.diff(P) + (1 - P) * pull
    return shorter(x * (pull - mean) + x**2 * even.diff(P, 2) * rest**2)


def _entry_of_certainty(profile: Profile) -> float | None:
    """A `p0` beyond which the flow raises `p_t` to 1 whatever the spread of the rest, or None.

    With `w = 1 - p_t`, `q_j = p_j/w` over the others and `Q = sum_j q_j**2`,

        dp_t/dt = p_t w**2 (sum_j (p_t (1+Q) - Q + q_j) q_j M0'(p_j) - p_t (1+Q) M1'(p_t)),

    where the weights of `M0'` are positive for `p_t > 1/2` and add up to that of `M1'`: it is positive where
    `M0' > c > M1'` for some `c`, `M0'` on (0, w) and `M1'` on (p0, 1).
    """
    if not (profile.m1.is_continuous and profile.m0.is_continuous):
        return None
    target, other = profile.m1.derivative, profile.m0.derivative
    for p0 in ENTRIES_OF_CERTAINTY:
        # A grid proposes the constant c between the two slopes; the signs of M0' - c and c - M1' prove it.
        high, low = np.linspace(p0, 1, 64)[1:-1], np.linspace(0, 1 - p0, 64)[1:-1]
        top, bottom = float(np.max(target.at(high).hi)), float(np.min(other.at(low).lo))
        if not top < bottom or not np.isfinite([top, bottom]).all():
            continue
        between = Rational(repr(round((top + bottom) / 2, 6)))
        signs = {
            *_signs_between(target.map(lambda e, c=between: c - e), p0, 1.0),  # type: ignore[misc]
            *_signs_between(other.map(lambda e, c=between: e - c), 0.0, 1 - p0),  # type: ignore[misc]
        }
        if signs <= {1}:
            return p0
    return None


def _signs_between(curve: Curve, low: float, high: float) -> set[int | None]:
    return {span.sign for span in curve.pattern if span.right.hi > low and span.left.lo < high}


def _growth(profile: Profile, end: float, cells: int = 400) -> float:
    """An upper bound of the factor by which a small asymmetry of the others' logits grows on the way to `p = end`.

    By `d log(asymmetry)/dp = -s / (p**2 (1-p)**2 C/(C-1) (-T'))`, summed over boxes.
    """
    share = Rational(profile.classes, profile.classes - 1)

    def rate(m1: Expr, even: Expr, x: Expr) -> Expr:
        # T', in one formula of p: M0(x(p)) has the factor -1/(C-1) in its derivative.
        slope = m1.diff(P) + (profile.classes - 1) * even.diff(P)
        return _shrinking(m1, even, x) / (P**2 * (1 - P) ** 2 * share * slope)

    total = 0.0
    for cell, expr in _along(profile, rate).parts:
        low, high = max(cell.left.lo, 1 / profile.classes), min(cell.right.hi, end)
        if low < high:
            borders = np.linspace(low, high, cells + 1)
            value, _ = enclose_sharply(expr, P, Interval(borders[:-1], borders[1:]))
            # An upper sum of the integral of the rate; where differences shrink nothing is taken off.
            total += float(np.sum(np.maximum(value.hi, 0.0) * np.diff(borders)))
    return math.exp(total) if total < 100 else math.inf
