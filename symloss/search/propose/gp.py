"""Genetic programming: one proposal a slot, each from its own seed, by DEAP's operators."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from deap import gp
from deap.tools import emo

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.search.propose.grammar import Grammar
from symloss.search.propose.individual import WORST, Fitness, Individual, judged
from symloss.search.propose.stock import Stock, Trees

__all__ = [
    "WORST", "Child", "Fitness", "Individual", "Rates", "initial_loss", "initial_program", "member", "offspring",
    "survivors",
]  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """How offspring is made; the defaults are the published ones (arXiv 2209.08907, table II).

    The ways to make a child are weights, of which one is drawn.

    Attributes:
        crossover: one-point crossover.
        mutation: uniform subtree mutation.
        hoist: one argument of a node takes its place: towards simpler trees.
        point: one operator or symbol becomes another of as many arguments.
        number: one coefficient is drawn anew, near where it was; nothing happens to a tree without any.
        exponent: a subtree is raised to a power that is a coefficient, or loses that power.
        elitism: share of the best kept as they are.
        neighbours: share of children whose first parent is a loss with a name, not the winner of a tournament.
        inherit: whether children start from their parents' tuned coefficients, wherever an edge survives, and
            are bred from trees as tuning and merging left them; else from unit coefficients, as published.
        tournament: contestants for each parent.
        initial_depth: of ramped half-and-half trees, in edges.
        mutation_depth: of the new subtree, in edges.
        attempts: draws for a slot, until a tree is new and passes the gate; 1 takes what comes, as published.
    """

    crossover: float = 0.70
    mutation: float = 0.25
    hoist: float = 0.0
    point: float = 0.0
    number: float = 0.0
    exponent: float = 0.0
    elitism: float = 0.05
    neighbours: float = 0.0
    inherit: bool = False
    tournament: int = 4
    initial_depth: tuple[int, int] = (2, 4)
    mutation_depth: tuple[int, int] = (0, 2)
    attempts: int = 1


Wanted = Callable[[Weighted], bool]


def _anything(loss: Weighted) -> bool:
    return True


@contextmanager
def isolated(seed: int) -> Iterator[None]:
    """Python's global generator, which DEAP draws from, seeded inside and as before outside."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def initial_program(grammar: Grammar, rates: Rates, seed: int, wanted: Wanted = _anything) -> Program:
    """The tree of `initial_loss`."""
    return initial_loss(grammar, rates, seed, wanted).program


def initial_loss(stock: Stock | Grammar, rates: Rates, seed: int, wanted: Wanted = _anything) -> Weighted:
    """A random tree by ramped half-and-half, a loss as it stands.

    A share `rates.exponent` of the trees has one free exponent, which ramped half-and-half does not draw. Of at
    most `rates.attempts` draws the first that is wanted, or the last.

    Args:
        stock: what trees are drawn from; a `Grammar` for trees of any operators.
        rates: how.
        seed: of this tree.
        wanted: whether a loss may take the slot.
    """
    stock = _stock(stock)
    low, high = rates.initial_depth
    with isolated(seed):
        # Kept if no attempt is wanted: a slot is filled with an allowed tree even where the gate rejects everything.
        loss = None
        for _ in range(max(rates.attempts, 1)):
            drawn = stock.draw(low, high, rates.exponent).weighted
            if stock.allows(drawn):
                loss = drawn
                if wanted(drawn):
                    break
        return loss or stock.smallest()


class Child(NamedTuple):
    """A loss that was bred, its parents, the first of which it begins with, and how: a field of `Rates`, or `copy`."""

    loss: Weighted
    first: Individual
    second: Individual | None
    way: str


def offspring(
    stock: Stock | Grammar,
    rates: Rates,
    parents: Sequence[Individual],
    seed: int,
    wanted: Wanted = _anything,
    neighbours: Sequence[Individual] = (),
) -> Child:
    """One child: a crossover, a mutation or a simplification of parents won by tournament.

    A child that is too tall, or nested against the limits, is replaced by its parent. Of at most
    `rates.attempts` draws the first that is wanted, or the last.

    Args:
        stock, rates: what may be made, and how.
        parents: ranked by the last selection.
        seed: of this child.
        wanted: whether a child may take the slot.
        neighbours: losses with names, to start from with the share `rates.neighbours`.
    """
    stock = _stock(stock)
    ways = {
        "crossover": rates.crossover,
        "mutation": rates.mutation,
        "hoist": rates.hoist,
        "point": rates.point,
        "number": rates.number,
        "exponent": rates.exponent,
    }
    with isolated(seed):
        for _ in range(max(rates.attempts, 1)):
            if neighbours and random.random() < rates.neighbours:
                first = random.choice(neighbours)
            else:
                first = _tournament(parents, rates.tournament)
            # A copy: DEAP's operators change their argument in place, and the parent stays in the tournament.
            child, second = type(first)(first), None
            (way,) = random.choices(list(ways), list(ways.values()))
            if way == "crossover":
                second = _tournament(parents, rates.tournament)
                # The second child is dropped: one slot, one child, from the seed of that slot alone.
                child, _ = gp.cxOnePoint(child, type(first)(second))
            else:
                child = stock.mutate(child, way, rates.mutation_depth)
            loss = stock.complete(child).weighted
            if not stock.allows(loss):
                loss, second, way = first.weighted, None, "copy"
            if wanted(loss):
                break
    return Child(loss, first, second, way)


def member(
    stock: Stock | Grammar,
    loss: Program | Weighted,
    fitness: float | None,
    complexity: float,
    number: int,
    pace: tuple[float, ...] = (),
) -> Individual:
    """A loss as selection sees it; whatever is not finite is worst in both objectives."""
    return judged(_stock(stock).individual(loss), fitness, complexity, number, pace)


def _stock(stock: Stock | Grammar) -> Stock:
    return Trees(stock) if isinstance(stock, Grammar) else stock


def survivors(members: Sequence[Individual], count: int, objectives: int = 2) -> list[Individual]:
    """The `count` best, each tree once where enough differ, ranked for the next tournament.

    With two objectives by NSGA-II (Deb et al. 2002), as DEAP has it; with one by fitness alone.
    """
    distinct: dict[tuple[str, ...], Individual] = {}
    spare = []
    for one in members:
        key = one.program.tokens
        if key in distinct:
            spare.append(one)
        else:
            distinct[key] = one
    pool = list(distinct.values())
    # Copies fill up only what distinct trees leave empty. With them in the pool from the start, one good tree could
    # take every place, as all its copies lie on the same front.
    pool += spare[: max(0, count - len(pool))]
    if objectives == 1:
        chosen = sorted(pool, key=lambda i: (i.fitness.values[0], i.number))[:count]
    else:
        chosen = []
        # DEAP's `selNSGA2` breaks ties by the order within a front; the candidate's number makes the order, and so
        # the next tournaments, reproducible.
        for front in emo.sortNondominated(pool, len(pool)):
            emo.assignCrowdingDist(front)
            chosen += sorted(front, key=lambda i: (-i.fitness.crowding_dist, i.number))
        chosen = chosen[:count]
    for rank, one in enumerate(chosen):
        one.rank = rank
    return chosen


def _tournament(parents: Sequence[Individual], size: int) -> Individual:
    # By rank: DEAP compares two fitnesses lexicographically, so that complexity would count only between equal
    # scores.
    return min((random.choice(parents) for _ in range(size)), key=lambda individual: individual.rank)
