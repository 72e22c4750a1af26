"""Losses of entries, such as multilabel and regression losses: one sweep gives value and derivative."""

from __future__ import annotations

import torch
from torch import Tensor

from symloss.codegen.runtime.blocks import in_blocks
from symloss.codegen.runtime.branch import Batch, Branch
from symloss.codegen.runtime.composed import entry_terms
from symloss.codegen.runtime.fused import Path

__all__ = ["LabelPath", "NumberPath"]


class NumberPath(Path):
    """`M(y, p)` of predictions.

    Args:
        general: `M` of `p`, `y` and the context `(w,)`.
    """

    def __init__(self, general: Branch) -> None:
        self.general = general

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        return in_blocks(self.sweep, z, batch)

    def sweep(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """The losses and slopes of some instances."""
        return self.general.curve(z, batch.target, *batch.context)

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return self.general.value(z, batch.target, *batch.context)


class LabelPath(Path):
    """`M(y, sigmoid(z))` of labels, differentiated by the logit.

    Args:
        general: `M(y, p)` of the logit.
        other: `M(0, p)` of it where the former cannot be evaluated at `y = 0`, or None.
    """

    def __init__(self, general: Branch, other: Branch | None) -> None:
        self.general, self.other = general, other

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        return in_blocks(self.sweep, z, batch)

    def sweep(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """The losses and slopes of some instances."""
        y = batch.target
        if self.other is None:
            return self.general.curve(z, *batch.context, y=y)
        zero = y == 0
        at_zero = self.other.curve(z, *batch.context)
        found = self.general.curve(z, *batch.context, y=torch.where(zero, 1.0, y))
        return torch.where(zero, at_zero[0], found[0]), torch.where(zero, at_zero[1], found[1])

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        other = None if self.other is None else self.other.value
        return entry_terms(self.general.value, other, (z,), 0.0, batch)
