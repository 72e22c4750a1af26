"""A loss as the function that trains a task's model: with what the task knows of each batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symloss.codegen.trees.interpret import Context
from symloss.expr import PI, Loss, W
from symloss.tasks.train.loop import InstanceLoss

__all__ = ["InContext", "for_training"]

Contextual = Callable[[Tensor, Tensor, Context], Tensor]


@dataclass(frozen=True)
class InContext:
    """A loss that asks for the context of its batch.

    Attributes:
        function: `(outputs, targets, context) -> scalar`.
    """

    function: Contextual


def for_training(loss: InstanceLoss | InContext | Loss, device: torch.device) -> Contextual:
    """The function `(outputs, targets, context) -> scalar` that trains with this loss.

    In a formula (or a module made of one) `pi` and `w` mean what the context says, unless the module has class
    priors of its own; a `w` that the context lacks is 1. Other functions are called with outputs and targets
    alone.
    """
    if isinstance(loss, InContext):
        return loss.function
    function: Callable[..., Tensor] = loss.to_torch() if isinstance(loss, Loss) else loss
    if isinstance(function, nn.Module):
        function = function.to(device)
    formula = loss if isinstance(loss, Loss) else getattr(function, "loss", None)
    symbols = formula.expr.free_symbols if isinstance(formula, Loss) else set()
    # What the module is told, and by which name of the context.
    told = {"w": "w"} if W in symbols else {}
    if PI in symbols and getattr(function, "priors", None) is None:
        told["priors"] = "pi"
    return lambda outputs, targets, context: function(
        outputs, targets, **{option: context.get(name) for option, name in told.items()}
    )
