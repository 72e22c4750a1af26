"""A file of a table, CSV or Parquet, as a data frame; nothing is fetched and nothing in it is executed."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from itertools import islice
from pathlib import Path

import pandas as pd

from symloss.errors import TaskError
from symloss.tasks.data.columns import written

__all__ = ["read_table"]

# Tab, bar and semicolon before the comma: in a file that they divide evenly, commas stand within names and
# decimal numbers, while the reverse is rare.
_SEPARATORS = "\t|;,"
_SAMPLE = 100
_COMMA_NUMBER = r"[+-]?(\d+(,\d*)?|,\d+)([eE][+-]?\d+)?"
_THOUSANDS = r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?"

# UTF-32 first: its mark begins with that of UTF-16.
_WIDE = {
    "utf-32-le": codecs.BOM_UTF32_LE, "utf-32-be": codecs.BOM_UTF32_BE,
    "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE,
}  # fmt: skip


def read_table(
    path: str | Path, *, encoding: str = "utf-8", decimal: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The columns of a file, and notes on how it was read.

    CSV has a header; any one character separates, and a first line `sep=;` may say which. It may be packed
    by gzip. Every column stays text, as it is written, for `read_frame` to judge. Parquet keeps its types.

    Args:
        path: the file.
        encoding: of a CSV file, with a byte-order mark or without.
        decimal: `"."` or `","`, with which points between thousands are allowed; unless given, columns of
            decimal commas are recognised where a semicolon separates.

    Raises:
        TaskError: for a file that cannot be read, in one line.
    """
    if decimal not in (None, ".", ","):
        raise TaskError(f"decimal {decimal!r}: expected '.' or ','")
    raw = _content(path)
    if raw[:4] == b"PAR1" or Path(path).suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, raw), []
    text = _decoded(path, raw, encoding)
    if "\0" in text:
        raise TaskError(
            f"{path} has NUL characters: expected text, not a binary file; save it as UTF-8, or name its encoding "
            "with --encoding"
        )
    mark = re.match(r"\s*\"?sep=([!-~\t ])\"?[ \t]*(\r\n|\r|\n|\Z)", text, re.IGNORECASE)
    if mark:
        text = text[mark.end() :]
    text = text.lstrip("\r\n")
    if not text.strip():
        raise TaskError(f"{path} is empty: expected a header and rows")
    separator = mark[1] if mark else _separator(text)
    _check_widths(path, text, separator)
    try:
        cells = pd.read_csv(
            io.StringIO(text), sep=separator, header=None,
            dtype=object, keep_default_na=False, na_filter=False, skipinitialspace=True,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise TaskError(f"{path} is not a CSV file: {' '.join(str(error).split())}") from None
    cells = cells[cells.map(lambda cell: bool(cell.strip())).any(axis=1)]
    if cells.empty:
        raise TaskError(f"{path} is empty: expected a header and rows")
    frame = cells.iloc[1:].reset_index(drop=True)
    frame.columns = pd.Index([name.strip() for name in cells.iloc[0]], dtype=object)
    if frame.empty:
        raise TaskError(f"{path} has a header and no rows: expected at least 5 rows")
    return _with_points(frame, decimal, separator)


def _content(path: str | Path) -> bytes:
    if "://" in str(path):
        raise TaskError(f"{path} is an address: expected a file on this machine, download it first")
    try:
        raw = Path(path).read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise TaskError(f"{path} is a damaged gzip file: {error}") from None
    except (OSError, ValueError) as error:
        raise TaskError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def _decoded(path: str | Path, raw: bytes, encoding: str) -> str:
    if raw[:2] == b"PK":
        raise TaskError(f"{path} is a ZIP file or an Excel workbook: save the table as CSV (UTF-8)")
    wide = _wide(raw)
    why = f" (it looks like {wide.upper()})" if wide else ""
    try:
        # One spelling for all aliases: utf8, UTF-8 and u8.
        asked = codecs.lookup(encoding).name
        utf8 = asked in ("utf-8", "utf-8-sig")
        # Python would read any bytes as UTF-16, and take it for this machine's where no mark says which it is.
        if asked in (wide, wide[:6]) or not (wide or asked.startswith(("utf-16", "utf-32"))):
            return raw.decode(wide or encoding).removeprefix("\ufeff")
    except LookupError:
        raise TaskError(f"unknown encoding {encoding!r}: expected one as utf-8, latin-1 or cp1252") from None
    except UnicodeError as error:
        why = f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""
    raise TaskError(
        f"{path} is not {'UTF-8' if utf8 else encoding}{why}: save it as UTF-8, or name its encoding with "
        f"--encoding, as --encoding {wide[:6] if wide else 'latin-1' if utf8 else 'utf-8'}"
    )


def _wide(raw: bytes) -> str:
    """Which UTF-32 or UTF-16 a table is written in, with a byte-order mark or without; `""` for any other text.

    Without a mark its line ends tell: in any other of these there are none, or there are NULs.
    """
    for name, mark in _WIDE.items():
        if raw.startswith(mark):
            return name
    if b"\0" not in raw:  # a line end has one
        return ""
    for name in _WIDE:
        try:
            text = raw.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and ("\n" in text or "\r" in text):
            return name
    return ""


def _parquet(path: str | Path, raw: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except ImportError:
        raise TaskError(f"{path} is a Parquet file: pip install 'symloss[parquet]' to read it") from None
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        raise TaskError(f"{path} is not a Parquet file that can be read: {reason}") from None


def _separator(text: str) -> str:
    """What separates: the first character of the header that divides the first records evenly.

    pandas leaves this to `csv.Sniffer`, which is misled by commas in the names of columns.
    """
    # Only the header's characters are candidates, and the first record's width is the measure: a character that
    # divides the rows but not the header separates nothing.
    header = text.splitlines()[0]
    others = sorted(
        {mark for mark in header if mark.isascii() and not mark.isalnum() and mark not in "\"'_.-\t|;,"}
    )
    candidates = [mark for mark in [*_SEPARATORS, *reversed(others)] if mark in header]
    best, most = ",", 0.0
    for mark in candidates:
        try:
            widths = [len(row) for row in islice(_records(text, mark), _SAMPLE)]
        except csv.Error:
            continue
        if widths[0] > 1:
            share = widths.count(widths[0]) / len(widths)
            if share > most:
                best, most = mark, share
    return best


def _records(text: str, separator: str) -> csv.Reader:  # type: ignore[name-defined]
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True)


def _check_widths(path: str | Path, text: str, separator: str) -> None:
    # pandas fills short rows up with missing values: rather say that a line is broken.
    reader = _records(text, separator)
    width = 0
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            width = width or len(row)
            if len(row) != width:
                raise TaskError(
                    f"{path}, line {reader.line_num}: expected {width} values, got {len(row)}; is a value "
                    f"with {separator!r} in it to be quoted?"
                )
    except csv.Error as error:
        raise TaskError(f"{path} is not a CSV file: {error}") from None


def _with_points(frame: pd.DataFrame, decimal: str | None, separator: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns of numbers with decimal commas, written with decimal points."""
    if decimal == "." or (decimal is None and separator != ";"):
        return frame, []
    pattern = rf"{_COMMA_NUMBER}|{_THOUSANDS}" if decimal else _COMMA_NUMBER
    changed, columns = [], []
    for at in range(frame.shape[1]):
        cells = frame.iloc[:, at]
        there = written(cells)
        numbers = there[there != ""]
        # Asked for decimal commas, 1.234 is a thousand; unasked, it is left alone, as most such columns mean the
        # point.
        commas = numbers.str.contains("[,.]" if decimal else ",", regex=True).any()
        if commas and numbers.str.fullmatch(pattern).all():
            # In this order: points between thousands go before the comma becomes a point.
            cells = there.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
            changed.append(str(cells.name))
        columns.append(cells)
    named = ", ".join(repr(name) for name in changed)
    notes = [f"decimal commas in {named}; for text say --decimal ."] if changed and not decimal else []
    return pd.concat(columns, axis=1), notes
