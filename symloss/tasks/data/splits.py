"""Which rows train, validate and test: 60/20/20 splits, blocks, folds, disjoint pools and shares of the data."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError

__all__ = ["Indices", "cut", "deal", "fold", "places", "split_indices"]

Indices = NDArray[np.int64]
# Five instances in turn: the first three of a rare class go one to each part, and training comes first.
_TURN = np.array([0, 1, 2, 0, 0])
_CHOICES = 100


def split_indices(
    count: int,
    seed: int,
    *,
    labels: NDArray[np.int64] | None = None,
    groups: NDArray[np.int64] | None = None,
) -> tuple[Indices, Indices, Indices]:
    """Disjoint training, validation and test rows, 60/20/20, that cover every row.

    With `labels` each class is split in that proportion (stratified). With `groups` no group has rows in
    two parts, the classes are in proportion as far as whole groups allow, and a class of three groups or more
    has one in each part, unless many classes share few groups.

    Args:
        count: number of rows.
        seed: of the shuffle.
        labels: class index of each row, `[count]`.
        groups: group index of each row, `[count]`.

    Raises:
        TaskError: for fewer than 5 rows, fewer than 3 groups, or so few rows of each class that a part has
            none.

    >>> [part.size for part in split_indices(442, seed=0)]
    [265, 89, 88]
    """
    if count < 5:
        raise TaskError(f"{count} usable rows: expected at least 5, to split them 60/20/20")
    if groups is not None:
        names = np.unique(groups).size
        if names < 3:
            raise TaskError(f"{names} groups: expected at least 3, one each to train, validate and test")
        rest, test = _hold_out_groups(groups, labels, 0.2, seed, parts=3, grow=True)
        within = None if labels is None else labels[rest]
        # A quarter of the remaining 80 % is 20 %; with another seed, or the two draws would start from the same
        # bits.
        train, val = _hold_out_groups(groups[rest], within, 0.25, seed + 1, grow=True)
        return rest[train], rest[val], test
    part = np.empty(count, dtype=np.int64)
    for rows in _shuffled_classes(np.zeros(count, dtype=np.int64) if labels is None else labels, seed):
        part[rows] = _TURN[np.arange(rows.size) % 5]
    parts = tuple(np.flatnonzero(part == which) for which in range(3))
    if not all(rows.size for rows in parts):
        raise TaskError(
            f"{count} rows of {np.unique(part if labels is None else labels).size} classes leave a part without "
            "rows: expected at least 3 rows of a class, one each to train, validate and test (better 5 of each)"
        )
    return parts  # type: ignore[return-value]


def cut(
    labels: NDArray[np.int64],
    seed: int,
    share: float,
    groups: NDArray[np.int64] | None = None,
    start: float = 0.0,
) -> tuple[Indices, Indices]:
    """Training and validation rows: this share of each class is held out, or of the groups.

    Of a class it may be a row more or less, so that the share of all rows is right; the one row of a class that
    has no other is trained on. With groups, a class that two groups have is trained on too.

    Args:
        labels: class index of each row, `[N]`; all the same where there are no classes.
        seed: of the shuffle.
        share: above 0 and below 1.
        groups: group index of each row, `[N]`, if no group may be in both.
        start: in [0, 1), where counting begins: drawn at random, it lets small classes take turns over the seeds.

    Raises:
        TaskError: when a part has no rows.
    """
    if share > 0.5:
        # Few rows to train on, many to validate: held out is what trains.
        train, val = cut(labels, seed, 1 - share, groups, start)
        return val, train
    if groups is not None:
        if np.unique(groups).size < 2:
            raise TaskError("one group: expected at least 2, one each to train and validate")
        return _hold_out_groups(groups, labels, share, seed)
    # Class after class in one line, in which every 1/share-th row is held out.
    classes = [rows for rows in _shuffled_classes(labels, seed) if rows.size > 1]
    order = np.concatenate([np.empty(0, dtype=np.int64), *classes])
    # Row i is held out where floor(share i + start) steps up, so every 1/share-th row of the line, and of each
    # class to within a row. Over the starts k/folds each row steps exactly once: that is `fold`.
    # The 1e-9 is for shares such as 1/3, whose multiples rounding may leave just below a whole number.
    upto = np.floor(share * np.arange(order.size + 1) + start + 1e-9)
    held = np.zeros(labels.size, dtype=bool)
    held[order[np.diff(upto) > 0]] = True
    if not held.any():
        raise TaskError(
            f"{labels.size} rows of {np.unique(labels).size} classes leave no row to validate: expected at least "
            f"{math.ceil(1 / share - 1e-9)} rows in classes of two or more"
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


def fold(
    labels: NDArray[np.int64],
    seed: int,
    folds: int,
    number: int,
    groups: NDArray[np.int64] | None = None,
) -> tuple[Indices, Indices]:
    """Training rows and those of one fold of a stratified cross-validation; of the seed all folds together are
    every row that is not the only one of its class, each once.

    Args:
        labels: class index of each row, `[N]`; all the same where there are no classes.
        seed: of the shuffle.
        folds: at least 2.
        number: of the fold, from 0.
        groups: group index of each row, `[N]`, if no group may be in two folds.

    Raises:
        TaskError: for more folds than rows or groups.
    """
    if groups is not None:
        if np.unique(groups).size < folds:
            raise TaskError(
                f"{np.unique(groups).size} groups: expected at least one for each of {folds} folds"
            )
        from sklearn.model_selection import StratifiedGroupKFold  # a second to import

        state = int(np.random.default_rng([seed, 0]).integers(2**31))
        maker = StratifiedGroupKFold(folds, shuffle=True, random_state=state)
        train, val = list(maker.split(labels, labels, groups))[number]
        return np.asarray(train, dtype=np.int64), np.asarray(val, dtype=np.int64)
    return cut(labels, seed, 1 / folds, start=number / folds)


def deal(
    labels: NDArray[np.int64], seed: int, count: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """To which of `count` heaps each row goes, `[N]`: dealt like cards, class after class, or group by group.

    Args:
        labels: class index of each row, `[N]`; all the same where there are no classes.
        seed: of the shuffle.
        count: of the heaps.
        groups: group index of each row, `[N]`, if no group may be in two heaps.

    >>> np.bincount(deal(np.array([0, 0, 0, 0, 1, 1]), seed=0, count=2)).tolist()
    [3, 3]
    """
    if groups is not None:
        names, sizes = np.unique(groups, return_counts=True)
        heap, load = {}, np.zeros(count)
        for i in np.random.default_rng([seed, 0]).permutation(names.size):
            # Greedy, to the lightest heap: groups differ in size, and only their rows must come out even.
            heap[names[i]] = int(load.argmin())
            load[heap[names[i]]] += sizes[i]
        return np.array([heap[name] for name in groups], dtype=np.int64)
    owner = np.empty(labels.size, dtype=np.int64)
    order = np.concatenate([np.empty(0, dtype=np.int64), *_shuffled_classes(labels, seed)])
    # Heaps in a round, shuffled anew each time: small classes begin somewhere else.
    rounds = np.random.default_rng([seed, 1])
    turns = [rounds.permutation(count) for _ in range(-(-labels.size // count))]
    owner[order] = np.concatenate([np.empty(0, dtype=np.int64), *turns])[: labels.size]
    return owner


def places(
    labels: NDArray[np.int64], seed: int, groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """A place in [0, 1) of each row, `[N]`: those below a share are that share of each class, or of the groups.

    Args:
        labels: class index of each row, `[N]`; all the same where there are no classes.
        seed: of the shuffle.
        groups: group index of each row, `[N]`; the rows of a group have one place.

    >>> sum(places(np.zeros(8, dtype=np.int64), seed=0) < 0.25)
    np.int64(2)
    """
    share = np.empty(labels.size)
    if groups is not None:
        names, sizes = np.unique(groups, return_counts=True)
        order = np.random.default_rng([seed, 0]).permutation(names.size)
        before = np.concatenate([[0], np.cumsum(sizes[order])[:-1]])
        # The middle of a group's stretch of the line: a share takes a group when more than half of it lies below.
        where = dict(zip(names[order], (before + sizes[order] / 2) / labels.size, strict=True))
        return np.array([where[name] for name in groups])
    offsets = np.random.default_rng([seed, 1])
    for rows in _shuffled_classes(labels, seed):
        # Rare classes take turns: a share of less than one row of a class is one row now and then.
        share[rows] = (np.arange(rows.size) + offsets.random()) / rows.size
    return share


def _shuffled_classes(labels: NDArray[np.int64], seed: int) -> Iterator[Indices]:
    """The rows of each class in random order.

    Not scikit-learn's StratifiedShuffleSplit: it refuses a class of one row, and a part with fewer rows than
    there are classes. Here the first row of a rare class is trained on.
    """
    order = np.random.default_rng([seed, 0]).permutation(labels.size)
    for label in np.unique(labels):
        yield order[labels[order] == label]


def _hold_out_groups(
    groups: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
    share: float,
    seed: int,
    *,
    parts: int = 2,
    grow: bool = False,
) -> tuple[Indices, Indices]:
    """Rows that stay and rows that are held out; of many random choices of groups the best balanced one.

    Where that one misses a class which has groups enough, groups are exchanged until none is missed, or no
    exchange helps.

    scikit-learn's StratifiedGroupKFold balances too, but where groups differ in size it returns the same
    folds whatever the seed.

    Args:
        groups: group of each row, `[N]`.
        labels: class of each row, `[N]`, or None.
        share: of the groups that are held out.
        seed: of the choices.
        parts: how many parts the rows are cut into in the end: what stays is enough for all but one.
        grow: whether the held-out part may be larger or smaller than its share, for a class that would be missed.
    """
    from sklearn.model_selection import GroupShuffleSplit  # a second to import

    classes = (
        np.zeros(groups.size, dtype=np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    )
    wanted = share * np.bincount(classes)
    names, group = np.unique(groups, return_inverse=True)
    size = int(share * names.size + 0.5) or 1
    state = int(np.random.default_rng([seed, 0]).integers(2**31))
    # Every class of every group, and how many rows it has there.
    pairs, rows = np.unique(group * wanted.size + classes, return_counts=True)
    owner, label = np.divmod(pairs, wanted.size)
    spread = np.bincount(label)

    def imbalance(held: NDArray[np.bool_]) -> float:
        taken = np.bincount(label, weights=rows * held[owner])
        # Relative to the size of the class, so that a rare one counts as much as a common one.
        return float(np.abs(taken / wanted - 1).mean() + abs(taken.sum() / wanted.sum() - 1))

    def missed(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Classes with a group for each part that one of the parts would not get."""
        out = np.bincount(label, weights=held[owner])
        # A share that was asked for is kept: fewer groups than classes cannot have one of each.
        room = grow or size >= wanted.size
        return (spread >= parts) & ((spread - out < parts - 1) | ((out < 1) & room))

    def cost(held: NDArray[np.bool_]) -> tuple[int, int, float]:
        # In this order: a class without rows in a part cannot be judged at all, while size and balance are
        # matters of degree.
        return int(missed(held).sum()), abs(int(held.sum()) - size), imbalance(held)

    def exchanges(held: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
        """One group of a missed class on the other side, and one from there in its place, or none."""
        for each in np.unique(owner[missed(held)[label]])[:_CHOICES]:
            others = np.flatnonzero(held != held[each])[:_CHOICES].tolist()
            for other in [*others, None] if grow else others:
                changed = held.copy()
                changed[[each] if other is None else [each, other]] ^= True
                yield changed

    # It is blind to classes: hence many draws, and of these the best balanced.
    choices = GroupShuffleSplit(_CHOICES, test_size=size, random_state=state).split(classes, groups=groups)
    held = min((np.bincount(group[rest], minlength=names.size) > 0 for _, rest in choices), key=imbalance)
    # Ends: the number of missed classes falls in each round. At most `_CHOICES` squared exchanges are tried a
    # round, so that thousands of groups do not take minutes.
    while missed(held).any():
        better = min(exchanges(held), key=cost)
        if cost(better)[0] >= cost(held)[0]:
            break
        held = better
    return np.flatnonzero(~held[group]), np.flatnonzero(held[group])
