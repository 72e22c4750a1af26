"""The rows of a data set, modified once, and how they are cut into parts and prepared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.runs import derive, generator
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.modifiers import Modifiers, add_label_noise, add_outliers, keep_imbalanced
from symloss.tasks.data.parts import Split
from symloss.tasks.data.splits import Indices, cut, deal, fold, places, split_indices

__all__ = ["LARGE", "Pool", "Prepared"]

LARGE = 10_000
"""Rows, test rows aside, beyond which a block trains on a part of them and validates on many: the uncertainty of a
validation score falls with its rows, while the cost of a training is in its steps, not in its rows."""


@dataclass(frozen=True)
class Prepared:
    """Three parts, scaled by the first.

    Attributes:
        parts: training, validation and test part.
        scale: how regression targets were scaled, and by what; None for labels.
        notes: what was done to the features, a line each.
    """

    parts: tuple[Split, Split, Split]
    scale: dict[str, Any] | None
    notes: list[str]


@dataclass(frozen=True)
class Pool:
    """A data set whose test rows, label noise, imbalance and outliers are settled.

    They are drawn by the seed of the split, before training and validation rows are told apart anew: a row's
    noisy label is the same in whatever block it falls, and a test row is a test row in all of them.

    Attributes:
        data: the raw data.
        train, val, test: rows of the task's own parts, after imbalance.
        targets: of all rows, those of `train` and `val` with label noise.
        shift: what outliers add to the targets of a regression, in their own units, `[N]`.
        target_scale: of a regression: `"standard"`, `"minmax"` or `"none"`.
    """

    data: DataSet
    train: Indices
    val: Indices
    test: Indices
    targets: NDArray[Any]
    shift: NDArray[np.float64] | None
    target_scale: str | None

    @classmethod
    def of(
        cls,
        data: DataSet,
        seed: int,
        modifiers: Modifiers = Modifiers(),
        target_scale: str | None = None,
    ) -> Self:
        """The pool of a data set; see `load_task` for the arguments.

        Raises:
            TaskError: for data or a modifier that do not fit.
        """
        if seed < 0:
            raise TaskError(f"seed {seed}: expected an integer of at least 0")
        modifiers.check_for(data.kind)
        imbalance, outliers = modifiers.imbalance, modifiers.outliers
        if target_scale is not None and KINDS[data.kind].labelled:
            raise TaskError(
                f"target scale {str(target_scale)!r} is for regression, this task is {data.kind}: leave it out"
            )
        train, val, test = _parts(data, seed)
        classes = 2 if KINDS[data.kind].signed else _classes(data) or 0
        if imbalance is not None:
            # Of the training rows, for both parts: the class that is rare in training is the one that is rare in
            # validation.
            ranking = np.argsort(-np.bincount(data.targets[train], minlength=classes), kind="stable")
            train, val = (
                rows[
                    keep_imbalanced(
                        data.targets[rows], imbalance, ranking, np.random.default_rng([seed, 1, i])
                    )
                ]
                for i, rows in enumerate((train, val))
            )
        # Streams of their own for imbalance (1) and for noise and outliers (2), and for each part: turning one
        # modifier on leaves what the others draw as it was.
        targets = data.targets.copy()
        # Kept apart from the targets, which `prepare` scales first.
        shift, spread = (np.zeros(len(targets)), _spread(data.targets[train])) if outliers else (None, 0.0)
        for i, rows in enumerate((train, val)):
            rng = np.random.default_rng([seed, 2, i])
            if modifiers.label_noise:
                targets[rows] = add_label_noise(targets[rows], modifiers.label_noise, classes, rng)
            if shift is not None:
                shift[rows] = add_outliers(np.zeros(rows.size), outliers, rng, spread)
        return cls(data, train, val, test, targets, shift, target_scale)

    @property
    def classes(self) -> int | None:
        """Number of classes or labels; None for a regression."""
        return _classes(self.data)

    @property
    def size(self) -> int:
        """Number of rows that are not test rows."""
        return self.train.size + self.val.size

    @property
    def test_units(self) -> Indices | None:
        """The rows that each test instance is made of, `[N, k]`; None where an instance is a row."""
        return None

    @property
    def share(self) -> float:
        """Share of the rows that are not test rows with which the task's own split validates."""
        # 60/20/20: a quarter of what is left without the test rows.
        return 0.25 if self.data.test is None else 1 / self.data.validation_every

    def cut(self, seed: int, share: float | None = None) -> tuple[Indices, Indices]:
        """Other training and validation rows, of the same rows together; stratified by the labels as they are.

        Args:
            seed: of the draw.
            share: of the rows that validate. Unless given, that of the task's own split; of more than `LARGE` rows
                at least half, and neither part has more than `LARGE`.

        Raises:
            TaskError: for a share that leaves a part without rows.
        """
        rows, labels, groups = self._keys()
        large = share is None and self.size > LARGE
        if share is None:
            # A share that was asked for is kept, however many rows there are.
            share = max(self.share, 0.5) if large else self.share
        # A start of its own for each block: with one and the same, a class too small for every block to hold out
        # a row of it would never, or always, be held out.
        train, val = cut(labels, seed, share, groups, start=float(generator(seed, "start").random()))
        if large:
            train = _thinned(train, labels, derive(seed, "train"), groups)
            val = _thinned(val, labels, derive(seed, "val"), groups)
        return rows[train], rows[val]

    def fold(self, seed: int, folds: int, number: int) -> tuple[Indices, Indices]:
        """As `cut`, with the rows of one fold to validate: over all folds of a seed each row validates once.

        Raises:
            TaskError: for more folds than rows or groups.
        """
        rows, labels, groups = self._keys()
        train, val = fold(labels, seed, folds, number, groups)
        return rows[train], rows[val]

    def deal(self, seed: int, count: int, number: int) -> Self:
        """One of several pools without a row in common, stratified; the test rows are those of all of them.

        Its rows are cut into training and validation rows in the proportion of the task's own split.

        Args:
            seed: of the dealing.
            count: how many pools.
            number: which one, from 0.

        Raises:
            TaskError: for pools so small that a part has no rows.
        """
        _, labels, groups = self._keys()
        return self._within(deal(labels, seed, count, groups) == number, derive(seed, "part", number))

    def thin(self, seed: int, share: float) -> Self:
        """A share of the rows that are not test rows, stratified, cut in the proportion of the task's own split.

        Smaller shares of one seed lie within larger ones.

        Args:
            seed: of the choice.
            share: above 0 and at most 1; 1 is the pool itself.

        Raises:
            TaskError: for a share that leaves a part without rows.
        """
        if share == 1:
            return self
        _, labels, groups = self._keys()
        return self._within(places(labels, seed, groups) < share, derive(seed, "thin"))

    def _within(self, chosen: NDArray[np.bool_], seed: int) -> Self:
        """The pool on some of its rows, a flag for each of `_keys`."""
        rows, labels, groups = self._keys()
        rows, labels = rows[chosen], labels[chosen]
        train, val = cut(labels, seed, self.share, None if groups is None else groups[chosen])
        return replace(self, train=rows[train], val=rows[val])

    def _keys(self) -> tuple[Indices, NDArray[np.int64], NDArray[np.int64] | None]:
        """The rows that are not test rows, and the label and group of each."""
        rows = np.sort(np.concatenate([self.train, self.val]))
        classed = _is_classed(self.data)
        # The noisy labels: whoever cuts the rows in practice does not know which of them are wrong.
        labels = self.targets[rows].astype(np.int64) if classed else np.zeros(rows.size, dtype=np.int64)
        return rows, labels, None if self.data.groups is None else self.data.groups[rows]

    def prepare(self, train: Indices, val: Indices) -> Prepared:
        """These parts and the test part, with features and targets scaled by the training rows alone.

        The targets of a regression are scaled by what they are before outliers.
        """
        inputs, notes = self.data.features.prepare(train)
        targets, scale = self.targets, None
        if not KINDS[self.data.kind].labelled:
            # scikit-learn takes a second to import: only when there are data.
            from symloss.tasks.data.scaling import scale_targets

            targets, scale = scale_targets(self.targets, train, self.target_scale or "standard")
            # After scaling: with outliers in the mean and the spread, the unit of the test error would change
            # with their share.
            if self.shift is not None:
                targets = targets + (self.shift / _unit(scale)).astype(np.float32)
        weights = self.data.weights
        first, second, third = (
            Split(
                torch.from_numpy(inputs[rows]),
                torch.from_numpy(targets[rows]),
                None if weights is None else torch.from_numpy(weights[rows]),
            )
            for rows in (train, val, self.test)
        )
        return Prepared((first, second, third), scale, notes)


