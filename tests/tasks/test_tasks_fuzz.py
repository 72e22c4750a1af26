"""Files of any content: a task, or a `TaskError` in one line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symloss.errors import TaskError
from symloss.tasks import load_csv, load_task

CELLS = st.one_of(
    st.sampled_from(
        ["", "?", "NA", "1", "0", "-2.5", "1e400", "nan", "1_0", "a", "b", '"x', "é", "1,5", "@data"]
    ),
    st.text(max_size=6),
    st.floats().map(str),
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=14)
)
SEPARATORS = st.sampled_from([",", ";", "\t", "\n", "\r\n", ", "])


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
        assert len(task.train)
        assert len(task.describe()["fingerprint"]) == 64


@given(TABLES, SEPARATORS, st.sampled_from(["y", "x0", "x0,y"]))
@settings(max_examples=150)
def test_any_csv(folder, rows, separator, target):
    header = [*(f"x{index}" for index in range(len(rows[0]) - 1)), "y"]
    path = folder / "any.csv"
    path.write_text("\n".join(separator.join(row) for row in [header, *rows]), "utf-8", "surrogatepass")
    usable_or_one_line(lambda: load_csv(path, target))


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
