"""Arrays that a user brings, checked once, at the edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from symloss.errors import DomainError, TaskError
from symloss.expr import Kind, kind_of
from symloss.tasks.data.dataset import DataSet, Numbers
from symloss.tasks.data.labels import encode_labels, missing_rows, without_target

__all__ = ["encode_targets", "read_arrays", "task_kind"]


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
    with np.errstate(over="ignore"):  # said below
        # Images are large, so they get single precision; a column of a table may need double: 1e9 + 0.1 is 1e9 in
        # float32.
        numbers = features.astype(np.float32 if features.ndim == 4 else np.float64)
    if not np.isfinite(numbers).all():
        raise TaskError("X has values that are not finite: fill them in first, or use a CSV file")
    keep = ~missing_rows(targets)
    if not keep.any():
        raise TaskError("no row of y has a value")
    encoded, class_names = encode_targets(targets[keep], kind)
    return DataSet(
        name=name,
        kind=kind,
        features=Numbers(numbers[keep], "channel" if features.ndim == 4 else "feature"),
        targets=encoded,
        class_names=class_names,
        source="arrays of the user",
        notes=tuple(without_target(int((~keep).sum()))),
        groups=None if groups is None else _groups(groups, keep),
        weights=None if weights is None else _weights(weights, keep),
    )


def task_kind(name: str) -> Kind:
    """The kind of loss that a task is for.

    Raises:
        TaskError: where there is none of that name.
    """
    try:
        return kind_of(name)
    except DomainError as error:
        raise TaskError(str(error)) from None


def encode_targets(targets: NDArray[Any], kind: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Targets as the kind of task wants them, and the names of the classes.

    Raises:
        TaskError: for targets that are not of that kind.

    >>> encode_targets(np.array(["b", "a", "b"]), "classification")
    (array([1, 0, 1]), ('a', 'b'))
    """
    like = task_kind(kind)
    if targets.ndim == 2 and targets.shape[1] == 1 and not like.independent:
        targets = targets[:, 0]
    wanted = 2 if like.independent else 1
    if targets.ndim != wanted:
        shape = "[N, K] of 0 and 1" if like.independent else "[N]"
        raise TaskError(f"y has shape {targets.shape}: {kind} expects {shape}")
    if like.exclusive:
        if targets.dtype.kind == "f" and not np.isfinite(targets).all():
            raise TaskError("y has values that are not finite: every row needs a label")
        index, names = encode_labels(targets)
        if len(names) < 2:
            raise TaskError(f"y has {len(names)} class: expected at least 2")
        # Floats with many values are far more often a regression with a wrong kind than a classification.
        if targets.dtype.kind == "f" and len(names) > max(20, targets.size // 10):
            raise TaskError(f"y has {len(names)} different numbers: for such targets give kind='regression'")
        return index, names
    try:
        numbers = _real(targets).astype(np.float64)
    except (TypeError, ValueError):
        raise TaskError(f"y is {targets.dtype}: {kind} expects numbers") from None
    if not np.isfinite(numbers).all():
        raise TaskError("y has values that are not finite: leave those rows out")
    if like.independent:
        if not np.isin(numbers, (0.0, 1.0)).all():
            raise TaskError("y has entries other than 0 and 1: multilabel expects 0/1 labels [N, K]")
        return numbers.astype(np.float32), tuple(str(label) for label in range(numbers.shape[1]))
    if like.signed and not np.isin(numbers, (0.0, 1.0)).all():
        raise TaskError("y has targets other than 0 and 1: a margin is that of a score with a target 0 or 1")
    if numbers.size and numbers.min() == numbers.max():
        raise TaskError(f"y is the constant {numbers[0]:g}: there is nothing to learn")
    return numbers.astype(np.float32) if like.signed else numbers, ()


def _array(values: ArrayLike) -> NDArray[Any]:
    if isinstance(values, torch.Tensor):
        return np.asarray(values.detach().cpu().numpy())
    try:
        array = np.asarray(values)
        # Integers beside a NaN, or too large for int64, become floats, in which large ones are the same.
        if array.dtype.kind == "f" and isinstance(values, list | tuple):
            exact = np.asarray(values, dtype=object)
            if any(isinstance(value, int) and abs(value) > 2**53 for value in exact.flat):
                return exact
    except ValueError:
        raise TaskError("expected an array, got rows of different lengths") from None
    return array


def _real(values: NDArray[Any]) -> NDArray[Any]:
    # NumPy only warns when it drops an imaginary part.
    if values.dtype.kind == "c":
        raise TypeError("complex numbers")
    return values


def _groups(groups: ArrayLike, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    names = _array(groups)
    if names.shape != keep.shape:
        raise TaskError(f"groups has shape {names.shape}: expected ({keep.size},), one for each row")
    gaps = int(missing_rows(names[keep]).sum())
    if gaps:
        raise TaskError(f"groups has {gaps} missing values: every row needs a group")
    return encode_labels(names[keep])[0]


def _weights(weights: ArrayLike, keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # said below
            numbers = _real(_array(weights)).astype(np.float32)
    except (TypeError, ValueError):
        raise TaskError("weights are no numbers: expected one of at least 0 for each row") from None
    if numbers.shape != keep.shape or not np.isfinite(numbers[keep]).all() or (numbers[keep] < 0).any():
        raise TaskError(
            f"weights of shape {numbers.shape}: expected {keep.size} finite numbers of at least 0"
        )
    return numbers[keep]
