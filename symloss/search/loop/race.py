"""Evaluates the race in retrospect, on losses that were scored on every block, over many orders of the blocks."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from symloss.runs import generator
from symloss.search.loop.evidence import RACE_BLOCKS, Evidence, Scores

__all__ = ["RaceCheck", "check_race"]


@dataclass(frozen=True)
class RaceCheck:
    """The race run again on a full table of scores.

    Attributes:
        losses, blocks: size of the table.
        orders: random orders of the blocks that were tried.
        false_drops: share of the orders in which the loss that is best over all blocks was dropped.
        saved: share of the trainings that the race would have saved, on average.
    """

    losses: int
    blocks: int
    orders: int
    false_drops: float
    saved: float


def check_race(scores: Scores, orders: int = 100, seed: int = 0) -> RaceCheck | None:
    """How often the race drops the best loss of a full table; None for a table too small to race on.

    Args:
        scores: every loss on the same blocks; others are left out.
        orders: how many random orders of the blocks.
        seed: of the orders.

    >>> check_race({0: {0: 1.0, 1: 2.0}, 1: {0: 2.0, 1: 3.0}}) is None
    True
    """
    blocks = sorted({block for row in scores.values() for block in row})
    full = {i: row for i, row in scores.items() if len(row) == len(blocks)}
    whole = Evidence(full)
    if len(blocks) <= RACE_BLOCKS or len(whole.candidates) < 2:
        return None
    best = min(whole.candidates, key=lambda i: (whole.mean(i), i))
    drops, shares = 0, []
    for order in range(orders):
        drawn = [blocks[i] for i in generator(seed, "race", order).permutation(len(blocks))]
        racing, trained = set(whole.candidates), RACE_BLOCKS * len(whole.candidates)
        for seen in range(RACE_BLOCKS, len(drawn)):
            # Out once, out for good: what has left is neither trained again nor part of the evidence that drops
            # others.
            so_far = Evidence({i: {block: full[i][block] for block in drawn[:seen]} for i in racing})
            racing = {i for i in racing if not so_far.out_of_race(i)}
            trained += len(racing)
        drops += best not in racing
        shares.append(1 - trained / (len(blocks) * len(whole.candidates)))
    return RaceCheck(len(whole.candidates), len(blocks), orders, drops / orders, statistics.fmean(shares))
