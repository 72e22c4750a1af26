"""One's own table: `symloss discover --data FILE.csv --target COLUMN`."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.arrays import encode_targets
from symloss.tasks.data.columns import Column, Columns, make_column
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.names import suggestion

__all__ = ["read_csv"]

_DELIMITERS = ",;\t|"
_MOST_CLASSES = 20


@dataclass(frozen=True)
class _Table:
    """A file's columns as text."""

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    notes: list[str]
    decimal_comma: bool

    def column(self, name: str, option: str) -> Column:
        if name not in self.header:
            names = [header for header in self.header if header]
            raise TaskError(
                f"{self.path.name} has no column {name!r} for {option}: {suggestion(name, names)}"
            )
        at = self.header.index(name)
        return make_column(name, [row[at] for row in self.rows], self.decimal_comma)


def read_csv(
    path: str | Path,
    target: str,
    *,
    group: str | None = None,
    kind: str | None = None,
    weight: str | None = None,
) -> DataSet:
    """The data set of a CSV file with a header; see `load_csv`.

    Raises:
        TaskError: for a file or a column that cannot be used.
    """
    table = _read(Path(path))
    several = [part.strip() for part in target.split(",")] if target not in table.header else [target]
    columns = [table.column(name, "the target") for name in several]
    keep = ~np.any([column.missing for column in columns], axis=0)
    notes = list(table.notes)
    if not keep.all():
        notes.append(f"{int((~keep).sum())} rows without a target left out")
    if not keep.any():
        raise TaskError(f"{table.path.name}: no row has a value in the target column {target!r}")
    for column in columns:
        cells = column.numbers if column.numbers is not None else column.text
        assert cells is not None
        if np.unique(cells[keep]).size == 1:
            raise TaskError(
                f"the target {column.name!r} is always {cells[keep][0]}: there is nothing to learn"
            )
    chosen, why = _kind(columns, keep, kind)
    notes.append(why)
    raw = [column.numbers if column.numbers is not None else column.text for column in columns]
    values = np.stack([cells[keep] for cells in raw if cells is not None], axis=1)
    targets, class_names = encode_targets(values if chosen == "multilabel" else values[:, 0], chosen)
    if chosen == "classification":
        notes += _class_notes(targets, class_names, target)
        class_names = tuple(name.removesuffix(".0") for name in class_names)
    elif chosen == "multilabel":
        class_names = tuple(several)
    used = {*several, *(name for name in (group, weight) if name)}
    others = [name for name in table.header if name and name not in used]
    features = [_only(table.column(name, "a feature"), keep) for name in others]
    if not features:
        raise TaskError(f"{table.path.name}: expected columns beside the target {target!r}, got none")
    return DataSet(
        name=table.path.stem,
        kind=chosen,
        features=Columns(tuple(features)),
        targets=targets,
        class_names=class_names,
        source=str(table.path),
        notes=tuple(notes),
        groups=None if group is None else _group(table.column(group, "--group"), keep),
        weights=None if weight is None else _weight(table.column(weight, "weight"), keep),
    )


def _read(path: Path) -> _Table:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8 CSV") from None
    first = text.lstrip("\r\n").partition("\n")[0]
    if not first.strip():
        raise TaskError(f"{path} is empty: expected a header and rows")
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        lines = [
            (reader.line_num, row)
            for reader in [csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise TaskError(f"{path} is not a CSV file: {error}") from None
    if not lines:
        raise TaskError(f"{path} has no header: expected the names of the columns in the first line")
    header = tuple(cell.strip() for cell in lines[0][1])
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise TaskError(f"{path}, line {number}: expected {len(header)} values, got {len(row)}")
    if len(lines) == 1:
        raise TaskError(f"{path} has a header and no rows: expected at least 5 rows")
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise TaskError(f"{path} has two columns named {twice[0]!r}: rename one")
    notes = ["an unnamed column left out"] if "" in header else []
    return _Table(path, header, [row for _, row in lines[1:]], notes, delimiter == ";")


def _kind(columns: list[Column], keep: NDArray[np.bool_], kind: str | None) -> tuple[str, str]:
    """The kind of task, and the sentence that says why."""
    if kind is not None:
        return kind, f"{kind}, as asked"
    if len(columns) > 1:
        return "multilabel", f"multilabel: {len(columns)} target columns"
    column = columns[0]
    if column.numbers is None:
        return "classification", f"classification: the target {column.name!r} is text"
    numbers = column.numbers[keep]
    different = np.unique(numbers).size
    whole = bool((numbers == np.round(numbers)).all())
    if different == 2 or (whole and different <= min(_MOST_CLASSES, max(2, numbers.size // 20))):
        which = "whole numbers" if whole else "numbers"
        return "classification", (
            f"classification: the target {column.name!r} has {different} different {which}; "
            "for the other say --kind regression"
        )
    return "regression", f"regression: the target {column.name!r} has {different} different numbers"


def _class_notes(targets: NDArray[np.int64], names: tuple[str, ...], target: str) -> list[str]:
    counts = np.bincount(targets)
    if counts.size > max(2, targets.size // 2):
        raise TaskError(
            f"the target {target!r} has {counts.size} classes in {targets.size} rows: expected classes that "
            "repeat; is it an identifier?"
        )
    rare = [names[label] for label in np.flatnonzero(counts < 3)]
    return [f"classes with fewer than 3 rows, not in every part: {', '.join(rare)}"] if rare else []


def _only(column: Column, keep: NDArray[np.bool_]) -> Column:
    return Column(
        column.name,
        None if column.numbers is None else column.numbers[keep],
        None if column.text is None else column.text[keep],
    )


def _group(column: Column, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    kept = _only(column, keep)
    if kept.missing.any():
        raise TaskError(f"the group column {column.name!r} has {int(kept.missing.sum())} missing values")
    cells = kept.numbers if kept.numbers is not None else kept.text
    assert cells is not None
    return np.unique(cells, return_inverse=True)[1].astype(np.int64)


def _weight(column: Column, keep: NDArray[np.bool_]) -> NDArray[np.float32]:
    kept = _only(column, keep)
    if kept.numbers is None or kept.missing.any() or (kept.numbers < 0).any():
        raise TaskError(f"the weight column {column.name!r}: expected numbers of at least 0 in every row")
    return kept.numbers.astype(np.float32)
