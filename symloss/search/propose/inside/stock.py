"""Evolution inside a grammar by DEAP's typed operators: subtrees are exchanged only for others of their sort."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from deap import gp

from symloss.errors import DomainError
from symloss.expr import Program, default_registry
from symloss.expr.trees import Weighted
from symloss.search.propose.individual import Individual
from symloss.search.propose.inside.build import Step
from symloss.search.propose.inside.rules import Loss, Rule
from symloss.search.propose.inside.theorem import Inside
from symloss.search.propose.inside.typed import TypedLoss
from symloss.search.propose.mutation import STEP
from symloss.search.propose.stock import Stock, Trees
from symloss.search.settings import SearchSettings

__all__ = ["Derivations", "stock_of"]

MOST_TOKENS = 100
"""Of a tree: a convex function in an exponent stands in its loss three times, and in another exponent nine times."""


class _Derived(Individual):
    """A derivation as DEAP breeds it, each node with its rule's numbers."""

    def __init__(self, content: Any, inside: Inside | None = None) -> None:
        super().__init__(content, default_registry())
        self.inside: Inside = inside or content.inside

    @property
    def steps(self) -> list[Step]:
        """The derivation."""
        return [(self.inside.rules[node.name], _numbers(self.inside, node)) for node in self]

    @property
    def weighted(self) -> TypedLoss:
        """The loss, without its scale."""
        return TypedLoss.of(self.inside, self.steps)

    @property
    def program(self) -> Program:
        """See `Individual`."""
        return self.weighted.program


class _Branch(gp.Primitive):
    """A rule in which others stand, with its numbers: DEAP moves whole nodes, so they go where it goes."""

    def __init__(self, rule: Rule, numbers: tuple[float, ...]) -> None:
        super().__init__(rule.name, list(rule.takes.values()), rule.gives)
        self.numbers = numbers


class _Tip(gp.Terminal):
    """A rule in which nothing stands, with its numbers."""

    def __init__(self, rule: Rule, numbers: tuple[float, ...]) -> None:
        super().__init__(rule.name, False, rule.gives)
        self.numbers = numbers


