"""Harder data: label noise, class imbalance, outliers. Training and validation data only, never test data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.tasks.data.splits import Indices

__all__ = ["Modifiers", "add_label_noise", "add_outliers", "keep_imbalanced"]


@dataclass(frozen=True)
class Modifiers:
    """How much harder the data are made; see `load_task` for each.

    Raises:
        TaskError: for a value that is out of range.
    """

    label_noise: float = 0.0
    imbalance: float | None = None
    outliers: float = 0.0

    def __post_init__(self) -> None:
        for name, rate in (("label noise", self.label_noise), ("outliers", self.outliers)):
            if not 0 <= rate <= 1:
                raise TaskError(f"{name} {rate!r}: expected a share between 0 and 1")
        if self.imbalance is not None and not (math.isfinite(self.imbalance) and self.imbalance >= 1):
            raise TaskError(
                f"imbalance {self.imbalance!r}: expected a ratio of at least 1, largest class to rarest"
            )

    def check_for(self, kind: str) -> None:
        """Whether the modifiers fit a kind of task.

        Raises:
            TaskError: when they do not.
        """
        if self.label_noise and not KINDS[kind].labelled:
            raise TaskError(f"label noise is for labels, this task is {kind}: use outliers")
        if self.outliers and KINDS[kind].labelled:
            raise TaskError(f"outliers are for regression, this task is {kind}: use label noise")
        if self.imbalance is not None and not KINDS[kind].exclusive:
            raise TaskError(f"imbalance is for classification, this task is {kind}: leave it out")


def add_label_noise(
    labels: NDArray[Any], rate: float, classes: int, rng: np.random.Generator
) -> NDArray[Any]:
    """With probability `rate`, each label replaced by one drawn uniformly from the *other* classes.

    Class indices `[N]`; labels `[N, K]` of a multilabel task are flipped entry by entry.

    >>> add_label_noise(np.array([0, 1, 2]), 1.0, 3, np.random.default_rng(0)) != np.array([0, 1, 2])
    array([ True,  True,  True])
    """
    # The other classes alone: a label redrawn from all C would keep its value with probability 1/C, so that the
    # share of wrong labels were rate (C - 1)/C.
    hit = rng.random(labels.shape) < rate
    if labels.ndim == 2:
        return np.where(hit, 1 - labels, labels)
    # A shift by 1 .. C-1 around the circle of classes reaches every other class equally often.
    shift = rng.integers(1, max(classes, 2), size=labels.shape)
    return np.where(hit, (labels + shift) % classes, labels)


def keep_imbalanced(
    labels: NDArray[Any], ratio: float, ranking: NDArray[Any], rng: np.random.Generator
) -> Indices:
    """Rows kept so that class sizes fall geometrically, the rarest class `1/ratio` of the largest.

    The class of rank `k` of `C` keeps `max(1, round(n ratio**(-k / (C-1))))` rows, `n` the size of the first,
    or all it has. (Cui et al., Class-balanced loss based on effective number of samples, 2019, section 5.)

    Args:
        labels: class indices, `[N]`.
        ratio: at least 1.
        ranking: the classes, largest first.
        rng: which rows of a class stay.
    """
    largest = int((labels == ranking[0]).sum())
    kept = []
    for rank, label in enumerate(ranking):
        rows = rng.permutation(np.flatnonzero(labels == label))
        share = ratio ** (-rank / max(1, len(ranking) - 1))
        # From the size of the largest class, not from each class's own: the profile is geometric whatever the
        # sizes were. At least 1, or a class of the model would never be seen.
        kept.append(rows[: max(1, round(largest * share))])
    return np.sort(np.concatenate(kept))


def add_outliers(
    targets: NDArray[Any], share: float, rng: np.random.Generator, spread: float = 1.0
) -> NDArray[Any]:
    """That share of targets shifted by five standard deviations `spread`, up or down.

    >>> shifted = add_outliers(np.zeros(10), 0.2, np.random.default_rng(0))
    >>> sorted(set(abs(shifted))), int((shifted != 0).sum())
    ([np.float64(0.0), np.float64(5.0)], 2)
    """
    count = round(share * targets.size)
    shifted = targets.copy()
    rows = rng.permutation(targets.size)[:count]
    shifted[rows] += rng.choice(np.array([-5 * spread, 5 * spread], dtype=targets.dtype), size=count)
    return shifted
