"""Random members of a grammar with random numbers, to test claims about all members."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symloss.expr.trees.evaluate import slopes
from symloss.runs import derive, generator
from symloss.search.propose.gp import Rates, initial_loss
from symloss.search.propose.inside.stock import Derivations
from symloss.search.propose.inside.theorem import Inside
from symloss.search.propose.inside.typed import TypedLoss

__all__ = ["random_members"]

_LARGEST = 1e100


def random_members(
    inside: Inside, count: int, seed: int = 0, *, spread: float = 0.7, depth: int = 3, digits: int = 4
) -> Iterator[TypedLoss]:
    """Derivations by ramped half-and-half, whose numbers have moved at random behind their links.

    Those that floats do not hold are left out: an exponential of an exponential is a member all the same.

    Args:
        inside: the grammar.
        count: how many are drawn; at most so many come.
        seed: of the draw.
        spread: standard deviation of the moves; 0.7 is a factor of about 2.
        depth: of a derivation, in edges, at most.
        digits: of its numbers.
    """
    stock, rates = Derivations(inside), Rates(initial_depth=(1, depth))
    for i in range(count):
        one = initial_loss(stock, rates, derive(seed, "member", i))
        assert isinstance(one, TypedLoss)
        draw = generator(seed, "numbers", i)
        moved = one.with_numbers(
            [
                span.of(span.back(number) + spread * draw.normal())
                for rule, own in one.steps
                for span, number in zip(rule.spans, own, strict=True)
            ]
        ).rounded(digits)
        if _moderate(moved, inside):
            yield moved


def _moderate(loss: TypedLoss, inside: Inside) -> bool:
    # Not the ends themselves: an unbounded member is infinite there by right.
    p = np.linspace(*((1e-6, 1 - 1e-6) if inside.kind.probabilities else (-8.0, 8.0)), 9)
    values = [slopes(loss.program, np.full_like(p, y), p, loss.edges, {"C": 3.0})[0] for y in (0.0, 1.0)]
    return bool(np.isfinite(values).all() and np.abs(values).max() < _LARGEST)
