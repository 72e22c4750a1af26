"""Pieces of work: pure functions of their arguments, run in this process or in another.

A piece holds a fixed chunk of candidates whatever the number of workers, so that batched arithmetic adds up
in the same order everywhere. Divergence is an answer, never an exception.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from symloss.errors import SymlossError
from symloss.expr import Program, Registry
from symloss.expr.trees import Weighted
from symloss.meta import Member, NeuralLoss, learn, train_members, tune
from symloss.meta.learned_loss import single
from symloss.meta.tune import SPREAD, drawn
from symloss.search.loop.blocks import block_of
from symloss.search.loop.candidate import INSIDE, NEURAL, Graph
from symloss.search.propose.inside import TypedLoss
from symloss.search.screen.published import gain
from symloss.tasks import SupervisedTask, Task

__all__ = ["Answer", "Graph", "Piece", "chunks", "do", "fits", "one_thread"]

_DIVERGED = "training diverged: its metric is not finite"
Answer = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """What a worker is given.

    Attributes:
        what: `"tune"`, `"train"` or `"protocol"`.
        tasks: the tasks of the search.
        graphs: tokens and edges of each candidate.
        seed: of this kind of blocks, or of starts and batches.
        options: of the work. To train, each by candidate: `blocks` (number, folds, share that validates; None for
            the task as it is), `starts` (numbers of starts where there is no block), and by task `stops` (the
            numbers of steps after which it is measured) and `rates` (times the task's learning rate); and `test`
            where the test part is measured as well.
        registry: what the operators of the trees mean.
    """

    what: str
    tasks: tuple[Task, ...]
    graphs: tuple[Graph, ...]
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)
    registry: Registry = field(default_factory=Registry)

    @property
    def key(self) -> str:
        """What the answer is remembered under: everything that it depends on, within one run."""
        # Without tasks and registry, which are fixed within a run.
        content = [self.what, self.graphs, self.seed, dict(self.options)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def size(self) -> int:
        """The numbers of all its losses: about what it costs, beside others of its kind."""
        return sum(len(numbers) for _, numbers in self.graphs)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread inside, as before outside: sums of several threads round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def do(piece: Piece) -> list[Answer]:
    """One JSON-ready answer for each candidate of the piece, in its order.

    Each holds `seconds`, its share of the time, and: `edges` of a tuned candidate; of a trained one `values`, by
    task the metric after each of the stops (then, if asked for, the test metrics), None from where it diverged,
    with a `reason`; `gain` of one that is filtered as published.
    """
    start = time.perf_counter()
    with one_thread():
        answers = _WORK[piece.what](piece)
    # Losses of a piece are trained in one batch: their times cannot be told apart.
    seconds = (time.perf_counter() - start) / max(len(answers), 1)
    return [{**answer, "seconds": seconds} for answer in answers]


def loss_of(graph: Graph, kind: str, registry: Registry) -> Weighted | NeuralLoss:
    """The loss that travelled as a graph."""
    tokens, numbers = graph
    if tokens[0] == INSIDE:
        return TypedLoss.from_text(tokens[1], kind)
    if tokens[0] != NEURAL:
        return Weighted(Program(tokens, registry), numbers)
    factor, *weights = numbers
    return NeuralLoss(kind, tuple(weights), tuple(map(int, tokens[1:])), factor)


def _tune(piece: Piece) -> list[Answer]:
    losses = [loss_of(graph, piece.tasks[0].kind, piece.registry) for graph in piece.graphs]
    options = dict(piece.options)
    rates, block = options.pop("rates"), options.pop("block")
    tasks = []
    for task, rate in zip(piece.tasks, rates, strict=True):
        # The seed is the same for every task: it depends on the run's seed and the block's number alone.
        placed, seed = block_of(task, piece.seed, block, 0)
        tasks.append(placed.with_settings(learning_rate=placed.settings.learning_rate * rate))
    networks = [loss for loss in losses if isinstance(loss, NeuralLoss)]
    if networks:
        supervised = [task for task in tasks if isinstance(task, SupervisedTask)]
        learned = learn(networks, supervised, seed=seed, **options)
        return [
            {"edges": [loss.factor, *single(tuned.coefficients.tolist())], "reason": tuned.reason}
            for loss, tuned in zip(networks, learned, strict=True)
        ]
    members = [loss for loss in losses if isinstance(loss, TypedLoss)]
    if members:
        return _tune_members(members, tasks, seed, options)
    programs = [loss.program for loss in losses if isinstance(loss, Weighted)]
    # Tuning starts from the coefficients that a child inherits, not from 1.
    near = [edges for _, edges in piece.graphs]
    found = tune(programs, tasks, seed=seed, near=near, **options)
    return [{"edges": tuned.coefficients.tolist(), "reason": tuned.reason} for tuned in found]


def _tune_members(
    losses: Sequence[TypedLoss], tasks: Sequence[Task], seed: int, options: dict[str, Any]
) -> list[Answer]:
    """Tunes members of a theorem by the numbers of their derivations, behind the links that keep them members."""
    kind = tasks[0].kind
    tied = [loss.tied(kind) for loss in losses]
    # A little off, as edges of trees begin a little off 1: each from the seed and the tree alone.
    starts = [
        each.coefficients["numbers"] + SPREAD * drawn(len(each.links), seed, each.program) for each in tied
    ]
    supervised = [task for task in tasks if isinstance(task, SupervisedTask)]
    learned = learn(tied, supervised, seed=seed, starts=starts, **options)
    return [
        {"edges": each.linked(tuned.coefficients).tolist(), "reason": tuned.reason}
        for each, tuned in zip(tied, learned, strict=True)
    ]


def _train(piece: Piece) -> list[Answer]:
    losses = [loss_of(graph, piece.tasks[0].kind, piece.registry) for graph in piece.graphs]
    columns = [_column(piece, t, losses) for t in range(len(piece.tasks))]
    answers = []
    for row in zip(*columns, strict=True):
        # JSON has no NaN, and a record must read back as it was written.
        values = [[value if math.isfinite(value) else None for value in found] for found, _ in row]
        answers.append({"values": values, "reason": next((reason for _, reason in row if reason), "")})
    return answers


def _column(piece: Piece, t: int, losses: Sequence[Weighted | NeuralLoss]) -> list[tuple[list[float], str]]:
    """The metrics of each loss on one task, NaN where training diverged, with the reason."""
    options = piece.options
    placed = [
        block_of(piece.tasks[t], piece.seed, block, start)
        for block, start in zip(options["blocks"], options["starts"], strict=True)
    ]
    stops = [row[t] for row in options["stops"]]
    splits = ("val", "test") if options.get("test") else ("val",)
    if not isinstance(piece.tasks[t], SupervisedTask):
        return [
            _black_box(task, loss, seed, looks, splits)
            for loss, (task, seed), looks in zip(losses, placed, stops, strict=True)
            if isinstance(loss, Weighted)
        ]
    members = [
        _member(loss, task, seed, row[t], tuple(looks))
        for loss, (task, seed), row, looks in zip(losses, placed, options["rates"], stops, strict=True)
        if isinstance(task, SupervisedTask)
    ]
    found = []
    for parts in train_members(members, splits):
        values = [value for split in splits for value in parts[split]]
        found.append((values, "" if math.isfinite(values[0]) else _DIVERGED))
    return found


def _member(
    loss: Weighted | NeuralLoss, task: SupervisedTask, seed: int, rate: float, stops: tuple[int, ...]
) -> Member:
    if isinstance(loss, NeuralLoss):
        return Member.of(loss, task, seed, rate=rate, stops=stops)
    return Member(loss.program, loss.edges, task, seed, rate=rate, stops=stops)


def _black_box(
    task: Task, loss: Weighted, seed: int, stops: Sequence[int], splits: Sequence[str]
) -> tuple[list[float], str]:
    # Whatever the user's trainer does to a candidate is that candidate's outcome.
    try:
        if "test" in splits:
            values = list(task.score_parts(loss.to_loss(task.kind), seed=seed))
        else:
            values = task.score_steps(loss.to_loss(task.kind), stops, seed=seed)
    except SymlossError as error:
        # A failure of the trainer has the form of a divergence, so that `fits` accepts the record.
        return [math.nan] * len(stops) * len(splits), str(error)
    return values, "" if math.isfinite(values[0]) else _DIVERGED


def _protocol(piece: Piece) -> list[Answer]:
    """The published filter on the first task, as it was published for a single one."""
    task = piece.tasks[0]
    losses = [Weighted(Program(tokens, piece.registry), edges) for tokens, edges in piece.graphs]
    if not isinstance(task, SupervisedTask):
        return [{"gain": math.inf} for _ in losses]
    return [{"gain": gain(task, loss, piece.seed)} for loss in losses]


_WORK = {"tune": _tune, "train": _train, "protocol": _protocol}


def fits(piece: Piece, answer: Any) -> bool:
    """Whether an answer from a record has the form that `do` gives it."""
    if not isinstance(answer, list) or len(answer) != len(piece.graphs):
        return False
    return all(
        isinstance(each, dict) and _is_number(each.get("seconds")) and _is_form(piece, each, i)
        for i, each in enumerate(answer)
    )


def _is_form(piece: Piece, answer: Mapping[str, Any], i: int) -> bool:
    if piece.what == "protocol":
        return _is_number(answer.get("gain"))
    if not isinstance(answer.get("reason"), str):
        return False
    if piece.what == "tune":
        return _is_row(answer.get("edges"), len(piece.graphs[i][1]), _is_number)
    stops = piece.options["stops"][i]
    parts = 2 if piece.options.get("test") else 1
    values = answer.get("values")
    return (
        isinstance(values, list)
        and len(values) == len(stops)
        and all(_is_row(row, parts * len(looks), _is_value) for row, looks in zip(values, stops, strict=True))
    )


def _is_row(values: Any, length: int, each: Any) -> bool:
    return isinstance(values, list) and len(values) == length and all(map(each, values))


def _is_number(value: Any) -> bool:
    # JSON's true is an int in Python.
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_value(value: Any) -> bool:
    return value is None or _is_number(value)


def chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """The items in runs of nearly equal length, at most `size`, their number a multiple of 4 if possible.

    So two or four workers end together, whatever is left of a generation, and nothing depends on how many
    there are.

    >>> [len(run) for run in chunks(range(25), 8)]
    [6, 6, 6, 7]
    >>> chunks([1, 2, 3], 2)
    [[1], [2], [3]]
    """
    count = min(len(items), -(-len(items) // (4 * size)) * 4)
    return [items[len(items) * i // count : len(items) * (i + 1) // count] for i in range(count)]
