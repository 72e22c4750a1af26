"""Work on a real Ray cluster of two nodes, one of which dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from symloss.errors import RunError
from symloss.runs import Executor, executor

pytest.importorskip("ray", reason="Ray is not installed")
# Ray starts and ends processes and sockets of its own, and warns of them.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def place(nodes: Any) -> Iterator[Executor]:
    with executor(f"ray:{nodes.address}") as place:
        yield place


def test_order_threads_and_early_news(place: Executor) -> None:
    told: list[int] = []
    answers = place.map_ordered(_slow_first, range(5), lambda i, _: told.append(i))
    assert [n for n, _ in answers] == list(range(5))
    assert sorted(told) == list(range(5))
    assert {threads for _, threads in place.map_ordered(_slow_first, [1])} == {1}


def test_an_error_is_handed_on(place: Executor) -> None:
    with pytest.raises(ValueError, match="no two"):
        list(place.map_ordered(_fails, [1, 2, 3]))


def test_a_dead_worker_costs_a_retry(place: Executor, tmp_path: Path) -> None:
    (tmp_path / "flag").touch()
    assert list(place.map_ordered(_dies_once, [tmp_path / "flag", tmp_path / "none"])) == [1, 1]


def test_a_dead_node_costs_retries(nodes: Any, place: Executor) -> None:
    extra = nodes.add_node(num_cpus=2)
    answers = place.map_ordered(_where, [0.4] * 12)
    first = next(answers)
    nodes.remove_node(extra, allow_graceful=False)
    assert len([first, *answers]) == 12


def test_nobody_at_the_address() -> None:
    import ray

    if not ray.is_initialized():
        with pytest.raises(RunError, match="no Ray cluster at"):
            executor("ray:127.0.0.1:9").__enter__()


def _slow_first(n: int) -> tuple[int, int]:
    import torch

    time.sleep(0.3 if n == 0 else 0)
    return n, torch.get_num_threads()


def _fails(n: int) -> int:
    if n == 2:
        raise ValueError("no two")
    return n


def _dies_once(flag: Path) -> int:
    if flag.exists():
        flag.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def _where(seconds: float) -> int:
    time.sleep(seconds)
    return os.getppid()
