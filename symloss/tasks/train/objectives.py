"""The ordinary loss of each kind of task, as a formula and as torch computes it."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

__all__ = ["BASE_LOSSES", "ordinary"]

BASE_LOSSES = {
    "classification": "-y*log(p)",
    "multilabel": "-y*log(p) - (1 - y)*log(1 - p)",
    "regression": "(y - p)**2",
}


def ordinary(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy, binary cross-entropy or mean squared error, a differentiable scalar."""
    if kind == "classification":
        return F.cross_entropy(outputs, targets)
    if kind == "multilabel":
        return F.binary_cross_entropy_with_logits(outputs, targets)
    return F.mse_loss(outputs, targets)
