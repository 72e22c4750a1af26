"""Inference from scores on blocks: a two-way fit, standard errors, the race, shrinkage and the pick.

A *block* is a train/validation split with a start and a batch order of its own. A block that is easy lifts every
candidate, so that numbers from different blocks are never compared as they are: `score = candidate + block +
error`. Fitnesses are minimised throughout.

The blocks of one pool of rows are dependent: `Var(mean of n) = s**2 (1/n + c)`. Naive errors are 1.3 to 1.55
times too small at n = 12; `DEPENDENCE` is what was measured (0.02 to 0.05), and a claim about new data takes the
conservative `n_val/n_train` (Nadeau and Bengio, Inference for the generalization error, 2003) in its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEPENDENCE", "KEPT_GAIN", "Evidence", "Shrunk", "contenders", "non_dominated", "pick", "shrink"]

DEPENDENCE = 0.03
"""`c` in the search's own decisions; with it more than about 24 blocks buy next to nothing."""
RACE_BLOCKS = 4
"""The race begins here: from the second block on it lost the best loss in 10 % of block orders."""
RACE_ERRORS = 3.0
"""Standard errors of a paired difference beyond which a loss is given up."""
OVERLAP_ERRORS = 2.0
"""Standard errors of a paired difference within which a loss may be as good as the best."""
KEPT_GAIN = 0.9
"""Share of the gain over the ordinary loss that a simpler loss must keep to be picked."""
ROUNDING = 1e-12
"""Share of the scores below which a spread is rounding."""

Scores = Mapping[int, Mapping[int, float]]
"""By candidate, by block: a fitness; infinite where training failed."""


@dataclass(frozen=True)
class Evidence:
    """The scores of a field of candidates, and what they say of each.

    Block effects and the spread come from the better half of the candidates that were seen on several blocks: a
    loss that hardly learns swings by more than any difference that matters.

    Args:
        scores: see `Scores`; a candidate with an infinite score has no mean.

    >>> field = Evidence({0: {0: 1.0, 1: 3.0}, 1: {0: 2.0, 1: 4.2}, 2: {1: 5.0}})
    >>> [round(field.mean(i), 2) for i in (0, 1, 2)]
    [2.0, 3.1, 3.95]
    """

    scores: Scores

    def mean(self, candidate: int) -> float:
        """What the candidate would score on the average block; infinite where a training failed."""
        row = self.scores[candidate]
        # fsum is exact, so that the order in which blocks were scored changes no bit.
        return math.fsum(score - self.effects[block] for block, score in row.items()) / len(row)

    def standard_error(self, candidate: int, dependence: float = DEPENDENCE) -> float:
        """Of `mean`: `s sqrt(1/n + c)`; NaN where the spread is not known yet."""
        return self.spread * math.sqrt(1 / len(self.scores[candidate]) + dependence)

    def difference(self, a: int, b: int, dependence: float = DEPENDENCE) -> tuple[float, float]:
        """By how much `a` lies above `b`, and the standard error, on the blocks that both have seen.

        Without a common block, from the means of the fit.
        """
        first, second = self.scores[a], self.scores[b]
        common = [block for block in first if block in second]
        if common:
            # Block effects cancel in a paired difference, so that it needs no fit.
            difference = math.fsum(first[block] - second[block] for block in common) / len(common)
            return difference, self.spread * math.sqrt(2 * (1 / len(common) + dependence))
        error = math.sqrt(1 / len(first) + 1 / len(second) + 2 * dependence)
        return self.mean(a) - self.mean(b), self.spread * error

    @cached_property
    def candidates(self) -> tuple[int, ...]:
        """Those whose trainings all ended, in order."""
        return tuple(
            sorted(i for i, row in self.scores.items() if row and all(map(math.isfinite, row.values())))
        )

    @cached_property
    def effects(self) -> Mapping[int, float]:
        """What each block adds to every score; their mean is 0."""
        return self._fit[0]

    @cached_property
    def spread(self) -> float:
        """The standard deviation `s` of one score about `candidate + block`; NaN without two blocks in common."""
        return self._fit[1]

    @cached_property
    def freedom(self) -> int:
        """Degrees of freedom of `spread`."""
        return self._fit[2]

    @cached_property
    def leader(self) -> int | None:
        """The candidate of the lowest mean among those with enough blocks for a race, or with the most there are."""
        if not self.candidates:
            return None
        # Otherwise a loss that was seen on one block would lead by the luck of that block.
        most = max(len(self.scores[i]) for i in self.candidates)
        seen = [i for i in self.candidates if len(self.scores[i]) >= min(RACE_BLOCKS, most)]
        return min(seen, key=lambda i: (self.mean(i), i))

    def out_of_race(self, candidate: int) -> bool:
        """Whether a candidate is behind the leader by more than chance: it needs no further block."""
        if candidate not in self.candidates:
            return True
        if self.leader is None or len(self.scores[candidate]) < RACE_BLOCKS:
            return False
        behind, error = self.difference(candidate, self.leader)
        return math.isfinite(error) and behind > RACE_ERRORS * error

    @cached_property
    def _fit(self) -> tuple[Mapping[int, float], float, int]:
        blocks = sorted({block for row in self.scores.values() for block in row})
        repeated = [i for i in self.candidates if len(self.scores[i]) > 1]
        if len(blocks) < 2 or not repeated:
            return dict.fromkeys(blocks, 0.0), math.nan, 0
        table = _table(self.scores, self.candidates, blocks)
        # A median per block, as losses that hardly learn would move a mean.
        centred = table - np.nanmedian(table, axis=0)
        order = sorted(repeated, key=lambda i: (np.nanmean(centred[self.candidates.index(i)]), i))
        better = order[: max(2, math.ceil(len(order) / 2))]
        rows = table[[self.candidates.index(i) for i in better]]
        effects = _block_effects(rows, table)
        residuals = rows - effects
        residuals -= np.nanmean(residuals, axis=1, keepdims=True)
        # Scores, less one mean a candidate and one effect a block; the effects add up to 0, which gives one back.
        freedom = int((~np.isnan(rows)).sum()) - len(better) - (int((~np.isnan(rows)).any(axis=0).sum()) - 1)
        spread = math.sqrt(float(np.nansum(residuals**2)) / freedom) if freedom > 0 else math.nan
        # Scores that are the same everywhere have none; what the fit leaves of them is its own rounding.
        if spread < ROUNDING * float(np.nanmax(np.abs(rows))):
            spread = 0.0
        return dict(zip(blocks, effects.tolist(), strict=True)), spread, max(freedom, 0)


