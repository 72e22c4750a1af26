"""The quick form of the study of what a meta-step costs: every way finds one meta-gradient, and every cell is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from analysis import fewshot_speed


def test_every_way_finds_one_meta_gradient(tmp_path: Path) -> None:
    data = fewshot_speed.main(["--quick", "--out", str(tmp_path)])
    answers = data["answers"]
    (case,) = fewshot_speed.QUICK
    assert all(
        difference < 1e-12 for difference in answers["largest difference of meta-gradients"][case].values()
    )
    assert {"one by one", "together", "worked out again"} <= set(answers["milliseconds of a meta-step"][case])
    assert json.loads((tmp_path / "fewshot_speed.json").read_text())["settings"]["device"] == "cpu"
    assert (tmp_path / "fewshot_speed.png").stat().st_size > 10_000


def test_inner_steps_that_are_worked_out_again_save_memory() -> None:
    """What torch has allocated at the peak of a meta-step: counted, not timed."""
    memory = fewshot_speed.measure_memory("sinusoid, NPBML", "cpu")
    assert memory["worked out again"] < 0.7 * memory["one by one"]


@pytest.mark.skipif(not fewshot_speed.has_higher(), reason="higher is not installed")
def test_higher_finds_the_same_for_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        fewshot_speed.CASES, "small",
        ("classification", (1, 16, 16), {"method": "maml", "encoder": "4conv-4", "ways": 3, "queries": 2,
                                         "momentum": 0.9, "weight_decay": 0.01, "inner_steps": 3}),
    )  # fmt: skip
    assert fewshot_speed.agreement("small", "cpu")["higher"] < 1e-12


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator here")
def test_on_an_accelerator(tmp_path: Path) -> None:
    data = fewshot_speed.main(["--quick", "--device", "cuda", "--out", str(tmp_path)])
    (differences,) = data["answers"]["largest difference of meta-gradients"].values()
    assert all(difference < 1e-10 for difference in differences.values())
