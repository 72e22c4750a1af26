"""Trainings of `adapt` in pieces: pure functions of tasks and seeds, done here or in another process.

In each replicate there are two seeds of start and batches. On the one everything is tuned, and the path of the
adapting loss is recorded that others replay; on the other every row is trained, and measured on the test rows once. So
a replayed path meets a start and an order of batches that it was not adapted on, those that the adapting loss meets.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from symloss.compare.work import Replicate
from symloss.meta import AdaptiveLoss, LearnedLoss, NeuralLoss
from symloss.meta.adapt_path import Shift, rates_along, read, sharpness, shift
from symloss.meta.adapt_training import Trained, adapt_model, differentiable, offline, train_along
from symloss.meta.adaptable import (
    NEURAL,
    RATE_ONLY,
    ScaledLoss,
    adaptable,
    learned_from_dict,
    learned_to_dict,
)
from symloss.meta.learned_loss import unpacked
from symloss.runs import derive
from symloss.search.loop.training import RATES, STOPS
from symloss.search.loop.work import one_thread
from symloss.tasks import SupervisedTask, Task
from symloss.tasks.data.parts import Split

__all__ = ["ADAPTIVE", "ALL_ROWS", "COSINE", "FIXED", "MEAN", "ML3", "ORDINARY", "PARTS", "RATE", "REPLAYED", "SCALE",
           "TUNED", "Answer", "Piece", "do", "fits"]  # fmt: skip

Answer = dict[str, Any]
PROBE = 30.0
"""Tried as learning rates are, but never chosen: whether the rate below it is safe."""
ADAPTIVE, FIXED, RATE, REPLAYED, SCALE = "adaptive", "fixed", RATE_ONLY, "replayed", "scale only"
MEAN, ML3, ORDINARY = "frozen mean", "offline ML3", "ordinary"
TUNED, COSINE, ALL_ROWS = "ordinary tuned", "tuned cosine", "ordinary tuned on all rows"
PARTS = {
    "adapting": (ADAPTIVE, FIXED, REPLAYED, SCALE, MEAN),
    "learning rate": (RATE,),
    "ordinary": (ORDINARY, TUNED, ALL_ROWS, COSINE),
    "ml3": (ML3,),
}
"""The rows of each piece of work."""


@dataclass(frozen=True)
class Piece:
    """What a worker is given.

    Attributes:
        where: the data.
        part: of `PARTS`.
        loss: the record of the adapting loss, as JSON.
        etas: rates of the meta-optimiser to choose from.
        initial_steps: of offline initialisation.
        meta_rows: where the meta batches come from.
        looks: steps after which the path is measured.
        seed: of the run.
        keep_scale: whether a loss trains at the scale that offline initialisation gave it, as published.
    """

    where: Replicate
    part: str
    loss: str
    etas: tuple[float, ...]
    initial_steps: int
    meta_rows: str
    looks: tuple[int, ...]
    seed: int
    keep_scale: bool = False

    @property
    def key(self) -> str:
        """What the answer is remembered under: everything that it depends on, within one run."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()

    @property
    def size(self) -> int:
        """About the trainings in it, an adapting step counted as three."""
        return {"adapting": 3 * (len(self.etas) + 1) + 9, "learning rate": 3 * (len(self.etas) + 1) + 5}.get(
            self.part, 8
        )


def fits(piece: Piece, answer: Any) -> bool:
    """Whether an answer from a record has the form that `do` gives it."""
    return (
        isinstance(answer, dict)
        and isinstance(answer.get("rows"), dict)
        and set(answer["rows"]) == set(PARTS[piece.part])
        and all(
            isinstance(row, dict) and {"test", "validation"} <= row.keys() for row in answer["rows"].values()
        )
    )


