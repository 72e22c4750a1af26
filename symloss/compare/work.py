"""Trainings of a comparison, in pieces: pure functions of tasks and seeds, done here or in another process.

A piece holds trainings of one replicate of one task, a fixed number of them whatever the workers. Divergence is an
answer, never an exception.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from symloss.errors import SymlossError
from symloss.expr import default_registry
from symloss.expr.trees import Weighted
from symloss.meta import Member, NeuralLoss, visit_members
from symloss.runs import derive
from symloss.search.loop.blocks import block_of
from symloss.search.loop.work import loss_of, one_thread
from symloss.search.screen.null_scale import NullScale
from symloss.tasks import (
    METRICS,
    Metric,
    SupervisedTask,
    Task,
    corrupted,
    read_corruption,
    replicate,
    thinned,
)

__all__ = ["CHUNK", "Answer", "Piece", "Replicate", "Trial", "do", "fits", "row_scores", "unpacked"]

Answer = dict[str, Any]
CHUNK = 16
"""Trainings in a piece: perceptrons are trained together in products of matrices, which gain little beyond."""
_BESIDE = ("nll", "ece")
"""Metrics that are measured on the test part beside that of the task, where its kind has them."""
_DIVERGED = "training diverged: its metric is not finite"
_LARGE = 10**6
"""Numbers in a training part, beyond which a process keeps few replicates."""


@dataclass(frozen=True)
class Replicate:
    """Data on which losses are compared: one repetition of one task, or a share of it.

    Attributes:
        task: its place among the tasks.
        how: see `tasks.replicates_of`.
        number: of the repetition, from 0.
        count: how many there are.
        fraction: share of the rows that are not test rows.
    """

    task: int
    how: str
    number: int
    count: int
    fraction: float = 1.0

    def of(self, tasks: Sequence[Task], seed: int) -> Task:
        """The task on these data."""
        whole = replicate(tasks[self.task], self.how, self.number, self.count, seed)
        return thinned(whole, self.fraction, derive(seed, "fraction", self.number))


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        tokens, edges: the loss, as a tree or a network.
        normalised: whether it is divided by its null-epoch gradient scale, relative to the ordinary loss's.
        rate: times the task's learning rate.
        stops: numbers of steps after which the validation part is measured, ascending; the last ends it.
        block: number of the block that selects, or None for a training that is reported, whose model is measured on
            the test part, once.
        start: of a training that is reported, the number of its seed.
    """

    tokens: tuple[str, ...]
    edges: tuple[float, ...]
    normalised: bool
    rate: float
    stops: tuple[int, ...]
    block: int | None
    start: int = 0


@dataclass(frozen=True)
class Piece:
    """What a worker is given.

    Attributes:
        where: the data.
        trials: the trainings.
        seed: of the comparison.
        rows: whether the test rows' own scores are wanted.
        corruptions: of the test inputs, on which models that are reported are measured as well.
    """

    where: Replicate
    trials: tuple[Trial, ...]
    seed: int
    rows: bool = False
    corruptions: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What the answer is remembered under: everything that it depends on, within one run."""
        content = asdict(self)
        if not self.corruptions:
            del content["corruptions"]  # as runs have it that were made before there were any
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Steps of training in it."""
        return sum(trial.stops[-1] for trial in self.trials)


def do(tasks: Sequence[Task], piece: Piece) -> list[Answer]:
    """One JSON-ready answer for each trial of a piece, in order.

    Each holds `values`, the metric after each stop (None from where it diverged), `reason` if it failed, `scale`, the
    null-epoch gradient scale, and `seconds`, its share of the time; of a training that is reported `test`, metrics by
    name, and `rows`, the packed scores of the test rows, where they are wanted and there are any, and both again by
    corruption in `corrupted`, those of the corruptions that suit the task; one that diverged is reported as the model
    that it began with.
    """
    start = time.perf_counter()
    with one_thread():
        made = _made(tasks, piece)
        if isinstance(made.task, SupervisedTask):
            answers = _train(made, made.task, piece)
        else:
            answers = [_score(made.task, trial, piece) for trial in piece.trials]
    seconds = (time.perf_counter() - start) / len(piece.trials)
    return [{**answer, "seconds": seconds} for answer in answers]


@dataclass
class _Made:
    """The data of a replicate as a worker keeps them, with what is measured on them."""

    task: Task
    scale: NullScale
    corrupted: dict[str, SupervisedTask] = field(default_factory=dict)

    def measured(self, piece: Piece) -> dict[str, SupervisedTask]:
        """By corruption, those that suit it, the task with its test inputs."""
        for text in piece.corruptions:
            corruption = read_corruption(text)
            if text not in self.corrupted and not corruption.unsuited(self.task):
                assert isinstance(self.task, SupervisedTask)
                seed = derive(piece.seed, "corruption", text, piece.where.number)
                self.corrupted[text] = corrupted(self.task, corruption, seed)
        return {text: self.corrupted[text] for text in piece.corruptions if text in self.corrupted}


