"""Blocks of a task, drawn by the process that trains on them, and cached there."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from symloss.runs import derive
from symloss.tasks import Task

__all__ = ["block_of"]

Placed = tuple[Task, int]

# A process trains dozens of losses on one block, which takes milliseconds to draw and to scale; as long as there is
# the task, so is what was made of it.
_MADE: WeakKeyDictionary[Task, dict[tuple[Any, ...], Placed]] = WeakKeyDictionary()
_MOST = 32
"""Blocks of one task that are kept."""


def block_of(task: Task, seed: int, block: Any, start: int) -> Placed:
    """The task with the split of a block, and the seed of start and batches.

    Args:
        task: of the search.
        seed: of this kind of blocks.
        block: `[number, folds, share that validates]`, or None for the task as it is.
        start: without a block, the number of the start and the batches.
    """
    if block is None:
        return task, derive(seed, start)
    made = _MADE.setdefault(task, {})
    key = (seed, *block)
    if key not in made:
        number, folds, val_size = block
        drawn = task.block(seed, number, val_size, folds)
        while len(made) >= _MOST:
            # The oldest: a search goes through its blocks in order.
            made.pop(next(iter(made)))
        made[key] = drawn.task, drawn.seed
    return made[key]
