"""ML3 in a search: a row without a formula, its weights on record, and what says so in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import symloss as sl
from symloss import search
from symloss.cli import app
from symloss.compare import baselines
from symloss.errors import DomainError, TaskError
from symloss.meta import NeuralLoss
from symloss.report import write_run_files
from symloss.report.tables import losses_tex
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 4, "generations": 2, "ordinary": False, "neural": {"steps": 20, "rate": 0.01, "hidden": (6, 5)},
    "blocks": {"headroom": False, "zoo": False, "settle": False, "final": 2, "finalists": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("wine", model="linear").with_settings(steps=20)


@pytest.fixture(scope="module")
def run(task: Task, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, search.Result]:
    path = tmp_path_factory.mktemp("runs") / "ml3"
    return path, search.discover(task, "ml3", out=path, **SMALL)


def test_a_row_prints_neural_and_counts_weights(run: tuple[Path, search.Result]) -> None:
    path, result = run
    (row,) = result.front
    assert (row.text, row.complexity, row.kind, row.latex) == ("neural", 12 + 30 + 5, "classification", None)
    assert all(entry.tokens == ("neural", "6", "5") for entry in result.evaluations)
    assert all(entry.loss is None and entry.formula == "neural" for entry in result.evaluations)
    assert len({entry.fitness for entry in result.evaluations}) > 1, "independent starts"
    assert (path / "front.csv").read_text().splitlines()[1].endswith("neural")
    stored = json.loads((path / "front.json").read_text())["front"][0]
    assert (stored["formula"], stored["latex"], stored["kind"]) == ("neural", None, "classification")
    assert search.open_run(path) == result


def test_what_needs_a_formula_says_so(run: tuple[Path, search.Result]) -> None:
    path, result = run
    message = "row 1 is a neural loss of 47 weights and has no formula: distil it"
    for what in (lambda: result.best, lambda: result.picked.shown, lambda: result.picked.certificate):
        with pytest.raises(DomainError, match=message):
            what()
    for verb in ("analyze", "derive", "export", "plot"):
        found = CliRunner().invoke(app, [verb, f"{path}#1"])
        assert found.exit_code == 2
        assert found.stderr.strip() == f"symloss: {message}"
    shown = CliRunner().invoke(app, ["show", f"{path}#1", "--json"])
    assert json.loads(shown.output)["formula"] == "neural"
    assert "no formula: distil it" in json.loads(shown.output)["note"]
    assert "has no formula" in CliRunner().invoke(app, ["show", str(path)]).output
    assert "no formula" in losses_tex(result)
    names = [file.name for file in write_run_files(result)]
    assert names == ["front.csv", "front.json", "neural.json", "losses.tex", "front.png", "history.png"]


def test_the_weights_are_on_record_and_are_what_was_trained(
    run: tuple[Path, search.Result], task: Task, tmp_path: Path
) -> None:
    path, result = run
    assert result.network is not None
    assert result.network.evaluation == result.picked.evaluation
    loss = NeuralLoss.from_dict(json.loads((path / "neural.json").read_text()))
    assert loss == result.network.loss
    assert loss.factor == pytest.approx(1 / result.picked.scale)
    checks = search.verify(path)
    assert {"weights", "content", "picked"} <= {check.what for check in checks}
    assert all(check.holds for check in checks), [check for check in checks if not check.holds]
    broken = shutil.copytree(path, tmp_path / "run")
    text = (broken / "neural.json").read_text()
    (broken / "neural.json").write_text(text.replace("0", "1", 1))
    assert [check.where for check in search.verify(broken) if not check.holds] == ["neural.json"]
    search.resume(broken)
    assert (broken / "neural.json").read_text() == text
    with sl.runs.RunStore.open(broken, write=True) as store:
        record = store.get("front", "network")
        record["weights"][0] += 0.5
        store.put("front", "network", record)
    assert "weights" in {check.what for check in search.verify(broken) if not check.holds}


def test_a_network_is_compared_with_baselines(run: tuple[Path, search.Result], task: Task) -> None:
    path, result = run
    rows = baselines(task, result, seeds=2)
    assert [row.role for row in rows] == ["ordinary", "ordinary tuned", "best zoo", "discovered"]
    assert (rows[-1].loss, rows[-1].text) == (None, "neural")
    assert rows[-1].test > 0.3
    assert search.open_run(path).baselines == rows
    shown = json.loads(CliRunner().invoke(app, ["show", str(path), "--json"]).output)
    assert shown["baselines"][-1]["formula"] == "neural"
    assert shown["best"]["exact"] == "neural"


def test_a_formula_may_win(task: Task) -> None:
    result = search.discover(
        task, "ml3", **{**SMALL, "ordinary": True, "neural": {"steps": 0, "hidden": (3,)}}
    )
    assert str(result.front[0].loss) == "-y*log(p)"
    assert result.network is not None, "the best network is on record all the same"


def test_networks_need_gradients_through_training() -> None:
    box = Task.from_function(lambda loss, seed, budget: {"mse": 0.0}, kind="regression", metric="mse")
    with pytest.raises(
        TaskError, match=r"ml3 tunes networks through training, and .* is trained by a function"
    ):
        search.discover(box, "ml3")


def test_one_network_for_several_tasks(task: Task) -> None:
    other = load_task("digits", model="linear").with_settings(steps=20)
    result = search.discover([task, other], "ml3", **{**SMALL, "generations": 1})
    assert result.front[0].text == "neural"
    assert set(result.front[0].scores) == {"wine", "digits"}
