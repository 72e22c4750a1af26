"""Replays a run from its record: its proposals and requests, answered from the store instead of by work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from symloss.runs import RunStore, derive
from symloss.search.loop.candidate import Graph, Values
from symloss.search.loop.engine import Engine
from symloss.search.loop.training import best_of
from symloss.search.loop.work import Piece, do, fits
from symloss.search.prepare import given_losses
from symloss.search.settings import SearchSettings
from symloss.tasks import Task

__all__ = ["Replay"]


class Replay:
    """The search that a record claims to be of, and its work to do again.

    A search is a function of its settings, its seed and the answers of its workers. With the recorded answers
    it is told again to the point that the record reaches; whatever it wants to know beyond ends it.

    Args:
        store: the run, to read.
        config: what it was made with.
        generations: to stop after; None for all.
        tasks: of the run.
    """

    def __init__(
        self, store: RunStore, config: Mapping[str, Any], generations: int | None, tasks: Sequence[Task]
    ) -> None:
        settings = SearchSettings.from_config(config)
        if generations is not None:
            settings = replace(settings, generations=generations)
        self.tasks = tuple(tasks)
        self._place = _FromRecord(store, self.tasks)
        self._again: dict[str, list[dict[str, Any]]] = {}
        given = given_losses(settings, self.tasks)
        seed = int(config["seed"])
        self.engine = Engine(self.tasks, settings, seed, _ReadOnly(store), self._place, given)
        # A run that was killed has answers up to some piece: what it had by then can be checked all the same.
        with suppress(_Unknown):
            self.engine.run()

    def formula(self, number: int) -> str:
        """The formula of a candidate as the search arrives at it; `""` without one."""
        candidate = self.engine.candidate(number)
        return candidate.formula if candidate else ""

    def surcharge(self, number: int) -> int:
        """What the operators of a candidate cost beyond 1 each."""
        candidate = self.engine.candidate(number)
        grammar = self.engine.settings.grammar
        return round(grammar.surcharge(candidate.weighted.program)) if candidate else 0

    def trained(self, number: int, purpose: str, block: int) -> Values | None:
        """The metric of a candidate on each task, trained now as the run trained it; None if it did not.

        A candidate that shares another's score is that other one here.

        Args:
            number: of the candidate.
            purpose: `"evidence"` or `"final"`; of a run without blocks `"training"`.
            block: the number of the block; -1 for the task's own split.
        """
        if self.engine.candidate(number) is None:
            return None
        candidate = self.engine.field.original(number)
        place = self.engine.stages.trainer.place(block if block >= 0 else None)
        answer = self._answer(candidate.graph, derive(self.engine.seed, purpose), place)
        if answer is None:
            return None
        return tuple(best_of(task, curve) for task, curve in zip(self.tasks, answer["values"], strict=True))

    def _answer(self, graph: Graph, seed: int, block: list[Any] | None) -> dict[str, Any] | None:
        for piece in self._place.pieces:
            if piece.what != "train" or piece.seed != seed:
                continue
            for i, (one, its) in enumerate(zip(piece.graphs, piece.options["blocks"], strict=True)):
                if one == graph and its == block:
                    # The whole piece: arithmetic in batches of another size may round otherwise.
                    if piece.key not in self._again:
                        self._again[piece.key] = do(replace(piece, tasks=self.tasks))
                    return self._again[piece.key][i]
        return None


class _Unknown(Exception):
    """Raised where the replay asks for work that the record does not have."""


class _FromRecord:
    """An executor that knows the answers."""

    workers = 1

    def __init__(self, store: RunStore, tasks: tuple[Task, ...]) -> None:
        self._store, self._tasks = store, tasks
        self.pieces: list[Piece] = []

    def map_ordered(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        on_done: Callable[[int, Any], object] | None = None,
    ) -> Iterator[Any]:
        for piece in items:
            answer = self._store.get("work", piece.key)
            if not fits(replace(piece, tasks=self._tasks), answer):
                raise _Unknown
            self.pieces.append(piece)
            yield answer


class _ReadOnly:
    """The run's store, read-only and without its work records, so that every piece reaches `_FromRecord`."""

    status = "running"

    def __init__(self, store: RunStore) -> None:
        self._store, self.log, self.path = store, store.log, store.path

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """Nothing is written."""

    def put_many(self, kind: str, items: Iterable[tuple[int | str, Any]]) -> None:
        """Nothing is written."""

    def get(self, kind: str, key: int | str) -> Any:
        """See `Store`."""
        return None if kind == "work" else self._store.get(kind, key)

    def write_text(self, name: str, text: str) -> None:
        """Nothing is written."""
