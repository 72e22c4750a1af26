"""What follows the last generation: rounder numbers, fresh seeds, and how well gate and race did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from symloss.runs import derive, generator
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.race import rank_correlations
from symloss.search.loop.ranks import mean_ranks
from symloss.search.loop.stages import Stages
from symloss.search.loop.tidy import tidied
from symloss.search.record.front import non_dominated
from symloss.search.record.result import Evaluation

__all__ = ["audit", "finalists", "fresh_fitnesses", "tidied_candidates"]


def finalists(evaluations: Sequence[Evaluation], count: int) -> list[int]:
    """The numbers of the losses that are worth a second look: front after front, until there are `count`.

    One training seed flatters whoever it suits, and many were tried on it: the best over several seeds is
    often behind the front that one seed shows.
    """
    left = {
        entry.number: (entry.fitness, float(entry.complexity), entry.number)
        for entry in evaluations
        if entry.fitness is not None and entry.complexity is not None
    }
    chosen: list[int] = []
    while left and len(chosen) < count:
        front = non_dominated(left.values())
        if not front:
            break
        chosen += front
        taken = {left[number][:2] for number in front}
        left = {number: point for number, point in left.items() if point[:2] not in taken}
    return chosen


def tidied_candidates(rows: Sequence[Candidate], start: int, generation: int) -> list[Candidate]:
    """The versions of each loss that `tidied` offers, numbered from `start`."""
    candidates: list[Candidate] = []
    for row in rows:
        for said, version in tidied(row.weighted):
            slot = len(candidates)
            one = Candidate(start + slot, generation, slot, row.program, version)
            one.remark = f"candidate {row.number}, {said}"
            candidates.append(one)
    return candidates


def fresh_fitnesses(
    stages: Stages, rows: Sequence[Candidate], signs: Mapping[str, float]
) -> dict[int, list[float]]:
    """By number, each loss's fitness on each fresh training seed, infinite where it diverged.

    Of several tasks, the mean rank among these losses. A single loss needs no comparison.
    """
    fresh: dict[int, list[float]] = {row.number: [] for row in rows}
    for replicate in range(stages.settings.fresh_seeds if len(rows) > 1 else 0):
        answers = stages.workers.ask("train", rows, derive(stages.seed, "fresh", replicate))
        fitnesses = [_fitnesses(answer["values"], signs) for _, answer in answers]
        ranked = mean_ranks(fitnesses) if len(signs) > 1 else [row[0] for row in fitnesses]
        for row, fitness in zip(rows, ranked, strict=True):
            fresh[row.number].append(fitness)
    return fresh


def audit(stages: Stages, evaluations: Sequence[Evaluation], signs: Mapping[str, float]) -> list[str]:
    """What the gate and the race were worth, in words: from a sample of what they turned away."""
    said = []
    away, size = stages.turned_away, stages.settings.sample
    fitnesses = sorted(e.fitness for e in evaluations if e.outcome == "trained" and e.fitness is not None)
    if size and away and fitnesses and len(signs) == 1:
        order = sorted(generator(stages.seed, "audit").permutation(len(away))[:size])
        tried = stages.try_anyway([away[i] for i in order])
        best = [
            min(_fitnesses(c.values, signs)[0] if c.values else math.inf for c in pair)
            for pair in zip(tried[::2], tried[1::2], strict=True)
        ]
        good = sum(fitness <= fitnesses[len(fitnesses) // 2] for fitness in best)
        said.append(
            f"gate: {len(away)} trees turned away; of {len(order)} trained all the same, {good} did better "
            f"than half of those that passed ({good / len(order):.0%} false rejections)"
        )
    for rung, (rho, count) in rank_correlations(evaluations).items():
        said.append(
            f"race: rank correlation {rho:.2f} of {float(rung):.0%} of the training with all of it, over "
            f"{count} losses that were trained to the end"
        )
    return said


def _fitnesses(values: Sequence[float | None], signs: Mapping[str, float]) -> list[float]:
    return [
        math.inf if value is None else sign * value
        for value, sign in zip(values, signs.values(), strict=True)
    ]
