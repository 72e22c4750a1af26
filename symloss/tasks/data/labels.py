"""Labels, groups and what is missing among them: compared as they are written, never by way of a float."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["encode_labels", "label_text", "missing_rows", "without_target"]


def missing_rows(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows of `[N]` or `[N, K]` with a missing value: NaN, None, NaT, or what files write for it.

    >>> missing_rows(np.array(["a", None, "N/A", "b"], dtype=object)).tolist()
    [False, True, True, False]
    """
    if values.dtype.kind in "biu":
        gaps = np.zeros(values.shape, dtype=bool)
    elif values.dtype.kind == "f":
        gaps = np.isnan(values)
    else:
        import pandas as pd  # half a second to import: only where it is needed

        from symloss.tasks.data.columns import written

        cells = written(pd.Series(values.ravel(), dtype=object))
        gaps = (cells == "").to_numpy().reshape(values.shape)
    return np.asarray(gaps.any(axis=tuple(range(1, gaps.ndim))))


def without_target(rows: int, marks: Iterable[str] = ()) -> list[str]:
    """The note on rows that are left out since they have no target.

    >>> without_target(2, ["", "none"])
    ["2 rows without a target left out, written 'none'"]
    """
    spelt = sorted({repr(mark) for mark in marks if mark})
    said = f", written {', '.join(spelt)}" if spelt else ""
    return [f"{rows} rows without a target left out{said}"] if rows else []


def label_text(value: object) -> str:
    """A label or identifier as it is written, outer blanks aside.

    >>> label_text(" 01"), label_text(2.0), label_text(2.5)
    ('01', '2', '2.5')
    """
    # A column of integers with gaps is one of floats in pandas and NumPy: its 2.0 was written 2.
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def encode_labels(
    labels: NDArray[Any], numbers: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class index of each label, and the names of the classes, in the order of numbers or of text.

    Args:
        labels: `[N]`, none missing; what is no number is compared as text: "01" and "1" are two classes.
        numbers: what text says as numbers, `[N]`, if the classes are to be in their order: "2" before "10".

    >>> encode_labels(np.array(["10", "2", " 10"], dtype=object), np.array([10.0, 2.0, 10.0]))
    (array([1, 0, 1]), ('2', '10'))
    """
    if labels.dtype.kind in "biuf":
        # Numbers keep the order of numbers: 2 before 10.
        values, index = np.unique(labels, return_inverse=True)
        return index.reshape(-1).astype(np.int64), tuple(label_text(value) for value in values.tolist())
    # Integers too large for int64, which NumPy keeps as objects: compared as text, for as floats neighbours are
    # equal.
    if numbers is None and all(isinstance(label, int | np.integer) for label in labels):
        numbers = labels.astype(np.float64)  # for their order alone
    text = np.array([label_text(label) for label in labels])
    names, first, index = np.unique(text, return_index=True, return_inverse=True)
    # Stable: labels of one value, as "1" and "01", stay in the order of text.
    order = np.arange(names.size) if numbers is None else np.argsort(numbers[first], kind="stable")
    place = np.empty(names.size, dtype=np.int64)
    place[order] = np.arange(names.size)
    return place[index.reshape(-1)], tuple(names[order].tolist())
