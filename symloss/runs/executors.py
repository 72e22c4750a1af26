"""Where work is done: here, in processes, or on a Ray cluster. Answers come back in the order of the items."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl

from symloss.errors import RunError

__all__ = ["EXECUTORS", "Executor", "executor"]

A = TypeVar("A")
R = TypeVar("R")

EXECUTORS = ("serial", "process", "ray")


class Executor(Protocol):
    """What a search needs of the place where its work is done."""

    workers: int

    def map_ordered(
        self,
        function: Callable[[A], R],
        items: Sequence[A],
        on_done: Callable[[int, R], object] | None = None,
    ) -> Iterator[R]:
        """`function` of each item, in the order of the items, whatever the order of completion.

        Args:
            function: at the top of a module, so that another process finds it; shipped once where possible.
            items: what it is applied to.
            on_done: called here with the place and answer of each item as soon as it arrives: what is written
                down there survives a kill that comes before the answer's turn.

        Raises:
            RunError: when workers die again and again. What `function` raises is handed on.
        """
        ...


class _Serial:
    workers = 1

    def map_ordered(
        self,
        function: Callable[[A], R],
        items: Sequence[A],
        on_done: Callable[[int, R], object] | None = None,
    ) -> Iterator[R]:
        for i, item in enumerate(items):
            answer = function(item)
            if on_done is not None:
                on_done(i, answer)
            # After `on_done`: what is told is stored, even if the caller stops at this answer.
            yield answer


@contextmanager
def executor(
    name: str = "serial",
    workers: int = 1,
    *,
    address: str | None = None,
    gpus: float = 0.0,
    needs: Sequence[str] = (),
) -> Iterator[Executor]:
    """A place to work, closed at the end even after Ctrl-C: no process is left behind.

    Args:
        name: `"serial"`, `"process"` (spawned, one torch thread each) or `"ray"`; the latter also as
            `"ray:ADDRESS"` or `"ray:ADDRESS?gpus=SHARE"`, where only a name can be handed on.
        workers: how many at once; a running Ray cluster decides that itself.
        address: of a running Ray cluster; without one, a local one is started.
        gpus: share of a GPU that each piece of work needs, on Ray.
        needs: modules that processes should start with; until they have, the driver does the work itself.

    Raises:
        RunError: for an unknown name, no worker, a bad share, Ray not installed or no cluster at the address.

    >>> with executor("serial") as place:
    ...     list(place.map_ordered(abs, [-1, 2]))
    [1, 2]
    """
    kind, _, rest = name.partition(":")
    if kind not in EXECUTORS or (rest and kind != "ray"):
        raise RunError(f"unknown executor {name!r}: expected one of {', '.join(EXECUTORS)}, ray:ADDRESS")
    if workers < 1:
        raise RunError(f"{workers} workers: expected at least 1")
    if kind == "serial":
        yield _Serial()
        return
    if kind == "process":
        from symloss.runs.processes import Processes

        with Processes(workers, needs) as processes:
            yield processes
        return
    from symloss.runs.cluster import RayCluster

    given, _, query = rest.partition("?")
    # The name carries address and share where only a string is handed on, as in a run's settings.
    share = dict(parse_qsl(query)).get("gpus", gpus)
    with RayCluster(workers, given or address, _share(share)) as cluster:
        yield cluster


def _share(gpus: float | str) -> float:
    try:
        share = float(gpus)
    except ValueError:
        # NaN fails the comparison below as every bad share does: one message for both.
        share = math.nan
    if not 0 <= share < math.inf:
        raise RunError(f"gpus={gpus}: expected a share of a GPU, such as 0.25, or a number of them")
    return share
