"""How a base model is trained."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from symloss.errors import TaskError
from symloss.numbers import as_real, as_whole

__all__ = ["TrainingSettings"]


@dataclass(frozen=True)
class TrainingSettings:
    """Stochastic gradient descent as the base models are trained with it.

    Attributes:
        learning_rate: the step size, > 0.
        momentum: in [0, 1).
        nesterov: whether the momentum looks ahead; of no effect when the momentum is 0.
        weight_decay: coefficient of the weights added to the gradient, >= 0.
        batch_size: instances a step, >= 1; a smaller training set is one batch.
        steps: optimiser steps, >= 0.
        milestones: steps at which the learning rate is divided by 10.

    Raises:
        TaskError: for a value outside its range.

    >>> TrainingSettings(steps=100).learning_rate
    0.01
    """

    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    batch_size: int = 128
    steps: int = 500
    milestones: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("learning_rate", "momentum", "weight_decay", "batch_size", "steps"):
            value = getattr(self, name)
            number = as_whole(value) if name in ("batch_size", "steps") else as_real(value)
            if number is None:
                whole = "an integer" if name in ("batch_size", "steps") else "a number"
                raise TaskError(f"training setting {name} is {value!r}: expected {whole}")
            object.__setattr__(self, name, number)  # Python's own, as the record of a run is JSON
        stones = (
            [as_whole(step) for step in self.milestones] if isinstance(self.milestones, Iterable) else [None]
        )
        if None in stones:
            raise TaskError(f"training setting milestones is {self.milestones!r}: expected integers")
        object.__setattr__(self, "milestones", tuple(stones))
        # Comparisons with NaN are false, so NaN fails; infinity passes them and fails below.
        ranges: tuple[tuple[str, bool, str], ...] = (
            ("learning_rate", self.learning_rate > 0, "a number above 0"),
            ("momentum", 0 <= self.momentum < 1, "a number in [0, 1)"),
            ("weight_decay", self.weight_decay >= 0, "a number of at least 0"),
            ("batch_size", self.batch_size >= 1, "an integer of at least 1"),
            ("steps", self.steps >= 0, "an integer of at least 0"),
        )
        for name, good, expected in ranges:
            value = getattr(self, name)
            if not good or not math.isfinite(value):
                raise TaskError(f"training setting {name} is {value!r}: expected {expected}")
