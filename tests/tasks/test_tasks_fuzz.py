"""Files of any content: a task, or a `TaskError` in one line."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import TaskError
from symloss.expr import KINDS
from symloss.tasks import Task, load_csv, load_task

CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "?",
            "NA",
            "1",
            "0",
            "-2.5",
            "1e400",
            "nan",
            "1_0",
            "a",
            "b",
            '"x',
            "é",
            "1,5",
            "@data",
            "true",
            "2020-01-02",
            "1e200",
            "01",
            "sep=;",
            "None",
            " ",
            "1.234,5",
        ]
    ),
    st.text(max_size=6),
    st.floats().map(str),
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=14)
)
SEPARATORS = st.sampled_from([",", ";", "\t", "\n", "\r\n", ", ", "|", " ", ":"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def usable_or_one_line(make):
    try:
        task, message = make(), ""
    except TaskError as error:
        task, message = None, str(error)
    assert "\n" not in message
    if task is not None:
        assert task.train.X.isfinite().all()
        assert min(len(task.train), len(task.val), task.test_size) > 0
        assert len(task.describe()["fingerprint"]) == 64


@given(TABLES, SEPARATORS, st.sampled_from(["y", "x0", "x0,y"]), st.sampled_from([None, ".", ","]))
@settings(max_examples=100)
def test_any_csv(folder, rows, separator, target, decimal):
    header = [*(f"x{index}" for index in range(len(rows[0]) - 1)), "y"]
    path = folder / "any.csv"
    path.write_text("\n".join(separator.join(row) for row in [header, *rows]), "utf-8", "surrogatepass")
    usable_or_one_line(lambda: load_csv(path, target, decimal=decimal))


@given(st.binary(max_size=60))
@settings(max_examples=60)
def test_any_bytes(folder, content):
    (folder / "bytes.csv").write_bytes(content)
    (folder / "bytes.dat").write_bytes(content)
    usable_or_one_line(lambda: load_csv(folder / "bytes.csv", "y"))
    usable_or_one_line(lambda: load_task("keel:bytes", data=folder))


@given(TABLES, st.sampled_from(["", "@data\n", "@attribute x real\n@attribute y {a,b}\n@outputs y\n@data\n"]))
@settings(max_examples=150)
def test_any_keel_file(folder, rows, header):
    text = header + "\n".join(",".join(row) for row in rows)
    (folder / "any.dat").write_text(text, "utf-8", "surrogatepass")
    usable_or_one_line(lambda: load_task("keel:any", data=folder))


VALUES = st.one_of(
    st.sampled_from(
        [None, True, False, "", "?", "a", "01", 1, 1.0, "1", 2**53, 2**53 + 1, 2**70, -1e300, 1e-300]
    ),
    st.sampled_from([math.nan, math.inf, pd.NA, pd.NaT, pd.Timestamp("2020-01-02"), pd.Timedelta("1h"), 1j]),
    st.sampled_from([(1, 2), b"a", Decimal("1.5"), np.float32(0.1), np.int8(3), " none "]),
    st.integers(0, 3),
    st.floats(),
)


NAMES = st.lists(st.sampled_from(["x", "z", "", "g", " x", 0]), min_size=1, max_size=4)


@given(st.data(), NAMES, st.integers(9, 16), st.sampled_from([None, "g", "x"]))
@settings(max_examples=60)
def test_any_features(data, names, height, group):
    columns = [data.draw(st.lists(VALUES, min_size=height, max_size=height)) for _ in names]
    frame = pd.DataFrame({at: pd.Series(cells, dtype=object) for at, cells in enumerate(columns)})
    frame = frame.infer_objects() if data.draw(st.booleans()) else frame
    frame.columns = names
    frame["y"] = data.draw(st.sampled_from([np.arange(height) % 2, np.arange(height) / 7]))
    usable_or_one_line(
        lambda: Task.from_frame(frame, data.draw(st.sampled_from(["y", "y", "z", "x,y"])), group=group)
    )


@given(st.lists(st.tuples(VALUES, st.integers(0, 4)), min_size=1, max_size=16), st.sampled_from(list(KINDS)))
@settings(max_examples=50)
def test_any_labels(pairs, kind):
    labels = np.empty(len(pairs), dtype=object)
    labels[:] = [value for value, _ in pairs]
    groups = [group for _, group in pairs]
    X = np.arange(2.0 * len(pairs)).reshape(-1, 2)
    usable_or_one_line(lambda: Task.from_arrays(X, labels, kind=kind))
    usable_or_one_line(lambda: Task.from_frame(pd.DataFrame({"x": X[:, 0], "y": labels}), "y"))
    usable_or_one_line(lambda: Task.from_arrays(X, labels.tolist(), kind=kind, groups=groups))
    usable_or_one_line(lambda: Task.from_arrays(X, groups, kind=kind, groups=labels))
