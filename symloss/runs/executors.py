"""Where work is done: here, in processes, or on a Ray cluster. Answers come back in the order of asking."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol, TypeVar

from symloss.errors import RunError

__all__ = ["EXECUTORS", "Executor", "executor"]

A = TypeVar("A")
R = TypeVar("R")

EXECUTORS = ("serial", "process", "ray")
RETRIES = 3
"""How often a piece of work is given to another worker after its own has died."""


class Executor(Protocol):
    """What a search needs of the place where its work is done."""

    workers: int

    def map_ordered(self, function: Callable[[A], R], items: Sequence[A]) -> Iterator[R]:
        """`function` of each item, in the order of the items, whatever the order of completion."""
        ...


class _Serial:
    workers = 1

    def map_ordered(self, function: Callable[[A], R], items: Sequence[A]) -> Iterator[R]:
        for item in items:
            yield function(item)


class _Processes:
    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers, mp_context=get_context("spawn"), initializer=_one_thread, initargs=()
        )

    def map_ordered(self, function: Callable[[A], R], items: Sequence[A]) -> Iterator[R]:
        done, deaths = 0, 0
        while done < len(items):
            futures: list[Future[R]] = [self._pool.submit(function, item) for item in items[done:]]
            try:
                for future in futures:
                    answer = future.result()
                    done += 1
                    yield answer
            except BrokenProcessPool:
                # The pool is lost with any of its workers; what was not answered is asked again.
                deaths += 1
                self._pool.shutdown(wait=False, cancel_futures=True)
                if deaths > RETRIES:
                    raise RunError(
                        f"worker processes died {deaths} times: is memory short? try --workers 1"
                    ) from None
                self._pool = self._start()
            except BaseException:
                for future in futures:
                    future.cancel()
                raise

    def stop(self) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.terminate()
        self._pool.shutdown(wait=True, cancel_futures=True)


class _Ray:
    def __init__(self, workers: int, address: str | None, gpus: float) -> None:
        try:
            import ray
        except ImportError:
            raise RunError("the ray executor needs Ray: pip install 'symloss[ray]'") from None
        self._ray, self.workers = ray, workers
        self._owned = not ray.is_initialized()
        if self._owned:
            options: dict[str, Any] = {"address": address} if address else {"num_cpus": workers}
            ray.init(**options, include_dashboard=False, log_to_driver=False, configure_logging=False)
        self._options = {"num_cpus": 1, "num_gpus": gpus, "max_retries": RETRIES}

    def map_ordered(self, function: Callable[[A], R], items: Sequence[A]) -> Iterator[R]:
        work = self._ray.remote(**self._options)(_alone)
        references = [work.remote(function, item) for item in items]
        try:
            for reference in references:
                yield self._ray.get(reference)
        finally:
            for reference in references:
                self._ray.cancel(reference, force=False)

    def stop(self) -> None:
        if self._owned:
            self._ray.shutdown()


@contextmanager
def executor(
    name: str = "serial", workers: int = 1, *, address: str | None = None, gpus: float = 0.0
) -> Iterator[Executor]:
    """A place to work, closed at the end even after Ctrl-C: no process is left behind.

    Args:
        name: `"serial"`, `"process"` (spawned, one torch thread each) or `"ray"`.
        workers: how many at once.
        address: of a running Ray cluster; without one, a local one is started.
        gpus: share of a GPU that each piece of work needs, on Ray.

    Raises:
        RunError: for an unknown name, no worker, or Ray not installed.

    >>> with executor("serial") as place:
    ...     list(place.map_ordered(abs, [-1, 2]))
    [1, 2]
    """
    if name not in EXECUTORS:
        raise RunError(f"unknown executor {name!r}: expected one of {', '.join(EXECUTORS)}")
    if workers < 1:
        raise RunError(f"{workers} workers: expected at least 1")
    if name == "serial":
        yield _Serial()
        return
    place = _Processes(workers) if name == "process" else _Ray(workers, address, gpus)
    try:
        yield place
    finally:
        place.stop()


def _one_thread() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def _alone(function: Callable[[A], R], item: A) -> R:
    _threads_only()
    return function(item)


def _threads_only() -> None:
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)
