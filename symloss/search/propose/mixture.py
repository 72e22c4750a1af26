"""Mixtures: sums of at most three losses of the zoo, whose weights and own parameters are searched."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from symloss.errors import SymlossError
from symloss.expr import Program
from symloss.expr.trees import Weighted, weighted_from
from symloss.search.propose.family import Vector
from symloss.search.propose.outside import NOTHING
from symloss.zoo import Entry, entry, names

__all__ = ["MOST", "SIGMA", "MixtureFamily", "sparse_weights", "summed"]

MOST = 3
"""Losses in a mixture, at most: what a person still reads."""
SIGMA = 1.0
"""One standard deviation leads from no weight to all of it, and from a parameter's default to the end of its grid."""
_DIGITS = 3
"""Significant digits of weights and parameters, rounded before training, so that the printed mixture is exact."""


def sparse_weights(x: Vector, most: int = MOST) -> Vector:
    """The weights nearest to `x` of those that are not negative, add up to 1 and are not 0 in `most` places at most.

    The Euclidean projection on the sparse simplex: of the `most` largest coordinates `max(x_i - tau, 0)`, with tau
    such that they add up to 1; all others are 0.

    References:
        Kyrillidis, Becker, Cevher, Koch, Sparse projections onto the simplex, 2013, algorithm 1 (exact).

    >>> sparse_weights(np.array([0.3, 0.9, -2.0, 0.7, 0.2])).round(3).tolist()
    [0.0, 0.6, 0.0, 0.4, 0.0]
    """
    order = np.argsort(-x, kind="stable")[:most]
    largest = x[order]
    # tau for each size of the support; the right size is the last one whose smallest coordinate stays above it. There
    # always is one: the largest coordinate exceeds tau = largest - 1.
    tau = (np.cumsum(largest) - 1) / np.arange(1, len(order) + 1)
    weights = np.zeros_like(x)
    weights[order] = np.maximum(largest - tau[largest > tau][-1], 0)
    return weights


def summed(parts: Sequence[tuple[float, Weighted]]) -> Weighted:
    """The sum of some losses, each times a number.

    >>> summed([(0.5, Weighted.plain(Program(("abs", "p")))), (2.0, Weighted.plain(Program(("y",))))]).formula
    '0.5*abs(p) + 2*y'
    """
    (coefficient, first), *rest = parts
    total = first.scaled(coefficient)
    for number, loss in rest:
        tokens = ("add", *total.program.tokens, *loss.program.tokens)
        # A factor becomes the coefficient of the edge below `add`, as a tree has room for one factor only, at the
        # root.
        edges = (total.factor, *total.edges, number * loss.factor, *loss.edges)
        total = Weighted(Program(tokens), edges)
    return total


@dataclass(frozen=True)
class MixtureFamily:
    """Sums `sum_i w_i L_i(phi_i) / s_i` of the zoo's losses of one kind, of which at most three have a weight.

    The search is continuous: a coordinate for the weight of each loss, one for each of its own parameters.

    - Weights: the projection of the coordinates on the simplex with at most three weights (`sparse_weights`).
      Unlike a softmax it has exact zeros, so that one loss alone and two have a share of the space too; which
      losses take part is not a choice of its own, but changes where coordinates cross.
    - `s_i`: the null-epoch scale of the loss at its defaults, so that equal weights pull equally where training
      starts. (Raw, baikal would outweigh cross-entropy by a hundred, and most of the space be baikal.)
    - Parameters, those with values worth trying: `low + (default - low) exp(g u)` within their bounds, g such that
      |u| = 1 reaches the farther end of these values.

    Attributes:
        kind: of the losses.
        unit: the scale of a loss; 1 unless given.
        sigma: of the first generation, whose centroid is 0: any loss at its defaults.
    """

    kind: str
    unit: Callable[[Weighted], float] | None = None
    sigma: float = SIGMA

    @property
    def centroid(self) -> Vector:
        """Zero: no loss before another, each at its defaults."""
        return np.zeros(len(self._entries) + sum(len(each.grid) for each in self._entries))

    def loss(self, x: Vector) -> Weighted:
        """The mixture; its weights add up to 1, but for their rounding."""
        try:
            return summed([(weight, _tree(one, values)) for weight, one, values in self._parts(x)])
        except SymlossError:
            return NOTHING  # one of its losses does not take its parameters; the gate turns it away

    def turned(self, x: Vector) -> None:
        """A negated mixture is none."""
        return

    def said(self, x: Vector) -> str:
        """Such as `0.7*ce + 0.3*gce(q=0.5)`."""
        return " + ".join(
            one.title(dict(values)) if weight == 1 else f"{weight:g}*{one.title(dict(values))}"
            for weight, one, values in self._parts(x)
        )

    @cached_property
    def _entries(self) -> list[Entry]:
        return [entry(name, self.kind) for name in names(self.kind) if _has_tree(name, self.kind)]

    @cached_property
    def _units(self) -> Vector:
        scales = [self.unit(_tree(one, ())) if self.unit else 1.0 for one in self._entries]
        # A loss without a gradient at the start of training is taken as it is.
        return np.array([scale if math.isfinite(scale) and scale > 0 else 1.0 for scale in scales])

    def _parts(self, x: Vector) -> list[tuple[float, Entry, tuple[tuple[str, float], ...]]]:
        """The losses with a weight, each with that weight and its parameters, the heaviest first."""
        count = len(self._entries)
        # Sparse first, scaled afterwards: the projection compares pulls on the outputs, and the formula shows
        # w_i/s_i.
        weights = sparse_weights(x[:count]) / self._units
        weights /= weights.sum()
        own = np.split(x[count:], np.cumsum([len(one.grid) for one in self._entries])[:-1])
        parts = [
            (_rounded(weights[i]), one, tuple(_parameters(one, own[i]).items()))
            for i, one in enumerate(self._entries)
            if _rounded(weights[i]) > 0
        ]
        return sorted(parts, key=lambda part: -part[0])


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _parameters(one: Entry, u: Vector) -> Mapping[str, float]:
    """The parameters of a loss from their search coordinates."""
    found = {}
    for (name, grid), coordinate in zip(one.grid.items(), u, strict=True):
        (low, high), default = one.bounds[name], one.defaults[name]
        # The logarithm of the distance from the lower bound: parameters such as gamma, q or delta are scales, and u =
        # 0 is the default.
        reach = max(abs(math.log((value - low) / (default - low))) for value in grid if value != default)
        # The cap keeps `exp` from overflowing, far beyond the bound that the next line applies.
        value = low + (default - low) * math.exp(min(reach * coordinate, 50.0))
        found[name] = min(max(_rounded(value), low), high)
    return found


# Reading a tree off a SymPy formula takes milliseconds, and CMA-ES may try 1000 draws for a slot.
@lru_cache(maxsize=1024)
def _loss_tree(name: str, kind: str, values: tuple[tuple[str, float], ...]) -> Weighted:
    return weighted_from(entry(name, kind).with_coefficients(**dict(values)))


def _tree(one: Entry, values: tuple[tuple[str, float], ...]) -> Weighted:
    return _loss_tree(one.name, one.kind, values)


def _has_tree(name: str, kind: str) -> bool:
    try:
        _loss_tree(name, kind, ())
    except SymlossError:
        return False
    return True
