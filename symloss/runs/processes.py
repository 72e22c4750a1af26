"""Worker processes on this machine: spawned, one torch thread each, gone when the driver is gone.

Importing torch takes a worker seconds. Where the caller names the modules that the work needs, a fork server (a
process of one thread, spawned for this) imports them once, and workers are forked from it. Until they are there, the
driver does the work.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import connection, forkserver
from types import TracebackType
from typing import Self, TypeVar

from symloss.errors import RunError

__all__ = ["RETRIES", "Processes", "end_with_the_driver"]

A = TypeVar("A")
R = TypeVar("R")

RETRIES = 3
"""How often work is given to other workers after its own has died, without an answer in between."""
# Each library reads its variable when it is loaded: they must stand in the worker's environment beforehand.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Processes:
    """A pool that replaces what dies. Use as a context manager.

    Args:
        workers: how many.
        needs: modules that the work needs, none of which starts a thread when it is imported. The driver must
            be able to do the work itself then.
    """

    def __init__(self, workers: int, needs: Sequence[str] = ()) -> None:
        self.workers, self._needs = workers, tuple(needs)
        # Never plain fork: the driver has torch's threads, and a child inherits their locks but not the threads.
        self._method = "forkserver" if needs and sys.platform == "linux" else "spawn"
        self._pool = self._start()
        self._warming = threading.Thread(target=self._warm_up, daemon=True)
        if needs:
            if self._method == "forkserver":
                with _worker_start():
                    multiprocessing.set_forkserver_preload([*self._needs])
                    forkserver.ensure_running()
            self._warming.start()

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context(self._method)
        return ProcessPoolExecutor(self.workers, mp_context=context, initializer=_begin)

    def _warm_up(self) -> None:
        # A worker that dies here is found out, and replaced, where it is given work.
        with suppress(BrokenProcessPool, RuntimeError), _worker_start():
            self._pool.submit(_import, self._needs).exception()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def map_ordered(
        self,
        function: Callable[[A], R],
        items: Sequence[A],
        on_done: Callable[[int, R], object] | None = None,
    ) -> Iterator[R]:
        """See `Executor`."""
        answers: dict[int, R] = {}
        turn, deaths = 0, 0
        # Short runs are over before the workers have imported torch.
        while turn < len(items) and self._warming.is_alive():
            answer = function(items[turn])
            if on_done is not None:
                on_done(turn, answer)
            yield answer
            turn += 1
        while turn < len(items):
            missing = [i for i in range(turn, len(items)) if i not in answers]
            futures: dict[Future[R], int] = {}
            try:
                # Spawned workers start on submission, and inherit what is set here.
                with _worker_start():
                    for i in missing:
                        futures[self._pool.submit(function, items[i])] = i
                pending = set(futures)
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    # `wait` returns a set: sorted, so that answers that arrive together are told in one order.
                    for future in sorted(done, key=futures.__getitem__):
                        # Answers that came before the break count; only what broke is asked again.
                        if isinstance(future.exception(), BrokenProcessPool):
                            continue
                        answers[futures[future]] = answer = future.result()
                        deaths = 0
                        if on_done is not None:
                            on_done(futures[future], answer)
                    broken = any(isinstance(f.exception(), BrokenProcessPool) for f in done)
                    while turn in answers:
                        yield answers.pop(turn)
                        turn += 1
                    if broken:
                        raise BrokenProcessPool
            except BrokenProcessPool:
                # The pool is lost with any of its workers; what was not answered is asked again.
                deaths += 1
                self._stop()
                if deaths > RETRIES:
                    raise RunError(
                        f"worker processes died {deaths} times: is memory short? try --workers 1"
                    ) from None
                self._pool = self._start()
            finally:
                for future in futures:
                    future.cancel()

    def _stop(self) -> None:
        if self._warming.is_alive():
            self._warming.join()
        # `shutdown` alone waits for the items that are being worked on, minutes after a Ctrl-C. The executor has no
        # public way to end them before Python 3.14.
        processes = list((self._pool._processes or {}).values())
        manager: threading.Thread | None = getattr(self._pool, "_executor_manager_thread", None)
        # Before workers are ended: told to shut down, the pool's thread forgets what was cancelled. It raises
        # InvalidStateError, on the screen, where it learns of dead workers first and hands on their death to that.
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        if manager is not None:
            manager.join()


@contextmanager
def _worker_start() -> Iterator[None]:
    """What a worker inherits: a blocked Ctrl-C, which is the driver's to answer, and one thread a library."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        with _interrupts_blocked():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    if sys.platform == "win32":  # no masks there: a worker ignores Ctrl-C once it has begun
        yield
        return
    # A child inherits the mask. A terminal sends Ctrl-C to the whole group: workers would die in the middle of the
    # driver's tidy end.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(module)


def _begin() -> None:
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_the_driver, daemon=True).start()


def end_with_the_driver() -> None:
    """A pool's worker does not notice that its driver was killed: it would wait for work forever."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        connection.wait([driver.sentinel])
        # Not sys.exit, which in a thread ends that thread alone.
        os._exit(1)