# A process trains dozens of losses on one replicate; as long as there is the task, so are a few of these.
_MADE: WeakKeyDictionary[Task, dict[tuple[Replicate, int], _Made]] = WeakKeyDictionary()


def _made(tasks: Sequence[Task], piece: Piece) -> _Made:
    kept = _MADE.setdefault(tasks[piece.where.task], {})
    key = (piece.where, piece.seed)
    if key not in kept:
        made = piece.where.of(tasks, piece.seed)
        large = isinstance(made, SupervisedTask) and made.train.X.numel() > _LARGE
        while len(kept) >= (2 if large else 12):
            # The oldest: work comes split by split.
            kept.pop(next(iter(kept)))
        # One scale for all starts of a replicate, so that a loss is one loss in all its trainings.
        kept[key] = _Made(made, NullScale([made], derive(piece.seed, "scale", piece.where.number)))
    return kept[key]


def _train(made: _Made, task: SupervisedTask, piece: Piece) -> list[Answer]:
    """Trains the trials of a piece, perceptrons together in batched products, any other model alone."""
    answers: list[Answer] = []
    members: list[Member] = []
    whose: list[int] = []
    for i, trial in enumerate(piece.trials):
        loss, factor, reason = _prepared(trial, task.kind, made.scale)
        answers.append(
            {
                "values": [None] * len(trial.stops),
                "reason": reason,
                "scale": factor,
                "test": None,
                "rows": None,
            }
        )
        if not reason:
            placed, seed = _placed(task, trial, piece)
            members.append(_member(loss, placed, seed, trial))
            whose.append(i)

    def look(place: int, step: int, model: nn.Module) -> None:
        member, trial, answer = members[place], piece.trials[whose[place]], answers[whose[place]]
        # Once more where weights are no longer finite, at another number: see `visit_members`.
        if step not in trial.stops:
            return
        value = member.task.evaluate(model, "val")[member.task.metric]
        answer["values"][trial.stops.index(step)] = value if math.isfinite(value) else None
        # At the end alone: the test rows are read once, and choose nothing.
        if trial.block is None and step == trial.stops[-1] and math.isfinite(value):
            answer.update(_reported(made, task, model, piece))

    visit_members(members, look)
    for answer, trial in zip(answers, piece.trials, strict=True):
        if answer["values"][-1] is None:
            answer["reason"] = answer["reason"] or _DIVERGED
        if trial.block is None and answer["test"] is None:
            # It is reported all the same, as the model that it began with: leaving it out would flatter the loss.
            _, seed = _placed(task, trial, piece)
            answer.update(_reported(made, task, task.build_model(seed), piece))
    return answers


def _member(loss: Weighted | NeuralLoss, task: SupervisedTask, seed: int, trial: Trial) -> Member:
    if isinstance(loss, NeuralLoss):
        return Member.of(loss, task, seed, rate=trial.rate, stops=trial.stops)
    program, edges = loss.graph()
    return Member(program, edges, task, seed, rate=trial.rate, stops=trial.stops)


def _reported(made: _Made, task: SupervisedTask, model: nn.Module, piece: Piece) -> Answer:
    """What is said of a model's test rows, as they are and corrupted."""
    test, rows = _tested(task, model, piece.rows)
    answer: Answer = {"test": test, "rows": rows}
    if piece.corruptions:
        again = {name: _tested(each, model, piece.rows) for name, each in made.measured(piece).items()}
        answer["corrupted"] = {name: {"test": test, "rows": rows} for name, (test, rows) in again.items()}
    return answer


def _prepared(trial: Trial, kind: str, scale: NullScale) -> tuple[Weighted | NeuralLoss, float, str]:
    """The loss as it is trained, its gradient scale, and why it cannot be trained, or `""`."""
    loss = loss_of((trial.tokens, trial.edges), kind, default_registry())
    factor = float(f"{scale(loss):.4g}")
    if trial.normalised:
        if not (math.isfinite(factor) and factor > 0):
            return loss, factor, f"its gradient scale is {factor:.3g} at the start of training"
        if isinstance(loss, NeuralLoss):
            return loss.scaled(1 / factor), factor, ""
        # Rounded, so that a multiple of a loss becomes that loss to the last bit.
        loss = loss.merged().scaled(1 / factor).merged().rounded(6)
    return loss, factor, ""


