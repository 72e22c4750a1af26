"""Class indices and class probabilities, weighted and ignored as `nn.CrossEntropyLoss` does."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from symloss.codegen.runtime.branch import Batch
from symloss.codegen.runtime.fused import Path, composes, reduced
from symloss.codegen.runtime.logits import voided

__all__ = ["ClassPaths", "all_count", "index_loss", "probability_loss"]


class ClassPaths(NamedTuple):
    """The paths of a classification loss.

    Attributes:
        hard: of class indices.
        soft: of class probabilities.
        weighted: of class indices with weights of the classes, where every class counts; None where only the
            target's does.
    """

    hard: Path
    soft: Path
    weighted: Path | None


def all_count(t: Tensor, ignore_index: int) -> bool:
    """Whether it is known that no instance is to be ignored.

    One look on a CPU; an accelerator would have to be waited for.
    """
    if not t.is_cpu or t.numel() == 0:
        return False
    return bool(t.amin().item() >= 0) if ignore_index < 0 else not bool((t == ignore_index).any())


def index_loss(
    paths: ClassPaths,
    z: Tensor,
    t: Tensor,
    context: tuple[Any, ...],
    reduction: str,
    weight: Tensor | None = None,
    ignore_index: int = -100,
) -> Tensor:
    """The loss of logits `[N, C, ...]` and class indices `[N, ...]`.

    The mean divides by the summed weights of the targets. What is ignored may have an infinite loss: its logits are
    masked, not its result.

    Args:
        context: `(C, pi, w)`, shaped to broadcast against the logits.
        weight: `[C, 1, ...]`.
    """
    if weight is None and not composes() and all_count(t, ignore_index):
        losses = paths.hard.run(z, Batch(t.unsqueeze(1), context), reduction)
        return losses.squeeze(1) if reduction == "none" else losses
    kept = t != ignore_index
    t = torch.where(kept, t, 0)
    z = torch.where(kept.unsqueeze(1), z, 0.0)
    weights = kept.to(z.dtype) if weight is None else torch.where(kept, weight.flatten()[t], 0.0)
    if weight is not None and paths.weighted is not None:
        losses = paths.weighted(z, Batch(t.unsqueeze(1), context, weight), "none").squeeze(1)
    else:
        z = z if weight is None else voided(z, weights.unsqueeze(1))
        losses = paths.hard(z, Batch(t.unsqueeze(1), context), "none").squeeze(1)
        losses = losses if weight is None else losses * weights
    losses = torch.where(kept, losses, 0.0)
    return losses.sum() / weights.sum() if reduction == "mean" else reduced(losses, reduction)


def probability_loss(
    paths: ClassPaths,
    z: Tensor,
    y: Tensor,
    context: tuple[Any, ...],
    reduction: str,
    weight: Tensor | None = None,
) -> Tensor:
    """The loss of logits and class probabilities, each `[N, C, ...]`; the mean is that of the instances."""
    losses = paths.soft(z, Batch(y, context, weight), reduction)
    return losses.squeeze(1) if reduction == "none" else losses