def _table(scores: Scores, candidates: Sequence[int], blocks: Sequence[int]) -> NDArray[np.float64]:
    return np.array([[scores[i].get(block, math.nan) for block in blocks] for i in candidates])


def _block_effects(rows: NDArray[np.float64], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares for `candidate + block` over the rows, the candidates eliminated.

    A block that none of the rows has seen is placed by the medians of all candidates.
    """
    seen = ~np.isnan(rows)
    share = seen / seen.sum(axis=1, keepdims=True)
    # Normal equations of the block effects e, each candidate replaced by the mean of its scores less their effects:
    # (diag(n_b) - S' diag(1/n_i) S) e = sum_i (score_ib - s_ib/n_i sum_b score_ib), S = `seen`.
    left = np.diag(seen.sum(axis=0).astype(float)) - seen.T.astype(float) @ share
    right = np.nansum(rows, axis=0) - share.T @ np.nansum(rows, axis=1)
    # Singular, as a constant may move from blocks to candidates: least squares takes the shortest solution.
    effects = np.asarray(np.linalg.lstsq(left, right, rcond=None)[0])
    known = seen.any(axis=0)
    if not known.all():
        medians = np.nanmedian(table, axis=0)
        effects = np.where(known, effects, medians - np.median((medians - effects)[known]))
    return effects - effects.mean()


def contenders(evidence: Evidence, most: int) -> list[int]:
    """The candidates whose evidence overlaps that of the leader, whatever their complexity; at most so many.

    Those seen on few blocks owe their place to luck most: of too many, the lowest *shrunken* means are taken.
    """
    leader = evidence.leader
    if leader is None:
        return []
    near = []
    for i in evidence.candidates:
        behind, error = evidence.difference(i, leader)
        # Below the leader is possible: a loss with too few blocks to lead, or on the common blocks alone.
        if behind <= 0 or not math.isfinite(error) or behind <= OVERLAP_ERRORS * error:
            near.append(i)
    values = {i: evidence.mean(i) for i in near}
    errors = {i: evidence.standard_error(i) for i in near}
    if all(map(math.isfinite, errors.values())):
        values = {i: each.mean for i, each in shrink(values, errors).items()}
    return sorted(sorted(near, key=lambda i: (values[i], i))[:most])


@dataclass(frozen=True)
class Shrunk:
    """An estimate drawn towards those of the others, and its standard error."""

    mean: float
    error: float


def shrink(means: Mapping[int, float], errors: Mapping[int, float]) -> dict[int, Shrunk]:
    r"""The winner's curse taken out: `m + tau^2/(tau^2 + v) (d - m)`, as if the true values were `N(m, tau^2)`.

    `m` and `tau^2` are of maximal marginal likelihood. Only for losses that compete: failures would make `tau`
    so large that nothing is shrunk.

    Args:
        means: what was measured.
        errors: their standard errors, the roots of `v`.

    >>> found = shrink({0: 1.0, 1: 2.0, 2: 3.0}, dict.fromkeys(range(3), 1.0))
    >>> [round(each.mean, 2) for each in found.values()]  # scatter below what errors explain: all the same
    [2.0, 2.0, 2.0]
    """
    d = np.array(list(means.values()), dtype=float)
    v = np.array([errors[i] ** 2 for i in means], dtype=float)
    # One loss has nothing to be drawn towards, and without errors nothing says how far.
    if len(d) < 2 or not np.isfinite(v).all() or not (v > 0).all():
        return {i: Shrunk(value, errors[i]) for i, value in means.items()}
    # The profile likelihood in tau^2 is smooth, and its maximum lies below the total scatter.
    taus = np.concatenate([[0.0], np.geomspace(1e-4, 4.0, 200) * max(float(d.var()), float(v.min()))])
    likelihoods = [_log_likelihood(d, v + tau) for tau in taus]
    tau = float(taus[int(np.argmax(likelihoods))])
    weight = 1 / (v + tau)
    centre = float((weight * d).sum() / weight.sum())
    keep = tau / (tau + v)
    # Of the posterior: its variance, and what not knowing the centre adds.
    error = np.sqrt(keep * v + (1 - keep) ** 2 / weight.sum())
    found = centre + keep * (d - centre)
    return {i: Shrunk(float(m), float(e)) for i, m, e in zip(means, found, error, strict=True)}


def _log_likelihood(d: NDArray[np.float64], total: NDArray[np.float64]) -> float:
    # The m that maximises the likelihood at this tau^2: the mean weighted by precision.
    centre = (d / total).sum() / (1 / total).sum()
    return float(-0.5 * (np.log(total) + (d - centre) ** 2 / total).sum())


def pick(means: Mapping[int, float], complexities: Mapping[int, float], ordinary: int | None) -> int:
    """Which loss to take: the lowest mean on the final blocks, or a simpler one that keeps nearly all of it.

    A standard error is no margin: the noisier the task, the more it would give away.

    Args:
        means: by candidate, over blocks that decided nothing before.
        complexities: of each.
        ordinary: the candidate that is the task's ordinary loss, if it is one of them; without it only a loss
            that is no worse is simpler.

    >>> pick({0: 0.30, 1: 0.20, 2: 0.205}, {0: 3, 1: 20, 2: 7}, ordinary=0)
    2
    >>> pick({0: 0.30, 1: 0.20, 2: 0.22}, {0: 3, 1: 20, 2: 7}, ordinary=0)
    1
    """
    best = min(means, key=lambda i: (means[i], complexities[i], i))
    gain = means[ordinary] - means[best] if ordinary is not None and ordinary in means else 0.0
    enough = means[best] + (1 - KEPT_GAIN) * max(gain, 0.0)
    near: Iterable[int] = (i for i, mean in means.items() if mean <= enough)
    return min(near, key=lambda i: (complexities[i], means[i], i))


def non_dominated(points: Iterable[tuple[float, float, int]]) -> list[int]:
    """The numbers of the points that no other beats in both objectives, by rising complexity.

    Args:
        points: `(fitness, complexity, number)`; one whose fitness is not finite is never kept, and of equal
            points the lowest number is.

    >>> non_dominated([(0.5, 3, 0), (0.4, 7, 1), (0.6, 5, 2), (0.4, 7, 3), (float("nan"), 1, 4)])
    [0, 1]
    """
    kept: list[int] = []
    lowest = math.inf
    for fitness, _, number in sorted(
        (point for point in points if math.isfinite(point[0])),
        key=lambda point: (point[1], point[0], point[2]),
    ):
        if fitness < lowest:
            kept.append(number)
            lowest = fitness
    return kept
