"""Genetic programming: one proposal a slot, each from its own seed, by DEAP's operators."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deap import base, gp
from deap.tools import emo

from symloss.expr import Program
from symloss.search.propose.grammar import Grammar

__all__ = ["WORST", "Fitness", "Individual", "Rates", "initial_program", "member", "offspring", "survivors"]

WORST = 1e30
"""What stands for a fitness that is not finite: in DEAP a NaN wins, and an infinity spoils crowding."""


class Fitness(base.Fitness):
    """Validation fitness and complexity, both minimised; compared in that order."""

    weights = (-1.0, -1.0)


class Individual(gp.PrimitiveTree):
    """A tree with its fitness, and its place in the last selection."""

    def __init__(self, content: Any = ()) -> None:
        super().__init__(content)
        self.fitness = Fitness()
        self.number = -1
        self.rank = 0

    @property
    def program(self) -> Program:
        """The tree as the other rooms know it."""
        return Program(tuple(node.name for node in self))


@dataclass(frozen=True)
class Rates:
    """How offspring is made; the defaults are the published ones (arXiv 2209.08907, table II).

    Attributes:
        crossover: share of one-point crossovers.
        mutation: share of uniform subtree mutations.
        hoist: share of mutations that put one argument of a node in its place: towards simpler trees.
        elitism: share of the best kept as they are.
        tournament: contestants for each parent.
        initial_depth: of ramped half-and-half trees, in edges.
        mutation_depth: of the new subtree, in edges.
        attempts: draws for a slot, until a tree is new and passes the gate; 1 takes what comes, as published.
    """

    crossover: float = 0.70
    mutation: float = 0.25
    hoist: float = 0.0
    elitism: float = 0.05
    tournament: int = 4
    initial_depth: tuple[int, int] = (2, 4)
    mutation_depth: tuple[int, int] = (0, 2)
    attempts: int = 1


def _anything(program: Program) -> bool:
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


def member(
    grammar: Grammar, program: Program, fitness: float | None, complexity: float, number: int
) -> Individual:
    """An individual as selection sees it; whatever is not finite is worst in both objectives."""
    individual = _tree(grammar, program)
    individual.number = number
    if fitness is None or not math.isfinite(fitness) or abs(fitness) >= WORST:
        # Worst in both: a rejected tree of three nodes must not look like the simplest of a front.
        individual.fitness.values = (WORST, WORST)
    else:
        individual.fitness.values = (fitness, complexity)
    return individual


def initial_program(
    grammar: Grammar, rates: Rates, seed: int, wanted: Callable[[Program], bool] = _anything
) -> Program:
    """A random tree by ramped half-and-half, repaired so that it has `y` and `p`.

    Of at most `rates.attempts` draws the first that is wanted, or the last.
    """
    low, high = rates.initial_depth
    with isolated(seed):
        program = None
        for _ in range(max(rates.attempts, 1)):
            drawn = _repair(grammar, Individual(gp.genHalfAndHalf(grammar.primitives, low, high))).program
            if grammar.allows(drawn):
                program = drawn
                if wanted(drawn):
                    break
        return program or _joined(grammar)


def offspring(
    grammar: Grammar,
    rates: Rates,
    parents: Sequence[Individual],
    seed: int,
    wanted: Callable[[Program], bool] = _anything,
) -> Program:
    """One child: a crossover, a mutation or a simplification of parents won by tournament.

    A child that is too tall, or nested against the limits, is replaced by its parent. Of at most
    `rates.attempts` draws the first that is wanted, or the last.
    """
    low, high = rates.mutation_depth
    with isolated(seed):
        for _ in range(max(rates.attempts, 1)):
            first = _tournament(parents, rates.tournament)
            child = Individual(first)
            ways = (rates.crossover, rates.mutation, rates.hoist)
            (way,) = random.choices(("crossover", "mutation", "hoist"), ways)
            if way == "crossover":
                child, _ = gp.cxOnePoint(child, Individual(_tournament(parents, rates.tournament)))
            elif way == "mutation":
                (child,) = gp.mutUniform(
                    child,
                    lambda pset, type_: gp.genFull(pset, low, high, type_),
                    grammar.primitives,
                )
            else:
                (child,) = gp.mutShrink(child)
            program = _repair(grammar, child).program
            if not grammar.allows(program):
                program = first.program
            if wanted(program):
                break
    return program


def survivors(members: Sequence[Individual], count: int, objectives: int = 2) -> list[Individual]:
    """The `count` best, each tree once where enough differ, ranked for the next tournament.

    With two objectives by NSGA-II (Deb et al. 2002), as DEAP has it; with one by fitness alone.
    """
    distinct: dict[tuple[str, ...], Individual] = {}
    spare = []
    for individual in members:
        key = individual.program.tokens
        if key in distinct:
            spare.append(individual)
        else:
            distinct[key] = individual
    pool = list(distinct.values())
    pool += spare[: max(0, count - len(pool))]
    if objectives == 1:
        chosen = sorted(pool, key=lambda i: (i.fitness.values[0], i.number))[:count]
    else:
        chosen = []
        for front in emo.sortNondominated(pool, len(pool)):
            emo.assignCrowdingDist(front)
            chosen += sorted(front, key=lambda i: (-i.fitness.crowding_dist, i.number))
        chosen = chosen[:count]
    for rank, individual in enumerate(chosen):
        individual.rank = rank
    return chosen


def _tournament(parents: Sequence[Individual], size: int) -> Individual:
    return min((random.choice(parents) for _ in range(size)), key=lambda individual: individual.rank)


def _tree(grammar: Grammar, program: Program) -> Individual:
    """Own seeds may hold operators that are not in the grammar: they are bred from, never drawn."""
    nodes = []
    for token in program.tokens:
        node = grammar.primitives.mapping.get(token)
        if node is None:
            arity = program.arity(token)
            node = gp.Primitive(token, [gp.__type__] * arity, gp.__type__) if arity else _terminal(token)
        nodes.append(node)
    return Individual(nodes)


def _terminal(token: str) -> gp.Terminal:
    return gp.Terminal(token, False, gp.__type__)


def _joined(grammar: Grammar) -> Program:
    pair = ["y", "p"]
    random.shuffle(pair)
    return Program((random.choice(grammar.joiners), *pair))


def _repair(grammar: Grammar, individual: Individual) -> Individual:
    """A tree without `y` or without `p`: one of its leaves becomes an operation on both."""
    if {"y", "p"} <= {node.name for node in individual}:
        return individual
    leaves = [i for i, node in enumerate(individual) if node.arity == 0]
    i = random.choice(leaves)
    individual[i : i + 1] = list(_tree(grammar, _joined(grammar)))
    return individual
