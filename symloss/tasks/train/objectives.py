"""The ordinary loss of each kind of task, as torch computes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from torch import Tensor
from torch.nn import functional as F

from symloss.expr import KINDS, parse

__all__ = ["ordinary"]

_TORCH: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "classification": F.cross_entropy,
    "multilabel": F.binary_cross_entropy_with_logits,
    "regression": F.mse_loss,
    "margin": F.binary_cross_entropy_with_logits,
}
"""torch's own functions, where it has the ordinary loss of a kind."""


def ordinary(kind: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean of the ordinary loss, as cross-entropy and mean squared error, a differentiable scalar."""
    function = _TORCH.get(kind) or _compiled(kind)
    return function(outputs, targets)


@lru_cache(maxsize=8)
def _compiled(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    return parse(KINDS[kind].ordinary, kind=kind).to_torch()
