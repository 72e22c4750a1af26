"""CMA-ES as a proposer, on functions whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.search.propose.cma import CmaProposer
from symloss.search.propose.family import Vector
from symloss.search.propose.proposal import Outcome

SQUARE = Program(("square", "sub", "y", "p"))
PLANTED = np.array([1.5, -0.5, 3.0])


@dataclass(frozen=True)
class Edges:
    """Squares whose edges are the parameters."""

    sigma: float = 1.2
    centroid = np.zeros(3)

    def loss(self, x: Vector) -> Weighted:
        return Weighted(SQUARE, tuple(x.tolist()))

    def turned(self, x: Vector) -> Vector | None:
        return -x

    def said(self, x: Vector) -> str:
        return ""


def anything(loss: Weighted) -> int:
    return 1


def search(
    proposer: CmaProposer, generations: int, fitness: Callable[[Vector], float | None], before: int = 0
) -> list[Outcome]:
    """Asks and tells; as many candidates are there before that are none of its own."""
    plain = Weighted.plain(SQUARE)
    outcomes = [Outcome(i, SQUARE, plain, -1.0, 3) for i in range(before)]
    if before:
        proposer.learn(outcomes, before)
    for generation in range(generations):
        proposals = proposer.propose(generation, proposer.population)
        for each in proposals:
            value = fitness(np.array(each.loss.edges))
            outcomes.append(Outcome(len(outcomes), each.loss.program, each.loss, value, 3))
        proposer.learn(outcomes, len(proposals))
    return outcomes


def quadratic(x: Vector) -> float:
    return float(((x - PLANTED) * np.array([1.0, 10.0, 0.1])) @ (x - PLANTED))


def test_it_minimises_a_planted_quadratic() -> None:
    proposer = CmaProposer(Edges(), 12, 0, (), anything)
    outcomes = search(proposer, 60, quadratic)
    assert min(each.fitness for each in outcomes if each.fitness is not None) < 1e-8
    assert proposer.strategy.centroid == pytest.approx(PLANTED, abs=1e-3)
    again = [outcomes[number].fitness for number in proposer.scored_again()]
    assert again == sorted(each.fitness for each in outcomes if each.fitness is not None)[:12]


def test_what_was_not_trained_ranks_last_and_the_zoo_is_no_sample() -> None:
    proposer = CmaProposer(Edges(), 12, 0, (), anything)
    outcomes = search(proposer, 40, lambda x: None if x[0] > 1 else quadratic(x), before=5)
    assert proposer.strategy.centroid == pytest.approx([1.0, -0.5, 3.0], abs=0.2)
    assert not set(proposer.scored_again()) & set(range(5))
    assert all(outcomes[number].fitness is not None for number in proposer.scored_again())


def test_a_generation_without_a_loss_that_trains_moves_nothing() -> None:
    proposer = CmaProposer(Edges(), 6, 0, (), anything)
    search(proposer, 2, lambda x: None)
    assert proposer.strategy.centroid.tolist() == [0.0, 0.0, 0.0]
    assert proposer.strategy.update_count == 0
    assert proposer.scored_again() == []


def test_proposals_depend_on_seed_slot_and_outcomes_alone() -> None:
    np.random.seed(3)  # noqa: NPY002 - what it must not depend on
    first = search(CmaProposer(Edges(), 6, 1, (), anything), 4, quadratic)
    np.random.seed(4)  # noqa: NPY002
    assert search(CmaProposer(Edges(), 6, 1, (), anything), 4, quadratic) == first
    assert search(CmaProposer(Edges(), 6, 2, (), anything), 4, quadratic) != first
    few = CmaProposer(Edges(), 6, 1, (), anything).propose(0, 2)
    assert [each.loss for each in few] == [each.loss for each in first[:2]]
    shuffled = search(CmaProposer(Edges(), 6, 1, (), anything, shuffled=True), 4, quadratic)
    assert shuffled[:6] == first[:6]
    assert shuffled[6:12] != first[6:12]


def test_a_loss_that_ascends_is_turned_round_and_one_that_cannot_learn_is_drawn_again() -> None:
    def turn(loss: Weighted) -> int:
        if abs(loss.edges[0]) < 0.5:
            return 0
        return 1 if loss.edges[0] > 0 else -1

    proposer = CmaProposer(Edges(), 30, 0, (), turn)
    edges = np.array([each.loss.edges for each in proposer.propose(0, 30)])
    assert (edges[:, 0] >= 0.5).all()
    # The strategy learns from the parameters as they were turned.
    search(proposer, 20, quadratic)
    assert proposer.strategy.centroid == pytest.approx(PLANTED, abs=1e-2)


def test_given_losses_come_first_and_teach_nothing() -> None:
    given = Weighted.plain(SQUARE)
    proposer = CmaProposer(Edges(), 6, 1, (given,), anything)
    free = CmaProposer(Edges(), 6, 1, (), anything)
    proposals, others = proposer.propose(0, 6), free.propose(0, 6)
    assert (proposals[0].loss, proposals[0].fixed, proposals[0].as_given) == (given, True, True)
    assert proposals[1:] == others[1:]
