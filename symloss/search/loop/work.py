"""Pieces of work: pure functions of what they are given, done here or in another process.

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
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from symloss.errors import SymlossError
from symloss.expr import Program, Registry
from symloss.expr.trees import Weighted
from symloss.meta import fit_population, tune
from symloss.search.schedules import curve, stops
from symloss.search.screen.published import gain
from symloss.tasks import SupervisedTask, Task, TrainingSettings

__all__ = ["Answer", "Graph", "Piece", "chunks", "do", "fits", "one_thread"]

_DIVERGED = "training diverged: its metric is not finite"
Graph = tuple[tuple[str, ...], tuple[float, ...]]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Piece:
    """What a worker is given.

    Attributes:
        what: `"curve"`, `"tune"`, `"train"` or `"protocol"`.
        tasks: the tasks of the search.
        graphs: tokens and edges of each candidate.
        seed: of initialisation and batch order, the same for all candidates.
        options: of the work.
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
        content = [self.what, self.graphs, self.seed, dict(self.options)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    @property
    def size(self) -> int:
        """The nodes of all its trees: about what it costs, beside others of its kind."""
        return sum(len(tokens) for tokens, _ in self.graphs)


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

    Each holds `seconds`, its share of the time, and: `edges` of a tuned candidate; `values`, the metric per
    task, of a trained one, None where it diverged, with a `reason`, or of a `"curve"` the fitness after each
    number of steps; `gain` of one that is filtered as published.
    """
    start = time.perf_counter()
    with one_thread():
        answers = _WORK[piece.what](piece)
    seconds = (time.perf_counter() - start) / max(len(answers), 1)
    return [{**answer, "seconds": seconds} for answer in answers]


def _tune(piece: Piece) -> list[Answer]:
    programs = [Program(tokens, piece.registry) for tokens, _ in piece.graphs]
    near = [edges for _, edges in piece.graphs]
    found = tune(programs, piece.tasks, seed=piece.seed, near=near, **piece.options)
    return [{"edges": tuned.coefficients.tolist(), "reason": tuned.reason} for tuned in found]


def _curve(piece: Piece) -> list[Answer]:
    task, rate = piece.tasks[piece.options["task"]], piece.options["rate"]
    answers = []
    for tokens, edges in piece.graphs:
        values = curve(
            task, Weighted(Program(tokens, piece.registry), edges).to_loss(task.kind), piece.seed, rate
        )
        answers.append({"values": [v if math.isfinite(v) else None for v in values], "reason": ""})
    return answers


def _train(piece: Piece) -> list[Answer]:
    losses = [Weighted(Program(tokens, piece.registry), edges) for tokens, edges in piece.graphs]
    share = float(piece.options.get("share", 1.0))
    columns = [_scores(task, losses, piece.seed, share) for task in piece.tasks]
    answers = []
    for row in zip(*columns, strict=True):
        values = [value if math.isfinite(value) else None for value, _ in row]
        answers.append({"values": values, "reason": next((reason for _, reason in row if reason), "")})
    return answers


def _scores(task: Task, losses: Sequence[Weighted], seed: int, share: float) -> list[tuple[float, str]]:
    """The metric of a fresh model trained with each loss, NaN with a reason where there is none."""
    settings = replace(task.settings, steps=max(1, round(share * task.settings.steps)))
    if not isinstance(task, SupervisedTask):
        return [_black_box(task, loss, seed, settings) for loss in losses]
    programs = [loss.program for loss in losses]
    edges = [torch.tensor(loss.edges, dtype=torch.float32, device=task.device) for loss in losses]
    models = fit_population(programs, edges, task, seed=seed, settings=settings)
    values = [float(task.evaluate(model)[task.metric]) for model in models]
    return [(value, "" if math.isfinite(value) else _DIVERGED) for value in values]


def _black_box(task: Task, loss: Weighted, seed: int, settings: TrainingSettings) -> tuple[float, str]:
    # Whatever the user's trainer does to a candidate is that candidate's outcome.
    try:
        value = float(task.score(loss.to_loss(task.kind), seed=seed, settings=settings)[task.metric])
    except SymlossError as error:
        return math.nan, str(error)
    return value, "" if math.isfinite(value) else _DIVERGED


def _protocol(piece: Piece) -> list[Answer]:
    """Of the first task: the published filters know one."""
    task = piece.tasks[0]
    assert isinstance(task, SupervisedTask)
    losses = [Weighted(Program(tokens, piece.registry), edges) for tokens, edges in piece.graphs]
    return [{"gain": gain(task, loss, piece.seed)} for loss in losses]


_WORK = {"curve": _curve, "tune": _tune, "train": _train, "protocol": _protocol}


def fits(piece: Piece, answer: Any) -> bool:
    """Whether an answer from a record has the form that `do` gives it."""
    if not isinstance(answer, list) or len(answer) != len(piece.graphs):
        return False
    lengths = [_length(piece, edges) for _, edges in piece.graphs]
    return all(
        isinstance(each, dict) and _is_number(each.get("seconds")) and _is_form(piece.what, each, length)
        for each, length in zip(answer, lengths, strict=True)
    )


def _length(piece: Piece, edges: Sequence[float]) -> int:
    if piece.what == "curve":
        return len(stops(piece.tasks[piece.options["task"]]))
    return len(edges) if piece.what == "tune" else len(piece.tasks)


def _is_form(what: str, answer: Mapping[str, Any], length: int) -> bool:
    if what == "protocol":
        return _is_number(answer.get("gain"))
    numbers = answer.get("edges" if what == "tune" else "values")
    return (
        isinstance(answer.get("reason"), str)
        and isinstance(numbers, list)
        and len(numbers) == length
        and all(_is_number(value) or (value is None and what != "tune") for value in numbers)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