@dataclass(frozen=True)
class Derivations:
    """The members of a grammar, as `Stock` has them.

    Args:
        inside: the grammar.
        max_height: of a derivation, in edges.
    """

    inside: Inside
    max_height: int = 10

    def draw(self, low: int, high: int, exponents: float) -> Individual:
        """See `Stock`; free exponents are rules of the grammar, and need no share of their own."""
        return _Derived(gp.genHalfAndHalf(_primitives(self.inside), low, high), self.inside)

    def individual(self, loss: Program | Weighted) -> Individual:
        """See `Stock`.

        Raises:
            DomainError: for a loss without a derivation.
        """
        if not isinstance(loss, TypedLoss):
            raise DomainError("a loss without a derivation cannot be bred inside a theorem")
        # From the derivation, not from the tree: cut at an arbitrary node, a tree would leave the grammar.
        return _Derived([_node(rule, numbers) for rule, numbers in loss.steps], self.inside)

    def breeds(self, loss: Weighted) -> bool:
        """See `Stock`: one with a derivation."""
        return isinstance(loss, TypedLoss)

    def begun(self, loss: Weighted, program: Program) -> Program | Weighted:
        """See `Stock`."""
        assert isinstance(loss, TypedLoss)
        return loss.begun

    def mutate(self, tree: Individual, way: str, depths: tuple[int, int]) -> Individual:
        """See `Stock`."""
        assert isinstance(tree, _Derived)
        if way == "mutation":
            low, high = depths

            def full(pset: Any, type_: Any) -> list[Any]:
                # No rule makes a whole loss out of nothing.
                least = 1 if type_ is Loss else 0
                return list(gp.genFull(pset, max(low, least), max(high, least), type_))

            (changed,) = gp.mutUniform(tree, full, _primitives(self.inside))
        elif way == "hoist":
            (changed,) = gp.mutShrink(tree)
        elif way in ("point", "number"):
            changed = self._point(tree) if way == "point" else self._number(tree)
        else:
            changed = tree
        assert isinstance(changed, _Derived)
        return changed

    def complete(self, tree: Individual) -> Individual:
        """Itself: every derivation is a loss."""
        return tree

    def allows(self, loss: Weighted) -> bool:
        """See `Stock`."""
        assert isinstance(loss, TypedLoss)
        # The tree is limited besides the derivation, as substitution can multiply it.
        return loss.program.size <= MOST_TOKENS and _height(rule for rule, _ in loss.steps) <= self.max_height

    def smallest(self) -> Weighted:
        """See `Stock`."""
        rules = list(self.inside.rules.values())
        root = rules[0]
        tips = [
            next(rule for rule in rules if issubclass(rule.gives, sort) and not rule.takes)
            for sort in root.takes.values()
        ]
        return TypedLoss.plain_of(self.inside, [root.name, *(tip.name for tip in tips)])

    def _point(self, tree: _Derived) -> _Derived:
        """Replaces one rule by another of the same sort with the same arguments; its multiplier stays."""
        i = random.randrange(len(tree))
        old = self.inside.rules[tree[i].name]
        kin = [
            rule
            for rule in self.inside.rules.values()
            # The numbers of the new rule begin afresh: an exponent says nothing about a temperature.
            if rule.gives is old.gives and rule.name != old.name and _takes(rule) == _takes(old)
        ]
        if kin:
            new = random.choice(kin)
            weight = _numbers(self.inside, tree[i])[0]
            tree[i] = _node(new, (weight, *(span.start for span in new.spans[1:])))
        return tree

    def _number(self, tree: _Derived) -> _Derived:
        """One number moves by a random step behind its link."""
        # What multiplies a bare part stands in no edge: moving it would change nothing.
        places = sorted({place for place, _ in tree.weighted.ties if place >= 0})
        if not places:
            return tree
        place = random.choice(places)
        for i, (rule, numbers) in enumerate(tree.steps):
            if place < len(numbers):
                # Behind the link the step cannot leave the span, so that the child is a member still.
                span = rule.spans[place]
                moved = span.of(span.back(numbers[place]) + random.gauss(0.0, STEP))
                tree[i] = _node(rule, (*numbers[:place], moved, *numbers[place + 1 :]))
                break
            place -= len(numbers)
        return tree


def stock_of(settings: SearchSettings, inside: Inside | None) -> Stock:
    """What a search breeds from."""
    if inside is None:
        return Trees(settings.grammar)
    return Derivations(inside, settings.grammar.max_height)


@lru_cache(maxsize=64)
def _primitives(inside: Inside) -> gp.PrimitiveSetTyped:
    """The grammar for DEAP, which reads names and sorts alone: nothing is compiled."""
    primitives = gp.PrimitiveSetTyped("loss", [], Loss)
    for rule in inside.rules.values():
        if rule.takes:
            primitives.addPrimitive(_nothing, _takes(rule), rule.gives, name=rule.name)
        else:
            primitives.addTerminal(rule.name, rule.gives)
    return primitives


def _nothing(*_: Any) -> None:
    """Rules are read, not run."""


def _takes(rule: Rule) -> list[Any]:
    return list(rule.takes.values())


def _node(rule: Rule, numbers: tuple[float, ...]) -> Any:
    return _Branch(rule, numbers) if rule.takes else _Tip(rule, numbers)


def _numbers(inside: Inside, node: Any) -> tuple[float, ...]:
    """The numbers of a node; one drawn by DEAP has the starting values of its rule."""
    numbers: tuple[float, ...] | None = getattr(node, "numbers", None)
    return tuple(span.start for span in inside.rules[node.name].spans) if numbers is None else numbers


def _height(rules: Iterable[Rule]) -> int:
    """Of the derivation, in edges."""
    rest = iter(rules)

    def height() -> int:
        return max((1 + height() for _ in next(rest).takes), default=0)

    return height()
