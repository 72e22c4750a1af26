"""Finds the neural loss that a user names: a file of weights, a run of networks, or a step of an adapting one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import DomainError, RunError, SymlossError

if TYPE_CHECKING:
    from symloss.meta import LearnedLoss
    from symloss.search import FrontRow, Result
    from symloss.tasks import SupervisedTask

__all__ = ["Source", "read_source"]

_FORMS = "expected RUN, RUN#ROW or RUN@STEP of a run, or a file of weights, as RUN/neural.json"


@dataclass(frozen=True)
class Source:
    """A neural loss, and what is known of the training that it is for.

    Attributes:
        loss: the network, at its weights.
        said: how it was named.
        description: of the task of its run, or None.
        rate: its learning rate there, times that of the task.
        steps: of its training there; those of the task unless known.
    """

    loss: LearnedLoss
    said: str
    description: Mapping[str, Any] | None = field(default=None, repr=False)
    rate: float = 1.0
    steps: int | None = None

    def task(self) -> SupervisedTask | None:
        """The task of its run, set as the network was trained there; None where there is no run.

        Raises:
            TaskError: when it cannot be made again.
        """
        if self.description is None:
            return None
        from symloss.tasks import rebuild

        task = rebuild(self.description)
        settings = task.settings
        return task.with_settings(
            learning_rate=settings.learning_rate * self.rate, steps=self.steps or settings.steps
        )


def read_source(text: str) -> Source:
    """The neural loss that `RUN`, `RUN#ROW`, `RUN@STEP` or a file means.

    Raises:
        RunError: for no run, row or step there, or a run without networks.
        DomainError: for a file that holds no network, or a loss that is a formula.
    """
    from symloss.runs import verb_of
    from symloss.search import open_row, open_run

    path = Path(text)
    # What exists on disk first: a file's name may hold `@` or `#`.
    if path.is_file():
        return Source(_of_file(path), text)
    if not path.exists() and "@" in text:
        return _of_step(*text.rsplit("@", 1))
    if not path.exists() and "#" in text:
        return _of_row(*open_row(text), text)
    if not path.exists():
        raise RunError(f"{text} does not exist: {_FORMS}")
    if verb_of(path) == "adapt":
        raise RunError(f"{text} is a run of losses that adapt: name a step of it, as {text}@0")
    result = open_run(path)
    if result.network is None:
        raise RunError(f"{text} holds no network, its losses are formulas already: see symloss show {text}")
    row = next((row for row in result.front if row.evaluation == result.network.evaluation), None)
    return _of_row(row, result, text)


def _of_step(folder: str, step: str) -> Source:
    from symloss.compare.adapt import loss_at
    from symloss.meta import LearnedLoss
    from symloss.runs import RunStore, verb_of

    said = f"{folder}@{step}"
    if not step.isascii() or not step.isdigit():
        raise RunError(f"{said!r} names no step: expected RUN@STEP with a whole number, as {folder}@0")
    verb = verb_of(folder)
    if verb != "adapt":
        raise RunError(
            f"{folder} is a run of 'symloss {verb}', which has no steps: name a row, as {folder}#1"
        )
    loss = loss_at(folder, int(step))
    if not isinstance(loss, LearnedLoss):
        raise DomainError(f"{said} is a formula already: {loss}")
    with RunStore.open(folder) as store:
        config = store.config
    return Source(loss, said, config["task"], steps=int(config["settings"]["steps"]))


def _of_row(row: FrontRow | None, result: Result, said: str) -> Source:
    network = result.network
    if row is not None and not row.neural:
        raise DomainError(f"{said} is a formula already: {row.text}")
    if network is None or (row is not None and network.evaluation != row.evaluation):
        raise RunError(f"{said} is a network of which the run did not keep the weights: name its run alone")
    rate, steps = (1.0, None) if row is None or not row.rates else (row.rates[0], row.steps[0])
    described = result.task.get("tasks", [result.task])[0]
    return Source(network.loss, said, described, rate, steps)


def _of_file(path: Path) -> LearnedLoss:
    from symloss.meta import NeuralLoss
    from symloss.meta.adaptable import learned_from_dict

    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DomainError(f"{path} is no JSON and holds no network: {_FORMS}") from None
    if not isinstance(data, Mapping):
        raise DomainError(f"{path} holds no network: {_FORMS}")
    try:
        loss = learned_from_dict(data)
    except SymlossError as error:
        raise DomainError(f"{path} holds no network ({error}): {_FORMS}") from None
    if not isinstance(loss, NeuralLoss):
        raise DomainError(f"{path} holds a formula, and nothing to distil")
    return loss
