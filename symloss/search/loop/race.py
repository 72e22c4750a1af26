"""Training in rungs: after a share of it the worst are dropped; how far that can be trusted is measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from symloss.search.loop.ranks import mean_ranks
from symloss.search.record.result import Evaluation

__all__ = ["Race", "rank_correlations"]


class Race:
    """The field of one rung: every candidate of the run that has come to it.

    Args:
        keep: share of the field that goes on, in (0, 1].
        simple: whether an arrival that no simpler one equals goes on too.
    """

    def __init__(self, keep: float, simple: bool = True) -> None:
        self.keep, self.simple = keep, simple
        self._field: list[tuple[float, ...]] = []

    def survivors(self, arrivals: Sequence[tuple[Sequence[float], int]]) -> list[bool]:
        """Whether each of a generation's candidates goes on.

        It does when it is among the best `keep` of all so far, or, where the simple count, when no simpler
        arrival is as good: a front needs its simple end too. One that diverged never does.

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
            beaten = not self.simple or any(
                other <= rank and (other, size) != (rank, complexity) and size <= complexity
                for other, (_, size) in zip(ranks[start:], arrivals, strict=True)
            )
            finite = all(math.isfinite(value) for value in fitness)
            kept.append(finite and (rank <= limit or not beaten))
        return kept


def rank_correlations(evaluations: Sequence[Evaluation]) -> Mapping[str, tuple[float, int]]:
    """Spearman's correlation of each rung's metric with the metric after the whole training, and the count.

    Over the losses that were trained to the end: those that a race dropped are missing, so the correlation
    over a run of which all went on (`keep=1`) is the one to trust. Of several tasks, the mean.
    """
    from scipy.stats import spearmanr  # most of a second to import, which no worker needs

    found = {}
    full = [entry for entry in evaluations if entry.outcome == "trained" and entry.rungs and entry.scores]
    for rung in dict.fromkeys(name for entry in full for name in entry.rungs):
        at_rung = [entry for entry in full if rung in entry.rungs]
        rhos = []
        for task in at_rung[0].scores:
            early = [entry.rungs[rung][task] for entry in at_rung]
            late = [entry.scores[task] for entry in at_rung]
            if len(at_rung) > 2 and len(set(early)) > 1 and len(set(late)) > 1:
                rhos.append(float(spearmanr(early, late).statistic))
        if rhos:
            found[rung] = statistics.fmean(rhos), len(at_rung)
    return found