def do(tasks: Sequence[Task], piece: Piece) -> Answer:
    """The rows of a piece, JSON-ready: by name `test`, `validation` (numbers), `diverged`, `seconds`, `steps`."""
    with one_thread():
        task = differentiable(piece.where.of(tasks, piece.seed))
        bench = _Bench(task, piece)
        return {
            "adapting": bench.adapting, "learning rate": bench.rate_only, "ordinary": bench.ordinary,
            "ml3": bench.ml3,
        }[piece.part]()  # fmt: skip


class _Bench:
    """One replicate of the data, on which rows are trained."""

    def __init__(self, task: SupervisedTask, piece: Piece) -> None:
        self.task, self.piece = task, piece
        # By replicate, not by part: every row of a replicate has the same starts and batches, and differences are
        # paired.
        name = ("adapting", piece.where.number)
        self.tuning, self.reported = (derive(piece.seed, *name, what) for what in ("tuning", "reported"))
        self.initial = derive(piece.seed, *name, "offline")
        self.classes = task.classes
        self.rows: dict[str, Answer] = {}

    def adapting(self) -> Answer:
        """The adapting loss, and everything that its path explains."""
        loss = self._loss()
        start = offline(loss, self.task, seed=self.initial, steps=self.piece.initial_steps)
        at, speed = self._placed(loss, start)
        eta, recorded = self._tuned(loss, start, at)
        path: list[Answer] = []
        found = self._adapted(loss, start, eta, at, ADAPTIVE, partial(self._look, loss, path))
        along = partial(self._along, loss, task=at)
        along(FIXED, start[None])
        # Recorded on the tuning start, replayed on the reported one: what adapting to this very start adds is missing
        # here.
        along(REPLAYED, recorded.path)
        along(MEAN, recorded.path.double().mean(0)[None])
        rates = rates_along(loss, recorded.path, self.classes, self.task.train.y)
        # A negative rate, or none, is no schedule: the ordinary loss then stands still, which is what it says.
        logs = [math.log(rate) if rate > 0 else -math.inf for rate in rates]
        self._along(ScaledLoss(self.task.kind), SCALE, torch.tensor(logs)[:, None], at)
        moved = self._shift(loss, start, found)
        return self._answer(
            eta=eta, speed=speed, path=path, moved=moved.distance, moved_shape=moved.shape,
            # About fifty points: enough for a picture, little in the record.
            rates=[rate if math.isfinite(rate) else None for rate in rates[:: max(1, len(rates) // 50)]],
        )  # fmt: skip

    def rate_only(self) -> Answer:
        """A loss that learns nothing but a learning rate, by the same two algorithms."""
        loss = ScaledLoss(self.task.kind)
        start = offline(loss, self.task, seed=self.initial, steps=self.piece.initial_steps)
        at, speed = self._placed(loss, start)
        eta, _ = self._tuned(loss, start, at)
        found = self._adapted(loss, start, eta, at, RATE, None)
        return self._answer(eta=eta, speed=speed, moved=self._shift(loss, start, found).distance)

    def ml3(self) -> Answer:
        """ML3's network, initialised offline and held fixed."""
        loss = NeuralLoss.drawn(self.task.kind, derive(self.piece.seed, "network", self.piece.where.number))
        start = offline(loss, self.task, seed=self.initial, steps=self.piece.initial_steps)
        at, speed = self._placed(loss, start)
        self._along(loss, ML3, start[None], at)
        return self._answer(speed=speed)

    def ordinary(self) -> Answer:
        """The ordinary loss: as it is, tuned, tuned and given the validation rows too, and on a cosine."""
        loss = ScaledLoss(self.task.kind)
        # The logarithm of the scale, so the ordinary loss itself, at every step.
        one = torch.zeros(1, 1)
        self._along(loss, ORDINARY, one)
        rate, steps = self._best_rate(loss, cosine=False)
        tuned = self._at(rate, steps)
        self._along(loss, TUNED, one, tuned)
        every = replace(tuned, train=_joined(tuned.train, tuned.val), pool=None)
        self._along(loss, ALL_ROWS, one, every)
        cosine, steps_of_cosine = self._best_rate(loss, cosine=True)
        self._along(loss, COSINE, one, self._at(cosine, steps_of_cosine), cosine=True)
        return self._answer(rate=rate, steps=steps, cosine_rate=cosine)

    def _loss(self) -> LearnedLoss:
        record = json.loads(self.piece.loss)
        if record == NEURAL:
            seed = derive(self.piece.seed, "network", self.piece.where.number)
            return adaptable(NEURAL, self.task.kind, self.classes, seed=seed)
        return learned_from_dict(record)

    def _placed(self, loss: LearnedLoss, start: Tensor) -> tuple[SupervisedTask, float]:
        """The task at the learning rate at which a loss trains, and that rate over the task's.

        The scale that one step from a fresh start asks for is far from what a training bears: momentum alone makes it
        ten times as large. So the scale is taken out, the null-epoch gradient made that of the ordinary loss, and the
        rate chosen by the validation rows, the loss held fixed: one procedure with the ordinary loss.
        """
        if self.piece.keep_scale:
            return self.task, 1.0
        scale = read(
            loss, unpacked(start, loss.coefficients), self.classes, self.task.train.y
        ).implicit_learning_rate
        if scale is None or scale <= 0:  # it climbs, or stands still: no rate makes it train
            return self.task, 1.0
        steps = self.task.settings.steps
        tried = {
            rate: self._fitness(
                train_along(self._at(rate / scale, steps), loss, start[None], seed=self.tuning)
            )
            for rate in (*RATES, PROBE)
        }
        # On ties the smaller rate.
        speed = min((tried[rate], rate) for rate in steady(tried))[1] / scale
        return self._at(speed, steps), speed

    def _fitness(self, found: Trained) -> float:
        """By the validation rows; smaller is better."""
        return math.inf if found.diverged else self.task.measure.fitness(self._score(found.model))

    def _tuned(self, loss: LearnedLoss, start: Tensor, at: SupervisedTask) -> tuple[float, Trained]:
        """The meta learning rate by the validation rows after training, and the training that it came from."""
        best: tuple[float, float, Trained] | None = None
        for eta in self.piece.etas:
            # On the tuning start, so that the reported one has chosen nothing.
            found = self._adapt(loss, start, eta, at, self.tuning, None)
            fitness = self._fitness(found)
            if best is None or fitness < best[0]:
                best = fitness, eta, found
        assert best is not None
        return best[1], best[2]

    def _adapt(
        self, loss: LearnedLoss, start: Tensor, eta: float, at: SupervisedTask, seed: int, look: Any
    ) -> Trained:
        adaptive = AdaptiveLoss(loss, eta=eta, objective=at.meta_loss)
        adaptive.coefficients = unpacked(start, loss.coefficients)
        return adapt_model(
            at, adaptive, seed=seed, meta_rows=self.piece.meta_rows,
            looks=self.piece.looks if look else (), look=look,
        )  # fmt: skip

    def _adapted(
        self, loss: LearnedLoss, start: Tensor, eta: float, at: SupervisedTask, name: str, look: Any
    ) -> Trained:
        began = time.perf_counter()
        found = self._adapt(loss, start, eta, at, self.reported, look)
        self._report(name, found, at, began)
        return found

    def _along(
        self,
        loss: LearnedLoss,
        name: str,
        path: Tensor,
        task: SupervisedTask | None = None,
        *,
        cosine: bool = False,
    ) -> None:
        """Trains with the coefficients of a given path, and records the row."""
        began = time.perf_counter()
        task = self.task if task is None else task
        found = train_along(task, loss, path, seed=self.reported, cosine=cosine)
        self._report(name, found, task, began)

    def _report(self, name: str, found: Trained, task: SupervisedTask, began: float) -> None:
        """Records the scores of a row; a training that diverged counts as the untrained model."""
        seconds = time.perf_counter() - began
        diverged, model = found.diverged, found.model
        test = math.nan if diverged else self._score(model, "test")
        if not math.isfinite(test):
            diverged = diverged or "the outputs of the trained model are not finite"
            # Leaving it out would flatter a loss that diverges now and then.
            model = self.task.build_model(self.reported)
            test = self._score(model, "test")
        self.rows[name] = {
            "test": test, "validation": self._score(model), "diverged": diverged, "seconds": seconds,
            "steps": task.settings.steps,
        }  # fmt: skip

    def _score(self, model: nn.Module, split: str = "val") -> float:
        return self.task.evaluate(model, split)[self.task.metric]

    def _at(self, rate: float, steps: int) -> SupervisedTask:
        return self.task.with_settings(learning_rate=self.task.settings.learning_rate * rate, steps=steps)

    def _best_rate(self, loss: LearnedLoss, *, cosine: bool) -> tuple[float, int]:
        """Learning rate and steps by the validation rows; a cosine is laid out for all its steps."""
        steps = self.task.settings.steps
        # A cosine that is stopped early never reaches its small rates: each of its points belongs to one number of
        # steps.
        stops = [steps] if cosine else sorted({max(1, round(share * steps)) for share in STOPS})
        tried: dict[float, dict[int, float]] = {}
        for rate in (*RATES, PROBE):
            scores: dict[int, float] = {}

            def look(step: int, model: nn.Module, phi: Tensor, scores: dict[int, float] = scores) -> None:
                scores[step] = self._score(model)

            train_along(
                self._at(rate, steps), loss, torch.zeros(1, 1), seed=self.tuning, cosine=cosine, looks=stops,
                look=look,
            )  # fmt: skip
            # One training of each rate serves all numbers of steps; a cosine has one only.
            tried[rate] = {step: self.task.measure.fitness(score) for step, score in scores.items()}
        # No score at the end: the training diverged before.
        ends = {rate: scores.get(steps, math.inf) for rate, scores in tried.items()}
        known = [(value, rate, stop) for rate in steady(ends) for stop, value in tried[rate].items()]
        _, rate, stop = min((one for one in known if math.isfinite(one[0])), default=(math.inf, 1.0, steps))
        return rate, stop

    def _look(self, loss: LearnedLoss, path: list[Answer], step: int, model: nn.Module, phi: Tensor) -> None:
        """Appends a reading of loss and model to the path."""
        now = unpacked(phi.cpu(), loss.coefficients)
        reading = read(loss, now, self.classes, self.task.train.y)
        path.append(
            {
                "step": step,
                "validation": self._score(model),
                "sharpness": sharpness(model, self.task),
                "phi": phi.tolist(),
                **asdict(reading),
            }
        )

    def _shift(self, loss: LearnedLoss, start: Tensor, found: Trained) -> Shift:
        like = loss.coefficients
        return shift(loss, unpacked(start, like), unpacked(found.end, like), self.classes)

    def _answer(self, **facts: Any) -> Answer:
        return {"rows": self.rows, **facts}


def steady(tried: Mapping[float, float]) -> list[float]:
    """The rates at which training is to be trusted: those below one that trained as well.

    What just trains from one start diverges from another. Where no two neighbours train, every rate counts.

    Args:
        tried: by rate its fitness, infinite or NaN where training diverged; the largest is a probe alone.

    >>> steady({0.3: 0.4, 1.0: 0.2, 3.0: 0.1, 10.0: math.inf})
    [0.3, 1.0]
    """
    rates = sorted(tried)
    trained = [
        rate
        for rate, above in itertools.pairwise(rates)
        if math.isfinite(tried[rate]) and math.isfinite(tried[above])
    ]
    return trained or rates[:-1]


def _joined(one: Split, two: Split) -> Split:
    """The rows of both parts."""
    weights = None if one.w is None or two.w is None else torch.cat([one.w, two.w])
    return Split(torch.cat([one.X, two.X]), torch.cat([one.y, two.y]), weights)


def loss_record(loss: LearnedLoss | str) -> str:
    """What a piece carries of a loss."""
    return json.dumps(loss if isinstance(loss, str) else learned_to_dict(loss))
