"""The quick form of the study: every arm runs, what is done is not done again, files are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis import economy_answers, search_economy


@pytest.mark.slow
def test_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = search_economy.main(["--quick", "--out", str(tmp_path), "--workers", "2"])
    assert set(data["answers"]) == set(search_economy.STUDIES)
    assert set(data["cells"]) == {job.key for job in search_economy.jobs(quick=True)}
    assert data["answers"]["alone"]["same front at 1 and 2 workers"] == [True]
    assert json.loads((tmp_path / "search_economy.json").read_text()) == json.loads(json.dumps(data))
    assert (tmp_path / "search_economy.png").stat().st_size > 10_000
    assert not list(tmp_path.glob("*.partial.jsonl"))
    monkeypatch.setattr(search_economy, "run", lambda job: pytest.fail(f"{job.key} was run again"))
    assert search_economy.main(["--quick", "--out", str(tmp_path)])["answers"] == data["answers"]


def test_paired_differences() -> None:
    found = economy_answers.paired([0.4, 0.5, 0.6, 0.5, 0.4, 0.3], [0.6, 0.8, 0.9, 0.7, 0.5, 0.7])
    assert found["median"] == pytest.approx(-0.25)
    low, high = found["interval"]
    assert low < -0.25 < high < 0
    assert found["p"] == pytest.approx(2 / 2**6), "all six signs alike"
    assert economy_answers.paired([0.4, 0.5], [0.4, 0.5])["p"] == 1.0


def test_full_study_keeps_to_what_was_announced() -> None:
    jobs = list(search_economy.jobs(quick=False))
    assert len({job.key for job in jobs}) == len(jobs)
    assert {job.seed for job in jobs if job.study == "economy"} == set(range(10))
