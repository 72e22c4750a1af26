"""Pairs of rows, of which the one with the higher target is preferred: what a preference loss is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.modifiers import Modifiers
from symloss.tasks.data.parts import Split
from symloss.tasks.data.pool import Pool, Prepared
from symloss.tasks.data.splits import Indices

__all__ = ["PAIRS_A_ROW", "PairPool"]

PAIRS_A_ROW = 8
"""Pairs of a part, as a multiple of its rows: pairs that share rows are correlated, so all of them say little more."""
MOST_PAIRS = 20_000
"""Pairs of a part at most; a part with more rows has about a pair a row."""


@dataclass(frozen=True)
class PairPool(Pool):
    """A pool whose instances are pairs of rows, both of one part: no row is seen in training and asked about later.

    Rows are told apart, dealt and thinned as those of any pool. Of a pair `(a, b)` the label is 1 where the target of
    `a` is the higher one; pairs of equal targets are left out. In training and validation parts a label is flipped
    with probability `flips`, the same in whatever block the pair falls; test pairs are clean.

    Attributes:
        seed: of the pairs and the flips.
        flips: rate of flipped labels.
    """

    seed: int = 0
    flips: float = 0.0

    @classmethod
    def of(
        cls,
        data: DataSet,
        seed: int,
        modifiers: Modifiers = Modifiers(),
        target_scale: str | None = None,
    ) -> Self:
        """The pairs of a data set; see `load_task` for the arguments.

        Raises:
            TaskError: for data without an order, or a modifier that pairs do not have.
        """
        if KINDS[data.kind].independent or KINDS[data.kind].signed:
            raise TaskError(
                f"pairs of {data.name}: expected a regression or classification task, got {data.kind}"
            )
        if modifiers.imbalance is not None or modifiers.outliers or target_scale is not None:
            raise TaskError(
                "pairs know which of two targets is higher, and no more: of the modifiers expected label noise alone, "
                "the rate of flipped pairs"
            )
        return replace(super().of(data, seed), seed=seed, flips=modifiers.label_noise)

    @property
    def classes(self) -> None:
        """A pair has a score, and no classes."""
        return

    @property
    def test_units(self) -> Indices:
        """The two rows of each test pair, `[N, 2]`."""
        return self._drawn(self.test, 2)

    def prepare(self, train: Indices, val: Indices) -> Prepared:
        """The pairs of these parts and of the test part, features scaled by the training rows alone."""
        inputs, notes = self.data.features.prepare(train)
        every = [self._drawn(rows, number) for number, rows in enumerate((train, val, self.test))]
        first, second, third = (self._labelled(inputs, pairs, number) for number, pairs in enumerate(every))
        sizes = " / ".join(
            f"{len(pairs):,} of {rows.size:,}"
            for pairs, rows in zip(every, (train, val, self.test), strict=True)
        )
        said = f"pairs of rows of one part, the higher target preferred, ties left out: {sizes} rows"
        if self.flips:
            said += f"; a share of {self.flips:g} of training and validation labels flipped"
        return Prepared((first, second, third), None, [*notes, said])

    def _labelled(self, inputs: NDArray[np.float32], pairs: Indices, number: int) -> Split:
        if not len(pairs):
            raise TaskError(f"pairs of {self.data.name}: no two rows of a part have different targets")
        first = self.data.targets[pairs[:, 0]] > self.data.targets[pairs[:, 1]]
        if self.flips and number < 2:
            # By a hash of the two rows, not by a stream: blocks pair rows anew, and a pair must keep its label
            # wherever it turns up.
            first = first ^ (_uniform(pairs, self.seed) < self.flips)
        return Split(torch.from_numpy(inputs[pairs]), torch.from_numpy(first.astype(np.float32)))

    def _drawn(self, rows: Indices, number: int) -> Indices:
        """Pairs of different targets, `[N, 2]`: each row meets the next few on a random circle."""
        # Sorted first: which pairs a part has depends on the set of its rows, not on the order in which they were
        # drawn.
        circle = np.random.default_rng([self.seed, 3, number]).permutation(np.sort(rows))
        # On a circle of n rows the steps s and n - s give the same pairs, so up to (n - 1)//2 none comes twice.
        # Each row is in the same number of pairs, first and second equally often, ties aside.
        most = max(1, min(PAIRS_A_ROW, (rows.size - 1) // 2, MOST_PAIRS // max(rows.size, 1)))
        steps = [np.stack([circle, np.roll(circle, -step)], axis=1) for step in range(1, most + 1)]
        pairs = np.concatenate(steps)
        return np.asarray(pairs[self.data.targets[pairs[:, 0]] != self.data.targets[pairs[:, 1]]])


_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def _uniform(pairs: Indices, seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each pair of rows, whichever comes first: the same wherever they meet.

    The finaliser of SplitMix64 (Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014).
    """
    low, high = (side.astype(np.uint64) for side in (pairs.min(1), pairs.max(1)))
    start = np.uint64(np.random.SeedSequence([seed, 4]).generate_state(1, np.uint64)[0])
    # One word for each unordered pair as long as there are fewer than 2**32 rows.
    state = start ^ (low << np.uint64(32) | high)
    # The products are meant modulo 2**64.
    with np.errstate(over="ignore"):
        for shift, factor in zip((30, 27), _MIX, strict=True):
            state = (state ^ state >> np.uint64(shift)) * np.uint64(factor)
    state ^= state >> np.uint64(31)
    # The upper 53 bits, which a float64 holds exactly: never rounded up to 1.
    return np.asarray((state >> np.uint64(11)) * 2.0**-53, dtype=np.float64)
