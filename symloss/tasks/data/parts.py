"""One part of the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Split"]


@dataclass(frozen=True)
class Split:
    """Features and targets of one part of the data.

    Attributes:
        X: float32 `[N, ...]`.
        y: class indices int64 `[N]`, standardised targets float32 `[N]`, or 0/1 labels float32 `[N, K]`.
        w: weights of the instances, float32 `[N]`, or None.
    """

    X: Tensor
    y: Tensor
    w: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def to(self, device: torch.device | str) -> Split:
        """The same part on another device."""
        return Split(self.X.to(device), self.y.to(device), None if self.w is None else self.w.to(device))
