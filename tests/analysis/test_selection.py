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


def test_an_interval_over_task_seeds_counts_their_overlap() -> None:
    found = selection.summary([{"gain": value, "overlap": 0.25} for value in (1.0, 2.0, 3.0)], "gain")
    assert found["mean"] == 2.0
    half = 4.303 * (1 / 3 + 0.25) ** 0.5
    assert found["interval"] == pytest.approx([2 - half, 2 + half], rel=1e-3)
