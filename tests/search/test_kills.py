"""SIGKILL at three random moments of a search: nothing is lost and nothing is paid twice."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from analysis.kill_runs import SEARCH, kill_and_resume, start
from symloss.runs import RunStore
from symloss.search import discover, resume
from symloss.tasks import load_task


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills") / "whole"
    assert start(folder).wait() == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "workers"), [(0, 1), (1, 2), (2, 1)])
def test_a_killed_run_ends_as_one_never_killed(
    whole: Path, tmp_path: Path, moment: int, workers: int
) -> None:
    with RunStore.open(whole) as store:
        pieces = len(store.all("work"))
    draw = random.Random(moment)
    # In the first, second or third quarter of the run, at any point of a piece: late enough to have something to
    # lose, and early enough that even a quick machine has not ended by then.
    wanted = draw.randrange(moment * pieces // 4, (moment + 1) * pieces // 4)
    extra = draw.uniform(0, 0.02)

    def wait() -> None:
        with RunStore.open(tmp_path / "run") as store:
            while len(store.all("work")) < wanted:
                time.sleep(0.005)
        time.sleep(extra)

    kill = kill_and_resume(tmp_path / "run", wait, (whole / "front.csv").read_bytes(), workers)
    assert kill is not None, "the run had ended before it was killed"
    assert kill.finished >= wanted
    assert (kill.same_front, kill.paid_twice, kill.pieces) == (True, 0, pieces)


def test_a_killed_search_by_a_rival_method_ends_as_one_never_killed(tmp_path: Path) -> None:
    # CMA-ES keeps its state in memory alone: a run that goes on must arrive at it again.
    search: dict[str, Any] = {
        **SEARCH, "method": "mixture", "population": 4, "generations": 8, "tuning": {}, "screening": {"sample": 0},
        "blocks": {"headroom": False, "zoo": False, "settle": False, "final": 2, "finalists": 2},
    }  # fmt: skip
    task = load_task("diabetes", model="mlp-1x16").with_settings(steps=30)
    discover(task, out=tmp_path / "whole", **search)
    process = start(tmp_path / "run", **search)
    while process.poll() is None and generations(tmp_path / "run") < 2:
        time.sleep(0.005)
    process.kill()
    process.wait()
    with RunStore.open(tmp_path / "run") as store:
        assert store.status == "running", "the run had ended before it was killed"
    assert 2 <= generations(tmp_path / "run") < search["generations"]
    assert resume(tmp_path / "run").status == "finished"
    same = [(tmp_path / name / "front.csv").read_bytes() for name in ("whole", "run")]
    assert same[0] == same[1]


def generations(folder: Path) -> int:
    with RunStore.open(folder) as store:
        return len(store.all("generation"))
