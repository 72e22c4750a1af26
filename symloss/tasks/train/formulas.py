"""A formula as the function that trains a task's model: with its class priors and instance weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from symloss.expr import PI, Loss, W
from symloss.tasks.train.loop import InstanceLoss

__all__ = ["for_training"]


def for_training(
    loss: InstanceLoss | Loss, priors: Tensor | None, device: torch.device
) -> Callable[..., Tensor]:
    """The function `(outputs, targets, w) -> scalar` that trains with this loss.

    In a formula (or a module made of one) `pi` means the class priors of the task, unless the module has its
    own, and `w` the weights of its training rows, 1 where it has none. Other functions are called with outputs
    and targets alone.
    """
    function: Callable[..., Tensor] = loss.to_torch() if isinstance(loss, Loss) else loss
    if isinstance(function, nn.Module):
        function = function.to(device)
    formula = loss if isinstance(loss, Loss) else getattr(function, "loss", None)
    if not isinstance(formula, Loss):
        return lambda outputs, targets, w=None: function(outputs, targets)
    symbols = formula.expr.free_symbols
    given = {}
    if PI in symbols and getattr(function, "priors", None) is None:
        given["priors"] = None if priors is None else priors.to(device)
    if W not in symbols:
        return lambda outputs, targets, w=None: function(outputs, targets, **given)
    return lambda outputs, targets, w=None: function(outputs, targets, w=w, **given)
