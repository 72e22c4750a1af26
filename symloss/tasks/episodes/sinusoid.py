"""Sine waves of random amplitude and phase: the regression tasks that MAML was introduced with."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symloss.errors import TaskError
from symloss.runs.seeds import derive, generator
from symloss.tasks.episodes.checks import check_counts, check_part
from symloss.tasks.episodes.episode import Episode

__all__ = ["Sinusoid", "Wave"]

AMPLITUDES, PHASES, INPUTS = (0.1, 5.0), (0.0, math.pi), (-5.0, 5.0)


@dataclass(frozen=True)
class Wave:
    """One task: `y = amplitude sin(x - phase)`, without noise.

    >>> float(Wave(2.0, 0.0)(np.array(math.pi / 2)))
    2.0
    """

    amplitude: float
    phase: float

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.amplitude * np.sin(x - self.phase)


@dataclass(frozen=True)
class Sinusoid:
    """Regression tasks `y = A sin(x - b)`: A in [0.1, 5], b in [0, pi], x in [-5, 5], each uniform.

    There are no classes: each seed is a wave of its own, and the parts draw from streams of their own. `ways` is
    of no effect. Reference: Finn et al. (2017), "Model-Agnostic Meta-Learning", section 5.1.

    Attributes:
        training_tasks: how many different waves the training part has; endlessly many where it is `None`.

    >>> episode = Sinusoid().sample("train", ways=1, shots=10, queries=5, seed=0)
    >>> episode.support_inputs.shape, episode.query_targets.shape
    (torch.Size([10, 1]), torch.Size([5, 1]))
    """

    training_tasks: int | None = None

    name = "sinusoid"
    kind = "regression"
    input_shape = (1,)

    @property
    def fingerprint(self) -> str:
        recipe = f"A sin(x - b), A {AMPLITUDES}, b {PHASES}, x {INPUTS}, training tasks {self.training_tasks}"
        return hashlib.sha256(recipe.encode()).hexdigest()

    def classes(self, part: str) -> list[str]:
        check_part(part)
        return []

    def check(self, part: str, *, ways: int, shots: int, queries: int) -> None:
        check_part(part)
        check_counts(ways=ways, shots=shots, queries=queries)

    def wave(self, part: str, seed: int) -> Wave:
        """The task of the episode of this seed, for drawing it."""
        check_part(part)
        if part == "train" and self.training_tasks is not None:
            # Only the wave recurs; `sample` draws its points by the episode's own seed. With few waves a learner
            # can memorise them, which is what meta-overfitting is measured by.
            seed = derive(seed, "which wave") % self.training_tasks
        random = generator(seed, "sinusoid", part, "wave")
        return Wave(float(random.uniform(*AMPLITUDES)), float(random.uniform(*PHASES)))

    def sample(self, part: str, *, ways: int, shots: int, queries: int, seed: int) -> Episode:
        self.check(part, ways=ways, shots=shots, queries=queries)
        wave = self.wave(part, seed)
        # Streams of their own, so that the same queries judge any number of shots.
        support, query = (
            generator(seed, "sinusoid", part, role).uniform(*INPUTS, size=(count, 1))
            for role, count in (("support", shots), ("query", queries))
        )
        return Episode(_float(support), _float(wave(support)), _float(query), _float(wave(query)))

    def pool(self, part: str) -> tuple[Tensor, Tensor]:
        raise TaskError("sinusoid has no classes to pretrain on: leave pretraining out")

    def with_classes(self, number: int) -> Sinusoid:
        check_counts(classes=number)
        return replace(self, training_tasks=number)

    def describe(self) -> dict[str, Any]:
        tasks = "endlessly many" if self.training_tasks is None else str(self.training_tasks)
        return {
            "name": self.name,
            "kind": self.kind,
            "inputs": [*self.input_shape],
            "classes": dict.fromkeys(("train", "val", "test"), 0),
            "instances": dict.fromkeys(("train", "val", "test"), 0),
            "notes": [
                "y = A sin(x - b): A uniform in [0.1, 5], b in [0, pi], x in [-5, 5]",
                f"{tasks} training tasks",
            ],
        }


def _float(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
