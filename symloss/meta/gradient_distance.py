"""How far two losses are from each other as training sees them, and the coefficients that bring one nearest.

Two losses whose gradients in the outputs agree up to a positive factor train a model in one way, but for the
learning rate. So a loss is represented by its gradient at fixed points, normalised, and another is fitted to
it by moving the coefficients of its edges, without any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.expr import KINDS, Program
from symloss.expr.trees import Weighted
from symloss.expr.trees.evaluate import slopes
from symloss.runs import derive

__all__ = [
    "Fitted", "Points", "fit", "fixed_points", "free_edges", "gradient_distance", "gradient_of", "points_at",
    "unit_gradient",
]  # fmt: skip

Array = NDArray[np.float64]

POINTS = 128
"""Instances at which gradients are compared."""
_CLASSES_A_POINT = 8
"""Targets that share one vector of probabilities: so `M0` is evaluated once for all of them."""
_LIMIT = 1e6
"""Coefficients stay within this magnitude."""
_STEP = 1.5e-8
"""Of a forward difference, relative: the root of float64's rounding."""
_DAMPING = (0.01, 1.0, 100.0)
"""Dampings tried at once, relative to the last: the step that lands nearest is taken."""
_SPREAD = 0.7
"""Standard deviation of the logarithm of a coefficient at the starts after the first."""
_SETTLED = 2e-3
"""A start whose distance falls by a smaller share than this, in one step, is at its end."""
_FAR, _SLOW = 0.4, 0.1
"""So is one that is still that far away and has come nearer by less than a tenth: most random trees are, and
never arrive."""
_EQUAL = 1e-7
"""At this distance two gradients are one to single precision: nothing is left to fit."""


@dataclass(frozen=True)
class Points:
    """Where gradients are compared.

    Attributes:
        kind: of the losses.
        y, p: the different entries at which `dM/dp` is needed, `[entries]`.
        symbols: values of `C`, `pi`, `w` there.
        pull: from `dM/dp` at the entries to the gradient in logits, `[blocks, n, n]`: the softmax's Jacobian, a block
            an instance, or, for instances that share probabilities, its triangular factor: coordinates that keep
            lengths and angles. None where an entry is its own.
    """

    kind: str
    y: Array
    p: Array
    symbols: dict[str, Any]
    pull: Array | None = None

    def in_outputs(self, slope: Array) -> Array:
        """From `dM/dp`, `[rows, entries]`, the gradient in logits or predictions, `[rows, entries]`."""
        if self.pull is not None:
            blocks, n, _ = self.pull.shape
            pulled = slope.reshape(-1, blocks, n).transpose(1, 0, 2) @ self.pull.transpose(0, 2, 1)
            return np.asarray(pulled.transpose(1, 0, 2).reshape(slope.shape))
        return np.asarray(KINDS[self.kind].link.pull(self.p, slope))


