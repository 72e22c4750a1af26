"""What torch does for each link: from outputs to probabilities, and from labels to entries."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.expr import Kind

__all__ = ["PREDICTIONS", "count", "entries_of", "reduced"]

PREDICTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda z: z.softmax(-1),
    "sigmoid": torch.sigmoid,
    "identity": lambda z: z,
    "sign": lambda z: z,
}
"""`p` of the outputs, by the name of the link; the classes are on the last axis."""


def entries_of(kind: Kind, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions and targets, one for each entry; class indices become one-hot rows, targets 0 and 1 signs."""
    if kind.exclusive and not targets.is_floating_point():
        targets = F.one_hot(targets, outputs.shape[-1])
    if kind.signed:
        targets = 2 * targets - 1
    return PREDICTIONS[kind.link.name](outputs), targets.to(outputs.dtype)


def reduced(kind: Kind, entries: Tensor) -> Tensor:
    """The loss of a batch from the losses of its entries."""
    return entries.sum(-1).mean() if kind.sums else entries.mean()


def count(kind: Kind, outputs: Tensor) -> int:
    """What the sum of all entries is divided by."""
    return outputs.shape[0] if kind.sums else outputs.numel()
