"""Random members of every grammar, with random numbers, for the tests and for the study of grammars."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from symloss.expr.trees.evaluate import slopes
from symloss.search.propose.gp import Rates, initial_loss
from symloss.search.propose.inside import Inside, TypedLoss, inside_of
from symloss.search.propose.inside.stock import Derivations

__all__ = ["GRAMMARS", "members"]

GRAMMARS = {
    name: inside_of(name.partition(" ")[0].split(","), name.partition(" ")[2])
    for name in (
        "proper classification", "proper,bounded classification", "symmetric classification",
        "calibrated classification", "calibrated,bounded classification", "smoothing=0.2 classification",
        "smoothing=0.2,bounded classification", "bounded classification", "proper multilabel",
        "proper,bounded multilabel", "bounded multilabel", "mean regression",
    )
}  # fmt: skip
"""Every grammar, by theorems and kind."""


def members(
    inside: Inside, count: int, seed: int = 0, spread: float = 0.7, depth: int = 3
) -> Iterator[TypedLoss]:
    """Random derivations whose numbers have moved at random behind their links."""
    draw = np.random.default_rng(seed)
    stock, rates = Derivations(inside), Rates(initial_depth=(1, depth))
    for i in range(count):
        one = initial_loss(stock, rates, 1000 * seed + i)
        assert isinstance(one, TypedLoss)
        moved = [
            span.of(span.back(number) + spread * draw.normal())
            for rule, own in one.steps
            for span, number in zip(rule.spans, own, strict=True)
        ]
        moved_one = one.with_numbers(moved).rounded(4)
        if _moderate(moved_one):
            yield moved_one


def _moderate(loss: TypedLoss) -> bool:
    """Whether floats hold it: an exponential of an exponential is a member, and infinite to them."""
    assert loss.inside is not None
    ends = (1e-6, 1 - 1e-6) if loss.inside.kind.probabilities else (-8.0, 8.0)
    p = np.linspace(*ends, 9)
    values = [slopes(loss.program, np.full_like(p, y), p, loss.edges, {"C": 3.0})[0] for y in (0.0, 1.0)]
    return bool(np.isfinite(values).all() and np.abs(values).max() < 1e100)
