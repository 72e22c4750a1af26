"""Answers in the order of asking, wherever the work is done and whoever dies."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

from symloss.errors import RunError
from symloss.runs import executor


def _square(n: int) -> int:
    return n * n


def _threads(_: int) -> int:
    import torch

    return torch.get_num_threads()


def _dies_once(flag: str) -> int:
    path = Path(flag)
    if path.exists():
        path.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def _always_dies(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fails(n: int) -> int:
    if n == 2:
        raise ValueError("two")
    return n


@pytest.mark.parametrize(("name", "workers"), [("serial", 1), ("process", 2)])
def test_order(name: str, workers: int) -> None:
    with executor(name, workers) as place:
        assert list(place.map_ordered(_square, range(7))) == [n * n for n in range(7)]
        assert list(place.map_ordered(_threads, [0, 0])) == [1, 1]


def test_an_error_is_handed_on() -> None:
    with executor("process", 2) as place, pytest.raises(ValueError, match="two"):
        list(place.map_ordered(_fails, range(4)))


def test_a_dead_worker_costs_a_retry(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    with executor("process", 1) as place:
        assert list(place.map_ordered(_dies_once, [str(tmp_path / "none"), str(flag)])) == [1, 1]
    with executor("process", 1) as place, pytest.raises(RunError, match="worker processes died 4 times"):
        list(place.map_ordered(_always_dies, [0]))


def test_bad_names_and_numbers() -> None:
    with pytest.raises(RunError, match="unknown executor 'slurm': expected one of serial, process, ray"):
        executor("slurm").__enter__()
    with pytest.raises(RunError, match="0 workers: expected at least 1"):
        executor("serial", 0).__enter__()


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_ray_missing() -> None:
    with pytest.raises(RunError, match="needs Ray: pip install"):
        executor("ray").__enter__()
