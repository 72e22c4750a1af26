"""The quick form: with outliers squared error learns less than a robust loss."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import outliers


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = outliers.main(["--quick", "--out", str(tmp_path), "--runs", str(tmp_path / "runs")])
    means = data["answers"]["mean squared error, tuned"]["diabetes, 0.2"]
    assert set(means) == {"mse", "mae", "discovered"}
    assert max(means["mae"], means["discovered"]) < means["mse"], "squared error follows the outliers"
    assert data["cells"]["search"]["formula"] == "tanh(abs(y - p))"
    # The loss was searched on diabetes: its rows there are no part of the hypothesis.
    assert data["answers"]["cells of the hypothesis"] == 0
    assert (tmp_path / "outliers.png").stat().st_size > 10_000
