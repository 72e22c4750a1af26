"""One part of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.expr import KINDS

__all__ = ["Split", "class_shares", "digest"]


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


def digest(kind: str, parts: Iterable[Split]) -> str:
    """Hexadecimal SHA-256 of a kind of task and of every number in its parts."""
    digest = hashlib.sha256(kind.encode())
    for part in parts:
        for tensor in (part.X, part.y, part.w):
            if tensor is not None:
                array = tensor.detach().cpu().contiguous().numpy()
                # The bytes alone do not tell [2, 3] from [3, 2], nor int64 from float64.
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(array.tobytes())
    return digest.hexdigest()


def class_shares(kind: str, labels: Tensor, classes: int | None) -> Tensor | None:
    """Share of each class, or of each label's ones, `[C]`, in (0, 1); None for regression."""
    if not KINDS[kind].probabilities:
        return None
    size = len(labels)
    if KINDS[kind].independent:
        ones = labels.sum(0)
        # A share of 0 or 1 has no finite logarithm or log-odds.
        return (ones + 1) / (size + 2) if bool(((ones == 0) | (ones == size)).any()) else ones / size
    counts = torch.bincount(labels, minlength=classes or 0)
    # Laplace's rule, for the same reason: a formula may take log(pi).
    return (counts + 1) / (size + len(counts)) if bool((counts == 0).any()) else counts / size
