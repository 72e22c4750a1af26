"""The verb that turns networks into formulas, as a new user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import symloss as sl
from symloss.cli import app
from symloss.cli.neural_source import read_source
from symloss.meta import FormulaLoss, SmoothNeuralLoss
from symloss.meta.adaptable import learned_to_dict

CODE = """
from symloss.tasks import load_task

def make():
    return load_task("wine", model="linear").with_settings(steps=8)
"""
QUICK = ("--population", "12", "--generations", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks as they are kept: a file, a run of ml3, a run of one that adapts; and what holds none."""
    place = tmp_path_factory.mktemp("work")
    (place / "distilled_task.py").write_text(CODE)
    network = SmoothNeuralLoss.drawn("classification", 2, (5, 5))
    (place / "network.json").write_text(json.dumps(network.to_dict()))
    (place / "formula.json").write_text(json.dumps(learned_to_dict(FormulaLoss(sl.named("ace")))))
    (place / "words.json").write_text('{"hidden": "many"}')
    (place / "list.json").write_text("[1, 2]")
    (place / "short.json").write_text(json.dumps({**network.to_dict(), "weights": [1.0]}))
    (place / "binary.json").write_bytes(b"\xff\xfe\x00")
    task = sl.load_task("wine", model="linear").with_settings(steps=8)
    sl.discover(
        task, "ml3", population=2, generations=1, out=place / "ml3", neural={"steps": 2, "hidden": (5, 5)},
        headroom=False, blocks={"zoo": False, "final": 2, "finalists": 2}, ordinary=False,
    )  # fmt: skip
    sl.adapt(task, seeds=1, steps=8, etas=[0.01], initial_steps=2, out=place / "adapted")
    sl.discover(
        task, "random", population=2, generations=1, out=place / "plain", headroom=False,
        blocks={"zoo": False, "final": 2, "finalists": 2}, tuning={"steps": 0},
    )  # fmt: skip
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


def test_a_file_of_weights_as_a_table(run: Any) -> None:
    code, out, err = run("distill", "network.json", "--classes", "3", *QUICK)
    assert code == 0, err
    assert "known as" in out
    assert "12 formulas were looked at" in out
    assert "M(y, p) = " in out


def test_a_run_of_networks_as_json_looks_at_its_own_task(run: Any) -> None:
    code, out, err = run("distill", "ml3", "--seeds", "1", "--json", *QUICK)
    assert code == 0, err
    data = json.loads(out)
    assert {"row", "loss", "complexity", "r2", "known_as"} <= set(data["rows"][0])
    assert data["visited"].startswith("three trainings on wine")
    assert (data["source"], data["fidelity"]["seeds"], data["notes"]) == ("ml3", 1, [])


def test_a_named_task_takes_the_place_of_the_runs_own(run: Any) -> None:
    code, out, err = run(
        "distill", "adapted@8", "--task", "distilled_task:make", "--seeds", "0", "--json", *QUICK
    )
    assert code == 0, err
    data = json.loads(out)
    assert data["visited"] == "three trainings on wine of 8 steps"
    assert data["fidelity"] is None


def test_a_row_and_a_step_are_read_as_their_runs_kept_them(folder: Path) -> None:
    result = sl.open_run(folder / "ml3")
    row = next(row for row in result.front if row.neural)
    source = read_source(f"{folder / 'ml3'}#{row.row}")
    assert result.network is not None
    assert source.loss == result.network.loss == read_source(str(folder / "ml3")).loss
    task = source.task()
    assert task is not None
    assert task.settings.steps == row.steps[0]
    assert task.settings.learning_rate == pytest.approx(0.01 * row.rates[0])
    first, last = (read_source(f"{folder / 'adapted'}@{step}") for step in (0, 8))
    assert isinstance(first.loss, SmoothNeuralLoss)
    assert first.loss != last.loss
    adapted = last.task()
    assert adapted is not None
    assert adapted.settings.steps == 8


def test_a_run_whose_task_cannot_be_made_again_is_told(run: Any, folder: Path, monkeypatch: Any) -> None:
    from symloss import tasks
    from symloss.errors import TaskError

    def gone(description: Any) -> Any:
        raise TaskError("task mine came from arrays or code: give it again")

    monkeypatch.setattr(tasks, "rebuild", gone)
    code, out, err = run("distill", "ml3", "--classes", "3", *QUICK)
    assert code == 0, err
    assert "note: the trainings of its run cannot be looked at (task mine came from arrays" in out
    assert "drawn from undecided to sure" in out


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing", "nothing does not exist: expected RUN, RUN#ROW or RUN@STEP"),
        ("words.json", "words.json holds no network"),
        ("list.json", "list.json holds no network"),
        ("short.json", "short.json holds no network (1 weights: expected 40"),
        ("binary.json", "binary.json is no JSON"),
        ("formula.json", "formula.json holds a formula"),
        ("plain", "plain holds no network, its losses are formulas already"),
        ("plain#1", "plain#1 is a formula already"),
        ("plain#99", "plain has no row 99"),
        ("plain@3", "plain is a run of 'symloss discover', which has no steps"),
        ("adapted", "adapted is a run of losses that adapt: name a step"),
        ("adapted@7777", "adapted has no step 7777: expected one of 0, 1"),
        ("adapted@last", "'adapted@last' names no step"),
        ("gone@3", "gone does not exist"),
        (".", "is not a run folder"),
    ],
)
def test_what_holds_no_network_is_one_line(run: Any, source: str, message: str) -> None:
    code, out, err = run("distill", source)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "linear"), "--model and --label-noise are about the task of --on"),
        (("--on", "wine,digits"), "expected one task"),
        (("--on", "diabetes"), "the network is a classification loss, diabetes is a regression task"),
        (("--classes", "1"), "classes is 1: expected a whole number of at least 2"),
        (("--on", "wine", "--task", "a:b"), "expected one task"),
    ],
)
def test_bad_options_are_one_line(run: Any, options: tuple[str, ...], message: str) -> None:
    code, out, err = run("distill", "network.json", *options)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_its_help_teaches_by_example(run: Any) -> None:
    code, out, _ = run("distill", "--help")
    assert code == 0
    assert "Example" in out
    assert "symloss distill runs/adapted@500" in " ".join(out.split())