def _thinned(
    part: Indices, labels: NDArray[np.int64], seed: int, groups: NDArray[np.int64] | None
) -> Indices:
    """At most `LARGE` of these rows, stratified, groups whole."""
    if part.size <= LARGE:
        return part
    # `cut` for its stratification: what it holds out is what is kept.
    _, kept = cut(labels[part], seed, LARGE / part.size, None if groups is None else groups[part])
    return part[kept]


def _unit(scale: dict[str, Any]) -> float:
    """What one unit of the scaled target is in its own units."""
    if scale["how"] == "minmax":
        return float(scale["high"] - scale["low"])
    return float(scale.get("standard_deviation", 1.0))


def _classes(data: DataSet) -> int | None:
    kind = KINDS[data.kind]
    if not kind.probabilities:
        return None
    return int(data.targets.shape[1]) if kind.independent else len(data.class_names)


def _is_classed(data: DataSet) -> bool:
    """Whether every row has one label, by which rows are split in proportion."""
    return KINDS[data.kind].exclusive or KINDS[data.kind].signed


def _spread(targets: NDArray[np.float64]) -> float:
    """The standard deviation, of targets whose squares overflow too."""
    # sd(x) = a sd(x/a), with x/a in [-1, 1]: squares of 1e200 overflow.
    largest = float(np.abs(targets).max()) or 1.0
    return largest * float((targets / largest).std())


def _parts(data: DataSet, seed: int) -> tuple[Indices, Indices, Indices]:
    labels = data.targets.astype(np.int64) if _is_classed(data) else None
    if data.test is None:
        return split_indices(len(data.features), seed, labels=labels, groups=data.groups)
    rest = np.setdiff1d(np.arange(len(data.features)), data.test)
    keys = np.zeros(rest.size, dtype=np.int64) if labels is None else labels[rest]
    train, val = cut(keys, seed, 1 / data.validation_every)
    return rest[train], rest[val], data.test
