"""Where the training of a few-shot learner stands: vectors and a few facts, from which it goes on exactly."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.errors import RunError
from symloss.meta.inner import Adam

__all__ = ["State", "arrays_from", "arrays_to", "cosine", "not_finite"]


@dataclass(frozen=True)
class State:
    """A training between two steps.

    Attributes:
        stage: `"pretraining"`, `"meta-training"` or `"trained"`.
        step: steps of the stage that are done.
        vector: all weights, in the order of their names.
        mean, square: Adam's moments of it.
        best: the weights with the best validation so far.
        best_step: after how many meta-steps that was.
        history: meta-steps, and the validation score after them.
        stopped: why training ended early, or `""`.
    """

    stage: str
    step: int
    vector: Tensor
    mean: Tensor
    square: Tensor
    best: Tensor
    best_step: int = 0
    history: tuple[tuple[int, float], ...] = ()
    stopped: str = ""

    @classmethod
    def at(cls, stage: str, vector: Tensor) -> State:
        """The beginning of a stage."""
        return cls(stage, 0, vector, torch.zeros_like(vector), torch.zeros_like(vector), vector)

    def moved(self, gradient: Tensor, rate: float) -> State:
        """After one more step, of Adam."""
        known = (
            # torch's counter, put together again: what is kept is an integer and two vectors.
            {"step": torch.tensor(float(self.step)), "exp_avg": self.mean, "exp_avg_sq": self.square}
            if self.step
            else {}
        )
        vector, now = Adam(rate).step(self.vector, gradient, known)
        return replace(self, step=self.step + 1, vector=vector, mean=now["exp_avg"], square=now["exp_avg_sq"])

    def judged(self, validation: float, better: bool) -> State:
        """With a validation score, which may be the best."""
        history = (*self.history, (self.step, validation))
        if not better:
            return replace(self, history=history)
        return replace(self, history=history, best=self.vector, best_step=self.step)

    def to(self, device: torch.device | str) -> State:
        """On another device."""
        vectors = {name: getattr(self, name).to(device) for name in _VECTORS}
        return replace(self, **vectors)

    def facts(self) -> dict[str, Any]:
        """All but the vectors, JSON-ready."""
        return {
            "stage": self.stage, "step": self.step, "best_step": self.best_step, "stopped": self.stopped,
            "history": [list(each) for each in self.history],
        }  # fmt: skip

    def arrays(self) -> dict[str, Tensor]:
        """The vectors, by name."""
        return {name: getattr(self, name) for name in _VECTORS}

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> State:
        """The state of which these are the facts and the vectors.

        Raises:
            RunError: when they are not.
        """
        try:
            history = tuple((int(step), float(value)) for step, value in facts["history"])
            return cls(
                str(facts["stage"]), int(facts["step"]), **{name: arrays[name] for name in _VECTORS},
                best_step=int(facts["best_step"]), history=history, stopped=str(facts["stopped"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"no state of a training can be read: {type(error).__name__} {error}") from None


_VECTORS = ("vector", "mean", "square", "best")


def arrays_to(arrays: Mapping[str, Tensor]) -> bytes:
    """Tensors as an `.npz` archive: numbers alone, never a pickle."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {name: each.detach().cpu().numpy() for name, each in arrays.items()}
    np.savez(buffer, **named)
    return buffer.getvalue()


def arrays_from(content: bytes) -> dict[str, Tensor]:
    """The tensors of an archive.

    Raises:
        RunError: when it holds anything else.

    >>> arrays_from(arrays_to({"a": torch.ones(2)}))
    {'a': tensor([1., 1.])}
    """
    try:
        # Pickles are refused: a run's folder may come from anyone.
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name]) for name in archive.files}
    except (ValueError, OSError, KeyError, EOFError, TypeError, AttributeError) as error:
        raise RunError(f"no archive of numbers: {error}") from None


def cosine(rate: float, final: float, step: int, steps: int) -> float:
    """The rate of a step, counted from 0: from `rate` down to `final` by half a cosine."""
    return final + (rate - final) * (1 + math.cos(math.pi * step / max(1, steps))) / 2


def not_finite(value: float, tensors: Mapping[str, Tensor]) -> str:
    """The first tensor that holds a number that is not finite, by name; `""` where all are finite, the value too."""
    for name, each in tensors.items():
        if not bool(torch.isfinite(each).all()):
            return name
    return "" if math.isfinite(value) else "the loss"
