"""A search for a posterior under which the loss puts the wrong class on top, with a validated answer.

The risk is a sum of one function per class under `sum p = 1`, so its minimum on a grid of cells is a shortest
path: min-plus convolutions of lower bounds on the cells give a lower bound over every prediction with the
first class on top, and one prediction with another class on top gives an upper bound. Whether the first class can
be kept above the second is cheap to bound, so it is asked first, on a fine grid. Whether it can be kept above every
other costs a convolution for each of its values; that is asked on a coarser grid, and only where the first is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symloss.theory.findings.profile import Profile
from symloss.theory.findings.proper import risk
from symloss.theory.functions.interval import FloatArray, Interval
from symloss.theory.functions.probes import EVEN_SHARES, POSTERIOR_HEADS
from symloss.theory.functions.work import spend

__all__ = ["grid_minimiser", "misranked"]

_COARSE, _FINE = 150, 1500
_COARSE_TOP, _FINE_TOP = 60, 250
_MOST_CLASSES = 1000
_ELEMENTS = 10_000
"""Additions and comparisons of floats in an array that count as one step."""
_Found = tuple[list[float], list[float], float]


def misranked(profile: Profile) -> _Found | None:
    """`(posterior, prediction, gain)`, or None where the search finds nothing it can prove."""
    if profile.classes > _MOST_CLASSES:
        return None
    coarse = _Risk.of(profile, _COARSE)
    if coarse is None:
        return None
    promising: list[tuple[float, FloatArray, FloatArray]] = []
    for posterior in _posteriors(profile.classes):
        wrong, prediction = coarse.best_wrong(posterior)
        right = coarse.best_right(posterior)
        if np.isfinite(wrong) and wrong < right:
            # Floats propose, the most hopeful first; only what is enclosed below counts.
            promising.append((wrong - right if np.isfinite(right) else -1.0, posterior, prediction))
    promising.sort(key=lambda item: item[0])
    fine = _Risk.of(profile, _FINE) if promising else None
    for _, posterior, prediction in promising[:3]:
        if fine is None:
            return None
        value = risk(profile, posterior, prediction)
        floor = fine.floor_right(posterior)
        gain = floor - float(value.hi)
        # The floats of posterior and prediction add up to 1 within rounding only; a gain of 1e-9 is far beyond what
        # that changes.
        if gain > 1e-9 and np.isfinite(gain):
            return [float(v) for v in posterior], [float(v) for v in prediction], gain
    return _misranked_at_the_top(profile) if profile.classes > 2 else None


def _misranked_at_the_top(profile: Profile) -> _Found | None:
    coarse, fine = _Risk.of(profile, _COARSE_TOP), _Risk.of(profile, _FINE_TOP)
    if coarse is None or fine is None:
        return None
    promising: list[tuple[float, FloatArray, FloatArray]] = []
    for posterior in _posteriors(profile.classes):
        wrong, prediction = coarse.best_wrong(posterior)
        gain = coarse.best_on_top(posterior) - wrong
        if np.isfinite(wrong) and gain > 0:
            promising.append((gain, posterior, prediction))
    promising.sort(key=lambda item: -item[0])
    for _, posterior, prediction in promising[:2]:
        gain = fine.floor_on_top(posterior) - float(risk(profile, posterior, prediction).hi)
        if gain > 1e-9 and np.isfinite(gain):
            return [float(v) for v in posterior], [float(v) for v in prediction], gain
    return None


def grid_minimiser(profile: Profile, posteriors: FloatArray) -> FloatArray:
    """The predictions [N, C] of least risk on a grid of the simplex, for posteriors [N, C]."""
    classes = posteriors.shape[1]
    n = 1500 if classes <= 3 else 200
    points = np.arange(n + 1) / n
    points[0], points[-1] = 1e-9, 1 - 1e-9
    boxes = profile.m1.at(points), profile.m0.at(points)
    present, absent = (np.where(np.isfinite(b.hi), b.hi, np.inf) for b in boxes)
    found = []
    for q in posteriors:
        total, choices = np.where(np.arange(n + 1) == 0, 0.0, np.inf), []
        for weight in q:
            with np.errstate(all="ignore"):
                total, chosen = _convolved(total, weight * present + (1 - weight) * absent)
            choices.append(chosen)
        found.append(_unwound(choices, n)[::-1])
    return np.array(found) / n


def _posteriors(classes: int) -> list[FloatArray]:
    heads = [*POSTERIOR_HEADS, (EVEN_SHARES / classes,)]
    found = []
    for head in heads:
        # The first class must be ahead, and all share what the head leaves: without a rest, or with one above the last
        # of the head, the order would be another.
        if len(head) >= classes and abs(sum(head) - 1) > 1e-12:
            continue
        rest = (1 - sum(head)) / (classes - len(head)) if classes > len(head) else 0.0
        if 0 < rest < head[-1]:
            found.append(np.array([*head, *[rest] * (classes - len(head))]))
    return found


class _Risk:
    """Values of `M1`, `M0` at the middles of `n` cells of (0, 1), and their lower bounds on the cells."""

    def __init__(
        self,
        profile: Profile,
        n: int,
        present: FloatArray,
        absent: FloatArray,
        low: tuple[FloatArray, FloatArray],
    ) -> None:
        self.profile, self.n, self.present, self.absent, self.low = profile, n, present, absent, low

    @staticmethod
    def of(profile: Profile, n: int) -> _Risk | None:
        borders = np.arange(n + 1) / n
        boxes = [curve.over(borders) for curve in (profile.m1, profile.m0)]
        if boxes[0] is None or boxes[1] is None:
            return None
        points = np.arange(n + 1) / n
        # Grid points at the ends stand for a prediction just inside.
        points[0], points[-1] = 1e-9, 1 - 1e-9
        values = []
        for curve in (profile.m1, profile.m0):
            box: Interval = curve.at(points)
            values.append(np.where(np.isfinite(box.hi), box.hi, np.inf))
        return _Risk(profile, n, values[0], values[1], (boxes[0].lo, boxes[1].lo))

    def _terms(self, posterior: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        kinds = posterior[0], posterior[1], posterior[-1]
        with np.errstate(all="ignore"):
            first, second, rest = (q * self.present + (1 - q) * self.absent for q in kinds)
        return first, second, rest

    def best_wrong(self, posterior: FloatArray) -> tuple[float, FloatArray]:
        """The least risk on the grid with the second class at least two steps above the first."""
        n, classes = self.n, len(posterior)
        first, second, rest = self._terms(posterior)
        others = _copies(rest, classes - 2)
        pair = first[:, None] + second[None, :]
        k = np.arange(n + 1)
        left = n - k[:, None] - k[None, :]
        # Two steps apart: a neighbour on the grid is a tie as far as cells can tell.
        allowed = (k[None, :] >= k[:, None] + 2) & (left >= 0)
        value = np.where(allowed, pair + others.total[np.maximum(left, 0)], np.inf)
        i, j = np.unravel_index(int(np.argmin(value)), value.shape)
        steps = (
            [int(i), int(j), *others.indices(int(n - i - j))] if np.isfinite(value[i, j]) else [0] * classes
        )
        prediction = np.maximum(np.array(steps) / n, 1e-9)
        return float(value[i, j]), prediction / prediction.sum()

    def best_right(self, posterior: FloatArray) -> float:
        """The least risk on the grid with the first class at least as high as the second."""
        first, second, rest = self._terms(posterior)
        total = _copies(rest, len(posterior) - 2).total
        k = np.arange(self.n + 1)
        left = self.n - k[:, None] - k[None, :]
        allowed = (k[:, None] >= k[None, :]) & (left >= 0)
        value = np.where(allowed, first[:, None] + second[None, :] + total[np.maximum(left, 0)], np.inf)
        return float(value.min())

    def floor_right(self, posterior: FloatArray) -> float:
        """A lower bound of the risk of every prediction with `p_1 >= p_2`.

        A prediction in cells `k_i` has `n - C <= sum k_i <= n`, and `k_1 >= k_2`.
        """
        n, classes = self.n, len(posterior)
        first, second, rest, slack = self._floors(posterior)
        total = _copies(rest, classes - 2).total
        # The least of the sums from `s - C` to `s`, infinite where there is none.
        # p_i in [k_i/n, (k_i + 1)/n] and sum p = 1 give sum k_i <= n <= sum k_i + C; the floor of each cell holds for
        # all that is in it.
        padded = np.concatenate([np.full(classes, np.inf), total, [np.inf]])
        least = np.lib.stride_tricks.sliding_window_view(padded, classes + 1).min(axis=1)
        k = np.arange(n)
        left = n - k[:, None] - k[None, :]
        allowed = (k[:, None] >= k[None, :]) & (left >= 0)
        tail = least[np.maximum(left, 0)]
        spend(n * n // _ELEMENTS)
        value = np.where(allowed, first[:, None] + second[None, :] + tail, np.inf)
        return float(value.min()) - slack

    def _floors(self, posterior: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Lower bounds of the terms of the first, second and last class on the cells, and what rounding may add."""
        with np.errstate(all="ignore"):
            first, second, rest = (
                q * self.low[0] + (1 - q) * self.low[1] for q in (posterior[0], posterior[1], posterior[-1])
            )
        terms = np.concatenate([first, second, rest])
        largest = float(np.abs(terms[np.isfinite(terms)]).max(initial=0.0))
        # Plain sums of at most C floats, each right to 1.1e-16: 1e-12 is ample.
        return first, second, rest, 1e-12 * len(posterior) * (1 + largest)

    def best_on_top(self, posterior: FloatArray) -> float:
        """The least risk on the grid with the first class at least as high as every other."""
        first, second, rest = self._terms(posterior)
        return _least_on_top(first, second, rest, len(posterior), self.n, [self.n])

    def floor_on_top(self, posterior: FloatArray) -> float:
        """A lower bound of the risk of every prediction with the first class at least as high as every other."""
        n, classes = self.n, len(posterior)
        first, second, rest, slack = self._floors(posterior)
        return _least_on_top(first, second, rest, classes, n, range(n - classes, n + 1)) - slack


