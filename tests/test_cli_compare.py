"""The verb that compares, as a new user types it, and what the verbs about runs do with what it kept."""

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

def noisy():
    return load_task("diabetes", model="linear").with_settings(steps=5)
"""
KEYS = {
    "name", "loss", "treatment", "mean", "interval", "difference", "difference_interval", "p", "p_corrected", "effect",
    "verdict", "explained_by", "cost",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("work")
    (place / "compared.py").write_text(CODE)
    return place


@pytest.fixture
def kept(run: Any, folder: Path) -> Path:
    """A comparison that was kept, made by the first test that asks."""
    path = folder / "runs" / "fair"
    if not path.exists():
        options = ("--seeds", "1", "--splits", "10", "--no-tune", "--out", "runs/fair")
        code, out, err = run(
            "compare", "--task", "compared:make", "--losses", "ce,-y*log(p)+0.1*(y-p)**2", *options
        )
        assert code == 0, err
        (folder / "printed.txt").write_text(out)
    return path


def test_what_is_printed_and_what_is_kept(run: Any, kept: Path, folder: Path) -> None:
    printed = (folder / "printed.txt").read_text()
    assert "wine: classification, 3 classes, 106/36/36 instances, linear, accuracy" in printed
    assert "-y*log(p)+0.1*(y-p)**2: as it is, " in printed
    assert "note: wine: 10 random splits of 178 rows" in printed
    assert "note: not tuned" in printed
    assert "Files in runs/fair: comparison.csv, comparison.tex, comparison.png" in printed
    with open(kept / "comparison.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["treatment"] for row in rows] == ["as is", "as is", "normalised"]


def test_json_has_the_keys_of_the_contract(run: Any, folder: Path) -> None:
    code, out, _ = run(
        "compare", "--task", "compared:noisy", "--losses", "huber", "--splits", "2", "--seeds", "1", "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert {"task", "metric", "seeds", "splits", "detectable", "rows"} <= found.keys()
    assert all(row.keys() >= KEYS for row in found["rows"])
    assert [row["treatment"] for row in found["rows"]] == ["as is", "tuned", "as is", "normalised", "tuned"]
    assert {row["verdict"] for row in found["rows"]} == {"baseline", "too few splits to tell"}
    assert found["controls"][0]["treatment"] == "learning rate only"


def test_runs_show_resume_and_verify_know_it(run: Any, kept: Path) -> None:
    code, out, _ = run("runs", "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert (row["method"], row["status"], row["metric"]) == ("compare", "finished", "accuracy")
    assert "-y*log(p)+0.1*(y-p)**2: " in row["loss"]
    shown = json.loads(run("show", "runs/fair", "--json")[1])
    resumed = json.loads(run("resume", "runs/fair", "--task", "compared:make", "--json")[1])
    assert shown["rows"] == resumed["rows"]
    code, out, _ = run("show", "runs/fair")
    assert "explained" not in out
    assert "normalised" in out
    code, out, _ = run("verify", "runs/fair", "--task", "compared:make")
    assert (code, "checks hold" in out) == (0, True), out
    code, _, err = run("resume", "runs/fair", "--task", "compared:noisy")
    assert code == 2
    assert "diabetes is not the task of this run" in err
    code, _, err = run("show", "runs/fair#1")
    assert (code, "is a run of 'symloss compare'" in err) == (2, True)


def test_files_for_papers(run: Any, folder: Path) -> None:
    options = ("--losses", "brier", "--splits", "1", "--seeds", "1", "--no-tune", "--fractions", "0.5,1")
    code, out, _ = run("compare", "--task", "compared:make", *options, "--csv", "t.csv", "--latex", "t.tex")
    assert code == 0
    assert "wrote t.csv" in out
    assert r"50\,\% & brier & normalised" in (folder / "t.tex").read_text()


def test_a_search_inside_each_split(run: Any) -> None:
    search = ("--search", "random", "--population", "2", "--generations", "1")
    options = ("--splits", "1", "--seeds", "1", "--no-tune", "--json")
    code, out, err = run("compare", "--task", "compared:make", *search, *options)
    assert code == 0, err
    found = [row for row in json.loads(out)["rows"] if row["role"] == "discovered"]
    assert {row["name"] for row in found} == {"searched by random"}
    assert all(row["cost"]["search_steps"] > 0 for row in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wine",), "which losses? Name them with --losses"),
        (("wine", "--losses", "mse"), "mse is a regression loss, wine is a classification task"),
        (("wine", "--losses", "bier"), "did you mean"),
        (("wine", "--losses", "runs/none#1"), "does not exist"),
        (("wine", "--losses", "brier", "--fractions", "half"), "expected shares with commas between"),
        (("wine,diabetes", "--losses", "brier"), "one loss serves tasks of one kind only"),
        (("--losses", "brier"), "expected one task"),
        (("wine", "--losses", "brier", "--population", "4"), "name its method with --search"),
        (("wine", "--search", "evomul"), "unknown method 'evomul'"),
        (("wine", "--losses", "brier", "--seeds", "0"), "--seeds"),
    ],
)
def test_bad_input_is_one_line(run: Any, arguments: tuple[str, ...], message: str) -> None:
    code, _, err = run("compare", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_an_interruption_keeps_what_was_found(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from symloss.compare.selection import Selection

    def stop(self: Selection) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Selection, "wanted", stop)
    options = ("--losses", "brier", "--splits", "2", "--seeds", "1", "--out", "runs/stopped")
    code, out, _ = run("compare", "--task", "compared:make", *options)
    assert code == 130
    assert "The comparison was not over: symloss resume runs/stopped goes on with it." in out
    assert "as is" in out
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    code, out, _ = run("resume", "runs/stopped", "--task", "compared:make")
    assert (code, "tuned" in out, "not over" in out) == (0, True, False)
