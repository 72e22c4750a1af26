"""The quick form of the study: every arm runs, what is done is not done again, files are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import search_economy


@pytest.mark.slow
def test_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = search_economy.main(["--quick", "--out", str(tmp_path)])
    assert {key.split("/")[0] for key in results} == {
        "speed", "economy", "controls", "recovery", "sensitivity",
    }  # fmt: skip
    assert all(found["seconds"] > 0 for found in results.values())
    assert all("recovered" in found for key, found in results.items() if key.startswith("recovery"))
    assert json.loads((tmp_path / "search_economy.json").read_text()) == results
    assert (tmp_path / "search_economy.png").stat().st_size > 10_000
    monkeypatch.setattr(search_economy, "run", lambda job: pytest.fail(f"{job.key} was run again"))
    assert search_economy.main(["--quick", "--out", str(tmp_path)]) == results


def test_a_planted_loss_is_at_distance_zero_from_itself() -> None:
    import symloss as sl
    from symloss.runs import derive

    task = sl.load_task("wine", model="linear").with_settings(steps=20)
    planted = search_economy.plant(task, sl.named("ce"), seed=0)
    model = task.fit(sl.named("ce"), seed=derive(0, "training", 0))
    other = task.fit(sl.named("mae"), seed=derive(0, "training", 0))
    metric = planted.metric
    assert planted.evaluate(model)[metric] == pytest.approx(0, abs=1e-8)
    assert planted.evaluate(other)[metric] > 1e-6
