"""The way of a generation: gate, share, tune, gate again, scale, share, train."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from symloss.expr import Program, registered_primitives
from symloss.runs import Executor, derive
from symloss.search.candidate import Candidate, Screen
from symloss.search.infix import symbols
from symloss.search.memory import Store
from symloss.search.race import Race
from symloss.search.scale import NullScale
from symloss.search.settings import SearchSettings
from symloss.search.weighted import Weighted
from symloss.search.work import Piece, chunks, do, fits
from symloss.tasks import Task

__all__ = ["Stages"]

PROPOSED, TUNED = "as proposed", "as tuned"
"""Where a dynamics class is looked for: among trees with unit edges, and among losses ready for training."""


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
        self._races = {rung: Race(settings.keep) for rung in settings.rungs}
        self.turned_away: list[Program] = []
        self._first: dict[str, tuple[int, int]] = {}
        self._screen = Screen(
            settings, self.tasks[0].kind, tuple(dict.fromkeys(task.classes for task in self.tasks)),
            NullScale(self.tasks, derive(seed, "training", 0)),
        )  # fmt: skip

    def evaluate(self, candidates: Sequence[Candidate]) -> None:
        """Takes every candidate to its outcome."""
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.orient(candidate)
            if candidate.on_its_way and not candidate.fixed:
                self._share(candidate, PROPOSED)
        self._filter(candidates, PROPOSED)
        if self.tunes:
            self._tune([c for c in candidates if c.on_its_way and not c.fixed])
        self.finish(candidates)

    def finish(self, candidates: Sequence[Candidate]) -> None:
        """The way from tuned coefficients to a score."""
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.finish(candidate)
            if candidate.on_its_way:
                self._share(candidate, TUNED)
        self._filter(candidates, TUNED)
        for rung, race in self._races.items():
            self._race(rung, race, [c for c in candidates if c.on_its_way])
        self._train([c for c in candidates if c.on_its_way])

    def _train(self, candidates: Sequence[Candidate]) -> None:
        for candidate, answer in self.ask("train", candidates, derive(self.seed, "training", 0)):
            candidate.seconds += answer["seconds"]
            if None in answer["values"]:
                candidate.stop("failed", answer["reason"])
            else:
                candidate.values = tuple(answer["values"])
                candidate.stop("trained", "")

    def _filter(self, candidates: Sequence[Candidate], stage: str) -> None:
        """The published filters, where they are asked for and the task can answer."""
        if not (self.settings.protocol or self.settings.equivalence) or not self.tasks[0].has_gradients:
            return
        running = [c for c in candidates if c.on_its_way]
        for candidate, answer in self.ask("protocol", running, derive(self.seed, "protocol")):
            candidate.seconds += answer["seconds"]
            if self.settings.protocol and not answer["gain"] > 0:
                when = "after tuning: " if stage == TUNED else ""
                candidate.stop("rejected", f"{when}predictions do not improve when they descend the loss")
            elif self.settings.equivalence and stage == TUNED:
                self._share_under(candidate, f"norms {answer['norms']}")

    def _race(self, rung: float, race: Race, candidates: Sequence[Candidate]) -> None:
        arrivals = []
        options = {"share": rung}
        for candidate, answer in self.ask("train", candidates, derive(self.seed, "training", 0), options):
            candidate.seconds += answer["seconds"]
            if answer["values"][0] is not None:
                candidate.rungs[f"{rung:g}"] = answer["values"][0]
            fitness = [
                math.inf if value is None else task.measure.fitness(value)
                for task, value in zip(self.tasks, answer["values"], strict=True)
            ]
            arrivals.append((fitness, symbols(candidate.formula)))
        if not arrivals:
            return
        for candidate, (fitness, _), kept in zip(candidates, arrivals, race.survivors(arrivals), strict=True):
            if not all(map(math.isfinite, fitness)):
                candidate.stop("failed", f"diverged in the first {rung:.0%} of the training")
            elif not kept:
                candidate.stop(
                    "rejected", f"race: not in the best {race.keep:.0%} after {rung:.0%} of training"
                )

    def try_anyway(self, programs: Sequence[Program]) -> list[Candidate]:
        """Tunes and trains trees that the gate turned away, either way up."""
        screen = self._screen
        self._screen = replace(screen, settings=replace(self.settings, gate=False))
        candidates = [
            Candidate(-1, 0, 0, program, Weighted.plain(program).scaled(sign))
            for program in programs
            for sign in (1.0, -1.0)
        ]
        try:
            if self.tunes:
                self._tune(candidates)
            for candidate in candidates:
                self._screen.finish(candidate)
        finally:
            self._screen = screen
        self._train([c for c in candidates if c.on_its_way])
        return candidates

    def _tune(self, candidates: Sequence[Candidate]) -> None:
        options = {"steps": self.settings.tuning_steps, "eta": self.settings.tuning_rate}
        for candidate, answer in self.ask("tune", candidates, derive(self.seed, "tuning"), options):
            candidate.seconds += answer["seconds"]
            program, _ = candidate.weighted.graph()
            candidate.weighted = Weighted(program, tuple(answer["edges"]))

    def worth_it(self, program: Program) -> bool:
        """Whether a tree passes the gate and is not in a class that was proposed before."""
        candidate = Candidate(-1, 0, 0, program, Weighted.plain(program))
        self._screen.orient(candidate)
        if not candidate.on_its_way:
            self.turned_away.append(program)
            return False
        return not self.settings.classes or self._simpler(candidate, self._key(candidate, PROPOSED))

    def _key(self, candidate: Candidate, stage: str) -> str:
        return f"{stage} {self._screen.key(candidate)}"

    def _simpler(self, candidate: Candidate, key: str) -> bool:
        """Whether a class is new, or known by longer trees only: the front wants its shortest member."""
        return key not in self._first or candidate.weighted.program.size < self._first[key][1]

    def _share(self, candidate: Candidate, stage: str) -> None:
        """Whoever comes second in a dynamics class takes the score of the first.

        Before tuning a shorter tree goes its own way, as its coefficients are fewer. After it, it keeps its
        own formula.
        """
        if self.settings.classes:
            self._share_under(candidate, self._key(candidate, stage), stage)

    def _share_under(self, candidate: Candidate, key: str, stage: str = TUNED) -> None:
        size = candidate.weighted.program.size
        known = self._first.get(key)
        if known is None or (stage == PROPOSED and size < known[1]):
            self._first[key] = candidate.number, size
            return
        candidate.source = known[0]
        candidate.stop("reused", f"trains as candidate {known[0]} does")
        if stage == PROPOSED or size >= known[1]:
            candidate.formula = ""

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
        for _, piece in pieces:
            if not fits(piece, known[piece.key]):
                known[piece.key] = None
        missing = list({piece.key: piece for _, piece in pieces if known[piece.key] is None}.values())

        def remember(i: int, answer: list[dict[str, Any]]) -> None:
            # As soon as it arrives, whoever's turn it is: a kill costs only what is not finished.
            self.store.put("work", missing[i].key, answer)

        # The tasks, with their data, travel with the function: an executor may ship that once.
        light = [replace(piece, tasks=()) for piece in missing]
        answers = self.place.map_ordered(partial(_with_tasks, do, self.tasks), light, remember)
        for chunk, piece in pieces:
            if known[piece.key] is None:
                known[piece.key] = next(answers)
            yield from zip(chunk, known[piece.key], strict=True)


def _with_tasks(do: Callable[[Piece], Any], tasks: tuple[Task, ...], piece: Piece) -> Any:
    return do(replace(piece, tasks=tasks))
