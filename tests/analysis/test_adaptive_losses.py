"""The quick form: what is known of the quadratic is found, and what the answers say of cells."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symloss as sl
from analysis import adaptive_losses, noisy_quadratic
from analysis.adaptive_answers import QUESTIONS, answers, printed
from analysis.adaptive_figure import draw
from analysis.adaptive_training import compare_cost, divergence, fixed_rate, with_horizon
from analysis.study import Study
from symloss.errors import DomainError


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = adaptive_losses.main(["--quick", "--out", str(tmp_path)])
    known = data["answers"]["quadratic"]
    assert max(known["offline, off the greedy rate"].values()) < 0.02, "learning meets the greedy rate"
    assert known["unrolled, off the best rate"]["1"] < 0.05
    rates = known["rates"]
    assert rates["1"] < rates["10"] < rates["100"] < 1.2 * known["best fixed"]["rate"]
    assert rates["1"] < known["best fixed"]["rate"] / 3, "learned with one step, rates come out too small"
    losses = known["losses"]
    assert losses["1"] > losses["10"] > losses["100"], "and cost what they are meant to save"
    assert set(data["answers"]["gains of adapting over"]) >= set(QUESTIONS)
    assert data["answers"]["missing"] == []
    assert json.loads((tmp_path / "adaptive_losses.json").read_text()) == json.loads(json.dumps(data))
    assert (tmp_path / "adaptive_losses.png").stat().st_size > 10_000
    capsys.readouterr()
    # The JSON alone is enough to go on: neither run folders nor finished lines are there.
    for path in sorted((tmp_path / "runs").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    again = adaptive_losses.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


def test_moments_are_those_of_many_weights() -> None:
    h, noise = noisy_quadratic.curvatures()
    draw_noise = np.random.default_rng(0)
    weights = np.full((20_000, len(h)), 1.5)
    for _ in range(3):
        weights -= 0.7 * h * (weights - draw_noise.normal(size=weights.shape) * np.sqrt(noise))
    expected = noisy_quadratic.after(np.full(len(h), 2.25), 0.7, 3)
    assert np.allclose((weights**2).mean(0), expected, rtol=0.05)


def test_one_step_is_solved_by_the_greedy_rate() -> None:
    for moments in (noisy_quadratic.start(), np.ones(noisy_quadratic.DIRECTIONS)):
        assert noisy_quadratic.best_rate(moments, 1) == pytest.approx(
            noisy_quadratic.greedy(moments), rel=1e-5
        )


def test_nothing_is_begun_after_the_time_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = adaptive_losses.main(
        ["--minutes", "0", "--seeds", "2", "--tasks", "digits", "--out", str(tmp_path)]
    )
    assert data["cells"] == {}
    assert data["answers"]["missing"][:2] == ["adapt/digits/neural/0", "adapt/digits/neural/1"]
    assert "cells are missing" in capsys.readouterr().out
    for wrong in (["--tasks", "iris"], ["--image-seeds", "11"]):
        with pytest.raises(DomainError, match="expected"):
            adaptive_losses.main([*wrong, "--minutes", "0", "--out", str(tmp_path)])


def test_whole_data_sets_come_first_and_images_last() -> None:
    found = list(adaptive_losses.jobs(["diabetes", "california", "mnist-5k"], 1, 1))
    assert found[:3] == [
        ("adapt", "diabetes", "neural", 0), ("cost", "diabetes", "neural", 0), ("equal time", "diabetes", "neural", 0),
    ]  # fmt: skip
    names = [name for _, name, _, _ in found]
    assert names.index("diabetes") < names.index("california") < names.index("mnist-5k")
    assert ("horizon 100", "diabetes", "learning rate only", 0) in found
    assert not [job for job in found if job[0] == "horizon 1" and job[1] == "mnist-5k"], (
        "on the perceptron alone"
    )


def test_further_trainings() -> None:
    task = sl.load_task("diabetes", model="linear", target_scale="minmax").with_settings(steps=10)
    cost = compare_cost(task, "barron", 5)
    assert cost["ratio"] >= 1
    found = divergence(task, ("barron",), 0, lambda loss: 2)
    assert set(found) == {
        f"{loss}, {way}" for loss in ("barron", "learning rate only") for way in ("adaptive", "fixed")
    } | {"ordinary"}  # fmt: skip
    assert not found["ordinary"]["1"]["worse"]
    assert found["ordinary"]["300"]["worse"], "a rate of 3 is beyond 2 over the curvature"
    assert fixed_rate(task, 0)["factor"] < 300
    learned = with_horizon(task, "learning rate only", 3, 4, 0)
    assert learned["reason"] == ""
    assert learned["implicit learning rate"] != 1


def _cell(test: float, rival: float) -> dict[str, Any]:
    rows = {name: {"test": rival, "diverged": ""} for name in (*QUESTIONS, "ordinary")}
    path = [
        {"step": step, "implicit_learning_rate": rate, "label_smoothing": None, "validation": 0.1}
        for step, rate in ((0, 4.0), (5, 2.0), (10, 1.0))
    ]
    return {
        "rows": {"adaptive": {"test": test, "diverged": ""}, **rows}, "moved": 0.01, "moved_shape": 0.0,
        "chosen": {"rate": 2.0}, "path": path, "metric": "mse", "overlap": 0.25, "learning rate": 0.01,
    }  # fmt: skip


def test_gains_are_corrected_by_question() -> None:
    cells: dict[str, Any] = {}
    for seed in range(10):
        cells[f"adapt/diabetes/neural/{seed}"] = _cell(0.2 + 0.001 * (seed % 3), 0.3)
        cells[f"adapt/california/neural/{seed}"] = _cell(0.3 + 0.02 * (-1) ** seed, 0.3)
        cells[f"equal time/diabetes/neural/{seed}"] = {
            "test": 0.4 + 0.001 * (seed % 3),
            "diverged": "",
            "steps": 3,
        }
    cells["adapt/diabetes/neural/10"] = {"failed": "offline initialisation diverged"}
    found = answers(cells, [("cost", "diabetes", "neural", 0)], {"digits": "no data"})
    assert found["failed"] == {"adapt/diabetes/neural/10": "offline initialisation diverged"}
    assert "failed, offline" in printed(found)
    gains = found["gains of adapting over"]
    assert gains["replayed"]["diabetes/neural"]["gain"] == pytest.approx(0.1 - 0.0009)
    assert gains["replayed"]["diabetes/neural"]["verdict"] == "better"
    assert gains["replayed"]["california/neural"]["verdict"] == "not told apart"
    first, second = (gains["fixed"][key] for key in ("diabetes/neural", "california/neural"))
    assert first["p corrected"] == pytest.approx(min(1, 2 * first["p"]))
    assert second["p corrected"] == pytest.approx(second["p"])
    assert "p corrected" not in gains["ordinary"]["diabetes/neural"], "exploratory"
    assert gains["ordinary tuned, equal time"]["diabetes/neural"]["verdict"] == "worse"
    scale = found["implicit learning rate"]["diabetes/neural"]
    assert (scale["start"], scale["end"], scale["falls"], scale["of"]) == (2.0, 0.5, 10, 10)
    assert found["moved"]["diabetes/neural"]["offline"], "a loss that hardly moved is an offline one"
    assert found["missing"] == ["cost/diabetes/neural/0"]
    assert "digits: left out, no data" in printed(found)
    assert len(draw(cells, found).axes) == 4


def test_horizons_are_set_against_the_best_fixed_rate() -> None:
    one = {"test": 0.1, "diverged": "", "reason": "", "implicit learning rate": 3.0}
    cells = {
        "rate/digits/ordinary/0": {"factor": 30.0},
        "horizon 1/digits/neural/0": one,
        "horizon 100/digits/neural/0": {**one, "implicit learning rate": 60.0},
    }
    found = answers(cells, [], {})["horizons"]["digits/neural"]
    assert found["1"]["over the best fixed rate"] == pytest.approx(0.1)
    assert found["100"]["over the best fixed rate"] == pytest.approx(2)
    assert math.isclose(found["1"]["test"], 0.1)


def test_a_loss_whose_initialisation_diverges_does_not_end_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*asked: object) -> dict[str, Any]:
        raise DomainError("offline initialisation diverged")

    monkeypatch.setattr(adaptive_losses, "adapted", refuse)
    study = Study("adaptive_losses", {"steps": 2}, tmp_path, quick=True)
    found = adaptive_losses.compute(study, tmp_path, "adapt", "diabetes", "barron", 0)
    assert found == {"failed": "offline initialisation diverged"}
