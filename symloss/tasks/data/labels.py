"""Labels, groups and what is missing among them: compared as they are written, never by way of a float."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_written", "encode_labels", "missing_rows", "without_target"]


def as_written(values: NDArray[Any]) -> NDArray[Any]:
    """Each value as text, outer blanks aside, `""` where it is missing: `[N]`, objects.

    >>> as_written(np.array(["01", " 1", None, "nan"], dtype=object)).tolist()
    ['01', '1', '', '']
    """
    import pandas as pd  # half a second to import: only when there are data

    from symloss.tasks.data.columns import written

    return written(pd.Series(list(values), dtype=object)).to_numpy()


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
        gaps = (as_written(values.ravel()) == "").reshape(values.shape)
    return np.asarray(gaps.any(axis=tuple(range(1, gaps.ndim))))


def without_target(rows: int, marks: Iterable[str] = ()) -> list[str]:
    """The note on rows that are left out since they have no target.

    >>> without_target(2, ["", "none"])
    ["2 rows without a target left out, written 'none'"]
    """
    spelt = sorted({repr(mark) for mark in marks if mark})
    said = f", written {', '.join(spelt)}" if spelt else ""
    return [f"{rows} rows without a target left out{said}"] if rows else []


def encode_labels(
    text: NDArray[Any], numbers: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class index of each label, and the names of the classes.

    Args:
        text: the labels as they are written, `[N]`; "01" and "1" are two classes.
        numbers: their values, `[N]`, if the classes are to be in the order of numbers: 2 before 10.

    >>> encode_labels(np.array(["10", "2", "10"], dtype=object), np.array([10.0, 2.0, 10.0]))
    (array([1, 0, 1]), ('2', '10'))
    """
    names, first, index = np.unique(text.astype(str), return_index=True, return_inverse=True)
    # Stable: labels of one value, as "1" and "01", stay in the order of text.
    order = np.arange(names.size) if numbers is None else np.argsort(numbers[first], kind="stable")
    place = np.empty(names.size, dtype=np.int64)
    place[order] = np.arange(names.size)
    return place[index.reshape(-1)], tuple(names[order].tolist())
