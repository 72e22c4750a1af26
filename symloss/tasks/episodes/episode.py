"""What a few-shot learner sees: one small task with a support and a query set, and where such tasks come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

__all__ = ["PARTS", "Episode", "EpisodeSource"]

#: Pools of classes; no class is in two of them.
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Episode:
    """One task of an episodic data set: learn from the support rows, be judged on the query rows.

    Rows are class-major: all shots of class 0, then all of class 1, and the queries alike.

    Attributes:
        support_inputs: float32 `[ways * shots, ...]`; regression `[shots, 1]`.
        support_targets: int64 `[ways * shots]` in 0 to ways - 1; regression float32 `[shots, 1]`.
        query_inputs: float32 `[ways * queries, ...]`; regression `[queries, 1]`.
        query_targets: as the support's.
    """

    support_inputs: Tensor
    support_targets: Tensor
    query_inputs: Tensor
    query_targets: Tensor

    def to(self, device: torch.device) -> Episode:
        """The same episode on another device."""
        return Episode(
            self.support_inputs.to(device),
            self.support_targets.to(device),
            self.query_inputs.to(device),
            self.query_targets.to(device),
        )


class EpisodeSource(Protocol):
    """Where episodes come from: a data set whose classes are dealt to three disjoint parts.

    Attributes:
        name: as typed on the command line.
        kind: `"classification"` or `"regression"`.
        input_shape: shape of one input, such as `(1, 28, 28)` or `(1,)`.
        fingerprint: hexadecimal SHA-256 of what the source is made of.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    @property
    def fingerprint(self) -> str: ...

    def classes(self, part: str) -> list[str]:
        """Names of the classes of one part of `PARTS`; empty for regression."""
        ...

    def check(self, part: str, *, ways: int, shots: int, queries: int) -> None:
        """Raise `TaskError` where no such episode can be drawn: too many ways, shots or queries."""
        ...

    def sample(self, part: str, *, ways: int, shots: int, queries: int, seed: int) -> Episode:
        """The episode of this seed: the same for the same arguments on every machine."""
        ...

    def pool(self, part: str) -> tuple[Tensor, Tensor]:
        """All inputs `[N, ...]` and class numbers int64 `[N]` of one part, for pretraining; raises for regression."""
        ...

    def with_classes(self, number: int) -> EpisodeSource:
        """The same source with the first `number` classes of the training part alone (meta-overfitting)."""
        ...

    def describe(self) -> dict[str, Any]:
        """Facts for people and JSON: name, kind, inputs, classes and instances of each part, notes."""
        ...
