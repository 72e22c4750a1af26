"""What a path is given: the functions of a formula, and the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Batch", "Branch", "Value", "at_target"]

Value = Callable[..., Tensor]
"""A formula of entries of one kind, such as `M(1, p)`; its arguments end with those of `Batch.context`."""


class Branch(NamedTuple):
    """A formula with its derivative.

    Attributes:
        value: differentiable by autograd.
        curve: the value and its slope.
    """

    value: Value
    curve: Callable[..., tuple[Tensor, Tensor]]


class Batch(NamedTuple):
    """What a loss is computed from besides the outputs.

    Attributes:
        target: class indices `[N, 1, ...]`, or numbers of the outputs' shape.
        context: `(C, pi, w)`, the number of classes, their priors and the instances' weights, as they broadcast; `(w,)`
            of losses without probabilities.
        weight: `[C, 1, ...]`, multiplies each class's term, or None.
    """

    target: Tensor
    context: tuple[Any, ...]
    weight: Tensor | None = None

    def wants_gradient(self) -> bool:
        """Whether a target or a weight is to be differentiated by, as a teacher's labels or learned weights are."""
        given = self.target, self.weight, *self.context
        return any(isinstance(x, Tensor) and x.requires_grad for x in given)

    def rows(self, block: slice) -> Batch:
        """The batch of a block of instances; of the context only `w` is the instances'."""
        i = 2 if len(self.context) > 2 else 0
        w = self.context[i]
        if isinstance(w, Tensor) and w.dim():
            context = (*self.context[:i], w[block], *self.context[i + 1 :])
            return self._replace(target=self.target[block], context=context)
        return self._replace(target=self.target[block])


def at_target(batch: Batch) -> tuple[Any, ...]:
    """The context of the targets' entries: each has the prior of its class."""
    classes, pi, *rest = batch.context
    return batch.context if pi is None else (classes, pi.flatten()[batch.target], *rest)
