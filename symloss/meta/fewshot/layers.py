"""Layers as functions of their weights: normalisation by chosen statistics, modulation, the learned losses' networks.

A network is its weights: a mapping from names to tensors. A layer that has no weights of its name there is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "NORM_FLOOR",
    "Rows",
    "Weights",
    "modulate",
    "network",
    "normalise",
    "smooth_leaky_relu",
    "smooth_root",
]

Weights = Mapping[str, Tensor]
_BATCH_FLOOR = 1e-5
"""Added to a variance that is divided by, as torch's batch normalisation has it."""
NORM_FLOOR = 1e-6
"""Under a root: the second derivative of a norm at zero is then 1,000 rather than infinite."""
_SLOPE, _SHARPNESS = 0.25, 5.0


@dataclass(frozen=True)
class Rows:
    """The rows of one pass through a network, those of the support set first, and how they see each other.

    Attributes:
        support, query: how many.
        statistics: see `settings.Design`.
        film_on: see `settings.Design`.
    """

    support: int
    query: int
    statistics: str = "transductive"
    film_on: str = "activations"


def normalise(x: Tensor, scale: Tensor, shift: Tensor, rows: Rows) -> Tensor:
    """`scale (x - mean) / sqrt(variance + 1e-5) + shift`, channel by channel.

    Args:
        x: `[n, C, H, W]`, the rows that `rows` counts.
        scale, shift: `[C]`.
        rows: which of them share statistics: those of each set, those of the support set for all, or every row's own,
            over channels as well (a channel of one pixel has no variance).
    """
    if rows.statistics == "instance":
        return F.group_norm(x, 1, scale, shift, _BATCH_FLOOR)
    # One set alone: both ways below are its own statistics.
    if not (rows.support and rows.query):
        return F.batch_norm(x, None, None, scale, shift, True, 0.0, _BATCH_FLOOR)
    if rows.statistics == "transductive":
        sets = x.split([rows.support, rows.query])
        return torch.cat(
            [F.batch_norm(each, None, None, scale, shift, True, 0.0, _BATCH_FLOOR) for each in sets]
        )
    # Without Bessel's correction, as batch normalisation divides by.
    variance, mean = torch.var_mean(x[: rows.support], (0, 2, 3), keepdim=True, correction=0)
    factor = scale.view(1, -1, 1, 1) * (variance + _BATCH_FLOOR).rsqrt()
    return (x - mean) * factor + shift.view(1, -1, 1, 1)


def modulate(h: Tensor, before: Tensor, weights: Weights, name: str, rows: Rows) -> Tensor:
    """FiLM: `(1 + gamma(x)) h + beta(x)`, both linear in `x / sqrt(1 + mean x^2)`, `x` being what the layer began with.

    Args:
        h: what the layer made, `[n, C, ...]`.
        before: its input, `[n, D, ...]`: averaged over pixels, and over the support rows where `rows` says so.
        weights: with `film.NAME.weight` `[2 C, D]` and `film.NAME.bias`, or without.
        name: of the layer.
        rows: see above.

    References:
        Perez et al., FiLM: visual reasoning with a general conditioning layer, 2018; NPBML conditions on the
        activations before, instance by instance, and leaves embeddings of the task out.
    """
    weight = weights.get(f"film.{name}.weight")
    if weight is None:
        return h
    x = before.mean((2, 3)) if before.dim() == 4 else before
    if rows.film_on == "support":
        x = x[: rows.support].mean(0, keepdim=True)
    # No longer than the root of its size: where nothing is normalised (an MLP, a loss's inputs) layers that multiply
    # activations by activations are a polynomial, and the inner loop leaves the floats within 20 meta-steps.
    x = x * (1 + x.square().mean(-1, keepdim=True)).rsqrt()
    gamma, beta = F.linear(x, weight, weights[f"film.{name}.bias"]).chunk(2, -1)
    if h.dim() == 4:
        gamma, beta = gamma[..., None, None], beta[..., None, None]
    return (1 + gamma) * h + beta


def network(x: Tensor, weights: Weights, name: str, rows: Rows) -> Tensor:
    """NPBML's network of a loss: `D -> 40 -> 40 -> 1`, ReLU, ReLU, smooth leaky ReLU; `[n, D]` to `[n]`."""
    for layer in (1, 2):
        z = F.linear(x, weights[f"{name}.{layer}.weight"], weights[f"{name}.{layer}.bias"])
        x = modulate(z, x, weights, f"{name}.{layer}", rows).relu()
    return smooth_leaky_relu(F.linear(x, weights[f"{name}.3.weight"], weights[f"{name}.3.bias"])).squeeze(-1)


def smooth_leaky_relu(x: Tensor) -> Tensor:
    """`(1 - gamma) log(1 + exp(beta x)) / beta + gamma x`, gamma 0.25 and beta 5.

    >>> round(float(smooth_leaky_relu(torch.zeros(()))), 3)
    0.104
    """
    return (1 - _SLOPE) * F.softplus(x, beta=_SHARPNESS) + _SLOPE * x


def smooth_root(square: Tensor) -> Tensor:
    """`sqrt(x^2 + 1e-6)`: a norm whose second derivative at zero is finite.

    The double backward pass of a norm at zero is NaN, and biases start there.
    """
    return (square + NORM_FLOOR).sqrt()
