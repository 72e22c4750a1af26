"""The way of a generation: gate, share, race, tune, gate again, scale, share, train."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from symloss.expr.trees import Weighted, symbols
from symloss.runs import derive
from symloss.search.loop.candidate import Candidate, Screen
from symloss.search.loop.race import Race
from symloss.search.loop.workers import Workers
from symloss.search.screen.null_scale import NullScale
from symloss.search.screen.published import norms_key
from symloss.search.settings import SearchSettings
from symloss.tasks import SupervisedTask

__all__ = ["Stages"]

PROPOSED, TUNED = "as proposed", "as tuned"
"""Where a dynamics class is looked for: among trees with unit edges, and among losses ready for training."""


class Stages:
    """Evaluates candidates; a pure function of settings, seed, the workers' tasks and what came before.

    The workers remember their answers, so a run that goes on is the same run, told again.
    """

    def __init__(self, settings: SearchSettings, seed: int, workers: Workers) -> None:
        self.settings, self.seed, self.workers = settings, seed, workers
        self.tasks = workers.tasks
        self.tunes = settings.tunes and all(isinstance(task, SupervisedTask) for task in self.tasks)
        self._races = {rung: Race(settings.keep, settings.objectives == 2) for rung in settings.rungs}
        self.turned_away: list[Weighted] = []
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
        for rung, race in self._races.items():
            self._race(rung, race, [c for c in candidates if c.on_its_way and not c.fixed])
        self._filter([c for c in candidates if c.on_its_way])
        if self.tunes:
            self._tune([c for c in candidates if c.on_its_way and not c.fixed])
        self.finish(candidates)

    def finish(self, candidates: Sequence[Candidate]) -> None:
        """The way from tuned coefficients to a score."""
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.finish(candidate)
                if not candidate.on_its_way and candidate.untuned is not None:
                    candidate.undo_tuning()
                    self._screen.finish(candidate, "")
            if candidate.on_its_way:
                self._share(candidate, TUNED)
            first = self.tasks[0]
            if candidate.on_its_way and self.settings.equivalence and isinstance(first, SupervisedTask):
                norms = norms_key(first, candidate.weighted, derive(self.seed, "protocol"))
                self._share_under(candidate, f"norms {norms}")
        self._train([c for c in candidates if c.on_its_way])

    def _train(self, candidates: Sequence[Candidate]) -> None:
        for candidate, answer in self.workers.ask("train", candidates, derive(self.seed, "training", 0)):
            candidate.seconds += answer["seconds"]
            if None in answer["values"]:
                candidate.stop("failed", answer["reason"])
            else:
                candidate.values = tuple(answer["values"])
                candidate.stop("trained", "")

    def _filter(self, candidates: Sequence[Candidate]) -> None:
        """The published rejection protocol, where it is asked for and the task can answer: before tuning."""
        if not self.settings.protocol or not isinstance(self.tasks[0], SupervisedTask):
            return
        for candidate, answer in self.workers.ask("protocol", candidates, derive(self.seed, "protocol")):
            candidate.seconds += answer["seconds"]
            if not answer["gain"] > 0:
                candidate.stop("rejected", "predictions do not improve when they descend the loss")

    def _race(self, rung: float, race: Race, candidates: Sequence[Candidate]) -> None:
        """Drops the worst after a share of the training, with the coefficients that they were proposed with.

        Ahead of the tuning, since that costs as much as a training.
        """
        probes = [replace(candidate, rungs={}) for candidate in candidates]
        for candidate, probe in zip(candidates, probes, strict=True):
            self._screen.finish(probe, "before tuning: ")
            if not probe.on_its_way:
                candidate.stop(probe.outcome, probe.reason)
        runners = {probe.number: probe for probe in probes if probe.on_its_way}
        arrivals, reasons = [], []
        field = [candidate for candidate in candidates if candidate.on_its_way]
        answers = self.workers.ask(
            "train", list(runners.values()), derive(self.seed, "training", 0), {"share": rung}
        )
        for candidate, (probe, answer) in zip(field, answers, strict=True):
            candidate.seconds += answer["seconds"]
            candidate.rungs[f"{rung:g}"] = tuple(answer["values"])
            fitness = [
                math.inf if value is None else task.measure.fitness(value)
                for task, value in zip(self.tasks, answer["values"], strict=True)
            ]
            arrivals.append((fitness, symbols(probe.formula)))
            reasons.append(answer["reason"])
        if not arrivals:
            return
        kept_of = race.survivors(arrivals)
        for candidate, (fitness, _), kept, reason in zip(field, arrivals, kept_of, reasons, strict=True):
            if not all(map(math.isfinite, fitness)):
                candidate.stop("failed", f"{reason} (in the first {rung:.0%} of the training)")
            elif not kept:
                candidate.stop(
                    "rejected", f"race: not in the best {race.keep:.0%} after {rung:.0%} of training"
                )

    def try_anyway(self, losses: Sequence[Weighted]) -> list[Candidate]:
        """Tunes and trains trees that the gate turned away, either way up."""
        screen = self._screen
        self._screen = replace(screen, settings=replace(self.settings, gate=False))
        candidates = [
            Candidate(-1, 0, 0, loss.program, loss.scaled(sign)) for loss in losses for sign in (1.0, -1.0)
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
        for candidate, answer in self.workers.ask("tune", candidates, derive(self.seed, "tuning"), options):
            candidate.seconds += answer["seconds"]
            candidate.untuned = candidate.weighted
            program, _ = candidate.weighted.graph()
            candidate.weighted = Weighted(program, tuple(answer["edges"]))

    def worth_it(self, loss: Weighted) -> bool:
        """Whether a loss passes the gate and is not in a class that was proposed before."""
        candidate = Candidate(-1, 0, 0, loss.program, loss)
        self._screen.orient(candidate)
        if not candidate.on_its_way:
            self.turned_away.append(loss)
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
