"""Raw features, and how they become what a model sees: every statistic is of the training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symloss.tasks.data.splits import Indices

__all__ = ["LARGEST_BYTES", "DataSet", "Features", "Numbers"]

LARGEST_BYTES = 8 * 2**30
"""The most memory that a data set may take: all of it is kept there."""


class Features(Protocol):
    """Something with rows that can be prepared once it is known which rows are training data."""

    def __len__(self) -> int: ...

    def prepare(self, train: Indices) -> tuple[NDArray[np.float32], list[str]]:
        """All rows as float32, and notes on what was done; fitted on the rows `train` alone."""
        ...


def _standardise_pixels(
    values: NDArray[np.uint8], train: Indices, axes: tuple[int, ...]
) -> NDArray[np.float32]:
    """`standardise` for images of bytes, in single precision: scikit-learn's float64 is 1.5 GB for CIFAR."""
    seen = values[train].astype(np.float32)
    mean = seen.mean(axis=axes, keepdims=True, dtype=np.float64)
    np.square(seen, out=seen)  # at most 65,025: exact in float32
    # E[x^2] - E[x]^2 cancels badly for floats, but the sums of bytes and of their squares are integers below
    # 2**53, exact in float64: a constant gives exactly 0, and n pixels that are not all equal at least about
    # n^(-1/2).
    spread = np.sqrt(np.maximum(seen.mean(axis=axes, keepdims=True, dtype=np.float64) - mean**2, 0.0))
    scaled = values.astype(np.float32)
    scaled -= mean.astype(np.float32)
    scaled /= np.where(spread <= 1e-6, 1.0, spread).astype(np.float32)
    return scaled


@dataclass(frozen=True)
class Numbers:
    """Numeric features, `[N, F]` or images `[N, channels, height, width]`.

    Attributes:
        values: the raw numbers.
        scale: statistics per `"feature"`, per `"channel"` of images, or one for `"all"` (pixels in a row).
    """

    values: NDArray[Any]
    scale: str = "feature"

    def __len__(self) -> int:
        return len(self.values)

    def prepare(self, train: Indices) -> tuple[NDArray[np.float32], list[str]]:
        every = tuple(range(self.values.ndim))
        axes = {"feature": (0,), "channel": (0, *every[2:]), "all": every}[self.scale]
        if self.values.dtype == np.uint8:
            return _standardise_pixels(self.values, train, axes), []
        # scikit-learn takes a second to import: only when data are asked for.
        from symloss.tasks.data.scaling import constant, standardise

        notes = []
        if self.scale == "feature":
            flat = int(constant(self.values[train].reshape(len(train), -1)).sum())
            width = int(np.prod(self.values.shape[1:]))
            notes = (
                [f"{flat} of {width} features constant in the training rows: 0 everywhere"] if flat else []
            )
        return standardise(self.values, train, axes), notes


@dataclass(frozen=True)
class DataSet:
    """Raw data, before it is split.

    Attributes:
        name: what users type.
        kind: `"classification"`, `"multilabel"` or `"regression"`.
        features: the inputs of all rows.
        targets: class indices int64 `[N]`, 0/1 labels float32 `[N, K]`, or numbers float64 `[N]`.
        class_names: of the classes, or of the labels.
        source: where the data come from, one line.
        notes: what was done to them on the way, a line each.
        groups: group index of each row, or None.
        weights: weight of each row, or None.
        test: rows of the official test part, or None.
        validation_every: with an official test part, every so many rows of a class one validates.
        augment: name of the augmentation of training images, or None.
        model: the model if none is asked for.
    """

    name: str
    kind: str
    features: Features
    targets: NDArray[Any]
    class_names: tuple[str, ...] = ()
    source: str = ""
    notes: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None
    test: Indices | None = None
    validation_every: int = 10
    augment: str | None = None
    model: str = "mlp"
