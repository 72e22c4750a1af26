"""Multilayer perceptrons, many at once: forward, backward and forward-mode passes as batched products.

The models of a population differ in their weights alone. Autograd and `vmap` cost a small model more time in
bookkeeping than its arithmetic takes; these passes cost the arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symloss.tasks.train.models import Difference

__all__ = ["Activations", "Dense", "Weights", "dense_layers", "moved", "weights_of"]


@dataclass(frozen=True)
class Outer:
    """The matrices `left.mT @ right + scale * matrix`, never formed.

    The gradient of a layer in a batch has rank B at most, and so has what one step changes: for a wide layer the
    factors cost less than the matrix that they stand for.

    Attributes:
        left: `[n, B, out]`.
        right: `[(n,) B, in]`.
        matrix: `[out, in]`, or None.
        scale: its factor.
    """

    left: Tensor
    right: Tensor
    matrix: Tensor | None = None
    scale: float = 0.0

    def forth(self, h: Tensor) -> Tensor:
        """`h @ M.mT` for inputs `h` of the layer."""
        found = torch.matmul(torch.matmul(h, self.right.mT), self.left)
        return found if self.matrix is None else found.add(torch.matmul(h, self.matrix.mT), alpha=self.scale)

    def back(self, d: Tensor) -> Tensor:
        """`d @ M` for gradients `d` in the layer's outputs."""
        found = torch.matmul(torch.matmul(d, self.left.mT), self.right)
        return found if self.matrix is None else found.add(torch.matmul(d, self.matrix), alpha=self.scale)


Matrix = Tensor | Outer
Weights = list[tuple[Tensor, Tensor]]
"""For each layer its matrix `[(n,) out, in]` and bias `[(n,) out]`; n models, or one that all share."""
Steps = list[tuple[Matrix, Tensor]]
"""Weights, or directions in their space, of which wide matrices may be kept as factors."""


def _forth(h: Tensor, matrix: Matrix) -> Tensor:
    return torch.matmul(h, matrix.mT) if isinstance(matrix, Tensor) else matrix.forth(h)


@dataclass(frozen=True)
class Activations:
    """What a forward pass leaves behind: the input of every layer, and the outputs."""

    inputs: list[Tensor]
    outputs: Tensor


