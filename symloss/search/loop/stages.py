"""The stages of a generation: gate, share, tune, gate again, take out the scale, share, train on its block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from symloss.errors import SymlossError
from symloss.expr import Loss
from symloss.expr.trees import Weighted
from symloss.runs import derive
from symloss.search.loop.candidate import Candidate, Screen, Values
from symloss.search.loop.training import Own, Trainer, Training
from symloss.search.loop.workers import Workers
from symloss.search.propose.inside import TypedLoss, inside_of
from symloss.search.propose.inside.read import read
from symloss.search.propose.inside.stock import stock_of
from symloss.search.screen.null_scale import NullScale
from symloss.search.screen.published import norms_key
from symloss.search.settings import SearchSettings
from symloss.tasks import SupervisedTask

__all__ = ["Stages"]

PROPOSED, TUNED = "as proposed", "as tuned"
"""Where a dynamics class is looked for: among trees with unit edges, and among losses ready for training."""
LONGER = (1, 2, 4)
"""A loss is judged at the best of these multiples of the steps that suit the ordinary loss, in one training: many
robust losses need longer, and none is to lose by the choice of steps."""


class Stages:
    """Evaluates candidates; a pure function of settings, seed, the workers' tasks and what came before.

    The workers remember their answers, so a run that goes on is the same run, told again.
    """

    def __init__(self, settings: SearchSettings, seed: int, workers: Workers) -> None:
        self.settings, self.seed, self.workers = settings, seed, workers
        self.tasks = workers.tasks
        self.trainer = Trainer(workers, seed, settings.blocks)
        self.settled = Own((1.0,) * len(self.tasks), tuple(task.settings.steps for task in self.tasks))
        self.tunes = settings.tunes and all(isinstance(task, SupervisedTask) for task in self.tasks)
        self.turned_away: list[Weighted] = []
        self._first: dict[str, tuple[int, int]] = {}
        classes = tuple(dict.fromkeys(task.classes for task in self.tasks))
        self.classes = classes[0] if len(classes) == 1 else None
        self.inside = inside_of(settings.inside, self.tasks[0].kind)
        self.stock = stock_of(settings, self.inside)
        self._screen = Screen(
            settings, self.tasks[0].kind, classes,
            NullScale(self.tasks, derive(seed, "training", 0)),
        )  # fmt: skip

    def evaluate(
        self, candidates: Sequence[Candidate], block: int | None, also: Sequence[Candidate] = ()
    ) -> None:
        """Takes every candidate to its outcome, its scores on one block; others are scored there `also`."""
        for candidate in candidates:
            if candidate.on_its_way and candidate.network is None:
                self._screen.orient(candidate)
            # Before any training is paid for: equal losses tune alike, as start and batches depend on the block
            # alone.
            if candidate.on_its_way and not candidate.fixed:
                self._share(candidate, PROPOSED)
        # Before tuning, which is the expensive part; EvoMAL's release tunes what it then rejects.
        self._filter([c for c in candidates if c.on_its_way])
        tuning, neural = self.settings.tuning, self.settings.neural
        if self.tunes:
            self._tune([c for c in candidates if c.on_its_way and not c.fixed], tuning.steps, tuning.rate)
        self._tune([c for c in candidates if c.network is not None], neural.steps, neural.rate)
        self.prepare(candidates)
        self.train([*(c for c in candidates if c.on_its_way), *also], [block])

    def prepare(self, candidates: Sequence[Candidate]) -> None:
        """The way from tuned coefficients to a formula that may be trained."""
        for candidate in candidates:
            if candidate.on_its_way:
                self._screen.finish(candidate)
                if not candidate.on_its_way and candidate.untuned is not None:
                    # Tuned coefficients can overflow, flatten the loss or turn it; as proposed it had passed the
                    # gate.
                    candidate.undo_tuning()
                    self._screen.finish(candidate, "")
            if candidate.on_its_way:
                self._share(candidate, TUNED)
            if (
                candidate.on_its_way
                and self.settings.screening.equivalence
                and candidate.network is None
                and isinstance(self.tasks[0], SupervisedTask)
            ):
                norms = norms_key(self.tasks[0], candidate.weighted, derive(self.seed, "protocol"))
                self._share_under(candidate, f"norms {norms}")

    def train(self, candidates: Sequence[Candidate], blocks: Sequence[int | None]) -> None:
        """Scores on some blocks, and with the first of them an outcome."""
        trainings = [self.training(candidate, block) for block in blocks for candidate in candidates]
        purpose = "training" if blocks == [None] else "evidence"
        for training, values in zip(trainings, self.trainer.values(purpose, trainings), strict=True):
            self.enter(training.candidate, training.block, values)

    def training(self, candidate: Candidate, block: int | None) -> Training:
        """Of a candidate at its rate, measured after the steps that every loss is judged at."""
        own = candidate.rates or (1.0,) * len(self.tasks)
        rates = tuple(a * b for a, b in zip(self.settled.rates, own, strict=True))
        return Training(candidate, block, rates, self.stops)

    @property
    def stops(self) -> tuple[tuple[int, ...], ...]:
        """By task the numbers of steps after which a loss is judged."""
        if not self.settings.blocks.resample:
            return tuple((steps,) for steps in self.settled.steps)
        return tuple(
            tuple(sorted({min(steps * longer, task.settings.steps) for longer in LONGER}))
            for task, steps in zip(self.tasks, self.settled.steps, strict=True)
        )

    def enter(self, candidate: Candidate, block: int | None, values: Values) -> None:
        """Notes the scores on a block."""
        # -1: the task's own split, which is no block.
        candidate.scores[-1 if block is None else block] = values
        # One diverged training is enough, on whichever block: the loss cannot be recommended.
        if None in values:
            candidate.stop("failed", candidate.trouble or "training diverged: its metric is not finite")
        elif candidate.on_its_way:
            candidate.stop("trained", "")

    def _filter(self, candidates: Sequence[Candidate]) -> None:
        """The published rejection protocol, where it is asked for and the task can answer: before tuning."""
        if not self.settings.screening.protocol or not isinstance(self.tasks[0], SupervisedTask):
            return
        for candidate, answer in self.workers.ask("protocol", candidates, derive(self.seed, "protocol")):
            candidate.seconds += answer["seconds"]
            # Not `<= 0`: outputs that diverge have a gain of NaN, and are rejected too.
            if not answer["gain"] > 0:
                candidate.stop("rejected", "predictions do not improve when they descend the loss")

    def try_anyway(self, losses: Sequence[Weighted]) -> list[list[Candidate]]:
        """Tunes and trains trees that the gate turned away, each either way up, if it has two ways."""
        # Without the gate, by which `finish` would reject these once more.
        screen = self._screen
        self._screen = replace(
            screen,
            settings=replace(self.settings, screening=replace(self.settings.screening, gate=False)),
        )
        tried = [
            [Candidate(-1, 0, 0, loss.program, one) for one in (loss, loss.turned()) if one is not None]
            for loss in losses
        ]
        candidates = [candidate for each in tried for candidate in each]
        try:
            if self.tunes:
                self._tune(candidates, self.settings.tuning.steps, self.settings.tuning.rate)
            for candidate in candidates:
                self._screen.finish(candidate)
        finally:
            self._screen = screen
        block = 0 if self.settings.blocks.resample else None
        self.train([c for c in candidates if c.on_its_way], [block])
        return tried

    def _tune(self, candidates: Sequence[Candidate], steps: int, rate: float) -> None:
        # On a block of its own: a tuned loss has seen what it was tuned on, a loss of the zoo has not.
        block = self.trainer.place(0) if self.settings.blocks.resample else None
        options = {"steps": steps, "eta": rate, "block": block, "rates": list(self.settled.rates)}
        for candidate, answer in self.workers.ask("tune", candidates, derive(self.seed, "tuning"), options):
            candidate.seconds += answer["seconds"]
            if candidate.network is not None:
                if all(map(math.isfinite, answer["edges"])):
                    candidate.network = candidate.network.with_weights(answer["edges"][1:])
                continue
            candidate.untuned = candidate.weighted
            if isinstance(candidate.weighted, TypedLoss):
                candidate.weighted = candidate.weighted.with_numbers(answer["edges"])
                continue
            program, _ = candidate.weighted.graph()
            candidate.weighted = Weighted(program, tuple(answer["edges"]))

    def forget(self) -> None:
        """Nobody shares a training with the losses so far: they are not candidates of the search."""
        self._first.clear()

    def turn(self, loss: Weighted) -> int:
        """1 for a loss that passes the gate as it is, -1 for one that does once it is negated, else 0."""
        candidate = Candidate(-1, 0, 0, loss.program, loss)
        self._screen.orient(candidate)
        if not candidate.on_its_way:
            # For the audit at the end, which trains a sample of them.
            self.turned_away.append(loss)
            return 0
        # `turned` changes the sign of the factor and nothing else.
        return 1 if candidate.weighted.factor * loss.factor > 0 else -1

    def member(self, loss: Loss) -> TypedLoss | None:
        """A loss as a member of the theorem that the search stays inside of; None for one that is not read as one."""
        assert self.inside is not None
        try:
            return read(loss, self.inside, self.classes)
        except SymlossError:
            return None

    def scale(self, loss: Weighted) -> float:
        """How much steeper a loss is than the ordinary one where training starts."""
        return self._screen.null_scale(loss)

    def worth_it(self, loss: Weighted) -> bool:
        """Whether a loss passes the gate and is not in a class that was proposed before."""
        way = self.turn(loss)
        if not way:
            return False
        candidate = Candidate(-1, 0, 0, loss.program, loss.scaled(float(way)))
        return not self.settings.screening.classes or self._simpler(candidate, self._key(candidate, PROPOSED))

    def _key(self, candidate: Candidate, stage: str) -> str:
        return f"{stage} {self._screen.key(candidate)}"

    def _simpler(self, candidate: Candidate, key: str) -> bool:
        """Whether a dynamics class is new, or known by longer trees only: the front wants its shortest member."""
        return key not in self._first or candidate.weighted.program.size < self._first[key][1]

    def _share(self, candidate: Candidate, stage: str) -> None:
        """A later member of a dynamics class shares the score of the first.

        Before tuning, a shorter tree is trained all the same, as it has fewer coefficients to tune. After tuning, it
        shares the score but keeps its own, shorter formula.
        """
        if self.settings.screening.classes and candidate.network is None:
            self._share_under(candidate, self._key(candidate, stage), stage)

    def _share_under(self, candidate: Candidate, key: str, stage: str = TUNED) -> None:
        size = candidate.weighted.program.size
        known = self._first.get(key)
        if known is None or (stage == PROPOSED and size < known[1]):
            self._first[key] = candidate.number, size
            return
        candidate.source = known[0]
        candidate.stop("reused", f"trains as candidate {known[0]} does")
        # An empty formula is filled in by `Candidate.inherit`; a shorter one stays and competes at its own length.
        if stage == PROPOSED or size >= known[1]:
            candidate.formula = ""
