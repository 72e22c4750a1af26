"""What evolution breeds from: how trees are drawn, mutated and read as losses, and which are allowed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Protocol

from deap import gp

from symloss.expr import Program
from symloss.expr.trees import Weighted
from symloss.search.propose.grammar import Grammar
from symloss.search.propose.individual import Individual, individual
from symloss.search.propose.mutation import exponent, number, point

__all__ = ["Stock", "Trees"]


class Stock(Protocol):
    """The trees of one grammar; everything random comes from Python's global generator, as DEAP's own does."""

    def draw(self, low: int, high: int, exponents: float) -> Individual:
        """A tree by ramped half-and-half between two depths, with a free exponent in so large a share of them."""
        ...

    def individual(self, loss: Program | Weighted) -> Individual:
        """A loss as a tree to breed from."""
        ...

    def breeds(self, loss: Weighted) -> bool:
        """Whether a loss can be bred from."""
        ...

    def begun(self, loss: Weighted, program: Program) -> Program | Weighted:
        """A loss as it was before its numbers were learned.

        Args:
            loss: as it is.
            program: as it was proposed.
        """
        ...

    def mutate(self, tree: Individual, way: str, depths: tuple[int, int]) -> Individual:
        """The tree after one step: `mutation` (a subtree of these depths), `hoist`, `point`, `number`, `exponent`."""
        ...

    def complete(self, tree: Individual) -> Individual:
        """The tree, so changed that it is a loss."""
        ...

    def allows(self, loss: Weighted) -> bool:
        """Whether a loss keeps to the limits of the grammar."""
        ...

    def smallest(self) -> Weighted:
        """A loss that is always allowed."""
        ...


@dataclass(frozen=True)
class Trees:
    """Trees over the variables of a kind and any operators: one type, so that anything may stand anywhere.

    Args:
        grammar: what may be drawn, and its limits.
    """

    grammar: Grammar

    def draw(self, low: int, high: int, exponents: float) -> Individual:
        """See `Stock`; repaired so that it has its variables."""
        grammar = self.grammar
        tree = Individual(gp.genHalfAndHalf(grammar.primitives, low, high), grammar.registry)
        tree = self.complete(tree)
        return exponent(grammar, tree) if exponents and random.random() < exponents else tree

    def individual(self, loss: Program | Weighted) -> Individual:
        """See `Stock`."""
        if isinstance(loss, Program):
            return individual(self.grammar, loss)
        return individual(self.grammar, loss.program, loss.edges)

    def breeds(self, loss: Weighted) -> bool:
        """See `Stock`."""
        return True

    def begun(self, loss: Weighted, program: Program) -> Program | Weighted:
        """See `Stock`."""
        return program

    def mutate(self, tree: Individual, way: str, depths: tuple[int, int]) -> Individual:
        """See `Stock`."""
        if way == "mutation":
            return subtree_mutation(tree, self.grammar.primitives, depths)
        if way == "hoist":
            (tree,) = gp.mutShrink(tree)
            return tree
        return {"point": point, "number": number, "exponent": exponent}[way](self.grammar, tree)

    def complete(self, tree: Individual) -> Individual:
        """A tree that lacks a variable: one of its leaves becomes an operation on both, or the one that it lacks."""
        if set(self.grammar.variables) <= {node.name for node in tree}:
            return tree
        leaves = [i for i, node in enumerate(tree) if node.arity == 0]
        # The repair of EvoMAL's release: one random leaf, both variables in random order.
        i = random.choice(leaves)
        tree[i : i + 1] = list(individual(self.grammar, self._joined()))
        return tree

    def allows(self, loss: Weighted) -> bool:
        """See `Stock`."""
        return self.grammar.allows(loss.program)

    def smallest(self) -> Weighted:
        """See `Stock`."""
        return Weighted.plain(self._joined())

    def _joined(self) -> Program:
        """A random operation on both variables; of a kind with one variable, that one."""
        variables = list(self.grammar.variables)
        if len(variables) == 1:
            return self.grammar.program(variables)
        random.shuffle(variables)
        return self.grammar.program((random.choice(self.grammar.joiners), *variables))


def subtree_mutation(tree: Individual, primitives: Any, depths: tuple[int, int]) -> Individual:
    """A full random subtree in place of a node of the tree, drawn uniformly."""
    low, high = depths
    (tree,) = gp.mutUniform(tree, lambda pset, type_: gp.genFull(pset, low, high, type_), primitives)
    return tree
