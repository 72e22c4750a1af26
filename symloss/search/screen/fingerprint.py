"""Fingerprints of dynamics classes: losses with the same key train a model in the same way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from symloss.expr import KINDS, Program
from symloss.expr.trees.evaluate import Array, slopes

__all__ = ["fingerprint"]

_DIGITS = 7
"""Decimals kept of a gradient of norm 1: single precision. Algebra in float64 errs by 1e-13 or so, hence one
pair of equal losses in ten thousand gets two keys, which costs a training and no more."""
_POINTS = 24


def fingerprint(
    program: Program,
    kind: str,
    classes: int | None,
    edges: Sequence[float] | None = None,
    *,
    exact: bool = False,
) -> str:
    """A key that losses share whose gradients in the outputs agree up to a positive factor.

    The gradient is taken in logits (classification, multilabel) or predictions, at fixed points of float64;
    the sign counts, the scale does not unless `exact`. Losses that differ by algebra have one key, and so
    have those that differ by what softmax makes constant.

    Args:
        program: the tree.
        kind: of the loss.
        classes: number of classes or labels; None for regression.
        edges: one coefficient an edge; ones unless given.
        exact: whether the scale counts too, as it does when the search keeps it.

    >>> a, b = Program(("square", "sub", "y", "p")), Program(("square", "sub", "p", "y"))
    >>> fingerprint(a, "regression", None) == fingerprint(b, "regression", None)
    True
    """
    grid = _grid(kind, classes or 1)
    value, slope = slopes(program, grid.y, grid.p, edges, grid.symbols)
    with np.errstate(all="ignore"):
        # In the outputs, not in p: what softmax makes constant (a term a*p, say) has no gradient in the logits.
        gradient = KINDS[kind].link.pull(grid.p[1], slope[1])
        norm = float(np.sqrt(np.mean(gradient**2)))
        # What was descended since the reference is the gradient's integral: it tells apart losses whose
        # kinks lie between two points of the grid.
        descent = value[1] - value[0]
        if KINDS[kind].sums:
            descent = descent.sum(1)
    if not np.isfinite(norm):
        # A class of its own: what is undefined equals nothing but itself.
        return "not finite: " + hashlib.sha256(repr((program.tokens, edges)).encode()).hexdigest()[:32]
    if norm == 0:
        return "flat"
    # Adding zero turns -0 into 0.
    quantised = np.round(np.concatenate([gradient.ravel(), descent.ravel()]) / norm, _DIGITS) + 0.0
    content = quantised.tobytes() + (f"{norm:.6e}".encode() if exact else b"")
    return hashlib.sha256(content).hexdigest()[:32]


@dataclass(frozen=True)
class _Grid:
    """Fixed points, each paired with a reference point: chance, or for regression the target itself."""

    y: Array
    p: Array
    symbols: dict[str, Any]


@lru_cache(maxsize=64)
def _grid(kind: str, classes: int) -> _Grid:
    draw = np.random.default_rng(20240117)
    if not KINDS[kind].probabilities:
        y = KINDS[kind].targets_of(draw.normal(scale=1.5, size=4 * _POINTS))
        # Half of the predictions lie near their target, where robust losses differ, half anywhere.
        near = y + draw.normal(scale=0.5, size=y.size)
        p = np.where(np.arange(y.size) % 2, near, draw.normal(size=y.size))
        return _paired(y, y, p, {"C": 1.0, "pi": 1.0, "w": draw.uniform(0.5, 2, y.size)})
    priors, weights = draw.dirichlet(np.ones(classes)), draw.uniform(0.5, 2, (_POINTS, 1))
    symbols = {"C": float(classes), "pi": priors, "w": weights}
    # The target's probability from nearly 0 to nearly 1, the rest spread at random.
    target = 1 / (1 + np.exp(-np.linspace(-7, 7, _POINTS)))[:, None]
    # Targets of all classes: with class priors in the formula they are not alike.
    y = np.eye(classes)[draw.integers(classes, size=_POINTS)]
    if not KINDS[kind].exclusive:
        y = (draw.random(y.shape) < 0.5).astype(float)
        p = np.stack([draw.permutation(target[:, 0]) for _ in range(classes)], axis=1)
        return _paired(y, np.full_like(p, 0.5), p, symbols)
    # Normalised gamma variates are a Dirichlet draw; the floor keeps every p above 0, where most losses are infinite.
    rest = (1 - y) * draw.gamma(0.7, size=y.shape) + 1e-3 * (1 - y)
    p = y * target + (1 - target) * rest / rest.sum(1, keepdims=True)
    return _paired(y, np.full_like(p, 1 / classes), p, symbols)


def _paired(y: Array, reference: Array, p: Array, symbols: dict[str, Any]) -> _Grid:
    return _Grid(np.stack([y, y]), np.stack([reference, p]), symbols)
