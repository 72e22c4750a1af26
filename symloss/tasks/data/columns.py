"""Features of mixed columns, numbers and text, filled, scaled and encoded by the training rows alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symloss.errors import TaskError
from symloss.tasks.data.dataset import standardise
from symloss.tasks.data.splits import Indices

__all__ = ["MISSING", "Column", "Columns", "make_column"]

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "<null>"})
"""How files write a missing value, in lower case."""
MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its header.
        numbers: its values, NaN where missing, `[N]`; None for a column of text.
        text: its values, `""` where missing, `[N]`; None for a column of numbers.
    """

    name: str
    numbers: NDArray[np.float64] | None = None
    text: NDArray[np.str_] | None = None

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which rows have no value."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        assert self.text is not None
        return self.text == ""


def make_column(name: str, cells: list[str], decimal_comma: bool = False) -> Column:
    """A column of numbers when every value that is there is one, else of text.

    Raises:
        TaskError: for a value that is infinite.

    >>> make_column("size", ["1.5", "?", "2"]).numbers
    array([1.5, nan, 2. ])
    """
    stripped = [cell.strip() for cell in cells]
    known = ["" if cell.lower() in MISSING else cell for cell in stripped]
    numbers = np.empty(len(known))
    for row, cell in enumerate(known):
        try:
            # Python reads 1_000 as a number; files do not mean it.
            numbers[row] = np.nan if not cell else float(_plain(cell, decimal_comma))
        except ValueError:
            return Column(name, text=np.array(known, dtype=np.str_))
        if np.isinf(numbers[row]):
            raise TaskError(f"column {name!r} has the value {cell}: expected finite numbers")
    return Column(name, numbers=numbers)


def _plain(cell: str, decimal_comma: bool) -> str:
    if "_" in cell:
        raise ValueError(cell)
    return cell.replace(",", ".") if decimal_comma and cell.count(",") == 1 and "." not in cell else cell


@dataclass(frozen=True)
class Columns:
    """The features of a table.

    Numbers: missing ones take the median of the training rows, then `(x - mean) / sd`. Text: one 0/1 feature
    for each of the (at most 50, the most frequent) values in the training rows; a missing value is a value
    of its own, and one that no training row has is all zeros. Left out: columns that are constant in the
    training rows, and text that is different in more than half of them (names, identifiers).

    Attributes:
        columns: the columns, all of one length.
    """

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0].missing) if self.columns else 0

    def prepare(self, train: Indices) -> tuple[NDArray[np.float32], list[str]]:
        blocks: list[NDArray[np.float32]] = []
        notes: list[str] = []
        for column in self.columns:
            block, note = _numeric(column, train) if column.numbers is not None else _text(column, train)
            if block is not None:
                blocks.append(block)
            if note:
                notes.append(f"column {column.name!r}: {note}")
        if not blocks:
            raise TaskError("no column is left to learn from: all are constant, empty or identifiers")
        return np.concatenate(blocks, axis=1), notes


def _numeric(column: Column, train: Indices) -> tuple[NDArray[np.float32] | None, str]:
    assert column.numbers is not None
    seen = column.numbers[train]
    if np.isnan(seen).all():
        return None, "left out, no training row has a value"
    gaps = int(column.missing.sum())
    median = float(np.nanmedian(seen))
    filled = np.where(column.missing, median, column.numbers)
    if np.ptp(filled[train]) == 0:
        return None, "left out, constant in the training rows"
    note = f"{gaps} missing values filled with the training median {median:g}" if gaps else ""
    return standardise(filled[:, None], train), note


def _text(column: Column, train: Indices) -> tuple[NDArray[np.float32] | None, str]:
    assert column.text is not None
    values, counts = np.unique(column.text[train], return_counts=True)
    if values.size == 1:
        return None, "left out, constant in the training rows"
    if values.size > max(2, train.size / 2):
        return None, "left out, text that is different in more than half of the training rows"
    kept = np.sort(values[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])
    # Of two values one feature says it all.
    shown = kept[1:] if values.size == 2 else kept
    block = (column.text[:, None] == shown).astype(np.float32)
    note = f"text, {values.size} values as 0/1 features"
    if values.size > MOST_CATEGORIES:
        note += f" for the {MOST_CATEGORIES} most frequent"
    if column.missing.any():
        how = "a value of their own" if "" in kept else "all zeros"
        note += f", {int(column.missing.sum())} missing as {how}"
    return block, note