def dense_layers(model: nn.Module) -> list[nn.Linear] | None:
    """The layers of a multilayer perceptron with ReLU between them, or None for any other model."""
    # With its repetitions: a layer that is passed through twice is two layers of one weight, and none of `Dense`.
    modules = [
        module
        for _, module in model.named_modules(remove_duplicate=False)
        if type(module).forward is not nn.Sequential.forward
    ]
    # Not passed on: `Dense` flattens and takes differences itself (`scalar`, `paired`).
    flattened = [module for module in modules if not isinstance(module, nn.Flatten | Difference)]
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

    Shapes: inputs `[(n,) B, d]`, outputs `[(n,) B, k]`; regression uses the one output without its axis. Of pairs the
    inputs are both rows side by side, `[(n,) B, 2d]`, and the output the difference of theirs.
    """

    def __init__(self, scalar: bool, reuse: bool = False, paired: bool = False) -> None:
        """The passes of one shape of model.

        Args:
            scalar: whether the one output has no axis of its own.
            paired: whether an output is that of the first row of a pair less that of the second.
            reuse: whether each pass writes its results where those of the last one stood. Fresh memory of the
                size of many models' activations costs as much as what is computed.
        """
        self.scalar, self.paired = scalar, paired
        self._kept: dict[tuple[str, int], Tensor] | None = {} if reuse else None

    def _product(self, a: Tensor, b: Tensor, what: str, layer: int) -> Tensor:
        if self._kept is None:
            return torch.matmul(a, b)
        known = self._kept.get((what, layer))
        if known is None:
            known = self._kept[what, layer] = torch.matmul(a, b)
            return known
        # Of the same shape as long as the models and the batch are: a caller who reuses keeps both.
        return torch.matmul(a, b, out=known)

    def forward(self, weights: Weights | Steps, inputs: Tensor) -> Activations:
        """The outputs, and what `backward` and `tangent` need."""
        # Both rows of a pair go through the same layers, one after the other.
        h = inputs.unflatten(-1, (2, -1)).flatten(-3, -2) if self.paired else inputs
        left = []
        for i, (matrix, bias) in enumerate(weights):
            if i:
                # In place: what `backward` and `tangent` need of the pre-activation is its sign, which the result
                # keeps (0 stands for both non-positive cases, where the derivative is 0).
                h = h.relu_()
            left.append(h)
            h = self._product(h, matrix.mT, "h", i) if isinstance(matrix, Tensor) else matrix.forth(h)
            h += bias.unsqueeze(-2) if bias.dim() > 1 else bias
        return Activations(left, self._said(h))

    def _said(self, last: Tensor) -> Tensor:
        """The outputs of the model, of those of its last layer."""
        found = last.squeeze(-1) if self.scalar else last
        if not self.paired:
            return found
        first, second = found.unflatten(-1, (-1, 2)).unbind(-1)
        return first - second

    def backward(self, weights: Weights, activations: Activations, gradient: Tensor) -> Weights:
        """From the gradient in the outputs of n models, `[n, B, (k)]`, that in their weights."""
        deltas = self._deltas(weights, activations, gradient)
        return [
            (self._product(d.mT, h, "w", i), d.sum(-2))
            for i, (d, h) in enumerate(zip(deltas, activations.inputs, strict=True))
        ]

    def directions(self, weights: Weights | Steps, activations: Activations, gradient: Tensor) -> Steps:
        """As `backward`, with factors where they cost less."""
        found: Steps = []
        for d, h in zip(self._deltas(weights, activations, gradient), activations.inputs, strict=True):
            rows, out, into = d.shape[-2], d.shape[-1], h.shape[-1]
            # Products with the factors cost rows (out + into) a row of input, with the matrix out * into.
            cheap = rows * (out + into) < out * into
            found.append((Outer(d, h) if cheap else torch.matmul(d.mT, h), d.sum(-2)))
        return found

    def _deltas(self, weights: Weights | Steps, activations: Activations, gradient: Tensor) -> list[Tensor]:
        """The gradients in the outputs of every layer, before its ReLU."""
        if self.paired:
            # d(first - second): 1 for the first row of a pair, -1 for the second.
            gradient = torch.stack([gradient, -gradient], -1).flatten(-2)
        d = gradient.unsqueeze(-1) if self.scalar else gradient
        found = [d]
        for i in range(len(weights) - 1, 0, -1):
            matrix, h = weights[i][0], activations.inputs[i]
            d = self._product(d, matrix, "d", i) if isinstance(matrix, Tensor) else matrix.back(d)
            # What the derivative of torch's ReLU calls: a product with `h > 0` takes five times as long.
            torch.ops.aten.threshold_backward.grad_input(d, h, 0, grad_input=d)
            found.append(d)
        return found[::-1]

    def tangent(self, weights: Weights, activations: Activations, directions: Weights | Steps) -> Tensor:
        """How the outputs change as the weights move along n directions, `[n, B, (k)]`: forward mode."""
        t: Tensor | None = None
        for (matrix, _), (turn, shift), h in zip(weights, directions, activations.inputs, strict=True):
            moved = _forth(h, turn) + shift.unsqueeze(-2)
            # d(h W^T + b) = h dW^T + db + dh W^T, and dh = t masked by the ReLU. The inputs do not move, so the
            # first layer has no last term.
            t = moved if t is None else moved + torch.matmul(t * (h > 0), matrix.mT)
        assert t is not None
        return self._said(t)


def moved(weights: Weights, directions: Steps, step: float, decay: float) -> Steps:
    """`decay * W + step * direction`, layer by layer."""
    steps: Steps = []
    for (matrix, bias), (turn, shift) in zip(weights, directions, strict=True):
        new: Matrix = (
            torch.add(decay * matrix, turn, alpha=step)
            if isinstance(turn, Tensor)
            else Outer(step * turn.left, turn.right, matrix, decay)
        )
        steps.append((new, torch.add(decay * bias, shift, alpha=step)))
    return steps


def weights_of(layers: Sequence[nn.Linear]) -> Weights:
    """The layers' weights, detached."""
    return [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