@lru_cache(maxsize=16)
def fixed_points(kind: str, classes: int = 10) -> Points:
    """128 instances or just above with hard labels, the same for every loss.

    Classification: probabilities from nearly even to nearly sure, each with several targets, from the likeliest
    class to the least likely. Regression: standard normal targets, errors of up to about four. Margin: their signs, so
    margins of -3 to 5.

    >>> fixed_points("regression").p.shape, fixed_points("classification").p.shape
    ((128,), (288,))
    """
    draw = np.random.default_rng(20240117)
    if not KINDS[kind].probabilities:
        y = KINDS[kind].targets_of(draw.normal(size=POINTS))
        errors = draw.permutation(np.linspace(-1, 1, POINTS)) * np.abs(draw.normal(scale=1.7, size=POINTS))
        return Points(kind, y, y + errors, {"C": 1.0, "pi": 1.0, "w": 1.0})
    if KINDS[kind].independent:
        y = (np.arange(POINTS) % 2).astype(float)
        p = 1 / (1 + np.exp(-draw.permutation(np.linspace(-5, 5, POINTS))))
        return Points(kind, y, p, {"C": float(classes), "pi": 0.5, "w": 1.0})
    shared = min(_CLASSES_A_POINT, classes)
    count = -(-POINTS // shared)
    logits = draw.normal(size=(count, classes)) * np.linspace(0.5, 4, count)[:, None]
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    priors = draw.dirichlet(np.ones(classes))
    hard, at, prior, pull = [], [], [], []
    for row in probabilities:
        # The likeliest class and the least likely are always among the targets.
        order = np.argsort(row)
        targets = np.concatenate([order[-1:], order[:1], draw.permutation(order[1:-1])])[:shared]
        # Entries: M0 at every probability, then M1 at those of the targets.
        hard += [np.zeros(classes), np.ones(shared)]
        at += [row, row[targets]]
        prior += [priors, priors[targets]]
        jacobian = np.zeros((shared, classes, classes + shared))
        for place, target in enumerate(targets):
            own = np.where(np.arange(classes) == target, classes + place, np.arange(classes))
            # The logit gradient is p_k (d_k - sum_j p_j d_j).
            jacobian[place][:, own] = np.diag(row) - np.outer(row, row)
        # J = Q R with orthonormal columns in Q, so |R d| = |J d| and <R d, R e> = <J d, J e>: the block has C +
        # shared rows instead of shared C, and no distance changes.
        pull.append(np.asarray(np.linalg.qr(jacobian.reshape(shared * classes, -1), mode="r")))
    symbols = {"C": float(classes), "pi": np.concatenate(prior), "w": 1.0}
    return Points(kind, np.concatenate(hard), np.concatenate(at), symbols, np.stack(pull))


def points_at(kind: str, p: Array, y: Array) -> Points:
    """The points of some instances, for instance of those that a training visits.

    The gradient there is that in the outputs, in the order of `p`.

    Args:
        kind: of the losses.
        p: predictions, `[N, C]` of which each row adds up to 1, `[N, K]` or `[N]`.
        y: targets of that shape; a class is a one-hot row.

    >>> p, y = np.array([[0.7, 0.2, 0.1]]), np.array([[1.0, 0.0, 0.0]])
    >>> from symloss.expr.trees import weighted_from
    >>> from symloss.zoo import named
    >>> gradient_of(weighted_from(named("ce")), points_at("classification", p, y)).round(9)
    array([-0.3,  0.2,  0.1])
    """
    classes = p.shape[1] if p.ndim == 2 else 1
    pull = None
    if KINDS[kind].exclusive:
        # The logit gradient is p_k (d_k - sum_j p_j d_j): the Jacobian is its own transpose.
        pull = np.eye(classes) * p[:, None] - p[:, :, None] * p[:, None]
    prior = 1 / classes if KINDS[kind].exclusive else 0.5 if KINDS[kind].probabilities else 1.0
    return Points(kind, y.ravel(), p.ravel(), {"C": float(classes), "pi": prior, "w": 1.0}, pull)


def gradient_of(loss: Weighted, points: Points) -> Array:
    """The gradient of a loss at the points, `[n]`, as it is; its factor counts. NaN for a loss without a value there.

    A logarithm of a negative number has a slope, but nothing that could be trained with.
    """
    program, edges = loss.graph()
    value, slope = slopes(program, points.y, points.p, edges, points.symbols)
    with np.errstate(all="ignore"):
        gradient = points.in_outputs(slope[None])[0]
    return gradient if np.isfinite(value).all() else np.full_like(gradient, np.nan)


def unit_gradient(loss: Weighted, points: Points) -> Array:
    """The gradient of a loss at the points, of norm 1; NaN where it is flat or not finite.

    >>> from symloss.expr.trees import weighted_from
    >>> from symloss.zoo import named
    >>> mse, points = weighted_from(named("mse")), fixed_points("regression")
    >>> float(gradient_distance(unit_gradient(mse, points), unit_gradient(mse.scaled(3.0), points))) < 1e-12
    True
    """
    program, edges = loss.graph()
    return _unit(_gradients(program, np.array([edges]), points))[0]


def gradient_distance(ours: Array, target: Array) -> Array:
    """The distance of normalised gradients, `[..., n]`: 0 for one loss, up to sqrt 2 once it is turned round.

    About the share of the gradient that differs, at the learning rate that suits best; infinite for a loss that
    is flat or not finite.
    """
    distance = np.minimum(*(np.linalg.norm(sign * ours - target, axis=-1) for sign in (1.0, -1.0)))
    # NaN compares false with everything and would win an argmin.
    return np.asarray(np.where(np.isfinite(distance), distance, np.inf))


@dataclass(frozen=True)
class Fitted:
    """A loss with coefficients that bring its gradient nearest to the target's.

    Attributes:
        loss: with these coefficients; its scale and sign are not fitted.
        distance: see `gradient_distance`.
    """

    loss: Weighted
    distance: float


def fit(
    losses: Sequence[Weighted], target: Array, points: Points, *, steps: int = 25, starts: int = 1
) -> list[Fitted]:
    """Fits the coefficients of each loss to a target gradient, by Levenberg-Marquardt in float64.

    Deterministic: the same answer for a loss whatever stands beside it. All starts, forward differences and
    trial steps of one tree are one sweep over it.

    Args:
        losses: trees with the coefficients of the first start.
        target: of norm 1, `[n]`; see `unit_gradient`.
        points: where.
        steps: at most.
        starts: further ones are drawn around the first.

    >>> from symloss.expr import Program, parse
    >>> from symloss.expr.trees import weighted_from
    >>> points = fixed_points("classification")
    >>> target = unit_gradient(weighted_from(parse("(y - 0.6*p)**2")), points)
    >>> (found,) = fit([Weighted.plain(Program(("square", "sub", "y", "p")))], target, points)
    >>> found.distance < 1e-6, round(found.loss.edges[2] / found.loss.edges[1], 4)
    (True, 0.6)
    """
    return [_fitted(loss, target, points, steps, starts) for loss in losses]


def free_edges(program: Program) -> list[int]:
    """The edges that can change a loss by more than its scale, without those that another makes superfluous.

    A coefficient below a product, or inside a square, is one above it; one above a sum is one on each term.

    >>> free_edges(Program(("mul", "y", "plog", "p")))
    [2]
    """
    free = []
    for i, token in enumerate(program.tokens):
        for place, child in enumerate(program.children(i)):
            # f(c x) = g(c) f(x) for these, up to sign (psqrt away from its guard): the coefficient passes through
            # to the edge above.
            above = token in _THROUGH or (token in ("aq", "pow") and place == 0)
            # Edge i leads into node i + 1; the root has none.
            if not above and program.tokens[child] not in ("add", "sub"):
                free.append(child - 1)
    return free


_THROUGH = {"mul", "div", "abs", "square", "neg", "psqrt", "sqrt", "sign"}


def _fitted(loss: Weighted, target: Array, points: Points, steps: int, starts: int) -> Fitted:
    program, edges = loss.graph()
    free = free_edges(program)
    edge = np.array([edges] * starts)
    if free and starts > 1:
        # Seeded by the tree: the same starts whatever else is fitted. Factors exp(N(0, 0.7)) keep the signs.
        draw = np.random.default_rng(derive(0, "fit", *program.tokens))
        edge[1:, free] *= np.exp(draw.normal(scale=_SPREAD, size=(starts - 1, len(free))))
    ours = _unit(_gradients(program, edge, points))
    distance = gradient_distance(ours, target)
    if free:
        edge, distance = _descend(program, edge, free, distance, target, points, steps)
    best = int(np.argmin(distance))
    return Fitted(Weighted(program, tuple(edge[best].tolist())), float(distance[best]))


def _descend(
    program: Program,
    edge: Array,
    free: Sequence[int],
    distance: Array,
    target: Array,
    points: Points,
    steps: int,
) -> tuple[Array, Array]:
    damping = np.full(len(edge), 1e-2)
    running = np.isfinite(distance)
    for _ in range(steps):
        running &= distance > _EQUAL
        if not running.any():
            break
        now = np.flatnonzero(running)
        trial, tried = _trials(program, edge[now], free, damping[now], target, points)
        best = tried.argmin(1)
        reached = tried[np.arange(len(now)), best]
        better = reached < distance[now]
        least = np.where(reached > _FAR, _SLOW, _SETTLED)
        # The last step counts even where it ends the descent: what is better is kept below.
        running[now] = better & (reached < (1 - least) * distance[now])
        # The damping that did best, times 0.3: it falls where the middle one wins again and again, towards
        # Gauss-Newton, and rises only where the largest had to be taken.
        damping[now] = np.clip(damping[now] * np.array(_DAMPING)[best] * 0.3, 1e-9, 1e6)
        edge[now[better]] = trial[better, best[better]]
        distance[now[better]] = reached[better]
    return edge, distance


def _trials(
    program: Program, edge: Array, free: Sequence[int], damping: Array, target: Array, points: Points
) -> tuple[Array, Array]:
    """Coefficients after one damped step, `[starts, dampings, edges]`, and their distances."""
    starts, k = len(edge), len(free)
    rows = np.repeat(edge[:, None], k + 1, axis=1)
    # Relative, but not for coefficients near 0, whose own size would be below rounding.
    width = _STEP * np.maximum(np.abs(edge[:, free]), 0.1)
    for j, place in enumerate(free):
        rows[:, j + 1, place] += width[:, j]
    # Row 0 of each start is where it stands, row j + 1 has coefficient j moved: all in one evaluation of the
    # tree.
    gradient = _gradients(program, rows.reshape(starts * (k + 1), -1), points).reshape(starts, k + 1, -1)
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(gradient[:, :1], axis=-1, keepdims=True)
        unit = gradient[:, 0] / norm[:, 0]
        # The distance is to the target or its opposite, whichever is nearer: fit towards that one.
        sign = np.where(unit @ target < 0, -1.0, 1.0)[:, None]
        unit *= sign
        change = (gradient[:, 1:] - gradient[:, :1]) * (sign[:, None] / norm / width[..., None])
        # The normalised gradient moves across itself only.
        change -= (change @ unit[..., None]) * unit[:, None]
    # A coefficient without a derivative here (a pole, an overflow) is left where it is.
    change[~np.isfinite(change).all(-1)] = 0.0
    normal = change @ change.transpose(0, 2, 1)
    slope = (change @ (unit - target)[..., None])[:, None]
    size = np.einsum("skk->sk", normal)
    # Marquardt's damping is relative to the diagonal, so a coefficient without effect would leave a row of zeros
    # and the matrix singular.
    floor = 1e-12 + 1e-9 * size.max(1, keepdims=True)
    damped = (damping[:, None] * np.array(_DAMPING))[..., None] * size[:, None] + floor[:, None]
    matrix = normal[:, None] + damped[..., None] * np.eye(k)
    step = np.linalg.solve(matrix, np.broadcast_to(slope, (starts, len(_DAMPING), k, 1)))[..., 0]
    trial = np.repeat(edge[:, None], len(_DAMPING), axis=1)
    trial[..., free] = np.clip(trial[..., free] - step, -_LIMIT, _LIMIT)
    tried = _unit(_gradients(program, trial.reshape(starts * len(_DAMPING), -1), points))
    return trial, gradient_distance(tried, target).reshape(starts, -1)


def _gradients(program: Program, edges: Array, points: Points) -> Array:
    """`[rows, n]` from `[rows, edges]`."""
    # A coefficient that all rows share is a number: what lies below it is computed once.
    shared = (edges == edges[:1]).all(0)
    columns = [float(edges[0, i]) if same else edges[:, i : i + 1] for i, same in enumerate(shared)]
    _, slope = slopes(program, points.y[None], points.p[None], columns, points.symbols)
    with np.errstate(all="ignore"):
        return points.in_outputs(np.broadcast_to(slope, (len(edges), points.p.size)))


def _unit(gradient: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(gradient / np.linalg.norm(gradient, axis=-1, keepdims=True))
