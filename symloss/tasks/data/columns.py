"""Features of mixed columns, numbers and text, filled, scaled and encoded by the training rows alone."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from symloss.errors import TaskError
from symloss.tasks.data.labels import label_text
from symloss.tasks.data.scaling import constant, single, standard_scaler
from symloss.tasks.data.splits import Indices

__all__ = ["MISSING", "Columns", "comma_hint", "read_column", "written"]

# pandas' own list (it exports none), in lower case, and what else people write.
MISSING = frozenset({
    "", "#n/a", "#n/a n/a", "#na", "-1.#ind", "-1.#qnan", "-nan", "1.#ind", "1.#qnan", "<na>", "n/a", "na",
    "nan", "none", "null", "?", "<null>",
})  # fmt: skip
"""How files write a missing value, in lower case."""
MOST_CATEGORIES = 50
_DAY, _YEAR = r"\d{1,2}(st|nd|rd|th)?", r"(\d{4}|'?\d{2})"
# In English, the language of most files with names of months; in others they are text, which is handled alike.
_MONTH = (
    r"(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?)"
)
_DATE = (
    r"((mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]?\s+)?"
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    rf"|{_DAY}[-/.,\s]*{_MONTH}[-/.,\s]*{_YEAR}|{_MONTH}[-/.,\s]+({_DAY}[-/.,\s]+)?{_YEAR}"
    rf"|\d{{4}}[-/.,\s]*{_MONTH}[-/.,\s]*{_DAY})([T ,].*)?"
)


def written(cells: pd.Series) -> pd.Series:
    """Each value as text, as it is written, outer blanks aside; `""` where it is missing.

    >>> written(pd.Series(["01", " 1 ", "N/A", None])).tolist(), written(pd.Series([2.0, 0.5])).tolist()
    (['01', '1', '', ''], ['2', '0.5'])
    """
    gaps = cells.isna().to_numpy(bool)
    text = [
        "" if gap else label_text(value)
        for value, gap in zip(cells.astype(object).to_numpy(), gaps, strict=True)
    ]
    return pd.Series(
        ["" if cell.lower() in MISSING else cell for cell in text],
        index=cells.index, name=cells.name, dtype=object,
    )  # fmt: skip


def read_column(cells: pd.Series) -> pd.Series:
    """A column as float64, NaN where missing, or as text (`object`), `""` where missing.

    Numbers are what pandas has as numbers, text in which every value that is there is a number, true and
    false (1 and 0), and durations (seconds). Categories stay text, whatever their values.

    Raises:
        TaskError: for a value that is infinite or complex.

    >>> read_column(pd.Series(["1.5", "?", "2"])).tolist()
    [1.5, nan, 2.0]
    """
    name, kind = cells.name, cells.dtype
    if pd.api.types.is_timedelta64_dtype(kind):
        numbers = cells.dt.total_seconds().astype(np.float64)
    elif pd.api.types.is_complex_dtype(kind):
        raise TaskError(f"column {name!r} has complex numbers: expected real ones")
    elif pd.api.types.is_numeric_dtype(kind):  # booleans among them
        numbers = pd.Series(cells.to_numpy(np.float64, na_value=np.nan), index=cells.index, name=name)
    else:
        text = written(cells)
        if isinstance(kind, pd.CategoricalDtype):
            return text
        there = text[text != ""]
        truth = there.str.lower().map({"true": 1.0, "false": 0.0})
        # All or nothing: one word among the numbers makes the column text, since a gap in its place would hide
        # it.
        parsed = truth if truth.notna().all() else pd.to_numeric(there, errors="coerce")
        if parsed.isna().any():
            return text
        numbers = parsed.astype(np.float64).reindex(cells.index)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise TaskError(f"column {name!r} has the value {cells[infinite].iloc[0]}: expected finite numbers")
    return numbers


@dataclass(frozen=True)
class Columns:
    """The features of a table.

    Numbers: missing ones take the median of the training rows, then `(x - mean) / sd`. Text: one 0/1 feature
    for each of the (at most 50) values in the training rows, where there are more one for all but the most
    frequent 49; a missing value is a value of its own, and one that no training row has is all zeros (or one
    of the others). Left out: columns that are constant in the training rows, and text or dates that are
    different in more than half of them (names, identifiers).

    Attributes:
        frame: the columns as `read_column` makes them, each name once.
    """

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def prepare(self, train: Indices) -> tuple[NDArray[np.float32], list[str]]:
        """All rows as float32 `[N, F]`, and notes on what was done; fitted on the rows `train` alone."""
        seen = self.frame.iloc[train]
        kept, notes = [], []
        for at, name in enumerate(self.frame.columns):
            reason = _useless(seen.iloc[:, at])
            note = f"left out, {reason}" if reason else _note(self.frame.iloc[:, at], seen.iloc[:, at])
            if note:
                notes.append(f"column {name!r}: {note}")
            if not reason:
                kept.append(name)
        if not kept:
            reasons = "; ".join(notes[:3]) + ("; ..." if len(notes) > 3 else "")
            raise TaskError(f"no column is left to learn from: {reasons}")
        encoder = _encoder(self.frame[kept]).fit(seen[kept])
        with warnings.catch_warnings():
            # A value that no training row has: zeros is what is meant.
            warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
            encoded = encoder.transform(self.frame[kept])
        # For the message alone; `single` refuses what single precision cannot hold.
        too_far = ~np.isfinite(encoded).all(axis=0)
        names = encoder.get_feature_names_out()[too_far]
        return single(encoded, f"column {names[0]!r}: its values" if names.size else "values"), notes


def _encoder(frame: pd.DataFrame) -> ColumnTransformer:
    """Features in the order of the columns: neighbours of one type are encoded together."""
    steps: list[tuple[str, Any, list[str]]] = []
    for text, names in groupby(frame.columns, key=lambda name: frame[name].dtype == object):
        step = (
            OneHotEncoder(
                drop="if_binary",  # of two values one feature says it all
                handle_unknown="infrequent_if_exist",
                max_categories=MOST_CATEGORIES,
                sparse_output=False,
            )
            if text
            else standard_scaler(SimpleImputer(strategy="median"))
        )
        steps.append((str(len(steps)), step, list(names)))
    return ColumnTransformer(steps, sparse_threshold=0.0, verbose_feature_names_out=False)


def _useless(seen: pd.Series) -> str:
    """Why nothing can be learned from a column, by its training rows; `""` when something can."""
    if seen.dtype != object:
        if seen.isna().all():
            return "no training row has a value"
        return "constant in the training rows" if constant(seen.to_numpy()[:, None])[0] else ""
    values = seen.nunique()
    if values == 1:
        return "constant in the training rows" if (seen != "").any() else "no training row has a value"
    # A name or an identifier: each training row would have a feature of its own, and no other row any.
    if values > max(2, len(seen) / 2):
        what = "dates that are" if _dates(seen) else "text that is"
        return f"{what} different in more than half of the training rows{comma_hint(seen)}"
    return ""


def _note(cells: pd.Series, seen: pd.Series) -> str:
    """What was done to a column that is kept; `""` when it was scaled only."""
    if cells.dtype != object:
        gaps = int(cells.isna().sum())
        # Halved, so that the mean of two large middle values is no overflow.
        median = 2 * float(np.nanmedian(seen / 2))
        return f"{gaps} missing values filled with the training median {median:g}" if gaps else ""
    counts = seen.value_counts()
    note = f"{'dates' if _dates(seen) else 'text'}, {counts.size} values as 0/1 features"
    if counts.size > MOST_CATEGORIES:
        note += f" for the {MOST_CATEGORIES - 1} most frequent, and one for the others"
    gaps = int((cells == "").sum())
    if gaps:
        how = "a value of their own" if "" in counts.index else "all zeros"
        note += f", {gaps} missing as {how}"
    return note


def comma_hint(text: pd.Series) -> str:
    """What to say where text, `""` where missing, looks like numbers with decimal commas; else `""`."""
    return "; for decimal commas say --decimal ," if text.str.fullmatch(r"[\d.]*,\d+|").all() else ""


def _dates(seen: pd.Series) -> bool:
    return bool(seen[seen != ""].str.fullmatch(_DATE, case=False).all())
