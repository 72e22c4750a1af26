"""Fitness: the metric of one task, or the mean rank over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from symloss.search.record.result import Evaluation

__all__ = ["mean_ranks", "with_fitness"]


def mean_ranks(fitnesses: Sequence[Sequence[float]]) -> list[float]:
    """The rank of each row (1 is best, ties share), averaged over the columns.

    >>> mean_ranks([[0.1, 5.0], [0.2, 4.0], [0.2, 6.0]])
    [1.5, 1.75, 2.75]
    """
    if not fitnesses:
        return []
    from scipy.stats import rankdata  # most of a second to import, which no worker needs

    ranks = rankdata(np.asarray(fitnesses, dtype=float), axis=0)
    return [float(mean) for mean in ranks.mean(axis=1)]


def with_fitness(evaluations: Sequence[Evaluation], signs: Mapping[str, float]) -> list[Evaluation]:
    """The evaluations with their fitness as it stands now.

    With one task it is the metric, its sign turned where more is better. With several it is the mean over the
    tasks of a loss's rank among all trained so far, which is also what is shown as validation.

    Args:
        evaluations: every candidate so far.
        signs: by task, -1 where its metric is maximised, else 1.
    """
    if len(signs) == 1:
        return list(evaluations)
    trained = [entry for entry in evaluations if entry.outcome == "trained"]
    rows = [[sign * entry.scores[task] for task, sign in signs.items()] for entry in trained]
    ranks = {entry.number: rank for entry, rank in zip(trained, mean_ranks(rows), strict=True)}
    shared = {tuple(sorted(entry.scores.items())): ranks[entry.number] for entry in trained}
    found = []
    for entry in evaluations:
        rank = ranks.get(entry.number, shared.get(tuple(sorted(entry.scores.items()))))
        found.append(entry.with_fitness(rank) if entry.scores else entry)
    return found
