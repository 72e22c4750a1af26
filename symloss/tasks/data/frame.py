"""A data frame as a data set: what is predicted, what divides, what weighs, and the features."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.arrays import encode_targets, task_kind
from symloss.tasks.data.columns import Columns, comma_hint, read_column, written
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.labels import encode_labels, without_target
from symloss.tasks.names import suggestion

__all__ = ["read_frame"]

_MOST_CLASSES = 20
_MOST_ODD = 0.1
"""Share of a target's cells up to which text among numbers is taken for mistakes."""


def read_frame(
    frame: pd.DataFrame,
    target: str | Sequence[str],
    *,
    group: str | None = None,
    kind: str | None = None,
    weight: str | None = None,
    name: str = "frame",
    source: str = "data frame of the user",
    notes: Sequence[str] = (),
) -> DataSet:
    """The data set of a table; see `Task.from_frame`.

    Labels and groups are compared as they are written. Rows without a target are left out and counted.

    Args:
        frame: the columns; its index is not read.
        target: the column to predict; several names, or one text with commas, are 0/1 labels (multilabel).
        group, kind, weight: see `Task.from_frame`.
        name: what to call it.
        source: where it comes from, one line.
        notes: how it was read, a line each.

    Raises:
        TaskError: for a column or a target that cannot be used.
    """
    if not isinstance(frame, pd.DataFrame):
        raise TaskError(f"frame is a {type(frame).__name__}: expected a pandas.DataFrame")
    table, said, twice = _named(frame)

    def column_of(column: str, option: str) -> pd.Series:
        if column not in table.columns:
            near = suggestion(column, list(table.columns))
            raise TaskError(f"{name} has no column {column!r} for {option}: {near}")
        if column in twice:
            raise TaskError(f"{name} has two columns named {column!r}, wanted for {option}: rename one")
        return table[column]

    several = _targets(table, target)
    chosen = [column_of(column, "the target") for column in several]
    marks = pd.concat([written(column) for column in chosen], axis=1)
    # Of several labels all must be there: a gap is not a 0.
    keep = (marks != "").all(axis=1).to_numpy()
    if not keep.any():
        raise TaskError(f"{name}: no row has a value in the target column {', '.join(map(repr, several))}")
    spelt = [str(cell) for column in chosen for cell in column[~keep].dropna().unique()]
    said += without_target(int((~keep).sum()), [mark for mark in spelt if not _is_value(mark)])
    marks, chosen = marks[keep], [column[keep] for column in chosen]
    for column in marks.columns:
        values = marks[column].unique()
        if values.size == 1:
            raise TaskError(f"the target {column!r} is always {values[0]}: there is nothing to learn")
    read = [read_column(column) for column in chosen]
    what, why = _kind(read, marks.iloc[:, 0].nunique(), kind)
    said.append(why)
    if task_kind(what).exclusive and len(chosen) == 1:
        numbers = None if read[0].dtype == object else read[0].to_numpy()
        targets, class_names = encode_labels(marks.iloc[:, 0].to_numpy(), numbers)
        said += _class_notes(targets, class_names, several[0], numbers, _no_number(read[0]))
    else:
        for column in read:
            if odd := _no_number(column):
                raise TaskError(f"the target {column.name!r}: {odd}, and {what} expects numbers")
        values = np.stack([column.to_numpy() for column in read], axis=1)
        targets, class_names = encode_targets(values, what)
        class_names = tuple(several) if task_kind(what).independent else class_names
    used = {*several, *(column for column in (group, weight) if column)}
    features = {
        column: read_column(table[column][keep]).reset_index(drop=True)
        for column in table.columns
        if column not in used
    }
    groups = None if group is None else _group(column_of(group, "--group")[keep])
    weights = None if weight is None else _weight(column_of(weight, "weight")[keep])
    if not features:
        raise TaskError(f"{name}: expected columns beside the target {', '.join(several)!r}, got none")
    return DataSet(
        name=name, kind=what, features=Columns(pd.DataFrame(features)), targets=targets,
        class_names=class_names, source=source, notes=(*notes, *said), groups=groups, weights=weights,
    )  # fmt: skip


