"""Mixtures of losses with names: the encoding, a planted one that is found, and how it is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from symloss import search
from symloss.expr import KINDS
from symloss.expr.trees import Weighted, weighted_from
from symloss.expr.trees.evaluate import slopes
from symloss.meta.gradient_distance import fixed_points, gradient_distance, unit_gradient
from symloss.search.propose.cma import CmaProposer
from symloss.search.propose.mixture import MOST, MixtureFamily, sparse_weights, summed
from symloss.search.propose.proposal import Outcome
from symloss.tasks import Task
from symloss.zoo import entry, named, names


def anything(loss: Weighted) -> int:
    return 1


def test_weights_are_the_nearest_of_those_with_three_entries() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        x = draw.normal(size=6)
        weights = sparse_weights(x)
        assert weights.sum() == pytest.approx(1)
        assert (weights >= 0).all()
        assert (weights > 0).sum() <= MOST
        others = draw.dirichlet(np.full(MOST, 0.5), size=200)
        places = np.array([draw.permutation(6)[:MOST] for _ in others])
        tried = np.zeros((200, 6))
        np.put_along_axis(tried, places, others, axis=1)
        assert np.linalg.norm(weights - x) <= np.linalg.norm(tried - x, axis=1).min() + 1e-9
    counts = [(sparse_weights(draw.normal(size=14)) > 0).sum() for _ in range(400)]
    assert all(counts.count(number) > 20 for number in (1, 2, 3)), "one and two have a share of the space"


@pytest.mark.parametrize("kind", KINDS)
def test_every_point_is_a_mixture_within_the_bounds(kind: str) -> None:
    family = MixtureFamily(kind)
    draw = np.random.default_rng(1)
    y, p = np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.7, 0.4])
    for scale in (0.0, 1.0, 1.0, 1.0, 30.0):
        x = scale * draw.normal(size=family.centroid.size)
        program, edges = family.loss(x).graph()
        assert set(KINDS[kind].needs) <= set(program.tokens)
        assert np.isfinite(slopes(program, y, p, edges, {"C": 3.0})[0]).all()
        assert 1 <= len(family.said(x).split(" + ")) <= MOST


def test_what_is_said_is_what_it_is() -> None:
    family = MixtureFamily("classification")
    known = names("classification")
    x = family.centroid
    x[known.index("ce")], x[known.index("gce")] = 1.4, 1.0
    assert family.said(x) == "0.7*ce + 0.3*gce(q=0.7)"
    y, p = np.array([1.0, 1.0, 0.0]), np.array([0.2, 0.7, 0.4])
    parts = [weighted_from(named("ce")).scaled(0.7), weighted_from(named("gce", q=0.7)).scaled(0.3)]
    ours, ce, gce = (slopes(*each.graph()[:1], y, p, each.graph()[1])[0] for each in (family.loss(x), *parts))
    assert ours == pytest.approx(ce + gce)
    # One coordinate for each parameter with a grid, in the order of the zoo.
    own = [(name, parameter) for name in known for parameter in entry(name, "classification").grid]
    x[len(known) + own.index(("gce", "q"))] = -1.0
    assert family.said(x) == "0.7*ce + 0.3*gce(q=0.3)", "to the farther end of the grid"
    x[len(known) + own.index(("gce", "q"))] = 50.0
    assert family.said(x) == "0.7*ce + 0.3*gce(q=1)", "the bound"
    x[known.index("mae")] = 9.0
    assert family.said(x) == "mae"


def test_equal_weights_pull_equally() -> None:
    steep = {"baikal": 100.0}
    first = weighted_from(named("baikal"))
    family = MixtureFamily("classification", lambda loss: steep["baikal"] if loss == first else 1.0)
    x = family.centroid
    known = names("classification")
    x[known.index("ce")] = x[known.index("baikal")] = 1.0
    assert family.said(x) == "0.99*ce + 0.0099*baikal"


def test_a_planted_mixture_is_found_by_its_gradient() -> None:
    # The best of four: where one run ends depends on the last bit of a machine's arithmetic.
    fitness, parts = min(nearest_mixture(seed) for seed in range(4))
    assert fitness < 0.02
    assert parts == ["mae", "mse"]


def nearest_mixture(seed: int) -> tuple[float, list[str]]:
    """How near CMA-ES comes to half squared, half absolute error, and what its best is a sum of."""
    points = fixed_points("regression")
    planted = summed([(0.5, weighted_from(named(name, "regression"))) for name in ("mse", "mae")])
    target = unit_gradient(planted, points)
    proposer = CmaProposer(MixtureFamily("regression"), 25, seed, (), anything)
    outcomes: list[Outcome] = []
    said: list[str] = []
    for generation in range(20):
        proposals = proposer.propose(generation, 25)
        for each in proposals:
            distance = float(gradient_distance(unit_gradient(each.loss, points), target))
            fitness = distance if np.isfinite(distance) else None
            outcomes.append(Outcome(len(outcomes), each.loss.program, each.loss, fitness, 1))
            said.append(each.remark)
        proposer.learn(outcomes, 25)
    best = proposer.scored_again()[0]
    found = outcomes[best].fitness
    assert found is not None
    return found, sorted(part.partition("*")[2] for part in said[best].split(" + "))


def nearest_to_mixture(loss: Any, seed: int, budget: int) -> dict[str, float]:
    """How far the direction of a loss's gradients is from that of half squared, half absolute error."""
    targets = torch.linspace(-2, 2, 9).repeat_interleave(9)
    outputs = (torch.linspace(-2, 2, 9).repeat(9) * 1.1 + 0.05).requires_grad_()
    (slope,) = torch.autograd.grad(loss(outputs, targets), outputs, materialize_grads=True, allow_unused=True)
    wanted = (2 * (outputs - targets) + (outputs - targets).sign()).detach()
    cosine = (slope * wanted).sum() / (slope.norm() * wanted.norm())
    return {"metric": float(1 - cosine)}


def test_a_row_says_what_it_is_a_mixture_of() -> None:
    task = Task.from_function(nearest_to_mixture, kind="regression", metric="distance")
    blocks = {"final": 2, "finalists": 3}
    result = search.discover(task, "mixture", population=8, generations=3, seed=1, blocks=blocks)
    best = min(result.front, key=lambda row: row.fitness)
    assert best.fitness < 0.05
    (said,) = [note for note in result.notes if note.startswith(f"row {best.row} is ")]
    assert "up to its scale" in said
    assert any(name in said for name in names("regression"))
    assert not best.name, "a mixture is no loss with a name"
