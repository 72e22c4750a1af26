"""Convexity of a curve of one variable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symloss.theory.functions.curve import Curve
from symloss.theory.functions.points import Span
from symloss.theory.functions.probes import CHORD_REACHES, CHORD_SHARES, KINK_OFFSETS, OFFSETS

__all__ = ["Chord", "is_convex", "low_chord", "opens", "sought_chord"]


@dataclass(frozen=True)
class Chord:
    """A chord from `a` to `b` that runs below its curve in the middle: the curve is not convex."""

    a: float
    b: float


def is_convex(curve: Curve) -> bool:
    """Whether a curve is proved to be convex.

    A convex curve has second derivative >= 0 on its smooth pieces, no jumps, and slopes that do not fall at
    its kinks.
    """
    # A continuous function with f'' >= 0 on its pieces and slopes that do not fall where they meet has a slope that
    # never falls.
    bend = curve.derivative.derivative
    return bend.signs <= {0, 1} and all(opens(curve, i) for i in range(len(curve.parts) - 1))


def opens(curve: Curve, index: int) -> bool:
    """Whether border `index` is no obstacle: continuous, with a slope that does not fall."""
    if not curve.is_continuous_at(index):
        return False
    before, after = curve.derivative.limit(index, 1), curve.derivative.limit(index + 1, -1)
    if before is None or after is None:
        return False
    # Enclosures decide a true kink; at a smooth joint both limits are one number, which only formulas show to be equal.
    if before.hi <= after.lo:
        return True
    return before.exact is not None and before.exact == after.exact


def low_chord(curve: Curve) -> Chord | None:
    """A chord that is proved to be below the curve at its middle, as far below as a grid shows, if there is one."""
    return _low_chord(curve, ())


def sought_chord(curve: Curve) -> Chord | None:
    """The same, looked for where the second derivative may be negative: for when a grid shows none."""
    return _low_chord(
        curve, [span for span in curve.derivative.derivative.pattern if span.sign in (-1, None)]
    )


def _low_chord(curve: Curve, spans: Sequence[Span]) -> Chord | None:
    cells = [cell for cell, _ in curve.parts]
    # The search alone: a chord is proved wherever it is found.
    low = cells[0].left.lo if cells[0].left.is_finite else -40.0
    high = cells[-1].right.hi if cells[-1].right.is_finite else 40.0
    centres = low + (high - low) * CHORD_SHARES
    for spot in [cell.right.middle for cell in cells[:-1]]:
        centres = np.append(centres, [spot, *(spot + KINK_OFFSETS), *(spot - KINK_OFFSETS)])
    for cell in (cells[0].left, cells[-1].right):
        if cell.is_finite:
            centres = np.append(centres, cell.middle + OFFSETS * (1 if cell is cells[0].left else -1))
    for span in spans:
        if span.left.is_finite and span.right.is_finite:
            centres = np.append(centres, (span.left.middle + span.right.middle) / 2)
    centres = np.unique(centres[(centres > low) & (centres < high)])
    reach = np.minimum(centres - low, high - centres)
    middles = np.repeat(centres, len(CHORD_REACHES))
    steps = (reach[:, None] * CHORD_REACHES[None, :]).ravel()
    a, b = middles - steps, middles + steps
    m = (a + b) / 2
    left, right, middle = curve.at(a), curve.at(b), curve.at(m)
    # The chord's height at m, which rounding may have moved off the middle of a and b.
    with np.errstate(all="ignore"):
        # With S = |left| + |right| and t about 1/2, rounding errs by at most 5.5 units of 1.1e-16 S: 2.5 in the
        # product, 3 in the sums. The slack is 8e-16 S and more, or for two negative ends, whose difference is smaller,
        # at least 6e-16 S.
        t = (m - a) / (b - a)
        chord_top = np.maximum(left.hi, right.hi) * 4e-16 + left.hi + (right.hi - left.hi) * t
        chord_top = chord_top + 8e-16 * (np.abs(left.hi) + np.abs(right.hi))
        gap = middle.lo - chord_top
    gap[~np.isfinite(gap)] = -np.inf
    best = int(np.argmax(gap))
    return Chord(float(a[best]), float(b[best])) if gap[best] > 0 else None