def _placed(task: SupervisedTask, trial: Trial, piece: Piece) -> tuple[SupervisedTask, int]:
    """Rows, and the seed of start and batches: those that select have nothing to do with those that report."""
    number = piece.where.number
    if trial.block is None:
        # Seeds by purpose: the starts that report were never seen by what was tuned. Every loss has the same ones, so
        # that differences are paired.
        return task, derive(piece.seed, "report", number, trial.start)
    placed, seed = block_of(task, derive(piece.seed, "select", number), [trial.block, 0, None], 0)
    assert isinstance(placed, SupervisedTask)
    return placed, seed


def _score(task: Task, trial: Trial, piece: Piece) -> Answer:
    """Scores a loss by the user's own training function, which reports one number a part."""
    tree = loss_of((trial.tokens, trial.edges), task.kind, default_registry())
    seed = derive(piece.seed, "report", piece.where.number, trial.start)
    empty: Answer = {"values": [None], "reason": "", "scale": 1.0, "test": None, "rows": None}
    if isinstance(tree, NeuralLoss):
        return {**empty, "reason": "a network has no formula, which is what a function trains with"}
    loss = tree.to_loss(task.kind)
    # Whatever the user's trainer does to a loss is that loss's outcome.
    try:
        validation, test = task.score_parts(loss, seed=seed)
    except SymlossError as error:
        return {**empty, "reason": str(error)}
    if not math.isfinite(validation):
        return {**empty, "reason": _DIVERGED}
    return {**empty, "values": [validation], "test": {task.metric: test if math.isfinite(test) else None}}


def _tested(task: SupervisedTask, model: nn.Module, rows: bool) -> tuple[dict[str, float | None], str | None]:
    """The metrics of a model on the test part, and its packed scores of the rows: read once."""
    metrics = [task.measure, *(METRICS[name] for name in _BESIDE if METRICS[name].suits(task.kind))]
    kept: list[NDArray[np.float32]] = []
    of_rows = row_scores(task.metric) if rows else None
    if of_rows is not None:

        def keep(outputs: Tensor, targets: Tensor) -> float:
            # A metric that keeps what it is given: the test part goes through the model once.
            kept.append(of_rows(outputs, targets).float().cpu().numpy())
            return 0.0

        metrics.append(Metric("rows", keep, False))
    found = task.evaluate(model, "test", metrics)
    values = {
        name: value if math.isfinite(value) else None for name, value in found.items() if name != "rows"
    }
    return values, base64.b64encode(kept[0].tobytes()).decode() if kept else None


def unpacked(rows: str) -> NDArray[np.float32]:
    """The scores of the test rows, `[N]`."""
    return np.frombuffer(base64.b64decode(rows), dtype=np.float32)


def row_scores(metric: str) -> Callable[[Tensor, Tensor], Tensor] | None:
    """What each row contributes, `[N]`, to a metric that is a mean over rows; None for any other.

    >>> import torch
    >>> row_scores("accuracy")(torch.tensor([[0.0, 1.0], [0.0, 1.0]]), torch.tensor([1, 0]))
    tensor([1., 0.])
    >>> row_scores("auroc") is None
    True
    """
    return _OF_ROWS.get(metric)


def _correct(outputs: Tensor, targets: Tensor) -> Tensor:
    if targets.ndim == 1:
        return (outputs.argmax(1) == targets).float()
    return ((outputs > 0) == (targets > 0.5)).float().mean(1)


def _likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    if targets.ndim == 1:
        return F.cross_entropy(outputs, targets, reduction="none")
    return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1)


_OF_ROWS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "accuracy": _correct,
    "error-rate": lambda outputs, targets: 1 - _correct(outputs, targets),
    "nll": _likelihood,
    # A score of exactly 0 counts as half a hit.
    "pair-accuracy": lambda outputs, targets: (outputs.sign() * (2 * targets - 1) + 1) / 2,
    "mse": lambda outputs, targets: (outputs - targets).square(),
    "mae": lambda outputs, targets: (outputs - targets).abs(),
}


def fits(piece: Piece, answer: Any) -> bool:
    """Whether an answer from a record has the form that `do` gives it."""
    if not isinstance(answer, list) or len(answer) != len(piece.trials):
        return False
    return all(
        isinstance(each, dict)
        and {"values", "reason", "scale", "test", "rows", "seconds"} <= each.keys()
        and isinstance(each["values"], list)
        and len(each["values"]) == len(trial.stops)
        and all(value is None or isinstance(value, float | int) for value in each["values"])
        and (not piece.corruptions or trial.block is not None or isinstance(each.get("corrupted"), dict))
        for each, trial in zip(answer, piece.trials, strict=True)
    )
