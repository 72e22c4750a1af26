"""Multilayer perceptrons, many at once: forward, backward and forward-mode passes as batched products.

The models of a population differ in their weights alone. Autograd and `vmap` cost a small model more time in
bookkeeping than its arithmetic takes; these passes cost the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Activations", "Dense", "Weights", "dense_layers"]

Weights = list[tuple[Tensor, Tensor]]
"""For each layer its matrix `[(n,) out, in]` and bias `[(n,) out]`; n models, or one that all share."""


@dataclass(frozen=True)
class Activations:
    """What a forward pass leaves behind: the input of every layer, and the outputs."""

    inputs: list[Tensor]
    outputs: Tensor


def dense_layers(model: nn.Module) -> list[nn.Linear] | None:
    """The layers of a multilayer perceptron with ReLU between them, or None for any other model."""
    modules = [module for module in model.modules() if not isinstance(module, nn.Sequential)]
    flattened = [module for module in modules if not isinstance(module, nn.Flatten)]
    linear, relu = flattened[::2], flattened[1::2]
    if not flattened or len(linear) != len(relu) + 1 or len(list(model.buffers())):
        return None
    if not all(isinstance(m, nn.Linear) and m.bias is not None for m in linear):
        return None
    if not all(type(m) is nn.ReLU for m in relu) or len(set(linear)) != len(linear):
        return None
    return [m for m in linear if isinstance(m, nn.Linear)]


class Dense:
    """The passes of a perceptron; weights are given, never kept.

    Shapes: inputs `[(n,) B, d]`, outputs `[(n,) B, k]`; regression uses the one output without its axis.
    """

    def __init__(self, scalar: bool) -> None:
        self.scalar = scalar

    def forward(self, weights: Weights, inputs: Tensor) -> Activations:
        """The outputs, and what `backward` and `tangent` need."""
        h = inputs.flatten(1)
        left = []
        for i, (matrix, bias) in enumerate(weights):
            if i:
                h = h.relu()
            left.append(h)
            h = torch.matmul(h, matrix.mT) + (bias.unsqueeze(-2) if bias.dim() > 1 else bias)
        return Activations(left, h.squeeze(-1) if self.scalar else h)

    def backward(self, weights: Weights, activations: Activations, gradient: Tensor) -> Weights:
        """From the gradient in the outputs of n models, `[n, B, (k)]`, that in their weights."""
        d = gradient.unsqueeze(-1) if self.scalar else gradient
        found: Weights = []
        for (matrix, _), h in zip(reversed(weights), reversed(activations.inputs), strict=True):
            found.append((torch.matmul(d.mT, h), d.sum(-2)))
            if len(found) < len(weights):
                d = torch.matmul(d, matrix) * (h > 0)
        return found[::-1]

    def tangent(self, weights: Weights, activations: Activations, directions: Weights) -> Tensor:
        """How the outputs change as the weights move along n directions, `[n, B, (k)]`: forward mode."""
        t: Tensor | None = None
        for (matrix, _), (turn, shift), h in zip(weights, directions, activations.inputs, strict=True):
            moved = torch.matmul(h, turn.mT) + shift.unsqueeze(-2)
            t = moved if t is None else moved + torch.matmul(t * (h > 0), matrix.mT)
        assert t is not None
        return t.squeeze(-1) if self.scalar else t


def weights_of(layers: Sequence[nn.Linear]) -> Weights:
    """The layers' weights, detached."""
    return [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
