"""A tree as DEAP breeds it, each node with the coefficient of the edge above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deap import base, gp

from symloss.expr import Program, Registry
from symloss.expr.trees import Weighted
from symloss.search.propose.grammar import Grammar

__all__ = ["WORST", "Fitness", "Individual", "individual", "judged", "node"]

WORST = 1e30
"""What stands for a fitness that is not finite: in DEAP a NaN wins, and an infinity spoils crowding."""


class Fitness(base.Fitness):
    """Validation fitness and complexity, both minimised; compared in that order."""

    weights = (-1.0, -1.0)


class Individual(gp.PrimitiveTree):
    """A tree with its fitness, its place in the last selection, and the pace at which it was trained.

    Args:
        content: nodes, or another individual.
        registry: what the operators' names mean; that of the other individual unless given.
    """

    def __init__(self, content: Any, registry: Registry | None = None) -> None:
        super().__init__(content)
        self.registry: Registry = registry or content.registry
        self.fitness = Fitness()
        self.number = -1
        self.rank = 0
        self.pace: tuple[float, ...] = content.pace if isinstance(content, Individual) else ()

    @property
    def program(self) -> Program:
        """The tree as the other rooms know it."""
        return Program(tuple(node.name for node in self), self.registry)

    @property
    def weighted(self) -> Weighted:
        """The same with the coefficients that its nodes carry; the root's is the scale, which is dropped."""
        # Nodes that DEAP has drawn carry no coefficient: theirs is 1.
        return Weighted(self.program, tuple(getattr(node, "edge", 1.0) for node in self[1:]))


class _Operator(gp.Primitive):
    """An operator with a coefficient: DEAP moves whole nodes, so it goes wherever its edge goes."""

    def __init__(self, name: str, arity: int, edge: float) -> None:
        super().__init__(name, [gp.__type__] * arity, gp.__type__)
        self.edge = edge


class _Leaf(gp.Terminal):
    """A symbol or constant with a coefficient."""

    def __init__(self, name: str, edge: float) -> None:
        super().__init__(name, False, gp.__type__)
        self.edge = edge


def node(grammar: Grammar, name: str, edge: float = 1.0) -> Any:
    """A node of an operator or a symbol, drawn by the grammar or not."""
    operator = grammar.registry.operators.get(name)
    return _Operator(name, operator.arity, edge) if operator else _Leaf(name, edge)


def individual(grammar: Grammar, program: Program, edges: Sequence[float] | None = None) -> Individual:
    """A tree to breed from.

    Own seeds may hold operators that are not in the grammar: they are bred from, never drawn.
    """
    nodes = []
    for i, name in enumerate(program.tokens):
        # The root has no edge above it, hence the shift by one.
        edge = edges[i - 1] if edges is not None and i else 1.0
        known = grammar.primitives.mapping.get(name)
        # A node of the grammar serves every tree, so one with a coefficient must be an object of its own.
        nodes.append(known if known is not None and edge == 1.0 else node(grammar, name, edge))
    return Individual(nodes, grammar.registry)


def judged(
    tree: Individual, fitness: float | None, complexity: float, number: int, pace: tuple[float, ...] = ()
) -> Individual:
    """A tree as selection sees it; whatever is not finite is worst in both objectives."""
    tree.number, tree.pace = number, pace
    if fitness is None or not math.isfinite(fitness) or abs(fitness) >= WORST:
        # Worst in both: a rejected tree of three nodes must not look like the simplest of a front.
        tree.fitness.values = (WORST, WORST)
    else:
        tree.fitness.values = (fitness, complexity)
    return tree
