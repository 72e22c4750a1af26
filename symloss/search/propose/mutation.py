"""Small steps from one weighted tree to the next: an operator, a number, an exponent."""

from __future__ import annotations

import math
import random
from typing import Any

from symloss.search.propose.grammar import Grammar
from symloss.search.propose.individual import Individual, node

__all__ = ["STEP", "exponent", "number", "point"]

STEP = 0.7
"""Standard deviation of a coefficient's logarithm when it is drawn anew: about a factor of 2."""
_TURNED = 0.2
"""How often its sign is turned as well."""


def point(grammar: Grammar, tree: Individual) -> Individual:
    """One operator or symbol becomes another of as many arguments; its coefficient stays with the edge."""
    i = random.randrange(len(tree))
    old = tree[i]
    # `Grammar.allows` refuses an exponent that is not a constant.
    if _is_exponent(tree, i):
        return tree
    kin = [new for new in _drawn(grammar) if new.arity == old.arity and new.name != old.name]
    if kin:
        tree[i] = node(grammar, random.choice(kin).name, _edge(old))
    return tree


def number(grammar: Grammar, tree: Individual) -> Individual:
    """One coefficient is multiplied by a random number near 1, or turned round."""
    if len(tree) == 1:
        return tree
    # From 1: the root has no edge, so no coefficient.
    i = random.randrange(1, len(tree))
    # Log-normal, as a coefficient is a scale: a step up and a step down by one factor are equally likely.
    factor = math.exp(random.gauss(0.0, STEP)) * (-1.0 if random.random() < _TURNED else 1.0)
    tree[i] = node(grammar, tree[i].name, _edge(tree[i]) * factor)
    return tree


def exponent(grammar: Grammar, tree: Individual) -> Individual:
    """A subtree is raised to a power: `abs(s)**c` with a coefficient `c`, or loses the one that it has.

    A symbol is raised as it is: `p**c` has no kink on the way of a probability, and a gate that looks at all
    of the domain rejects it where the base can be negative.
    """
    i = random.choice([j for j in range(len(tree)) if not _is_exponent(tree, j)])
    below = tree.searchSubtree(i)
    inner = list(tree[below])
    if tree[i].name == "pow":
        base = tree.searchSubtree(i + 1)
        inner = list(tree[base])
        # The coefficient above the power survives; the one below it was under the exponent and is lost.
        inner[0] = node(grammar, inner[0].name, _edge(tree[i]))
        tree[below] = inner
        return tree
    # Median 1, at which `abs(s)**c` changes nothing but the sign of s.
    power = node(grammar, "1", math.exp(random.gauss(0.0, STEP)))
    root = node(grammar, "pow", _edge(tree[i]))
    if inner[0].name in ("square", "psqrt"):
        # The power that is there becomes a free one.
        inner = inner[1:]
    # Its coefficient moves above the power. One below would only rescale it: `abs(a*s)**c = abs(a)**c abs(s)**c`.
    inner[0] = node(grammar, inner[0].name)
    if len(inner) > 1 and inner[0].name != "abs":
        inner = [node(grammar, "abs"), *inner]
    tree[below] = [root, *inner, power]
    return tree


def _is_exponent(tree: Individual, i: int) -> bool:
    """Whether a node is the second argument of a power."""
    return any(
        tree[j].name == "pow" and tree.searchSubtree(j + 1).stop == i for j in range(i) if tree[j].arity == 2
    )


def _edge(old: Any) -> float:
    return float(getattr(old, "edge", 1.0))


def _drawn(grammar: Grammar) -> list[Any]:
    """What the grammar draws from, in its order."""
    kind = grammar.primitives.ret
    return [*grammar.primitives.primitives[kind], *grammar.primitives.terminals[kind]]
