"""The quick form, and that a planted path is read as what it is."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import symloss as sl
from analysis import implicit_schedules
from analysis.implicit_schedules import answers, implied
from analysis.tuned_by_hand import by_thirds, smoothed, turned_down
from symloss.meta import FormulaLoss
from symloss.meta.adapt_path import read
from symloss.meta.learned_loss import unpacked


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = implicit_schedules.main(["--quick", "--out", str(tmp_path)])
    said = data["answers"]["formula"]["by task"]["digits, 0.6"]
    assert min(said["rates by hand"]) > 1, "in few steps the task's own rate is too small"
    assert said["test"]["constant rate"] > said["test"]["adaptive"] - 0.05, (
        "and one step ahead does not see it"
    )
    assert (tmp_path / "implicit_schedules.png").stat().st_size > 10_000
    capsys.readouterr()
    again = implicit_schedules.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"]
    assert "adapt/" not in capsys.readouterr().out.splitlines()[0], "nothing is computed twice"


def planted(scales: list[float], smoothings: list[float]) -> list[dict[str, float | None]]:
    """The path of an ACE whose scale and smoothing are given."""
    path: list[dict[str, float | None]] = []
    for step, (scale, xi) in enumerate(zip(scales, smoothings, strict=True)):
        ace = FormulaLoss(
            sl.parse("a*y*abs(log(b*p))", coefficients={"a": scale, "b": 1 / (1 - xi + xi / 10)})
        )
        found = read(ace, ace.coefficients, 10, torch.arange(10))
        path.append(
            {
                "step": step,
                "validation": 0.0,
                "label_smoothing": found.label_smoothing,
                "implicit_learning_rate": found.implicit_learning_rate,
            }
        )
    return path


def test_a_planted_schedule_is_read() -> None:
    found = implied(planted([3.0, 3.0, 1.0, 1.0, 0.03, 0.03], [0.1, 0.1, 0.2, 0.2, 0.4, 0.4]))
    assert found["rates"] == pytest.approx([3.0, 1.0, 0.03], rel=0.3)
    assert found["smoothings"] == pytest.approx([0.1, 0.2, 0.4], abs=1e-6)
    assert found["fall"] == pytest.approx(math.log(0.01), abs=1e-6)
    assert found["stopped"] == pytest.approx(0.8)
    steady = implied(planted([1.0] * 6, [0.1] * 6))
    assert steady["fall"] == pytest.approx(0, abs=1e-12)
    assert steady["stopped"] is None


def test_agreement_is_seen_and_its_absence_too() -> None:
    def cells(sign: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for seed in range(6):
            fall = sign * (seed - 2.5)
            path = planted(
                [1.0, 1.0, math.exp(fall)], [0.1, 0.1, 0.1 + 0.05 * (seed if sign > 0 else 5 - seed)]
            )
            found[f"adapt/digits, 0/neural/{seed}"] = {
                "path": path, "eta": 0.01, "moved": 1.0, "test": 0.9, "diverged": "",
            }  # fmt: skip
            found[f"by hand/digits, 0/{seed}"] = {
                "rate": 1.0, "rates": [1.0, 1.0, math.exp(seed - 2.5)], "stop": 1.0, "smoothing": 0.05 * seed,
                "smoothings": [0.0, 0.0, 0.0], "test": {"constant rate": 0.9},
            }  # fmt: skip
        return found

    agree, oppose = answers(cells(1))["neural"], answers(cells(-1))["neural"]
    assert agree["schedule"]["tau"] == pytest.approx(1)
    assert agree["schedule"]["p"] < 0.01
    assert agree["smoothing"]["tau"] == pytest.approx(1)
    assert oppose["schedule"]["tau"] == pytest.approx(-1)
    assert oppose["schedule"]["p"] > 0.9


def test_thirds_are_tuned_and_laid_out() -> None:
    assert by_thirds(
        lambda values: sum((v - w) ** 2 for v, w in zip(values, (3, 2, 1), strict=True)), 2, (1, 2, 3)
    ) == [3, 2, 1]
    path = turned_down([1.0, 0.1, 0.01], 6)
    assert path.exp().flatten().tolist() == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    loss, phis = smoothed([0.1, 0.2, 0.4], 3)
    assert isinstance(loss, FormulaLoss)
    values = [loss.to_loss(unpacked(phi, loss.coefficients)).coefficients["xi"] for phi in phis]
    assert values == pytest.approx([0.1, 0.2, 0.4], abs=1e-6)
