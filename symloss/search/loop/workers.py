"""Hands work to an executor, and remembers every answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from symloss.expr import Registry, default_registry
from symloss.runs import Executor, answers
from symloss.runs import executor as place_to_work
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.work import Answer, Piece, chunks, do, fits
from symloss.search.record.memory import Store
from symloss.tasks import SupervisedTask, Task

__all__ = ["Progress", "Workers", "place_for"]

Progress = Callable[[str, int, int], object]
"""Told of a stage, how many of its pieces are done, and of how many."""


def _unwatched(stage: str, done: int, total: int) -> None:
    """The progress callback of a run that nobody watches."""


def place_for(tasks: Sequence[Task], executor: str, workers: int) -> AbstractContextManager[Executor]:
    """Where the work on some tasks is done.

    Raises:
        RunError: when there is no such place.
    """
    # torch's optimisers import its compiler when they are first used. A trainer of the user's may do what it
    # likes to a worker: it is not run in this process.
    needs = (
        [do.__module__, "torch._dynamo"] if all(isinstance(task, SupervisedTask) for task in tasks) else []
    )
    return place_to_work(executor, workers, needs=needs)


class Workers:
    """Whoever tunes and trains.

    Attributes:
        tasks: of the search.

    Args:
        tasks: see above.
        store: the memory of the run.
        place: where the work is done.
        chunk: candidates in one piece, at most.
        progress: called with a stage and how many of its pieces are done.
        registry: what the operators of the candidates mean.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        store: Store,
        place: Executor,
        chunk: int,
        progress: Progress | None = None,
        registry: Registry | None = None,
    ) -> None:
        self.tasks, self.store, self.place, self.chunk = tuple(tasks), store, place, chunk
        self.progress = progress or _unwatched
        self.registry = registry or default_registry()

    def ask(
        self, what: str, candidates: Sequence[Candidate], seed: int, options: dict[str, Any] | None = None
    ) -> Iterator[tuple[Candidate, Answer]]:
        """The answers, one for each candidate."""
        runs = chunks(candidates, self.chunk)
        pieces = [self.piece(what, run, seed, options or {}) for run in runs]
        for run, answer in zip(runs, self.answers(pieces, what), strict=True):
            yield from zip(run, answer, strict=True)

    def piece(self, what: str, candidates: Sequence[Candidate], seed: int, options: dict[str, Any]) -> Piece:
        """A piece of work on some candidates."""
        # Members of a theorem are tuned behind their links, but trained as the tree that they make.
        graphs = tuple(candidate.unbounded if what == "tune" else candidate.graph for candidate in candidates)
        return Piece(what, self.tasks, graphs, seed, options, self.registry)

    def answers(self, pieces: Sequence[Piece], stage: str) -> Iterator[list[Answer]]:
        """The answers to some pieces, each remembered before it is given; one already known is not asked for.

        Args:
            pieces: of work.
            stage: what they are for, in words, for whoever watches.
        """
        # The tasks, with their data, travel with the function: an executor may ship that once.
        return answers(
            pieces, partial(_with_tasks, do, self.tasks), fits, self.store, self.place,
            partial(self.progress, stage), lambda piece: replace(piece, tasks=()),
        )  # fmt: skip


def _with_tasks(do: Callable[[Piece], Any], tasks: tuple[Task, ...], piece: Piece) -> Any:
    return do(replace(piece, tasks=tasks))
