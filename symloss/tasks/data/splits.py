"""Who learns, who chooses, who judges: disjoint 60/20/20 splits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError

__all__ = ["Indices", "cut", "split_indices"]

Indices = NDArray[np.int64]
# Five instances in turn: the first three of a rare class go one to each part, and training comes first.
_TURN = np.array([0, 1, 2, 0, 0])


def split_indices(
    count: int,
    seed: int,
    *,
    labels: NDArray[np.int64] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> tuple[Indices, Indices, Indices]:
    """Disjoint training, validation and test rows, 60/20/20, that cover every row.

    With `labels` each class is split in that proportion (stratified). With `groups` no group has rows in
    two parts, and the labels are not balanced.

    Args:
        count: number of rows.
        seed: of the shuffle.
        labels: class index of each row, `[count]`.
        groups: group index of each row, `[count]`.

    Raises:
        TaskError: for fewer than 5 rows or fewer than 3 groups.

    >>> [part.size for part in split_indices(442, seed=0)]
    [265, 89, 88]
    """
    if count < 5:
        raise TaskError(f"{count} usable rows: expected at least 5, to split them 60/20/20")
    rng = np.random.default_rng([seed, 0])
    if groups is not None:
        return _split_groups(groups, rng)
    order = rng.permutation(count)
    part = np.empty(count, dtype=np.int64)
    keys = np.zeros(count, dtype=np.int64) if labels is None else labels
    for key in np.unique(keys):
        rows = order[keys[order] == key]
        part[rows] = _TURN[np.arange(rows.size) % 5]
    return tuple(np.flatnonzero(part == which) for which in range(3))  # type: ignore[return-value]


def _split_groups(groups: NDArray[np.int64], rng: np.random.Generator) -> tuple[Indices, Indices, Indices]:
    names, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if names.size < 3:
        raise TaskError(f"{names.size} groups: expected at least 3, one each to train, validate and test")
    missing = np.array([0.6, 0.2, 0.2]) * groups.size
    part = np.empty(names.size, dtype=np.int64)
    # Largest groups first, each to the part that lacks most; a part still empty takes precedence at the end.
    order = rng.permutation(names.size)
    order = order[np.argsort(-sizes[order], kind="stable")]
    for place, group in enumerate(order):
        empty = [which for which in range(3) if which not in part[order[:place]]]
        choices = empty if len(empty) >= names.size - place else [0, 1, 2]
        which = max(choices, key=lambda choice: missing[choice])
        part[group] = which
        missing[which] -= sizes[group]
    return tuple(np.flatnonzero(part[index] == which) for which in range(3))  # type: ignore[return-value]


def cut(labels: NDArray[np.int64], seed: int, every: int) -> tuple[Indices, Indices]:
    """Training and validation rows of a set whose test part is official: each `every`-th row of a class."""
    order = np.random.default_rng([seed, 0]).permutation(labels.size)
    held = np.zeros(labels.size, dtype=bool)
    for key in np.unique(labels):
        held[order[labels[order] == key][every - 1 :: every]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)