def _named(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str], set[str]]:
    """The frame with a name of its own for each column, what was done for that, and names that stood twice."""
    notes = []
    if frame.index.names != [None]:
        notes.append(f"the index {', '.join(map(str, frame.index.names))} left out: it is no column")
    names = [str(column).strip() for column in frame.columns]
    # pandas calls a column without a name `Unnamed: 3`, most often an index that was written to the file.
    blank = [not column or re.fullmatch(r"Unnamed: \d+", column) is not None for column in names]
    if any(blank):
        notes.append(
            "an unnamed column left out" if sum(blank) == 1 else f"{sum(blank)} unnamed columns left out"
        )
    table = frame.loc[:, np.logical_not(blank)].reset_index(drop=True)
    names = [column for column, empty in zip(names, blank, strict=True) if not empty]
    unique: list[str] = []
    for column in names:
        called, number = column, 1
        # A made-up name must not collide with a column that really is called `a (2)`, further on.
        while called in unique or (number > 1 and called in names):
            number += 1
            called = f"{column} ({number})"
        unique.append(called)
        if called != column:
            notes.append(f"another column named {column!r} is called {called!r}")
    table.columns = pd.Index(unique, dtype=object)
    return table, notes, {column for column in names if names.count(column) > 1}


def _targets(table: pd.DataFrame, target: str | Sequence[str]) -> list[str]:
    if not isinstance(target, str):
        names = [str(part) for part in target] if isinstance(target, list | tuple) else [str(target)]
    elif target in table.columns:
        names = [target]
    else:
        names = [part.strip() for part in target.split(",")]
    if not names or len(set(names)) < len(names):
        raise TaskError(f"target {target!r}: expected a column, or several different ones")
    return names


def _is_value(mark: str) -> bool:
    return bool(written(pd.Series([mark], dtype=object)).iloc[0])


def _kind(columns: list[pd.Series], written_as: int, kind: str | None) -> tuple[str, str]:
    """The kind of task, and the sentence that says why and how to have another.

    Args:
        columns: the targets, as `read_column` makes them.
        written_as: how many labels the first one has as text.
        kind: what was asked for.
    """
    if kind is not None:
        return kind, f"{kind}, as asked"
    if len(columns) > 1:
        return "multilabel", f"multilabel: {len(columns)} target columns"
    column = columns[0]
    if column.dtype == object:
        odd = _no_number(column)
        return "classification", f"classification: the target {column.name!r} is text" + (
            f": {odd}" if odd else ""
        )
    numbers = column.to_numpy()
    different = np.unique(numbers).size
    classes = max(different, written_as)
    whole = bool((numbers == np.round(numbers)).all())
    other = "for the other say --kind {0} (in Python kind='{0}')"
    if different <= 2 or (whole and classes <= min(_MOST_CLASSES, max(2, numbers.size // 20))):
        which = "whole numbers" if whole else "numbers"
        return "classification", (
            f"classification: the target {column.name!r} has {classes} different {which}; "
            + other.format("regression")
        )
    return "regression", (
        f"regression: the target {column.name!r} has {different} different numbers; "
        + other.format("classification")
    )


def _no_number(column: pd.Series) -> str:
    """Which cells of a target, nearly all numbers, are none; `""` where there are none or many."""
    if column.dtype != object:
        return ""
    odd = pd.to_numeric(column, errors="coerce").isna()
    count = int(odd.sum())
    if not 0 < count <= _MOST_ODD * len(column):
        return ""
    first = odd.idxmax()
    more = "" if count == 1 else f", nor {'is' if count == 2 else 'are'} {count - 1} more"
    return f"{column[first]!r} in row {first + 1} is not a number{more}"


def _class_notes(
    targets: NDArray[np.int64],
    names: tuple[str, ...],
    target: str,
    numbers: NDArray[np.float64] | None,
    odd: str,
) -> list[str]:
    counts = np.bincount(targets)
    if counts.size > max(2, targets.size // 2):
        if odd:
            raise TaskError(
                f"the target {target!r} is nearly all numbers, but {odd}: expected numbers, or classes that repeat"
            )
        raise TaskError(
            f"the target {target!r} has {counts.size} classes in {targets.size} rows: expected classes that "
            f"repeat; is it an identifier?{comma_hint(pd.Series(names))}"
        )
    notes = []
    if numbers is not None and np.unique(numbers).size < counts.size:
        notes.append("labels are compared as they are written: 1 and 1.0 are two classes")
    rare = [names[label] for label in np.flatnonzero(counts < 3)]
    if rare:
        notes.append(f"classes with fewer than 3 rows, not in every part: {', '.join(rare)}")
    return notes


def _group(cells: pd.Series) -> NDArray[np.int64]:
    text = written(cells)
    gaps = int((text == "").sum())
    if gaps:
        raise TaskError(f"the group column {cells.name!r} has {gaps} missing values")
    return encode_labels(text.to_numpy())[0]


def _weight(cells: pd.Series) -> NDArray[np.float32]:
    numbers = read_column(cells)
    if numbers.dtype != object:
        with np.errstate(over="ignore"):
            single = numbers.to_numpy().astype(np.float32)
        if np.isfinite(single).all() and (single >= 0).all():
            return single
    raise TaskError(f"the weight column {cells.name!r}: expected numbers of at least 0 in every row")
