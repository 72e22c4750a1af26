"""Wherever the work is done, the front is the same; where it cannot be done, no run is begun."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from symloss import load_task
from symloss.cli.options import Executor, place_of
from symloss.errors import RunError
from symloss.search import discover, resume
from symloss.tasks import Task

SMALL: dict[str, Any] = {
    "population": 8, "generations": 3, "tuning": {"steps": 3}, "screening": {"sample": 2}, "chunk": 2,
    "blocks": {"headroom": False, "zoo": False, "final": 2, "finalists": 3},
}  # fmt: skip


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("wine", model="linear").with_settings(steps=20)


@pytest.mark.parametrize(
    ("executor", "message"),
    [
        ("slurm", "unknown executor 'slurm'"),
        ("ray:127.0.0.1:9", "no Ray cluster at 127.0.0.1:9" if find_spec("ray") else "needs Ray"),
        ("ray:?gpus=-1", "gpus=-1"),
    ],
)
def test_no_folder_without_a_place(task: Task, tmp_path: Path, executor: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        discover(task, out=tmp_path / "run", executor=executor, **SMALL)
    assert not (tmp_path / "run").exists()


def test_how_the_command_line_names_places() -> None:
    assert place_of(Executor.serial, 1, None, 0.0) == "serial"
    assert place_of(Executor.serial, 2, None, 0.0) == "process"
    assert place_of(Executor.ray, 2, None, 0.0) == "ray:?gpus=0.0"
    assert place_of(Executor.serial, 1, "head:6379", 0.25) == "ray:head:6379?gpus=0.25"


# Ray starts and ends processes and sockets of its own, and warns of them.
@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.filterwarnings("ignore")
def test_ray_does_not_change_a_byte(task: Task, tmp_path: Path) -> None:
    discover(task, out=tmp_path / "serial", **SMALL)
    discover(task, out=tmp_path / "ray", executor="ray:?gpus=0.0", workers=2, time_limit=0.0, **SMALL)
    # Begun there, ended here.
    assert resume(tmp_path / "ray", executor="process", workers=2).status == "finished"
    assert (tmp_path / "ray/front.csv").read_bytes() == (tmp_path / "serial/front.csv").read_bytes()
