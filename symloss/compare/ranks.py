"""Comparison across data sets, the units of a general claim: signed-rank tests, mean ranks, critical differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from symloss.compare.statistics import LEVEL
from symloss.errors import SymlossError

__all__ = ["ENOUGH", "Ranking", "rank_losses", "wilcoxon_p"]

ENOUGH = 20
"""Data sets below which nothing general is claimed."""


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Two-sided p of the signed-rank test that differences over data sets are symmetric about 0.

    Exact for up to 50 differences without ties or zeros, else by the normal approximation; zeros are ranked with the
    rest and left out of the sum (Pratt). 1 where all are 0.

    Args:
        differences: one a data set, in units that may differ between them only as far as ranks of their sizes make
            sense.

    References:
        Wilcoxon, Individual comparisons by ranking methods, 1945; Demsar, Statistical comparisons of classifiers
        over multiple data sets, JMLR 7, 2006, sec. 3.1.3.

    >>> round(wilcoxon_p([0.1, 0.2, 0.3, 0.4, 0.5]), 4)  # 2 / 2**5
    0.0625
    """
    if not any(differences):
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(list(differences), zero_method="pratt").pvalue)


@dataclass(frozen=True)
class Ranking:
    """What Friedman's test and Nemenyi's say of losses on several data sets: the data of a critical-difference diagram.

    Attributes:
        names: of the losses, the best mean rank first.
        ranks: the mean rank of each, 1 the best; ties share the mean of theirs.
        data_sets: how many.
        p_value: of Friedman's test that all losses rank alike.
        critical_difference: mean ranks further apart than this differ at 5 % (Nemenyi).
        groups: the largest sets of neighbours that are not told apart, by place in `names`: the bars of the diagram.
        pairs: p of each pair (places in `names`), corrected for all pairs (Nemenyi).
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    data_sets: int
    p_value: float
    critical_difference: float
    groups: tuple[tuple[int, ...], ...]
    pairs: dict[tuple[int, int], float]


def rank_losses(names: Sequence[str], scores: ArrayLike, level: float = LEVEL) -> Ranking:
    """Losses ranked on every data set, compared by Friedman's test and Nemenyi's post-hoc test.

    `CD = q sqrt(k (k + 1) / (6 N))` for `k` losses on `N` data sets, `q` the studentised range over `sqrt(2)`.

    Args:
        names: of the `k` losses, at least two.
        scores: `[N, k]`, lower is better; at least two data sets.
        level: of the critical difference.

    Raises:
        SymlossError: for fewer of either.

    References:
        Demsar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006, sec. 3.2.2, eq. 5 to 8.

    >>> found = rank_losses(["a", "b", "c"], [[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3]])
    >>> found.names, found.ranks, found.groups
    (('a', 'b', 'c'), (1.25, 2.0, 2.75), ((0, 1, 2),))
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or table.shape[1] != len(names):
        raise SymlossError(
            f"scores of shape {table.shape}: expected two or more data sets by the {len(names)} losses, two or more"
        )
    from scipy.stats import rankdata, studentized_range

    data_sets, losses = table.shape
    # Ranks within a data set, as metrics of different data sets share no unit; ties share the mean of their ranks.
    by_row = np.stack([rankdata(row) for row in table])
    means = by_row.mean(axis=0)
    order = np.argsort(means, kind="stable")
    ranks = tuple(float(means[i]) for i in order)
    error = math.sqrt(losses * (losses + 1) / (6 * data_sets))
    # Nemenyi's q is the studentised range with infinite degrees of freedom, over sqrt(2) (Demsar 2006, table 5).
    critical = float(studentized_range.ppf(1 - level, losses, np.inf)) / math.sqrt(2) * error
    pairs = {
        (a, b): float(studentized_range.sf(abs(ranks[a] - ranks[b]) / error * math.sqrt(2), losses, np.inf))
        for a, b in combinations(range(losses), 2)
    }
    return Ranking(
        names=tuple(names[i] for i in order), ranks=ranks, data_sets=data_sets,
        p_value=_friedman(by_row), critical_difference=critical, groups=_groups(ranks, critical), pairs=pairs,
    )  # fmt: skip


def _friedman(ranks: np.ndarray) -> float:
    """p of Friedman's chi-square with ties: `(k-1) sum_j (R_j - N (k+1)/2)^2 / sum_ij (r_ij - (k+1)/2)^2`."""
    from scipy.stats import chi2

    data_sets, losses = ranks.shape
    middle = (losses + 1) / 2
    within = float(((ranks - middle) ** 2).sum())
    if within == 0:  # every loss ties everywhere
        return 1.0
    between = float(((ranks.sum(axis=0) - data_sets * middle) ** 2).sum())
    return float(chi2.sf((losses - 1) * between / within, losses - 1))


def _groups(ranks: Sequence[float], critical: float) -> tuple[tuple[int, ...], ...]:
    """The largest runs of neighbours within the critical difference, those of one left out."""
    groups: list[tuple[int, ...]] = []
    for first in range(len(ranks)):
        # Ranks ascend, so a group is a run of neighbours.
        last = max(i for i in range(first, len(ranks)) if ranks[i] - ranks[first] <= critical)
        if last > first and not (groups and groups[-1][-1] >= last):
            groups.append(tuple(range(first, last + 1)))
    return tuple(groups)
