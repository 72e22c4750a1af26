"""The line or plane in the space of a model's weights on which a landscape is evaluated.

Weights travel as one vector, in the order of `model.named_parameters()`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from symloss.runs import derive

__all__ = ["Plane", "filter_normalised", "flat", "plane_of_paths", "plane_of_points", "random_plane"]


@dataclass(frozen=True)
class Plane:
    """`origin + x * axes[0] + y * axes[1]`; one axis makes it a line.

    Attributes:
        origin: weights `[P]`.
        axes: directions `[D, P]`, D = 1 or 2.
        explained: of the principal plane of paths, the share of their variance along each axis; else empty.
    """

    origin: Tensor
    axes: Tensor
    explained: tuple[float, ...] = ()

    def at(self, places: Tensor) -> Tensor:
        """The weights `[N, P]` at places `[N, D]`; at 0 exactly the origin."""
        return self.origin + places.to(self.origin) @ self.axes

    def place(self, weights: Tensor) -> tuple[float, ...]:
        """Where the point of the plane that is nearest to these weights lies; the axes are orthogonal or one."""
        shift = weights - self.origin
        return tuple(float(shift @ axis / (axis @ axis)) for axis in self.axes)


def flat(model: nn.Module) -> Tensor:
    """The weights of a model as one vector."""
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def filter_normalised(model: nn.Module, generator: torch.Generator) -> Tensor:
    """A Gaussian direction in which every filter is as long as the model's own.

    A filter is what makes one output of a layer: a row of a matrix, a kernel over all channels. Two models whose
    scale differs, as weights before a ReLU or batch normalisation may, are thereby looked at at the same distance.
    Biases and the weights of normalisation layers, which have no filters, do not move, as published.

    References:
        Li et al., Visualizing the loss landscape of neural nets, 2018, sec. 4.
    """
    parts = []
    for weight in model.parameters():
        # The same numbers for a model on any device.
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        if weight.ndim < 2:
            parts.append(torch.zeros_like(drawn).flatten())
            continue
        own, new = weight.detach().flatten(1), drawn.flatten(1)
        sizes = own.norm(dim=1, keepdim=True) / new.norm(dim=1, keepdim=True).clamp_min(1e-30)
        parts.append((new * sizes).flatten())
    return torch.cat(parts)


def random_plane(model: nn.Module, dimensions: int, seed: int) -> Plane:
    """Filter-normalised Gaussian directions through the weights of a model; the same draws for every model."""
    axes = []
    for axis in range(dimensions):
        generator = torch.Generator().manual_seed(derive(seed, "direction", axis))
        axes.append(filter_normalised(model, generator))
    return Plane(flat(model), torch.stack(axes))


def plane_of_points(first: Tensor, second: Tensor, third: Tensor | None = None) -> Plane:
    """The line from `first` (at 0) to `second` (at 1), or the plane through `third` as well.

    Both axes have the length of that line, and are at right angles: distances in the picture are those of the weights.
    """
    along = second - first
    if third is None:
        return Plane(first, along.unsqueeze(0))
    length = along @ along
    # Gram-Schmidt, then as long as the other axis.
    across = (third - first) - ((third - first) @ along / length) * along
    size = across.norm()
    # Three points on a line leave no second direction; a rounding error blown up would be one.
    if float(size) > 1e-6 * float(along.norm()):
        across = across * (length.sqrt() / size)
    return Plane(first, torch.stack([along, across]))


def plane_of_paths(paths: Sequence[Tensor], dimensions: int) -> Plane:
    """The principal directions of the paths that weights took, through the end of the first.

    Args:
        paths: each `[K, P]`, in the order of training.
        dimensions: how many directions.

    References:
        Li et al., Visualizing the loss landscape of neural nets, 2018, sec. 7, of one path.
    """
    # From each path's own end, as PCA of one path takes it (Li et al. 2018): two paths then share the plane.
    shifts = torch.cat([path - path[-1] for path in paths]).double()
    # K points in P dimensions, K much smaller: their Gram matrix has the same spectrum.
    values, vectors = torch.linalg.eigh(shifts @ shifts.T)
    order = values.argsort(descending=True)[:dimensions]
    # An eigenvector u of S S' gives the eigenvector S'u of S'S, up to its length.
    axes = vectors[:, order].T @ shifts
    axes = axes / axes.norm(dim=1, keepdim=True).clamp_min(1e-30)
    total = float(values.clamp_min(0).sum()) or 1.0
    explained = tuple(max(0.0, float(value)) / total for value in values[order])
    return Plane(paths[0][-1], axes.to(paths[0]), explained)
