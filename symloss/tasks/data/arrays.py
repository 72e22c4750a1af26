"""One's own arrays, checked once, at the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.tasks.data.dataset import DataSet, Numbers

__all__ = ["encode_targets", "read_arrays"]


def read_arrays(
    X: ArrayLike, y: ArrayLike, *, kind: str, groups: ArrayLike | None, weights: ArrayLike | None, name: str
) -> DataSet:
    """The data set of these arrays; see `Task.from_arrays`.

    Raises:
        TaskError: when they do not fit together.
    """
    features, targets = _array(X), _array(y)
    if features.dtype.kind not in "fiub" or features.ndim not in (2, 4):
        raise TaskError(
            f"X is {features.dtype} of shape {features.shape}: expected numbers [N, F] or "
            "images [N, channels, height, width]"
        )
    if len(targets) != len(features):
        raise TaskError(f"y has {len(targets)} rows and X {len(features)}: expected as many")
    numbers = features.astype(np.float32 if features.ndim == 4 else np.float64)
    if not np.isfinite(numbers).all():
        raise TaskError("X has values that are not finite: fill them in first, or use a CSV file")
    encoded, class_names = encode_targets(targets, kind)
    return DataSet(
        name=name,
        kind=kind,
        features=Numbers(numbers, "channel" if features.ndim == 4 else "feature"),
        targets=encoded,
        class_names=class_names,
        source="arrays of the user",
        groups=None if groups is None else _groups(groups, len(targets)),
        weights=None if weights is None else _weights(weights, len(targets)),
    )


def encode_targets(targets: NDArray[Any], kind: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Targets as the kind of task wants them, and the names of the classes.

    Raises:
        TaskError: for targets that are not of that kind.

    >>> encode_targets(np.array(["b", "a", "b"]), "classification")
    (array([1, 0, 1]), ('a', 'b'))
    """
    if kind not in KINDS:
        raise TaskError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}")
    if targets.ndim == 2 and targets.shape[1] == 1 and kind != "multilabel":
        targets = targets[:, 0]
    wanted = 2 if kind == "multilabel" else 1
    if targets.ndim != wanted:
        shape = "[N, K] of 0 and 1" if kind == "multilabel" else "[N]"
        raise TaskError(f"y has shape {targets.shape}: {kind} expects {shape}")
    if kind == "classification":
        if targets.dtype.kind == "f" and not np.isfinite(targets).all():
            raise TaskError("y has values that are not finite: every row needs a label")
        names, index = np.unique(targets, return_inverse=True)
        if names.size < 2:
            raise TaskError(f"y has {names.size} class: expected at least 2")
        if targets.dtype.kind == "f" and names.size > max(20, targets.size // 10):
            raise TaskError(f"y has {names.size} different numbers: for such targets give kind='regression'")
        return index.reshape(-1).astype(np.int64), tuple(str(label) for label in names.tolist())
    try:
        numbers = targets.astype(np.float64)
    except (TypeError, ValueError):
        raise TaskError(f"y is {targets.dtype}: {kind} expects numbers") from None
    if not np.isfinite(numbers).all():
        raise TaskError("y has values that are not finite: leave those rows out")
    if kind == "multilabel":
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise TaskError("y has entries other than 0 and 1: multilabel expects 0/1 labels [N, K]")
        return numbers.astype(np.float32), tuple(str(label) for label in range(numbers.shape[1]))
    if numbers.size and np.ptp(numbers) == 0:
        raise TaskError(f"y is the constant {numbers[0]:g}: there is nothing to learn")
    return numbers, ()


def _array(values: ArrayLike) -> NDArray[Any]:
    if isinstance(values, torch.Tensor):
        return np.asarray(values.detach().cpu().numpy())
    return np.asarray(values)


def _groups(groups: ArrayLike, count: int) -> NDArray[np.int64]:
    names = _array(groups)
    if names.shape != (count,):
        raise TaskError(f"groups has shape {names.shape}: expected ({count},), one for each row")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _weights(weights: ArrayLike, count: int) -> NDArray[np.float32]:
    numbers = _array(weights).astype(np.float32)
    if numbers.shape != (count,) or not np.isfinite(numbers).all() or (numbers < 0).any():
        raise TaskError(f"weights of shape {numbers.shape}: expected {count} finite numbers of at least 0")
    return numbers
