"""Losses by operations that autograd knows: for soft labels, higher derivatives and transforms.

`where` masks the inputs of a branch, not its results: a masked infinity has a NaN gradient.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from symloss.codegen.runtime.branch import Batch, Value, at_target
from symloss.codegen.runtime.fused import ComposedPath
from symloss.codegen.runtime.logits import all_pairs, voided

__all__ = ["ComposedHardPath", "ComposedSoftPath", "entry_terms", "hard_losses", "soft_losses"]


def hard_losses(first: Value, other: Value, z: Tensor, batch: Batch) -> Tensor:
    """`sum_i weight_i M(y_i, p_i)` of class indices: `M(0, p)` everywhere, then `M(1, p)` in the target's place."""
    u, v = all_pairs(z if batch.weight is None else voided(z, batch.weight))
    t = batch.target
    hits = first(u.gather(1, t), v.gather(1, t), *at_target(batch))
    terms = other(u, v, *batch.context).scatter(1, t, hits)
    return (terms if batch.weight is None else terms * batch.weight).sum(1, keepdim=True)


def soft_losses(general: Value, other: Value | None, z: Tensor, batch: Batch) -> Tensor:
    """`sum_i weight_i M(y_i, p_i)` of class probabilities; see `entry_terms`."""
    pair = all_pairs(z if batch.weight is None else voided(z, batch.weight))
    terms = entry_terms(general, other, pair, -math.log(2), batch)
    return (terms if batch.weight is None else terms * batch.weight).sum(1, keepdim=True)


def entry_terms(
    general: Value, other: Value | None, entries: tuple[Tensor, ...], half: float, batch: Batch
) -> Tensor:
    """`M(y, p)` of every entry.

    Args:
        general: `M(y, p)`.
        other: `M(0, p)`, where the former cannot be evaluated there, or None.
        entries: the first arguments of both.
        half: what these are at `p = 1/2`.
        batch: its targets are those of the entries.
    """
    y = batch.target
    if other is None:
        return general(*entries, *batch.context, y=y)
    zero = y == 0
    at_zero = other(*(torch.where(zero, x, half) for x in entries), *batch.context)
    elsewhere = [torch.where(zero, half, x) for x in entries]
    found = general(*elsewhere, *batch.context, y=torch.where(zero, 1.0, y))
    return torch.where(zero, at_zero, found)


class ComposedHardPath(ComposedPath):
    """Class indices, all of whose entries count.

    Args:
        first, other: `M(1, p)` and `M(0, p)`.
    """

    def __init__(self, first: Value, other: Value) -> None:
        self.first, self.other = first, other

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return hard_losses(self.first, self.other, z, batch)


class ComposedSoftPath(ComposedPath):
    """Class probabilities.

    Args:
        general: `M(y, p)`.
        other: `M(0, p)`, where the former cannot be evaluated there.
    """

    def __init__(self, general: Value, other: Value | None) -> None:
        self.general, self.other = general, other

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        return soft_losses(self.general, self.other, z, batch)
