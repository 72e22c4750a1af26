"""TaylorGLO's polynomial against the formula of its authors."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Rational

from symloss.expr import C, P, Y
from symloss.expr.trees.evaluate import slopes
from symloss.search.propose.taylor import SIGMA, TaylorFamily, taylor_loss
from symloss.zoo import named


def published(theta: np.ndarray, y: np.ndarray, p: np.ndarray, classes: int) -> np.ndarray:
    """What an entry adds to `-(1/C) sum_i [...]`, term by term."""
    t0, t1, t2, t3, t4, t5, t6, t7 = theta
    terms = (
        t2 * (p - t1) + t3 * (p - t1) ** 2 + t4 * (p - t1) ** 3 + t5 * (y - t0) * (p - t1)
        + t6 * (y - t0) * (p - t1) ** 2 + t7 * (y - t0) ** 2 * (p - t1)
    )  # fmt: skip
    return -terms / classes


@pytest.mark.parametrize(("kind", "divisor"), [("classification", 10), ("multilabel", 1), ("regression", 1)])
def test_value_and_slope(kind: str, divisor: int) -> None:
    draw = np.random.default_rng(0)
    for _ in range(20):
        theta, y, p = draw.normal(size=8), draw.normal(size=7), draw.normal(size=7)
        program, edges = taylor_loss(theta, kind).graph()
        value, slope = slopes(program, y, p, edges, {"C": 10.0})
        assert value == pytest.approx(published(theta, y, p, divisor), abs=1e-12)
        near = (published(theta, y, p + 1e-6, divisor) - published(theta, y, p - 1e-6, divisor)) / 2e-6
        assert slope == pytest.approx(near, rel=1e-6, abs=1e-8)


def test_it_is_the_loss_of_the_zoo() -> None:
    theta = {"t0": 1.0, "t1": 0.5, "t2": 2.0, "t3": -2.0, "t4": 2.5, "t5": 2.0, "t6": -2.0, "t7": 0.25}
    ours = taylor_loss(np.array(list(theta.values())), "classification").to_loss("classification")
    theirs = named("taylorglo", **theta)
    for y, p, classes in ((1, 0.3, 3), (0, 0.7, 10), (1, 0.9, 2)):
        at = {Y: y, P: Rational(str(p)), C: classes}
        assert ours.value_expr.subs(at) == theirs.value_expr.subs(at)


def test_the_published_start_and_the_other_way_round() -> None:
    family = TaylorFamily("classification")
    assert (family.centroid.tolist(), family.sigma, SIGMA) == ([0.0] * 8, 1.2, 1.2)
    x = np.arange(1.0, 9.0)
    loss, turned = family.loss(x), family.loss(family.turned(x))
    y, p = np.array([1.0, 0.0]), np.array([0.3, 0.6])
    first, second = (
        slopes(*each.graph()[:1], y, p, each.graph()[1], {"C": 3.0})[0] for each in (loss, turned)
    )
    assert first == pytest.approx(-second)
