"""Training in rungs: after a share of it the worst are dropped; how far that can be trusted is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from scipy.stats import spearmanr

from symloss.search.ranks import mean_ranks
from symloss.search.result import Evaluation

__all__ = ["Race", "rank_correlations"]


class Race:
    """The field of one rung: every candidate of the run that has come to it.

    Args:
        keep: share of the field that goes on, in (0, 1].
    """

    def __init__(self, keep: float) -> None:
        self.keep = keep
        self._field: list[tuple[float, ...]] = []

    def survivors(self, arrivals: Sequence[tuple[Sequence[float], int]]) -> list[bool]:
        """Whether each of a generation's candidates goes on.

        It does when it is among the best `keep` of all so far, or when no simpler arrival is as good: a
        front needs its simple end too. One that diverged never does.

        Args:
            arrivals: `(fitness of each task at the rung, complexity)`.

        >>> Race(0.5).survivors([([0.1], 9), ([0.3], 9), ([0.4], 3), ([math.inf], 1)])
        [True, True, True, False]
        """
        start = len(self._field)
        self._field += [tuple(fitness) for fitness, _ in arrivals]
        ranks = mean_ranks(self._field)
        limit = sorted(ranks)[max(1, math.ceil(self.keep * len(ranks))) - 1]
        kept = []
        for rank, (fitness, complexity) in zip(ranks[start:], arrivals, strict=True):
            beaten = any(
                other <= rank and (other, size) != (rank, complexity) and size <= complexity
                for other, (_, size) in zip(ranks[start:], arrivals, strict=True)
            )
            finite = all(math.isfinite(value) for value in fitness)
            kept.append(finite and (rank <= limit or not beaten))
        return kept


def rank_correlations(evaluations: Sequence[Evaluation]) -> Mapping[str, tuple[float, int]]:
    """Spearman's correlation of each rung's metric with the metric after the whole training, and the count.

    Over the losses that were trained to the end, so those that a race dropped are missing; of several tasks
    the first counts.
    """
    found = {}
    full = [entry for entry in evaluations if entry.outcome == "trained" and entry.rungs and entry.scores]
    for rung in dict.fromkeys(name for entry in full for name in entry.rungs):
        pairs = [(e.rungs[rung], next(iter(e.scores.values()))) for e in full if rung in e.rungs]
        if len(pairs) > 2 and all(len(set(column)) > 1 for column in zip(*pairs, strict=True)):
            found[rung] = float(spearmanr(*zip(*pairs, strict=True)).statistic), len(pairs)
    return found