def _least_on_top(
    first: FloatArray, second: FloatArray, rest: FloatArray, classes: int, n: int, sums: Sequence[int]
) -> float:
    """The least sum over indices whose sum is one of `sums`, the first of them no smaller than any other."""
    best = np.inf
    # The largest probability is at least 1/C, so its cell is floor(n/C) or later; the others may reach the same cell.
    for top in range(n // classes, len(first)):
        below = np.arange(len(first)) <= top
        others = _power(np.where(below, rest, np.inf), classes - 2)
        others, _ = _convolved(others, np.where(below, second, np.inf))
        left = [total - top for total in sums if 0 <= total - top < len(others)]
        best = min(best, float(first[top] + others[left].min(initial=np.inf)))
    return best


def _power(f: FloatArray, count: int) -> FloatArray:
    """The least sum of `count` values of `f` for each sum of indices."""
    return _copies(f, count).total


@dataclass(frozen=True)
class _Copies:
    """The least sums of values of one function, for each sum of their indices.

    Attributes:
        total: the least sum.
        parts: those that it is put together from, none of a single value or of nothing.
        chosen: the sum of the indices in the second part.
    """

    total: FloatArray
    parts: tuple[_Copies, ...] = ()
    chosen: FloatArray | None = None
    empty: bool = False

    def indices(self, left: int) -> list[int]:
        """The indices of a least sum, which add up to `left`."""
        if self.chosen is None:
            return [] if self.empty else [left]
        k = int(self.chosen[left])
        return [*self.parts[0].indices(left - k), *self.parts[1].indices(k)]


def _copies(f: FloatArray, count: int) -> _Copies:
    """Those of `count` values of `f`, by doubling."""
    if count == 0:
        return _Copies(np.where(np.arange(len(f)) == 0, 0.0, np.inf), empty=True)
    if count == 1:
        return _Copies(f)
    # min-plus convolution is associative: count copies take about 2 log2(count) of them.
    half = _copies(f, count // 2)
    parts = (half, half) if count % 2 == 0 else (_copies(f, count - 1), _Copies(f))
    total, chosen = _convolved(parts[0].total, parts[1].total)
    return _Copies(total, parts, chosen)


def _convolved(total: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`min_k total[s - k] + f[k]` for every `s`, and the `k` of each minimum."""
    n = len(f)
    spend(n // 4 + n * n // _ELEMENTS)
    new, chosen = np.full(n, np.inf), np.zeros(n)
    for k in range(n):
        candidate = total[: n - k] + f[k]
        better = candidate < new[k:]
        new[k:][better] = candidate[better]
        chosen[k:][better] = k
    return new, chosen


def _unwound(choices: list[FloatArray], left: int) -> list[int]:
    steps = []
    for chosen in reversed(choices):
        k = int(chosen[left])
        steps.append(k)
        left -= k
    return steps
