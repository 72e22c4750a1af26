"""Every member of a grammar has its property, whatever its numbers: brute force in floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from members import GRAMMARS

from symloss.expr.trees.evaluate import slopes
from symloss.search.propose.inside import Inside, TypedLoss
from symloss.search.propose.inside.sample import random_members

Array = npt.NDArray[np.float64]
CLASSES = (2, 3, 10)
MANY = 200


def entries(loss: TypedLoss, y: float, p: Array, classes: int) -> Array:
    """`M(y, p)` elementwise."""
    value, _ = slopes(loss.program, np.full_like(p, y), p, loss.edges, {"C": float(classes)})
    return value


def risk(loss: TypedLoss, q: Array, p: Array) -> Array:
    """The expected loss of predictions under posteriors, the classes on the last axis."""
    classes = p.shape[-1]
    return (q * entries(loss, 1.0, p, classes) + (1 - q) * entries(loss, 0.0, p, classes)).sum(-1)


def simplex(classes: int, count: int, seed: int) -> Array:
    draw = np.random.default_rng(seed)
    parts = [draw.dirichlet(np.full(classes, a), count // 3) for a in (0.3, 1.0, 4.0)]
    p = np.clip(np.concatenate(parts), 1e-6, None)
    return p / p.sum(-1, keepdims=True)


def is_minimal(loss: TypedLoss, at: Callable[[Array, int], Array], classes: int) -> None:
    """The risk of the minimiser that the theorem names is below that of every other prediction."""
    q = simplex(classes, 12, seed=1)
    best = risk(loss, q, at(q, classes))[:, None]
    p = simplex(classes, 120, seed=2)
    near = 0.98 * at(q, classes)[:, None, :] + 0.02 * p[None, :5]
    for others in (p[None], near):
        values = risk(loss, q[:, None, :], others)
        size = np.abs(best) + np.abs(values).max()
        assert (values - best >= -1e-12 * size).all(), loss.formula


def is_proper(loss: TypedLoss, classes: int) -> None:
    is_minimal(loss, lambda q, _: q, classes)


def smooths(loss: TypedLoss, classes: int) -> None:
    is_minimal(loss, lambda q, count: 0.8 * q + 0.2 / count, classes)


def is_symmetric(loss: TypedLoss, classes: int) -> None:
    p = simplex(classes, 120, seed=3)
    total = (entries(loss, 1.0, p, classes) + (classes - 1) * entries(loss, 0.0, p, classes)).sum(-1)
    size = np.abs(entries(loss, 1.0, p, classes)).max() * classes
    assert np.ptp(total) <= 1e-12 * size, loss.formula


def is_calibrated(loss: TypedLoss, classes: int) -> None:
    q, p = simplex(classes, 60, seed=4), simplex(classes, 60, seed=5)
    before = risk(loss, q, p)
    order = np.argsort(np.argsort(q, -1), -1)
    after = risk(loss, q, np.take_along_axis(np.sort(p, -1), order, -1))
    assert (after <= before + 1e-12 * (1 + np.abs(before))).all(), f"{loss.formula}: sorting does not help"
    # At a tie it pays to move mass to the more likely class, at any step that is small enough.
    tie, h = np.full((1, classes), 1 / classes), 1e-5
    tilted = np.array([np.linspace(1.2, 0.8, classes)]) / classes
    moved = tie + h * (tilted - tie) / np.abs(tilted - tie).max()
    assert risk(loss, tilted, moved) < risk(loss, tilted, tie), loss.formula


def is_bounded(loss: TypedLoss, classes: int) -> None:
    p = np.array([0.0, 1e-300, 1e-30, 1e-9, 0.5, 1 - 1e-9, 1.0])
    for y in (0.0, 1.0):
        values = entries(loss, y, p, classes)
        assert np.isfinite(values).all(), loss.formula
        size = 1 + np.abs(values).max()
        assert np.abs(values[0] - values[1]) < 1e-3 * size, f"{loss.formula}: no limit at 0"


def converges_to_the_mean(loss: TypedLoss, classes: int) -> None:
    draw = np.random.default_rng(6)
    for y in (draw.normal(size=7), draw.exponential(size=4), np.array([-1.0, 2.0])):
        p = y.mean() + np.concatenate([[0.0], draw.normal(size=40), [1e-3, -1e-3]])
        values = sum(slopes(loss.program, np.full_like(p, t), p, loss.edges)[0] for t in y)
        assert (values - values[0] >= -1e-12 * np.abs(values).max()).all(), loss.formula


def labels_are_proper(loss: TypedLoss, classes: int) -> None:
    q, p = np.meshgrid(np.linspace(0.03, 0.97, 20), np.linspace(0.001, 0.999, 60), indexing="ij")
    best, values = (q * entries(loss, 1.0, at, 1) + (1 - q) * entries(loss, 0.0, at, 1) for at in (q, p))
    assert (values - best >= -1e-12 * np.abs(values).max()).all(), loss.formula


CHECKS: dict[str, Callable[[TypedLoss, int], None]] = {
    "proper": is_proper, "symmetric": is_symmetric, "calibrated": is_calibrated, "smoothing": smooths,
    "bounded": is_bounded, "mean": converges_to_the_mean,
}  # fmt: skip


def checks_of(inside: Inside) -> list[Callable[[TypedLoss, int], None]]:
    names = [inside.theorem.name, *inside.theorem.implies, *(["bounded"] if inside.bounded else [])]
    found = [CHECKS[name] for name in dict.fromkeys(names)]
    if inside.kind.independent:
        found = [
            labels_are_proper if check is is_proper else check
            for check in found
            if check is not is_calibrated
        ]
    return found


@pytest.mark.parametrize("name", GRAMMARS)
def test_members_have_the_property(name: str) -> None:
    inside = GRAMMARS[name]
    different = set()
    for loss in random_members(inside, MANY):
        different.add(loss.formula)
        for classes in CLASSES if inside.kind.exclusive else (2,):
            for check in checks_of(inside):
                check(loss, classes)
    assert len(different) > MANY / 3


def test_the_checks_see_what_has_not_the_property() -> None:
    """A rule that is wrong would be seen: each check fails on members of another grammar."""
    for name, others in (("proper", "symmetric"), ("symmetric", "proper"), ("smoothing", "proper")):
        inside = GRAMMARS[f"{others} classification"]
        failed = 0
        for loss in random_members(inside, 10):
            try:
                CHECKS[name](loss, 3)
            except AssertionError:
                failed += 1
        assert failed == 10, name
    kinked = TypedLoss.plain_of(GRAMMARS["bounded classification"], ["bounded", "tree-p", "tree-p"])
    with pytest.raises(AssertionError):
        is_calibrated(kinked, 3)
