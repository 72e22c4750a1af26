"""The verb that takes losses elsewhere, as a new user types it, and what the verbs about runs do with what it kept."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

CODE = """
from symloss.tasks import load_task

def make():
    return load_task("wine", model="linear").with_settings(steps=5)

def other():
    return load_task("breast-cancer", model="linear").with_settings(steps=5)
"""
KEYS = {"loss", "task", "model", "mean", "interval", "difference", "p_corrected", "verdict", "broken"}
QUICK = ("--seeds", "1", "--splits", "2", "--no-tune")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("work")
    (place / "elsewhere.py").write_text(CODE)
    return place


@pytest.fixture
def kept(run: Any, folder: Path) -> Path:
    """A transfer that was kept, made by the first test that asks."""
    path = folder / "runs" / "away"
    if not path.exists():
        cells = ("--model", "linear,mlp-1x4", "--label-noise", "0.2", "--corrupt", "missing,gaussian:1")
        files = ("--out", "runs/away", "--csv", "t.csv", "--latex", "t.tex", "--plot", "t.svg")
        code, out, err = run(
            "transfer", "-y*log(p)+0.1*(y-p)**2", "--task", "elsewhere:make", *QUICK, *cells, *files
        )
        assert code == 0, err
        (folder / "printed.txt").write_text(out)
    return path


def test_what_is_printed_and_what_is_kept(run: Any, kept: Path, folder: Path) -> None:
    printed = (folder / "printed.txt").read_text()
    assert (
        "wine: classification, 3 classes, 106/36/36 instances, mlp-1x4, accuracy, label noise 0.2" in printed
    )
    assert "-y*log(p)+0.1*(y-p)**2 against ce: too few splits to tell in 6 of 6 cells." in printed
    assert "note: wine: 2 random splits of 178 rows" in printed
    assert "note: corrupted: test inputs alone" in printed
    assert "Files in runs/away: transfer.csv, transfer.tex, transfer.png" in printed
    assert "wrote t.svg" in printed
    with open(kept / "transfer.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert {row["inputs"] for row in rows} == {"clean", "missing:0.25", "gaussian:1"}
    assert (folder / "t.csv").read_text() == (kept / "transfer.csv").read_text()
    assert (folder / "t.tex").read_text() == (kept / "transfer.tex").read_text()


def test_runs_show_resume_and_verify_know_it(run: Any, kept: Path) -> None:
    (row,) = json.loads(run("runs", "--json")[1])
    assert (row["method"], row["status"], row["metric"]) == ("transfer", "finished", "accuracy")
    assert row["loss"] == "-y*log(p)+0.1*(y-p)**2: 6 too few splits to tell"
    shown = json.loads(run("show", "runs/away", "--json")[1])
    assert all(row.keys() >= KEYS for row in shown["rows"])
    resumed = json.loads(run("resume", "runs/away", "--task", "elsewhere:make", "--json")[1])
    assert shown["rows"] == resumed["rows"]
    code, out, _ = run("show", "runs/away")
    assert (code, "missing:0.25" in out) == (0, True)
    code, out, _ = run("verify", "runs/away", "--task", "elsewhere:make")
    assert (code, "checks hold" in out) == (0, True), out
    code, _, err = run("resume", "runs/away", "--task", "elsewhere:other")
    assert code == 2
    assert "breast-cancer is not the task of this run" in err
    code, _, err = run("resume", "runs/away", "--propose", "x")
    assert (code, "--propose is about a search" in err) == (2, True)
    code, _, err = run("show", "runs/away#1")
    assert (code, "is a run of 'symloss transfer'" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("brier",), "to which tasks? Name them with --to"),
        (("brier", "--to", "wine,diabetes"), "one loss serves tasks of one kind only"),
        (("mae,huber", "--to", "wine"), "huber is a regression loss, wine is a classification task"),
        (("bier", "--to", "wine"), "did you mean"),
        (("runs/none#1", "--to", "wine"), "does not exist"),
        (("brier", "--to", "wine", "--model", "linea"), "unknown model 'linea'"),
        (("brier", "--to", "wine", "--corrupt", "rain"), "unknown corruption 'rain'"),
        (("brier", "--to", "wine", "--corrupt", "blur"), "blur is for images"),
        (("brier", "--to", "wine", "--label-noise", "much"), "expected shares with commas between"),
        (("brier", "--to", "wine", "--target", "x"), "--target goes with --data FILE"),
    ],
)
def test_bad_input_is_one_line(run: Any, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run("transfer", *arguments)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err


def test_an_interruption_keeps_what_was_found(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from symloss.compare.cells import Cells

    def stop(self: Cells) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Cells, "_select", stop)
    options = ("--splits", "1", "--seeds", "1", "--out", "runs/stopped")
    code, out, _ = run("transfer", "brier", "--task", "elsewhere:make", *options)
    assert code == 130
    assert "No split is finished yet." in out
    assert "The transfer was not over: symloss resume runs/stopped goes on with it." in out
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    code, out, _ = run("resume", "runs/stopped")
    assert (code, "brier against tuned ce: too few splits to tell in 1 of 1 cells." in out) == (0, True), out
