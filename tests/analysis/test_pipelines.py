"""The quick form: every arm runs, and the pick of a search learns through the noise."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis import pipelines


@pytest.mark.slow
def test_quick(tmp_path: Path) -> None:
    data = pipelines.main(["--quick", "--out", str(tmp_path)])
    cells = data["cells"]
    assert set(cells) == {f"digits/0/{arm}" for arm in (*pipelines.ARMS, "before")}
    assert min(cells["digits/0/evomal"]["pick"]["tests"]) > 0.5
    assert set(data["answers"]["gains of the evolution's pick"]["digits"]) == {
        "random",
        "shuffled",
        "before",
        "zoo",
    }
    assert (tmp_path / "pipelines.png").stat().st_size > 10_000


def test_a_gain_is_one_whichever_way_the_metric_goes() -> None:
    cells = {
        "diabetes/0/evomal": {"pick": {"tests": [0.5, 0.7]}, "zoo": {"tests": [0.8]}},
        "diabetes/0/random": {"pick": {"tests": [0.5]}},
        "digits/0/evomal": {"pick": {"tests": [0.95]}},
        "digits/0/random": {"pick": {"tests": [0.93]}},
    }
    assert pipelines.differences(cells, "diabetes") == {
        "random": [pytest.approx(-0.1)],
        "zoo": [pytest.approx(0.2)],
    }
    assert pipelines.differences(cells, "digits") == {"random": [pytest.approx(2.0)]}
