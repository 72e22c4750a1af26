"""A task: what a loss is for. Every kind of task can be asked how well a loss trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import torch
from torch import Tensor

from symloss.errors import TaskError
from symloss.expr import KINDS, Loss, parse
from symloss.numbers import as_real
from symloss.runs import derive
from symloss.tasks.given import whole
from symloss.tasks.train.loop import InstanceLoss
from symloss.tasks.train.metrics import AnyMetric, Metric
from symloss.tasks.train.settings import TrainingSettings

if TYPE_CHECKING:
    from symloss.tasks import build

__all__ = ["Block", "Task", "block_numbers"]

AnyTask = TypeVar("AnyTask", bound="Task", covariant=True)


@dataclass(frozen=True)
class Block(Generic[AnyTask]):
    """One setting in which losses are compared: training and validation rows, a start and an order of batches.

    Attributes:
        number: from 0.
        task: the task on these rows, the test rows as ever.
        seed: of initialisation and batch order.
        resampled: whether the rows are drawn anew. Else blocks differ in start and order alone, since the parts
            were given (loaders), or nothing is known of them (functions).
    """

    number: int
    task: AnyTask
    seed: int
    resampled: bool


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Task(ABC):
    """What a loss is for: something that trains with a loss and reports how good the result is.

    A `SupervisedTask` has data, a model and gradients through training; a `BlackBoxTask` is somebody else's
    trainer, which can only be scored.

    Attributes:
        name: what it is called.
        kind: `"classification"`, `"multilabel"`, `"regression"` or `"margin"`.
        measure: the primary metric.
        classes: number of classes or of labels; None for regression and margin.
        settings: how the model is trained.
        priors: share of each class (of each label's ones) among the training labels, float32 `[C]`, in
            (0, 1): with an absent class each counts one more. None where there are none, or none are known.
        facts: what else `describe` says.
        ledger: how often each part was evaluated, by this task and those derived from it, in this process.
    """

    name: str
    kind: str
    measure: Metric
    classes: int | None
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    priors: Tensor | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    # Mutable, in a frozen class, on purpose: `replace` hands on the same counter, so a look through a derived
    # task counts.
    ledger: Counter[str] = field(default_factory=Counter)

    if TYPE_CHECKING:  # `build` needs the tasks themselves, so it sets these when it is imported
        from_arrays = staticmethod(build.from_arrays)
        from_frame = staticmethod(build.from_frame)
        from_loaders = staticmethod(build.from_loaders)
        from_function = staticmethod(build.from_function)

    @property
    def metric(self) -> str:
        """Name of the primary metric."""
        return self.measure.name

    @property
    def test_evaluations(self) -> int:
        """How often the test part was evaluated."""
        return self.ledger["test"]

    @property
    def device(self) -> torch.device:
        """Where the data are, as far as the library holds any."""
        return torch.device("cpu")

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of what the task is made of."""

    @abstractmethod
    def score(
        self,
        loss: InstanceLoss | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """Metrics on one part, by name, after training with this loss; NaN where training diverged.

        Args:
            loss: a formula, or a function of `(outputs, targets)` that returns a scalar.
            seed: of the training; the same for all losses that are to be compared.
            settings: those of the task unless given.
            split: `"train"`, `"val"` or `"test"`; the last is counted in `test_evaluations`.
            metrics: names, `Metric`s or functions; the primary metric unless given.
        """

    @abstractmethod
    def score_parts(
        self, loss: InstanceLoss | Loss, *, seed: int, settings: TrainingSettings | None = None
    ) -> tuple[float, float]:
        """The primary metric of one and the same training, on the validation and on the test part."""

    @abstractmethod
    def score_steps(
        self,
        loss: InstanceLoss | Loss,
        steps: Sequence[int],
        *,
        seed: int,
        settings: TrainingSettings | None = None,
    ) -> list[float]:
        """The primary metric on the validation part after each of these numbers of steps.

        NaN from where training diverged.
        """

    @abstractmethod
    def block(self, run_seed: int, number: int, val_size: float | None = None, folds: int = 0) -> Block[Self]:
        """The block of this number: the same for the same run seed, for every loss and every process.

        Training and validation rows are drawn anew of all rows that are not test rows: stratified by the labels
        as they are, groups kept whole. Scalers are fitted on the block's training rows. Label noise, imbalance
        and outliers are settled by the seed of the split: a row's label is the same in each block.

        Args:
            run_seed: of the run.
            number: from 0.
            val_size: share of the rows that validate, between 0 and 1. Unless given, that of the task's own split;
                of more than 10,000 rows at least half, and at most 10,000 train and 10,000 validate.
            folds: blocks are folds of cross-validations, each shuffled anew, with so many folds; 0 for
                independent splits.

        Raises:
            TaskError: for a share that leaves a part without rows, or where rows cannot be drawn anew.
        """

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """The same task with whatever data it holds on another device."""

    def _as_it_is(
        self, run_seed: int, number: int, val_size: float | None, folds: int, why: str
    ) -> Block[Self]:
        """A block of a task whose rows cannot be drawn anew."""
        # Refused rather than ignored: a user who asks for folds would take equal rows for a cross-validation.
        if val_size is not None or folds:
            raise TaskError(
                f"{self.name}: {why}, so a size of the validation part or folds have no meaning: leave them out"
            )
        return Block(number, self, derive(run_seed, "block", number), resampled=False)

    def base_loss(self) -> Loss:
        """The ordinary loss of this kind: cross-entropy, binary cross-entropy or squared error."""
        return parse(KINDS[self.kind].ordinary, kind=self.kind)

    def with_settings(self, **changes: Any) -> Self:
        """The same task with some training settings changed.

        >>> from symloss.tasks import load_task
        >>> load_task("wine").with_settings(steps=10).settings.steps
        10
        """
        return replace(self, settings=replace(self.settings, **changes))

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """The task in words and numbers, JSON-ready; `origin` says how to make it again, or is None."""


def block_numbers(
    run_seed: Any, number: Any, val_size: Any, folds: Any
) -> tuple[int, int, float | None, int]:
    """What decides a block, as Python's own numbers; see `Task.block`.

    Raises:
        TaskError: for what is no number of that range.
    """
    share = None if val_size is None else as_real(val_size)
    if val_size is not None and share is None:
        raise TaskError(f"val_size is {val_size!r}: expected a share between 0 and 1")
    folds = whole("folds", folds, 0)
    if folds == 1:
        # One fold would validate on all rows and train on none.
        raise TaskError("folds is 1: expected at least 2, or 0 for independent splits")
    return whole("run_seed", run_seed, 0), whole("number", number, 0), share, folds
