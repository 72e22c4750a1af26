"""The quick form of the study: the stored candidates are read, judged and compared, and files are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import selection


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = selection.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    (row,) = data["rows"]
    assert (row["task"], row["seed"]) == ("digits", 0)
    assert 0.5 < row["zoo"] < 1, "the zoo's choice learns through the noise"
    assert row["pick"] > row["zoo"] - 0.1
    assert json.loads((tmp_path / "selection.json").read_text())["rows"] == [row]
    assert (tmp_path / "selection.png").stat().st_size > 10_000


def test_an_interval_over_task_seeds() -> None:
    found = selection.summary([{"gain": value} for value in (1.0, 2.0, 3.0)], "gain")
    assert found["mean"] == 2.0
    low, high = found["interval"]
    assert (low, high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), rel=1e-3)
