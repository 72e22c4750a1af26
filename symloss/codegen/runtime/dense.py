"""Losses in which every entry counts: value and gradient in one sweep, in blocks that fit the cache."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from symloss.codegen.runtime.blocks import in_blocks
from symloss.codegen.runtime.branch import Batch, Branch, at_target
from symloss.codegen.runtime.composed import hard_losses, soft_losses
from symloss.codegen.runtime.fused import Path
from symloss.codegen.runtime.logits import all_pairs

__all__ = ["DensePath", "Entries", "SingularDensePath"]


class Entries(NamedTuple):
    """The entries of a block of instances.

    Attributes:
        arguments: what the branches take: `log p`, `p` and `1 - p`, or `log p` and `log(1 - p)`; None where not read.
        p: the probabilities.
        top: the index of each instance's largest entry.
        rest: the sum of the others.
    """

    arguments: tuple[Tensor | None, ...]
    p: Tensor
    top: Tensor
    rest: Tensor


class DensePath(Path):
    """`L = sum_i weight_i M(y_i, p_i)`: with `h = dM/d(log p)`, `dL/dz_j = h_j - p_j sum_i h_i`.

    The instance's largest entry `k` is apart, the only one whose `1 - p` can cancel: there `1 - p_k` is the sum of
    the others, `log p_k` is `-log1p` of their odds, and `dL/dz_k = h_k (1 - p_k) - p_k sum_{i != k} h_i`.

    Args:
        first: `M(1, p)`, or with probabilities as targets `M(y, p)`.
        other: `M(0, p)`.
        reads: whether `log p` and `1 - p` are read.
        soft: the targets are probabilities.
        singular: `M(y, p)` cannot simply be evaluated at `y = 0`.
    """

    def __init__(
        self,
        first: Branch,
        other: Branch,
        reads: tuple[bool, bool] = (True, True),
        *,
        soft: bool = False,
        singular: bool = False,
    ) -> None:
        self.first, self.other, self.reads, self.soft, self.singular = first, other, reads, soft, singular

    def forward(self, z: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """See `Path`."""
        if z.shape[1] == 1:
            return self.composed(z.detach(), batch), torch.zeros_like(z)
        if not self.soft:
            z.gather(1, batch.target)  # refuses an index before the work is done
        return in_blocks(self.sweep, z, batch)

    def sweep(self, z: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The losses of some instances, and their gradient."""
        entries = self.entries(z)
        terms, slopes = self.terms(entries, batch)
        if batch.weight is not None:
            terms, slopes = terms * batch.weight, slopes * batch.weight
        return terms.sum(1, keepdim=True), self.gradient(entries, slopes)

    def entries(self, z: Tensor) -> Entries:
        """Of `z`, `[N, C, ...]`."""
        largest, top = z.max(1, keepdim=True)
        log_odds = z - largest
        odds = torch.exp(log_odds)
        rest = odds.scatter_(1, top, 0.0).sum(1, keepdim=True)
        p = odds.scatter_(1, top, 1.0).div_(rest + 1)
        rest, log_total = rest / (rest + 1), torch.log1p(rest)
        reads_log, reads_q = self.reads
        u = log_odds.sub_(log_total) if reads_log else None
        q = (1 - p).scatter_(1, top, rest) if reads_q else None
        return Entries((u, p, q), p, top, rest)

    def terms(self, entries: Entries, batch: Batch) -> tuple[Tensor, Tensor]:
        """The terms of the sum over classes, and their slopes."""
        if not self.soft:
            t = batch.target
            hits = self.first.curve(
                *(x if x is None else x.gather(1, t) for x in entries.arguments), *at_target(batch)
            )
            rest = self.other.curve(*entries.arguments, *batch.context)
            # Value and slope may be one tensor, as of `4 p`, or one of the inputs.
            given = [x for x in (*entries.arguments, *rest) if x is not None]
            return put(rest[0], t, hits[0], given), put(rest[1], t, hits[1], given)
        if not self.singular:
            return self.first.curve(*entries.arguments, *batch.context, y=batch.target)
        zero = batch.target == 0
        found = self.first.curve(*entries.arguments, *batch.context, y=torch.where(zero, 1.0, batch.target))
        at_zero = self.other.curve(*entries.arguments, *batch.context)
        return torch.where(zero, at_zero[0], found[0]), torch.where(zero, at_zero[1], found[1])

    def gradient(self, entries: Entries, slopes: Tensor) -> Tensor:
        """By the logits, of the slopes by `log p`."""
        p, top = entries.p, entries.top
        peak, others = slopes.gather(1, top), slopes.scatter(1, top, 0.0).sum(1, keepdim=True)
        found = torch.addcmul(slopes, p, peak + others, value=-1)
        return found.scatter_(1, top, peak * entries.rest - p.gather(1, top) * others)

    def composed(self, z: Tensor, batch: Batch) -> Tensor:
        """See `Path`."""
        if self.soft:
            return soft_losses(self.first.value, self.other.value if self.singular else None, z, batch)
        return hard_losses(self.first.value, self.other.value, z, batch)


class SingularDensePath(DensePath):
    """A loss that is singular at `p = 1`, differentiated by the entries' own logits `d = log(p/(1 - p))`.

    With `G = dM/dd`: `dL/dz_j = G_j/q_j - p_j sum_{i != k} G_i/q_i - G_k p_j/q_k` for `j` other than the largest `k`.
    """

    def entries(self, z: Tensor) -> Entries:
        """Of `z`, `[N, C, ...]`."""
        u, v = all_pairs(z)
        top = u.argmax(1, keepdim=True)
        return Entries((u, v), torch.exp(u), top, torch.exp(v.gather(1, top)))

    def gradient(self, entries: Entries, slopes: Tensor) -> Tensor:
        """By the logits, of the slopes by the entries' own logits."""
        (u, v), p, top = entries.arguments, entries.p, entries.top
        assert u is not None
        assert v is not None
        odds = slopes * torch.exp(-v.scatter(1, top, 0.0))
        pulls = odds.scatter(1, top, 0.0).sum(1, keepdim=True)
        ratio = torch.exp((u - v.gather(1, top)).scatter(1, top, -math.inf))
        return odds - p * pulls - slopes.gather(1, top) * ratio


def put(x: Tensor, t: Tensor, values: Tensor, given: list[Tensor]) -> Tensor:
    """`x` with `values` at the indices `t`: in place only where nothing else of `given` shares its memory."""
    alone = sum(other.data_ptr() == x.data_ptr() for other in given) == 1
    return x.scatter_(1, t, values) if alone and x.is_contiguous() else x.scatter(1, t, values)
