"""The quick form runs and goes on; what is said of a whole table is what its numbers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis import preferences
from analysis.comparisons import Sizes


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")]
    data = preferences.main(options)
    cell = data["cells"]["diabetes, 0.4"]
    assert cell["metric"] == "pair-accuracy"
    assert cell["overlap"] == pytest.approx(88 / 354, abs=1e-5), "of rows, not of pairs"
    assert {row["name"] for row in cell["rows"]} == {"logistic", "savage", "searched"}
    assert data["answers"]["verdicts"]["savage"]["redescending"] == "proved"
    assert data["answers"]["searched"]["diabetes, 0.4"]["splits"] == 1
    assert (tmp_path / "preferences.png").stat().st_size > 10_000
    capsys.readouterr()
    assert preferences.main(options)["answers"] == data["answers"]
    assert " s  diabetes" not in capsys.readouterr().out, "every cell was finished"


def _cells() -> dict[str, Any]:
    """A table in which savage gains three points at 40 % flips, hinge loses two, and nothing else happens."""
    rng = np.random.default_rng(0)
    found = {}
    for name in preferences.TASKS:
        for flips in preferences.FLIPS:
            base = 0.75 - 0.1 * flips + 0.005 * rng.normal(size=10)
            rows = []
            for loss in (preferences.ORDINARY, *preferences.RIVALS, preferences.SEARCHED):
                gain = {"savage": 0.03, "hinge": -0.02}.get(loss, 0.0) if flips == 0.4 else 0.0
                own = 0.003 * rng.normal(size=10) if loss != preferences.ORDINARY else 0.0
                scores = [float(score) for score in base + gain + own]
                rows.append({
                    "name": loss, "treatment": "tuned", "fraction": 1.0, "mean": float(np.mean(scores)),
                    "scores": scores, "loss": "log(1 + exp(-m))", "chosen": {"log(1 + exp(-m))": 4, "exp(-m)": 6},
                })  # fmt: skip
            found[preferences.key_of(name, flips)] = {
                "rows": rows, "metric": "pair-accuracy", "overlap": 0.25, "seconds": 1.0,
            }  # fmt: skip
    return found


def test_the_answers_of_a_table(tmp_path: Path) -> None:
    cells = _cells()
    said = preferences.answers(cells)
    at_40 = [f"{name}, 0.4" for name in preferences.TASKS]
    assert said["better than tuned logistic"] == [f"savage on {key}" for key in at_40]
    assert said["worse"] == [f"hinge on {key}" for key in at_40]
    assert said["searched not inferior to the best loss with a name on"] == 6
    forgets = said["mean gain over tuned logistic by finding"]["0.4"]["redescending"]
    assert forgets["proved"] == pytest.approx(0.03, abs=0.002)
    assert forgets["refuted"] < 0
    assert said["searched"]["digits, 0"]["proved of"]["convex"] == 10
    assert said["searched"]["digits, 0"]["proved of"]["lipschitz"] == 4
    preferences.draw(cells).savefig(tmp_path / "preferences.png")
    assert (tmp_path / "preferences.png").stat().st_size > 10_000


def test_a_task_is_flipped_in_training_alone() -> None:
    task = preferences.task_of("diabetes", 0.4, Sizes(steps=10))
    assert (task.name, task.settings.steps) == ("pairs:diabetes", 10)
    assert task.facts["modifiers"]["label_noise"] == 0.4
