"""The way of a generation: gate, share, tune, gate again, scale, share, train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from symloss.expr import registered_primitives
from symloss.runs import Executor, derive
from symloss.search.candidate import Candidate, Screen
from symloss.search.memory import Store
from symloss.search.scale import null_scale
from symloss.search.settings import SearchSettings
from symloss.search.weighted import Weighted
from symloss.search.work import Piece, chunks, do
from symloss.tasks import Task

__all__ = ["Stages"]


class Stages:
    """Evaluates candidates; a pure function of tasks, settings, seed and what it has evaluated before.

    An answer of a worker that the store holds already is taken from there. So a run that goes on is the same
    run, told again.
    """

    def __init__(
        self, tasks: Sequence[Task], settings: SearchSettings, seed: int, store: Store, place: Executor
    ) -> None:
        self.tasks, self.settings, self.seed = tuple(tasks), settings, seed
        self.store, self.place = store, place
        self.tunes = settings.tunes and all(task.has_gradients for task in self.tasks)
        self._first: dict[str, int] = {}
        self._screen = Screen(
            settings, self.tasks[0].kind, tuple(dict.fromkeys(task.classes for task in self.tasks)),
            lambda loss: null_scale(self.tasks, loss, derive(seed, "training", 0)),
        )  # fmt: skip

    def evaluate(self, candidates: Sequence[Candidate]) -> None:
        """Takes every candidate to its outcome."""
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.orient(candidate)
            if candidate.on_its_way and not candidate.fixed:
                self._share(candidate, "as proposed")
        if self.tunes:
            self._tune([c for c in candidates if c.on_its_way and not c.fixed])
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.finish(candidate)
            if candidate.on_its_way:
                self._share(candidate, "as tuned")
        trained = [c for c in candidates if c.on_its_way]
        for candidate, answer in self.ask("train", trained, derive(self.seed, "training", 0)):
            candidate.seconds += answer["seconds"]
            if None in answer["values"]:
                candidate.stop("failed", answer["reason"])
            else:
                candidate.values = tuple(answer["values"])
                candidate.stop("trained", "")

    def _tune(self, candidates: Sequence[Candidate]) -> None:
        options = {"steps": self.settings.tuning_steps, "eta": self.settings.tuning_rate}
        for candidate, answer in self.ask("tune", candidates, derive(self.seed, "tuning"), options):
            candidate.seconds += answer["seconds"]
            program, _ = candidate.weighted.graph()
            candidate.weighted = Weighted(program, tuple(answer["edges"]))

    def _share(self, candidate: Candidate, stage: str) -> None:
        """Whoever comes second in a dynamics class takes the score of the first."""
        if not self.settings.classes:
            return
        key = f"{stage} {self._screen.key(candidate.weighted)}"
        first = self._first.setdefault(key, candidate.number)
        if first != candidate.number:
            candidate.source = first
            candidate.stop("reused", f"trains as candidate {first} does")

    def ask(
        self, what: str, candidates: Sequence[Candidate], seed: int, options: dict[str, Any] | None = None
    ) -> Iterator[tuple[Candidate, dict[str, Any]]]:
        """The workers' answers, each remembered before it is given; one already known is not asked for."""
        pieces = []
        for chunk in chunks(candidates, self.settings.chunk):
            graphs = tuple((p.tokens, e) for p, e in (c.weighted.graph() for c in chunk))
            piece = Piece(what, self.tasks, graphs, seed, options or {}, registered_primitives())
            pieces.append((chunk, piece))
        known = {piece.key: self.store.get("work", piece.key) for _, piece in pieces}
        answers = self.place.map_ordered(do, [piece for _, piece in pieces if known[piece.key] is None])
        for chunk, piece in pieces:
            if known[piece.key] is None:
                known[piece.key] = next(iter(answers))
                self.store.put("work", piece.key, known[piece.key])
            yield from zip(chunk, known[piece.key], strict=True)
