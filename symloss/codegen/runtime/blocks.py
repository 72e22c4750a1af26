"""A batch in blocks of instances, whose temporaries fit the cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from symloss.codegen.runtime.branch import Batch

__all__ = ["in_blocks"]

BLOCK = 1 << 17
"""Entries in a block: half a megabyte of float32, so that temporaries stay in the second-level cache."""
LARGE_BLOCK = 1 << 28
"""The same on an accelerator, where a block bounds the memory of temporaries, a gigabyte each."""


def in_blocks(
    sweep: Callable[[Tensor, Batch], tuple[Tensor, ...]], z: Tensor, batch: Batch
) -> tuple[Tensor, ...]:
    """What `sweep` gives for a batch, the losses and their gradient, found block by block."""
    rows = (BLOCK if z.is_cpu else LARGE_BLOCK) * (z.shape[0] if z.dim() else 1) // max(1, z.numel())
    if z.dim() == 0 or max(1, rows) >= z.shape[0]:
        return sweep(z, batch)
    parts, gradient = [], torch.empty_like(z)
    for start in range(0, z.shape[0], max(1, rows)):
        block = slice(start, start + max(1, rows))
        losses, gradient[block] = sweep(z[block], batch.rows(block))
        parts.append(losses)
    return torch.cat(parts), gradient
