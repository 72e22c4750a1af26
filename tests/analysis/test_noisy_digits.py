"""The quick form of the study: a tuned baseline learns through the noise, and files are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import noisy_digits


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    results = noisy_digits.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    rows = results["0"]
    assert set(rows) == {"discovered", "ce", "sce(alpha=0.1)"}
    assert all(0.1 < row["mean"] < 1 for row in rows.values())
    assert rows["ce"]["mean"] > 0.5, "a tuned baseline learns through the noise"
    assert rows["sce(alpha=0.1)"]["mean"] > rows["ce"]["mean"] - 0.05, "a robust loss is no worse"
    stored = json.loads((tmp_path / "noisy_digits.json").read_text())
    assert stored["seeds"] == json.loads(json.dumps(results))
    assert (tmp_path / "noisy_digits.png").stat().st_size > 10_000
