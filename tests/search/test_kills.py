"""SIGKILL at three random moments of a search: nothing is lost and nothing is paid twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from analysis.kill_runs import kill_and_resume, start
from symloss.runs import RunStore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills") / "whole"
    assert start(folder).wait() == 0
    return folder


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
