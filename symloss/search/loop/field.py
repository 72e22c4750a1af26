"""All candidates of a run, and the evidence from their scores."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from symloss.search.loop.candidate import Candidate, Values
from symloss.search.loop.evidence import Evidence

__all__ = ["Field", "fitness_of", "row_of"]


def fitness_of(values: Values, signs: Sequence[float], noises: Sequence[float]) -> float:
    """What is minimised: a task's metric, or the mean over several in units of their noise.

    >>> fitness_of((0.9,), [-1.0], [1.0]), fitness_of((1.0, 6.0), [1.0, 1.0], [1.0, 2.0])
    (-0.9, 2.0)
    """
    if any(value is None for value in values):
        # One task without a score is enough: a mean over the others would reward failing on the hard one.
        return math.inf
    parts = [
        sign * value / noise
        for value, sign, noise in zip(values, signs, noises, strict=True)
        if value is not None
    ]
    return math.fsum(parts) / len(parts)


def row_of(blocks: Mapping[int, Values], signs: Sequence[float], noises: Sequence[float]) -> dict[int, float]:
    """The fitness on every block."""
    return {block: fitness_of(values, signs, noises) for block, values in blocks.items()}


class Field:
    """The candidates by number; those that share a training share its evidence.

    Args:
        signs: of the tasks' metrics, -1 where more is better.
    """

    def __init__(self, signs: Sequence[float]) -> None:
        self.signs = tuple(signs)
        self.noises = (1.0,) * len(self.signs)
        self.candidates: dict[int, Candidate] = {}
        self._evidence: Evidence | None = None

    def add(self, candidates: Iterable[Candidate]) -> None:
        """More candidates, or the same again."""
        self.candidates.update((candidate.number, candidate) for candidate in candidates)
        self._evidence = None

    def changed(self) -> None:
        """Scores were added: what they say is worked out anew."""
        self._evidence = None

    def original(self, number: int) -> Candidate:
        """The candidate that was trained: itself, or the one whose training it shares."""
        candidate = self.candidates[number]
        while candidate.source is not None and candidate.source in self.candidates:
            candidate = self.candidates[candidate.source]
        return candidate

    @property
    def evidence(self) -> Evidence:
        """What the scores say of the candidates that were trained."""
        if self._evidence is None:
            self._evidence = Evidence(
                {
                    number: row_of(candidate.scores, self.signs, self.noises)
                    for number, candidate in self.candidates.items()
                    if candidate.outcome == "trained" and candidate.scores
                }
            )
        return self._evidence

    def fitness(self, number: int) -> float | None:
        """On the average block, what is minimised; None without a training that ended."""
        original = self.original(number).number
        if self.candidates[number].outcome not in ("trained", "reused"):
            return None
        return self.evidence.mean(original) if original in self.evidence.candidates else None
