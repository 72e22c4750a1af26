"""The checks of an accelerator run on the CPU with the same code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import gpu_check


def test_quick_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = gpu_check.main(["--quick", "--device", "cpu", "--out", str(tmp_path)])
    assert data["parity"]["failed"] == []
    assert data["parity"]["losses"] >= 60
    assert 0 < data["parity"]["largest relative error"]["float32"]["error"] < 1e-4
    assert data["differ between runs"] == []
    assert data["tuning"]["holds"]
    assert data["search"]["same as on the CPU"]
    assert all(row["ratio"] > 0 for row in data["speed"])
    assert json.loads((tmp_path / "gpu_check.json").read_text())["parity"] == data["parity"]
    assert "of F.cross_entropy" in capsys.readouterr().out
    assert gpu_check.main(["--draw", "--out", str(tmp_path)])["speed"] == data["speed"]
    assert (tmp_path / "gpu_check.png").stat().st_size > 5_000


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        gpu_check.importlib.util, "find_spec", lambda name: None if name == "deap" else object()
    )
    assert gpu_check.search("cpu") == "skipped: deap missing"
