"""Answers in the order of asking, wherever the work is done and whoever dies."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from symloss.errors import RunError
from symloss.runs import executor

PATIENCE = 50.0
"""Seconds that a test waits for what a process does at once on a machine with nothing else to do."""


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


@pytest.mark.slow
def test_one_torch_thread_each() -> None:
    with executor("process", 1) as place:
        assert list(place.map_ordered(_threads, [0])) == [1]


def _pid(_: int) -> int:
    return os.getpid()


def test_the_driver_works_until_workers_have_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text("import time; time.sleep(0.5)")
    monkeypatch.syspath_prepend(tmp_path)
    with executor("process", 2, needs=["slow_to_import"]) as place:
        told: list[tuple[int, int]] = []
        first = next(place.map_ordered(_pid, [0], lambda i, pid: told.append((i, pid))))
        place._warming.join()  # type: ignore[attr-defined]
        later = list(place.map_ordered(_pid, range(3)))
    assert (first, told) == (os.getpid(), [(0, os.getpid())])
    assert os.getpid() not in later
    assert not any(map(_alive, later))


def test_a_death_costs_a_retry_where_workers_are_forked(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    with executor("process", 2, needs=["json"]) as place:
        place._warming.join()  # type: ignore[attr-defined]
        assert list(place.map_ordered(_dies_once, [str(tmp_path / "none"), str(flag)])) == [1, 1]
        assert list(place.map_ordered(os.getenv, ["OMP_NUM_THREADS"])) == ["1"]


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


def _slow_first(n: int) -> int:
    if n == 0:
        time.sleep(0.5)
    return n


@pytest.mark.parametrize(("name", "workers"), [("serial", 1), ("process", 2)])
def test_answers_are_told_as_they_arrive(name: str, workers: int) -> None:
    told: list[tuple[int, int]] = []
    with executor(name, workers) as place:
        list(place.map_ordered(_square, range(2)))  # processes have started
        answers = place.map_ordered(_slow_first, [0, 1, 2], lambda i, answer: told.append((i, answer)))
        assert next(answers) == 0
        early = list(told)
        assert list(answers) == [1, 2]
    assert early == ([(0, 0)] if name == "serial" else [(1, 1), (2, 2), (0, 0)])
    assert sorted(told) == [(0, 0), (1, 1), (2, 2)]


def test_the_driver_s_environment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with executor("process", 1) as place:
        assert list(place.map_ordered(os.getenv, ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


_DRIVER = """
import os, sys, time
from symloss.runs import executor
if __name__ == "__main__":
    with executor("process", 2, needs=sys.argv[1:]) as place:
        place._warming.ident and place._warming.join()
        list(place.map_ordered(os.getenv, ["PATH"] * 4))
        try:
            print(*place._pool._processes, flush=True)
            list(place.map_ordered(time.sleep, [60.0] * 4))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


@pytest.mark.parametrize("needs", [[], ["json"]])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_driver(tmp_path: Path, ending: signal.Signals, needs: list[str]) -> None:
    (tmp_path / "driver.py").write_text(_DRIVER)
    # In a group of its own, which gets the signal whole, as from a terminal.
    with subprocess.Popen(
        [sys.executable, "driver.py", *needs], cwd=tmp_path, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as driver, _ended(driver):  # fmt: skip
        assert driver.stdout is not None
        workers = [int(word) for word in driver.stdout.readline().split()]
        assert workers
        if ending is signal.SIGINT:
            os.killpg(driver.pid, ending)
            out, err = driver.communicate(timeout=PATIENCE)
            assert (out, err) == ("interrupted\n", "")
        else:
            driver.kill()
            driver.wait(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(_alive(pid) for pid in workers)


@contextmanager
def _ended(driver: subprocess.Popen[str]) -> Iterator[None]:
    """Ends the group of a driver in any case: leaving `with Popen` waits for the driver, and not for its workers."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_bad_names_and_numbers() -> None:
    with pytest.raises(
        RunError, match="unknown executor 'slurm': expected one of serial, process, ray, ray:"
    ):
        executor("slurm").__enter__()
    with pytest.raises(RunError, match="unknown executor 'process:x'"):
        executor("process:x").__enter__()
    with pytest.raises(RunError, match="gpus=much: expected a share of a GPU"):
        executor("ray:auto?gpus=much").__enter__()
    with pytest.raises(RunError, match="0 workers: expected at least 1"):
        executor("serial", 0).__enter__()


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_ray_missing() -> None:
    with pytest.raises(RunError, match="needs Ray: pip install"):
        executor("ray").__enter__()
