"""The verb that adapts a loss, as a new user types it, and what the verbs about runs do with what it kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symloss.cli import app

CODE = """
from symloss.tasks import Task, load_task

def make():
    return load_task("wine", model="linear").with_settings(steps=12)

def box():
    return Task.from_function(lambda loss, seed, budget: {"mse": 1.0}, kind="regression", metric="mse")
"""
QUICK = ("--seeds", "1", "--steps", "12", "--eta", "0.05", "--initial-steps", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("work")
    (place / "adaptable_task.py").write_text(CODE)
    return place


@pytest.fixture
def run(capsys: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            app(list(arguments))
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err  # type: ignore[call-overload]

    return call


@pytest.fixture
def kept(run: Any, folder: Path) -> Path:
    """An adaptation that was kept, made by the first test that asks."""
    path = folder / "runs" / "adapted"
    if not path.exists():
        code, out, err = run(
            "adapt", "--task", "adaptable_task:make", "--loss", "lsr", "--set",
            "xi=0.2", *QUICK, "--out", "runs/adapted", "--plot", "path.svg",
        )  # fmt: skip
        assert code == 0, err
        (folder / "printed.txt").write_text(out)
    return path


def test_it_prints_the_table_the_claims_and_the_path(kept: Path, folder: Path) -> None:
    text = (folder / "printed.txt").read_text()
    for words in ("adaptive", "replayed", "scale only", "ordinary tuned on all rows", "Does adapting help?",
                  "attractor", "implicit learning rate", "path.csv, path.png", "wrote path.svg"):  # fmt: skip
        assert words in text
    assert {"path.csv", "path.png"} <= {file.name for file in kept.iterdir()}


def test_json_is_that_of_the_contract(kept: Path, run: Any) -> None:
    code, out, _ = run("show", "runs/adapted", "--json")
    assert code == 0
    data = json.loads(out)
    assert {"task", "metric", "rows", "moved", "path"} <= data.keys()
    names = [row["name"] for row in data["rows"]]
    assert names[:5] == ["adaptive", "fixed", "learning rate only", "replayed", "scale only"]
    assert {"ordinary tuned", "ordinary tuned on all rows"} <= set(names)
    assert all({"name", "mean", "interval", "p", "verdict"} <= row.keys() for row in data["rows"])
    assert all({"step", "validation", "attractor", "coefficients"} <= step.keys() for step in data["path"])


def test_the_verbs_about_runs_know_it(kept: Path, run: Any) -> None:
    code, out, _ = run("runs", "runs", "--json")
    assert (code, json.loads(out)[0]["method"]) == (0, "adapt")
    code, out, err = run("verify", "runs/adapted", "--task", "adaptable_task:make")
    assert code == 0, out + err
    assert "checks hold" in out
    code, out, err = run("resume", "runs/adapted", "--task", "adaptable_task:make")
    assert code == 0, err
    assert "ordinary tuned" in out


def test_a_network_by_default(run: Any) -> None:
    code, out, err = run("adapt", "wine", "--model", "linear", *QUICK, "--json")
    assert code == 0, err
    data = json.loads(out)
    assert data["loss"] == "neural"
    assert data["path"][0]["coefficients"] is None
    assert "offline ML3" in {row["name"] for row in data["rows"]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wine", "--loss", "foo"), "no classification loss is named 'foo'"),
        (("wine", "--eta", "x"), "--eta x: expected rates, as 1e-4,1e-3"),
        (("wine", "--set", "q=1"), "--set says nothing to neural"),
        (("wine", "--loss", "huber"), "huber"),
        (("--task", "adaptable_task:box"), "trained by a function, through which no gradient passes"),
        (("wine", "--out", "runs/adapted", *QUICK), "holds a run: go on with"),
        ((), "expected one task"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], message: str, kept: Path, run: Any) -> None:
    code, _, err = run("adapt", *arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_help_is_there(run: Any) -> None:
    code, out, _ = run("adapt", "--help")
    assert code == 0
    assert "symloss adapt diabetes" in out
