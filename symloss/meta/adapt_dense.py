"""The passes of an adaptive step through a perceptron, by products of matrices alone.

What the first pass has computed is kept for the pass in forward mode, and the gradient of the validation batch, of rank
B at most for B rows, stays in its factors: 8 units of arithmetic become 5 to 6 where layers are wider than batches,
and a small model is spared the bookkeeping of autograd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from symloss.meta.adapt_passes import Moved, differentiable, finite
from symloss.meta.dense import Dense, Outer, Steps, Weights, dense_layers, weights_of
from symloss.meta.inner import SGD, Rule
from symloss.tasks.train.loop import InstanceLoss

__all__ = ["PerceptronPasses", "perceptron"]

_KNOWN = {nn.Sequential, nn.Flatten, nn.Linear, nn.ReLU}


def perceptron(
    model: nn.Module, rules: Mapping[nn.Parameter, Rule], inputs: Any, held_out: Any
) -> PerceptronPasses | None:
    """The passes of a model that is a perceptron whose every weight SGD moves; None for any other.

    SGD responds to all entries of a gradient alike, so factors stay factors; Adam does not.
    """
    # By the very class: a subclass may compute something else. Hooks would not be called here.
    modules = list(model.modules())
    if not {type(module) for module in modules} <= _KNOWN or any(
        module._forward_hooks or module._forward_pre_hooks or module._backward_hooks for module in modules
    ):
        return None
    layers = dense_layers(model)
    if layers is None or torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        return None
    weights = [weight for layer in layers for weight in layer.parameters()]
    if not all(weight.requires_grad and type(rules.get(weight)) is SGD for weight in weights):
        return None
    # A last Flatten(0), as a regression task's model ends with, takes the axis of the one output away; one
    # anywhere else would mix the rows of a batch.
    flat = [module.start_dim == 0 for module in modules if isinstance(module, nn.Flatten)]
    scalar = any(flat) and layers[-1].out_features == 1
    if flat != [False] * (len(flat) - scalar) + [True] * scalar:
        return None
    if not all(_rows(each, layers[0], weights[0]) for each in (inputs, held_out)):
        return None
    return PerceptronPasses(layers, inputs, scalar)


def _rows(inputs: Any, first: nn.Linear, weight: Tensor) -> bool:
    """Whether inputs are rows that the first layer takes."""
    return (
        isinstance(inputs, Tensor)
        and inputs.dim() >= 2
        and not inputs.requires_grad
        and inputs.dtype == weight.dtype
        and inputs.device == weight.device
        and inputs.shape[1:].numel() == first.in_features
    )


class PerceptronPasses:
    """As `ModelPasses`, of a perceptron.

    Args:
        layers: of the model.
        inputs: of the training batch, `[B, ...]`.
        scalar: whether the one output has no axis of its own.
    """

    def __init__(self, layers: Sequence[nn.Linear], inputs: Tensor, scalar: bool) -> None:
        self._layers, self._dense = layers, Dense(scalar)
        self._inputs = inputs.flatten(1)

    def outputs(self) -> Tensor:
        """See `ModelPasses`."""
        with torch.no_grad():
            self._first = self._dense.forward(weights_of(self._layers), self._inputs)
        self._leaf = self._first.outputs.detach().requires_grad_()
        return self._leaf

    def backward(self, value: Tensor) -> None:
        """See `ModelPasses`."""
        if not value.requires_grad:
            return
        (slope,) = torch.autograd.grad(value, self._leaf)
        with torch.no_grad():
            found = self._dense.backward(weights_of(self._layers), self._first, slope)
        for layer, (matrix, bias) in zip(self._layers, found, strict=True):
            layer.weight.grad, layer.bias.grad = matrix, bias

    def measure(self, moved: Sequence[Moved], objective: InstanceLoss, batch: tuple[Any, ...]) -> Tensor:
        """See `ModelPasses`."""
        weights = weights_of(self._layers)
        with torch.no_grad():
            second = self._dense.forward(weights, batch[0].flatten(1))
        leaf = second.outputs.detach().requires_grad_()
        value = differentiable(objective(leaf, batch[1]))
        (rise,) = torch.autograd.grad(value, leaf)
        with torch.no_grad():
            self._rises = self._dense.directions(weights, second, rise)
        # The caller looks at one number: a finite loss whose gradient is not (a root at 0) must not pass.
        return value.detach() if finite([rise]) else value.detach() * math.nan

    def tangent(self, moved: Sequence[Moved], responses: Sequence[float | Tensor]) -> tuple[Tensor, str]:
        """See `ModelPasses`."""
        before: dict[Tensor, tuple[Tensor, float | Tensor]] = {
            each.weight: (each.before, response) for each, response in zip(moved, responses, strict=True)
        }
        weights: Weights = []
        directions: Steps = []
        for layer, (matrix, bias) in zip(self._layers, self._rises, strict=True):
            (old, response), (old_bias, response_of_bias) = before[layer.weight], before[layer.bias]
            weights.append((old, old_bias))
            turned = (
                # A response that is one number scales either factor; Adam's, elementwise, would need the product.
                Outer(matrix.left * response, matrix.right)
                if isinstance(matrix, Outer)
                else matrix * response
            )
            directions.append((turned, bias * response_of_bias))
        with torch.no_grad():
            return self._dense.tangent(weights, self._first, directions), "forward mode"
