"""The quick form of each study finds what its claim requires, and a run that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import symloss as sl
from analysis import implicit_smoothing, learning_rules, sparse_lsr
from analysis.study import Study


def _run(
    study: Callable[[list[str]], dict[str, Any]], name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    data = study(["--quick", "--out", str(folder)])
    stored: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    assert stored == json.loads(json.dumps(data))
    assert stored["command"] == f"python -m analysis.{name} --quick"
    assert (folder / f"{name}.png").stat().st_size > 10_000
    assert not list(folder.glob("*.partial.jsonl"))
    capsys.readouterr()
    # A second run finds every cell finished, and ends in the same numbers.
    assert study(["--quick", "--out", str(folder)])["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]
    return stored


def test_trained_confidence_follows_the_attractor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _run(implicit_smoothing.main, "implicit_smoothing", tmp_path, capsys)
    cells = data["cells"]
    for model in ("linear", "mlp"):
        clean, noisy = (
            {name: cells[f"{labels}/digits/{model}/{name}/0"][key] for name in ("ce", "ace 1.3", "lsr 1.3")}
            for labels, key in implicit_smoothing.MEASURED.items()
        )
        assert clean["ce"] > 0.95
        for smoothing in ("ace 1.3", "lsr 1.3"):
            assert clean[smoothing] == pytest.approx(1 / 1.3, abs=0.1)
        assert noisy["lsr 1.3"] < noisy["ace 1.3"] < noisy["ce"], "the order that the posterior map predicts"


def test_prediction_under_noise() -> None:
    ce = implicit_smoothing.predict(sl.named("ce"))
    assert ce == {"rate": 1.0, "clean": 1.0, "noisy": pytest.approx(0.8)}
    # ACE stops at its kink where cross-entropy would go beyond it, and is cross-entropy below it.
    for phi1, expected in ((1.1, 0.8), (2.0, 0.5)):
        assert implicit_smoothing.predict(sl.named("ace", phi1=phi1))["noisy"] == pytest.approx(
            expected, abs=1e-3
        )


def test_sparse_form_drops_the_pull_towards_uniform(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = _run(sparse_lsr.main, "sparse_lsr", tmp_path, capsys)
    answers = data["answers"]
    assert answers["largest_gap_of_the_identity"] < 1e-12
    last = {name: found["remainder_last"] for name, found in answers["digits"].items()}
    assert last["lsr"] < last["sparse-lsr"] < last["ce"]
    assert all(found["accuracy"] > 0.9 for found in answers["digits"].values())


def test_remainder_of_uniform_non_targets_is_zero() -> None:
    logits = torch.zeros(1, 10, dtype=torch.float64)
    logits[0, 3] = 5.0
    assert float(sparse_lsr.remainder(logits, torch.tensor([3]))) == pytest.approx(0, abs=1e-12)


def test_learning_rules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = _run(learning_rules.main, "learning_rules", tmp_path, capsys)["answers"]
    assert answers["push_away_at_the_start"] == []
    assert answers["smoothing_by_certificate"] == ["lsr", "ace", "baikal"]
    assert set(answers["smoothing_by_certificate"]) <= set(answers["push_back_near_zero_error"])
    assert not {"ce", "focal"} & set(answers["push_back_near_zero_error"])
    for name in ("focal", "baikal"):
        rate = sl.analyze(sl.named(name), classes=10).findings["implicit_learning_rate"].numeric
        assert answers["start"][name] == pytest.approx(rate, rel=1e-3)
    assert answers["exponent"]["ce"] == 1
    assert answers["exponent"]["focal"] == 3
    assert answers["exponent"]["lsr"] == 0


def test_a_stopped_study_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.start("x", None, ["--quick", "--out", str(tmp_path)], lambda quick: {"steps": 1})
    study.cell("a", lambda: 1)
    with (tmp_path / "x.partial.jsonl").open("a") as file:
        file.write('{"key": "b", "sett')
    again = Study.start("x", None, ["--quick", "--out", str(tmp_path)], lambda quick: {"steps": 1})
    assert again.cells == {"a": 1}
    assert again.cell("a", lambda: pytest.fail("computed twice")) == 1
    other = Study.start("x", None, ["--out", str(tmp_path)], lambda quick: {"steps": 2})
    assert other.cells == {}, "cells of other settings are not taken over"
    monkeypatch.setattr("analysis.study.code", lambda: "other")
    changed = Study.start("x", None, ["--quick", "--out", str(tmp_path)], lambda quick: {"steps": 1})
    assert changed.cells == {}, "nor are cells of other code"
