"""The rows beside a discovered loss: tuned on validation, tested once, compared seed by seed."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from symloss import search
from symloss.compare import baselines
from symloss.compare.baselines import _paired
from symloss.errors import SymlossError
from symloss.runs import derive
from symloss.tasks import Task, load_task

SMALL: dict[str, Any] = {
    "population": 4, "generations": 2, "tuning": {"steps": 2, "tidy": False}, "screening": {"sample": 0},
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 2},
}  # fmt: skip


def test_four_rows_on_the_same_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By module: the package's attribute of that name is the function.
    monkeypatch.setattr(sys.modules["symloss.compare.baselines"], "TRIALS", 1)
    task = load_task("wine", model="linear").with_settings(steps=10)
    result = search.discover(task, out=tmp_path / "run", seed_losses=["-y*log(p)"], **SMALL)
    assert task.test_evaluations == 0
    rows = baselines(task, result, seeds=3)
    assert [row.name for row in rows][:2] == ["ce as is", "ce tuned"]
    assert rows[2].name.startswith("best zoo: ")
    assert rows[3].name == "discovered"
    assert [row.role for row in rows] == ["ordinary", "ordinary tuned", "best zoo", "discovered"]
    assert rows[3].loss == result.best
    # Once for each final model: rows that come to one loss at one rate and number of steps share theirs.
    models = {(str(row.loss), row.learning_rate, row.steps) for row in rows}
    assert task.test_evaluations == 3 * len(models)
    processes = baselines(task, result, seeds=3, workers=2, executor="process")
    assert processes == rows
    for row in rows:
        assert len(row.tests) == 3
        assert row.test == pytest.approx(sum(row.tests) / 3)
        assert (row.p_value is None) == (row.name == "ce tuned")
    tuned, plain = rows[1], rows[0]
    assert tuned.validation >= plain.validation - 0.1
    assert tuned.steps <= task.settings.steps
    assert search.open_run(tmp_path / "run").baselines == rows


def test_the_comparison_is_on_the_model_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["symloss.compare.baselines"], "TRIALS", 1)
    task = load_task("diabetes").with_settings(steps=3)
    searched = task.with_model("mlp-1x4")
    result = search.discover(task, model="mlp-1x4", **SMALL)
    (row, *_) = baselines(task, result, seeds=1)
    seed = derive(derive(result.seed, "test"), 0)
    assert row.validation == pytest.approx(searched.score(searched.base_loss(), seed=seed)["mse"], rel=1e-5)


def test_the_rows_are_trained_as_the_finals_were() -> None:
    task = load_task("wine", model="linear").with_settings(steps=10)
    blocks = {"sweep": 2, "strangers": 0, "final": 2, "finalists": 2}
    result = search.discover(task, **{**SMALL, "generations": 1, "blocks": blocks})
    rows = {row.role: row for row in baselines(task, result, seeds=1)}
    finals = {row.evaluation: row for row in result.finalists}
    tuned = next(row for row in finals.values() if row.name == "ce")
    assert rows["ordinary tuned"].steps == tuned.steps[0]
    assert rows["ordinary tuned"].learning_rate == task.settings.learning_rate * tuned.rates[0]
    assert rows["discovered"].steps == result.picked.steps[0]
    assert rows["best zoo"].name.removeprefix("best zoo: ") in {row.name for row in finals.values()}


def test_a_black_box_keeps_its_learning_rate() -> None:
    def trainer(loss: Any, seed: int, budget: int) -> dict[str, float]:
        return {"metric": 1 / budget + 0.001 * (seed % 7), "test": 1 / budget}

    task = Task.from_function(trainer, kind="regression", metric="error")
    result = search.discover(task, **SMALL, method="gplfl")
    rows = baselines(task, result, seeds=2)
    tuned = next(row for row in rows if row.name == "mse tuned")
    assert (tuned.learning_rate, tuned.steps) == (task.settings.learning_rate, task.settings.steps)
    assert tuned.test == pytest.approx(1 / task.settings.steps)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ([1.0], [2.0], None),
        ([1.0, math.nan], [2.0, 2.0], None),
        ([1.0, 2.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [2.0, 3.0], 0.0),
    ],
)
def test_a_p_value_where_there_is_one(ours: list[float], theirs: list[float], expected: float | None) -> None:
    assert _paired(ours, theirs) == expected


def test_the_test_is_paired() -> None:
    assert _paired([1.0, 2.0, 3.1], [1.1, 2.3, 3.2]) == pytest.approx(
        0.1296, abs=1e-4
    )  # t = -2.5, 2 degrees of freedom


def test_no_front_no_baselines() -> None:
    task = load_task("diabetes", model="linear").with_settings(steps=2, learning_rate=1e9)
    result = search.discover(task, "gplfl", **SMALL)
    if not result.front:
        with pytest.raises(SymlossError, match="no loss survived in 8 candidates"):
            baselines(task, result)
    with pytest.raises(SymlossError, match="0 seeds: expected at least one"):
        baselines(task, result, seeds=0)


def test_a_trainer_that_fails_with_the_ordinary_loss_is_compared_all_the_same(tmp_path: Path) -> None:
    def trainer(loss: Any, seed: int, budget: int) -> dict[str, float]:
        value = float(loss(torch.tensor([3.0]), torch.tensor([0.0])))
        if value > 5:
            raise ValueError("too steep")
        return {"metric": value, "test": value}

    task = Task.from_function(trainer, kind="regression").with_settings(steps=2)
    result = search.discover(task, out=tmp_path / "run", **{**SMALL, "population": 6})
    rows = {row.name: row for row in baselines(task, result, seeds=2)}
    assert math.isnan(rows["mse tuned"].test)
    assert math.isfinite(rows["discovered"].test)
    assert rows["discovered"].p_value is None
    kept = {row.name: row for row in search.open_run(tmp_path / "run").baselines}
    assert math.isnan(kept["mse tuned"].test)
    assert kept["discovered"] == rows["discovered"]
