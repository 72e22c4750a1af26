"""The quick form: on thinned-out digits class weights help the rare classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import imbalance
from analysis.judgements import row_of


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = imbalance.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    cell = data["cells"]["digits"]
    assert cell["metric"] == "balanced-accuracy"
    for treatment in ("as is", "tuned"):
        weighted, plain = row_of(cell, "weighted ce", treatment), row_of(cell, "ce", treatment)
        assert weighted is not None
        assert plain is not None
        assert weighted["mean"] > plain["mean"] + 0.02, "weights by 1/pi help the rare classes"
    assert data["answers"]["sets"] == 1
    assert (tmp_path / "imbalance.png").stat().st_size > 10_000


def test_sets_of_different_origin_come_first() -> None:
    assert len(set(imbalance.TASKS)) == 22
    assert imbalance.TASKS[: len(imbalance.ORIGINS)] == imbalance.ORIGINS
    families = [name.removeprefix("keel:").split("-")[0].rstrip("0123456789") for name in imbalance.ORIGINS]
    assert len(set(families)) == len(imbalance.ORIGINS)
