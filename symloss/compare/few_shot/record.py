"""What a run of few-shot learning keeps: states to go on from, scores, weights."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from symloss.compare.few_shot.result import SeedScores
from symloss.errors import RunError
from symloss.meta.fewshot import State, arrays_from, arrays_to
from symloss.runs import RunStore
from symloss.search.record.memory import Memory

__all__ = ["Record"]

_EVERY = 20.0
"""Seconds between two states on disk, at least: what comes out does not depend on when they are written."""


class Record:
    """The record of one seed's training.

    A state is two things, facts in the database and vectors in a file; the file's name is not that of the state
    before, and its digest is among the facts: a kill at any moment leaves one state that is whole.

    Args:
        store: of the run.
        seed: of the training.
    """

    def __init__(self, store: Memory | RunStore, seed: int) -> None:
        self.store, self.seed = store, seed
        self._written, self._milestone, self._at = 0.0, "", ""

    @property
    def scores(self) -> SeedScores | None:
        """Of a training that is finished."""
        found = self.store.get("seed", self.seed)
        return None if found is None else SeedScores.from_dict(found)

    @property
    def state(self) -> State | None:
        """The last one that was kept.

        Raises:
            RunError: when its file is not what was written.
        """
        facts = self.store.get("state", self.seed)
        if facts is None:
            return None
        self._at = str(facts["file"])
        return State.of(facts, self._arrays(self._at, facts["sha256"]))

    @property
    def history(self) -> tuple[tuple[int, float], ...]:
        """Of a training that is not finished."""
        facts = self.store.get("state", self.seed)
        return () if facts is None else tuple((int(step), float(value)) for step, value in facts["history"])

    @property
    def weights(self) -> dict[str, Tensor]:
        """What a finished training came to."""
        facts = self.store.get("weights", self.seed)
        if facts is None:
            raise RunError(f"the run has no weights of seed {self.seed}")
        return self._arrays(str(facts["file"]), facts["sha256"])

    def keep(self, state: State) -> None:
        """Keeps a state: each that was validated or begins a stage, others now and then."""
        now, milestone = time.monotonic(), f"{state.stage} {len(state.history)}"
        if milestone == self._milestone and now - self._written < _EVERY:
            return
        self._written, self._milestone = now, milestone
        name = f"state-{self.seed}-{'b' if self._at.endswith('-a.npz') else 'a'}.npz"
        content = arrays_to(state.arrays())
        self.store.write_bytes(name, content)
        self.store.put("state", self.seed, {**state.facts(), "file": name, "sha256": _digest(content)})
        self._at = name

    def finish(self, scores: SeedScores, weights: Mapping[str, Tensor]) -> None:
        """Keeps what a training came to, and lets its states go."""
        name, content = f"weights-{self.seed}.npz", arrays_to(weights)
        self.store.write_bytes(name, content)
        self.store.put("weights", self.seed, {"file": name, "sha256": _digest(content)})
        self.store.put("seed", self.seed, scores.to_dict())
        for letter in "ab":
            self.store.remove(f"state-{self.seed}-{letter}.npz")

    def _arrays(self, name: str, digest: Any) -> dict[str, Tensor]:
        content = self.store.read_bytes(name)
        if _digest(content) != digest:
            raise RunError(f"{self.store.path} is damaged: {name} is not what was written")
        return arrays_from(content)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
