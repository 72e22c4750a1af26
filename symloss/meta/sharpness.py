"""How sharp a minimum is: curvature in the steepest direction, and the rise within reach of one step up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["rise", "top_eigenvalue"]


def top_eigenvalue(
    value: Tensor, weights: Sequence[Tensor], iterations: int = 12, tolerance: float = 0.0
) -> float:
    """The eigenvalue of largest magnitude of the Hessian of `value` in the weights, by power iteration.

    Args:
        value: a scalar that was computed from the weights.
        weights: in which it is differentiated.
        iterations: at most so many Hessian-vector products.
        tolerance: ends the iteration once the eigenvalue moves by less than this share of itself.

    References:
        Cohen et al., Gradient descent on neural networks typically occurs at the edge of stability, 2021.

    >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> round(top_eigenvalue((torch.tensor([3.0, -1.0]) * w**2).sum(), [w], iterations=50), 4)
    6.0
    """
    slopes = torch.autograd.grad(value, weights, create_graph=True, allow_unused=True, materialize_grads=True)
    # Linear in the weights: the Hessian is 0, and autograd has nothing to differentiate.
    if not any(slope.requires_grad for slope in slopes):
        return 0.0
    draw = torch.Generator().manual_seed(0)
    # Drawn on the CPU: the same start on every device. Random, as a fixed one may be orthogonal to the
    # eigenvector.
    vector = [torch.randn(w.shape, generator=draw).to(w) for w in weights]
    eigenvalue = 0.0
    for _ in range(iterations):
        size = float(nn.utils.get_total_norm(vector))
        if not (math.isfinite(size) and size > 0):
            break
        vector = [each / size for each in vector]
        product = torch.autograd.grad(
            slopes, weights, vector, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        before = eigenvalue
        # Rayleigh's quotient v^T H v of the unit vector: its error is the square of the vector's.
        eigenvalue = sum(float((a * b).sum()) for a, b in zip(vector, product, strict=True))
        vector = list(product)
        if abs(eigenvalue - before) <= tolerance * abs(eigenvalue):
            break
    return eigenvalue


def rise(objective: Callable[[], Tensor], weights: Sequence[Tensor], radius: float = 0.05) -> float:
    """By how much the objective rises one step of length `radius` up its gradient: `L(w + r g/|g|) - L(w)`.

    The first-order worst case within that distance, as sharpness-aware minimisation takes it. The weights are put
    back.

    Args:
        objective: of the weights as they are.
        weights: that are moved.
        radius: the published default is 0.05.

    References:
        Foret et al., Sharpness-aware minimization for efficiently improving generalization, 2021, eq. 2.

    >>> w = torch.tensor([2.0], requires_grad=True)
    >>> round(rise(lambda: (w**2).sum(), [w], radius=1.0), 4)
    5.0
    """
    value = objective()
    slopes = torch.autograd.grad(value, weights, allow_unused=True, materialize_grads=True)
    size = float(nn.utils.get_total_norm(slopes))
    if not (math.isfinite(size) and size > 0):
        # Without a slope there is no direction up: a stationary point does not rise to first order.
        return 0.0 if size == 0 else math.nan
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            weight.add_(slope, alpha=radius / size)
        above = float(objective())
        for weight, old in zip(weights, kept, strict=True):
            weight.copy_(old)
    return above - float(value.detach())
