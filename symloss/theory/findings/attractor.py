"""The confidence that a loss drives to, and the label smoothing that it amounts to.

`T(p) = M1(p) + (C-1) M0((1-p)/(C-1))` is the loss with the rest spread evenly. Gradient flow on the logits
from the null epoch keeps that symmetry and moves `p` downhill on `T`; the first place where `T'` vanishes or
changes sign is reached. Small asymmetries stay small where the other classes' logits are pulled together:
to first order their differences shrink at the rate

    s(x) = x (M0'(x) - g) + x**2 M0''(x),    x = (1-p)/(C-1),   g = p M1'(p) + (1-p) M0'(x).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from sympy import Expr, Integer, Rational

from symloss.expr import P
from symloss.theory.certificate import Finding, proved, refuted, unknown
from symloss.theory.findings.profile import Profile, names_guards
from symloss.theory.functions.convexity import is_convex, opens
from symloss.theory.functions.curve import Curve, Extreme, Limit
from symloss.theory.functions.enclose import enclose_number, enclose_sharply
from symloss.theory.functions.exact import shorter
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.pieces import Undecided, Undefined
from symloss.theory.functions.signs import Point, Span

__all__ = ["Flow", "attractor", "flow_from_start", "label_smoothing"]

_MAX_GROWTH = 20
"""An asymmetry of the other classes that grows more than this is not small."""
_ABYSS = Limit(-math.inf, -math.inf)
_ENTRIES = (0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 0.999)


class Flow(Enum):
    """How gradient flow leaves the null epoch."""

    RISES = 1
    RESTS = 0
    FALLS = -1


@dataclass(frozen=True)
class _Path:
    flow: Flow
    end: Point


def _spans(curve: Curve) -> list[Span]:
    return list(curve.derivative.pattern)


def flow_from_start(curve: Curve, classes: int) -> _Path | str:
    """Where `p` goes downhill on `curve` from `1/C`, or why that is not settled."""
    start = Rational(1, classes)
    at = enclose_number(start)
    spans = _spans(curve)
    borders = [cell.right for cell, _ in curve.parts[:-1]]
    here = [i for i, s in enumerate(spans) if s.left.lo <= at.hi and at.lo <= s.right.hi]
    if any(spans[i].sign is None for i in here):
        return "the sign of T' at the null epoch is not settled"
    if len(here) == 1:
        sign = spans[here[0]].sign
        if sign == 0:
            return _Path(Flow.RESTS, Point.at(start))
        return _follow(curve, spans, here[0], -(sign or 0), borders)
    left, right = spans[here[0]], spans[here[-1]]
    if len(here) == 2 and left.sign == -1 and right.sign == 1:
        return _Path(Flow.RESTS, Point.at(start))
    same = len(here) == 2 and left.sign == right.sign and left.right in borders
    if same and left.sign and curve.is_continuous_at(borders.index(left.right)):
        step = -left.sign
        return _follow(curve, spans, here[1] if step > 0 else here[0], step, borders)
    return "T' vanishes or jumps at the null epoch, which is not a minimum of T"


def _follow(curve: Curve, spans: list[Span], i: int, step: int, borders: list[Point]) -> _Path | str:
    while True:
        end = spans[i].right if step > 0 else spans[i].left
        j = i + step
        if not 0 <= j < len(spans):
            return _Path(Flow(step), end)
        if end in borders:
            smooth = curve.is_continuous_at(borders.index(end))
            if curve.limit(borders.index(end), 1) == curve.limit(borders.index(end) + 1, -1) == _ABYSS:
                return _Path(Flow(step), end)
            if not smooth:
                return f"T is not proved continuous at p = {end.middle:.6g}"
        if spans[j].sign is None:
            return f"the sign of T' near p = {end.middle:.6g} is not settled"
        if spans[j].sign != spans[i].sign:
            return _Path(Flow(step), end)
        # The same sign on both sides: a stationary point of a smooth T stops the flow, a kink does not.
        if end not in borders:
            return _Path(Flow(step), end)
        slopes = [
            curve.derivative.limit(borders.index(end), 1),
            curve.derivative.limit(borders.index(end) + 1, -1),
        ]
        if any(s is None or s.lo <= 0 <= s.hi for s in slopes):
            return f"T' may vanish at p = {end.middle:.6g}"
        i = j


@names_guards
def attractor(profile: Profile) -> Finding:
    """The minimiser `p*` of `T` on [0, 1], established and reached from the null epoch."""
    try:
        curve = profile.spread
    except (Undecided, Undefined) as error:
        return unknown(str(error))
    lowest = curve.extreme(-1)
    if lowest is None:
        return unknown("the minimum of T is not settled")
    if curve.derivative.signs == {0} and curve.is_continuous:
        return refuted("T is constant: every confidence is as good as any other", {"T": lowest.value.middle})
    path = flow_from_start(curve, profile.classes)
    if isinstance(path, str):
        return unknown(path)
    unique = _is_unique(curve, lowest)
    if unique is None:
        return unknown("two minima of T cannot be told apart")
    same = path.end.lo <= lowest.where.hi and lowest.where.lo <= path.end.hi
    how, problem = _spread_evenly(profile, path)
    if problem:
        return unknown(problem)
    if same and unique:
        location = (
            "a root of T' or a kink in closed form"
            if path.end.exact is not None
            else "an interval Newton root of T'"
        )
        if path.end.lo in (0.0, 1.0):
            location = "the end of (0, 1)"
        way = "starts there" if path.flow is Flow.RESTS else f"falls from p = 1/{profile.classes} to it"
        reason = f"p* is {location}, the only minimum of T, and the flow on T {way}; {how}"
        value = path.end.exact
        return proved(reason, "" if value is None else shorter(value), path.end.middle)
    flat = next((s for s in _spans(curve) if s.sign == 0 and _is_least_on(curve, s, lowest)), None)
    if flat is not None:
        low, high = flat.left.middle, flat.right.middle
        return refuted(
            f"T is constant from p = {low:.6g} to p = {high:.6g}: no one confidence is the best",
            {"T": lowest.value.middle, "from": low, "to": high},
        )
    if not unique:
        return unknown("T has several minima")
    return refuted(
        f"T is least at p = {lowest.where.middle:.6g}, but the flow from p = 1/{profile.classes} stops at"
        f" p = {path.end.middle:.6g}, where T' vanishes or changes sign",
        {"minimiser": lowest.where.middle, "stops_at": path.end.middle},
    )


def _is_least_on(curve: Curve, flat: Span, lowest: Extreme) -> bool:
    """Whether the curve, constant on a stretch, is as low there as anywhere."""
    return bool(
        curve.at(np.array([flat.left.hi + 0.4 * (flat.right.lo - flat.left.hi)])).lo[0] <= lowest.value.hi
    )


def _spread_evenly(profile: Profile, path: _Path) -> tuple[str, str]:
    """Why the other classes stay together as far as it matters, and what speaks against it, or `""`."""
    if profile.classes == 2:
        return "with two classes there is nothing to spread", ""
    if is_convex(profile.m0) is True:
        return "M0 is convex", ""
    problem = _asymmetry(profile, path)
    if not problem:
        return "M0 pulls the other classes together along the way", ""
    if path.end.lo == path.end.hi == 1.0:
        entry = _entry_of_certainty(profile)
        if entry is not None and not _splits(profile, entry) and _growth(profile, entry) <= _MAX_GROWTH:
            return (
                f"M0 is not convex, but a small asymmetry of the other classes grows at most {_MAX_GROWTH}-fold"
                f" until p_t = {entry:g}, from where p_t rises whatever their spread (M0' > M1' there)"
            ), ""
    return "", problem


def _is_unique(curve: Curve, lowest: Extreme) -> bool | None:
    """Whether no other place has a value as low; None where the enclosures overlap."""
    if curve.places is None:
        return None
    if math.isinf(lowest.value.lo):
        return len({e.where for e in curve.places if e.value.lo == -math.inf}) == 1
    flat = [s for s in _spans(curve) if s.sign == 0]
    if any(s.left.lo <= lowest.where.hi and lowest.where.lo <= s.right.hi for s in flat):
        return False
    for place in curve.places:
        apart = place.where.lo > lowest.where.hi or place.where.hi < lowest.where.lo
        if apart and place.value.lo <= lowest.value.hi:
            return None
    return True


def _asymmetry(profile: Profile, path: _Path) -> str:
    """Why the other classes might drift apart on the way, or `""` when that is excluded."""
    low, high = sorted([1 / profile.classes, path.end.middle])
    if _splits(profile, path.end.middle):
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
    if not path.end.is_finite or path.end.lo <= 0 or path.end.hi >= 1:
        return ""
    x = (1 - path.end.middle) / (profile.classes - 1)
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
    for p0 in _ENTRIES:
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
    """How often over a small asymmetry of the others' logits grows from the null epoch to `p = end`, at most.

    By `d log(asymmetry)/dp = -s / (p**2 (1-p)**2 C/(C-1) (-T'))`, summed over boxes.
    """
    share = Rational(profile.classes, profile.classes - 1)

    def rate(m1: Expr, even: Expr, x: Expr) -> Expr:
        slope = m1.diff(P) + (profile.classes - 1) * even.diff(P)
        return _shrinking(m1, even, x) / (P**2 * (1 - P) ** 2 * share * slope)

    total = 0.0
    for cell, expr in _along(profile, rate).parts:
        low, high = max(cell.left.lo, 1 / profile.classes), min(cell.right.hi, end)
        if low < high:
            borders = np.linspace(low, high, cells + 1)
            value, _ = enclose_sharply(expr, P, Interval(borders[:-1], borders[1:]))
            total += float(np.sum(np.maximum(value.hi, 0.0) * np.diff(borders)))
    return math.exp(total) if total < 100 else math.inf


def label_smoothing(profile: Profile, found: Finding) -> Finding:
    """`xi = (1 - p*) C/(C-1)`, the strength of the label smoothing that has the same attractor."""
    if found.verdict == "refuted" and found.witness.get("to") == 1.0:
        return refuted(
            "T is as low at p = 1 as anywhere: no confidence below it is preferred",
            found.witness,
            Integer(0),
            0.0,
        )
    if found.verdict != "proved" or found.numeric is None:
        return unknown("the attractor is not established")
    classes = profile.classes
    scale = Rational(classes, classes - 1)
    if found.numeric == 1.0:
        return refuted(
            "p* = 1: T falls all the way from the null epoch to p = 1", {"attractor": 1.0}, Integer(0), 0.0
        )
    numeric = (1 - found.numeric) * classes / (classes - 1)
    reason = "xi = (1 - p*) C/(C-1)"
    if numeric > 1:
        reason += "; xi > 1: the target ends below chance"
    if found.value:
        return proved(reason, shorter((1 - exact_value(profile)) * scale), numeric)
    return proved(reason, "", numeric)


def exact_value(profile: Profile) -> Expr:
    """The closed form of an established attractor."""
    path = flow_from_start(profile.spread, profile.classes)
    assert not isinstance(path, str)
    assert path.end.exact is not None
    return path.end.exact
