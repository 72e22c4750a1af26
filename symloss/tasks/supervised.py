"""A task with data, a model and gradients through training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn

from symloss.errors import TaskError
from symloss.expr import KINDS, Loss
from symloss.runs import derive
from symloss.tasks.data.parts import Split, class_shares, digest
from symloss.tasks.data.pool import Pool, Prepared
from symloss.tasks.data.splits import Indices
from symloss.tasks.given import whole
from symloss.tasks.task import Block, Task, block_numbers
from symloss.tasks.train.augment import Augmentation, augmentation
from symloss.tasks.train.formulas import InContext, for_training
from symloss.tasks.train.loop import InstanceLoss, StepHook, batch_order, output_shape, predict, seeded, train
from symloss.tasks.train.metrics import AnyMetric, check_defined, get_metric
from symloss.tasks.train.models import Architecture, Difference, ModelFactory, architecture
from symloss.tasks.train.objectives import ordinary
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["SupervisedTask"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SupervisedTask(Task):
    """Data in three disjoint parts, a model, a metric and training settings.

    Made by `load_task`, `load_csv`, `from_arrays` or `from_loaders`. The test part is reached through
    `evaluate(model, split="test")` alone, and `test_evaluations` counts how often.

    Attributes:
        train, val: the parts that a search may look at.
        factory: makes a fresh model.
        augment: of training inputs: a name, a function, or None.
        objective: the differentiable objective of tuning; the ordinary loss unless given.
        pool: the data that the parts are cut from, or None where the parts were given.
        paired: whether an instance is a pair of rows, `[2, ...]`, whose score is the difference of what the model says
            of them.
    """

    train: Split
    val: Split
    _test: Split
    factory: ModelFactory
    augment: str | Augmentation | None = None
    objective: InstanceLoss | None = None
    pool: Pool | None = None
    paired: bool = False

    @property
    def device(self) -> torch.device:
        """Where the data are."""
        return self.train.X.device

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of one instance."""
        return tuple(self.train.X.shape[1:])

    @property
    def row(self) -> tuple[int, ...]:
        """Shape of what the model sees: an instance, or one of the two rows of a pair."""
        return self.inputs[1:] if self.paired else self.inputs

    @property
    def test_size(self) -> int:
        """Number of test instances."""
        return len(self._test)

    @property
    def overlap(self) -> float:
        """Test rows as a share of all others: how much random splits of the data have in common."""
        if self.pool is not None:
            return self.pool.test.size / self.pool.size
        return self.test_size / (len(self.train) + len(self.val))

    @property
    def test_units(self) -> Indices | None:
        """The rows that each test instance is made of, `[N, k]`; None where it is one of its own."""
        return None if self.pool is None else self.pool.test_units

    def __repr__(self) -> str:
        sizes = f"{len(self.train)}/{len(self.val)}/{len(self._test)}"
        return f"<Task {self.name}: {self.kind}, {sizes} instances, {self.metric}>"

    def block(self, run_seed: int, number: int, val_size: float | None = None, folds: int = 0) -> Block[Self]:
        """See `Task.block`.

        >>> from symloss.tasks import load_task
        >>> block = load_task("wine").block(run_seed=0, number=3)
        >>> block.task, block.task.block(0, 3).seed == block.seed
        (<Task wine: classification, 106/36/36 instances, accuracy>, True)
        """
        run_seed, number, val_size, folds = block_numbers(run_seed, number, val_size, folds)
        if self.pool is None:
            return self._as_it_is(run_seed, number, val_size, folds, "its parts were given")
        if val_size is not None and not 0 < val_size < 1:
            raise TaskError(f"val_size is {val_size!r}: expected a share between 0 and 1")
        # Someone replaced `train` or `val` and left the pool: blocks would be cut from rows that the task no
        # longer has. Pairs are more than their rows, so their count says nothing.
        if not self.paired and len(self.train) + len(self.val) != self.pool.size:
            raise TaskError(
                f"{self.name}: its parts are not those of its data: give replace(task, ..., pool=None)"
            )
        if folds:
            # Blocks 0 to folds - 1 are one cross-validation, the next ones another with a shuffle of its own: any
            # number of blocks may be asked for, in any order.
            drawn = self.pool.fold(derive(run_seed, "folds", number // folds), folds, number % folds)
        else:
            drawn = self.pool.cut(derive(run_seed, "block", number, "rows"), val_size)
        block = self._cut(
            self.pool.prepare(*drawn), f"block {number}", block=[run_seed, number, val_size, folds]
        )
        return Block(number, block, derive(run_seed, "block", number), resampled=True)

    def with_pool(self, pool: Pool, which: str = "the other rows") -> Self:
        """The same task on other rows: the parts of another pool, scaled by its training rows.

        Args:
            pool: its training and validation rows become those of the task.
            which: what to call these rows in an error.

        Raises:
            TaskError: when the instances have another shape there, and the model is not one with a name.
        """
        return replace(self._cut(pool.prepare(pool.train, pool.val), which), pool=pool)

    def with_test_inputs(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same task with its test inputs changed; whatever is drawn anew of its rows is not."""
        test = replace(self._test, X=change(self._test.X))
        return replace(self, _test=test)

    def _cut(self, prepared: Prepared, which: str, **facts: Any) -> Self:
        """The task with these parts."""
        train, val, test = (part.to(self.device) for part in prepared.parts)
        # A pool or a block of a block is no longer that block, which `rebuild` would otherwise cut again.
        known = {name: fact for name, fact in self.facts.items() if name != "block"}
        task = replace(
            self, train=train, val=val, _test=test, priors=class_shares(self.kind, train.y, self.classes),
            facts={**known, "target_scale": prepared.scale, **facts},
        )  # fmt: skip
        if isinstance(self.factory, Architecture):
            # Which values of a text column, and which columns at all, is up to the training rows.
            return task.with_model(self.factory.name)
        if task.inputs != self.inputs:
            raise TaskError(
                f"{self.name}: instances of {which} have shape {task.inputs}, those of the task {self.inputs}, "
                "for which the model was made: choose a model by name, or encode the table yourself"
            )
        return task

    def build_model(self, seed: int) -> nn.Module:
        """A fresh model, the same for the same seed; torch's global random state is left as it was.

        Its outputs are `[N, C]` (classification), `[N, K]` (multilabel) or `[N]` (regression, margin).
        """
        with seeded(whole("seed", seed)):
            model = self.factory()
        if self.paired:
            # [N, 2, ...] to [2N, ...]: the model scores single rows, so a pair and its mirror image have opposite
            # scores by construction.
            model = nn.Sequential(nn.Flatten(0, 1), model, Difference())
        elif not KINDS[self.kind].probabilities:
            model = nn.Sequential(model, nn.Flatten(0))
        return model.to(self.device)

    def batches(self, seed: int, steps: int, batch_size: int | None = None, split: str = "train") -> Tensor:
        """Row indices of each step, int64 `[steps, batch]`; one order for all candidates.

        Each epoch is a permutation of its own, and incomplete batches are dropped. A part smaller than the
        batch size is one batch.

        Args:
            seed: of the order; nothing else decides it.
            steps: number of batches.
            batch_size: that of `settings` unless given.
            split: `"train"`, `"val"` or `"test"`.
        """
        part = self._part(split)
        size = self.settings.batch_size if batch_size is None else whole("batch_size", batch_size, 1)
        return batch_order(len(part), whole("seed", seed), whole("steps", steps, 0), size)

    def minibatches(
        self, seed: int, steps: int, batch_size: int | None = None, split: str = "train"
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches `(X, y)` in the order of `batches`; those of the training part augmented if the task augments.

        Those of the test part are counted in `test_evaluations`, once for all of them.
        """
        self._count_test(split)
        for _, inputs, targets in self._drawn(seed, steps, batch_size, split):
            yield inputs, targets

    def context(self, rows: Tensor | slice, split: str = "train") -> dict[str, Tensor]:
        """What a formula may need for these rows of a part besides outputs and targets, by the symbol's name.

        `pi`: the class priors `[C]`; `w`: the weights of the instances `[N]`. A task that has none of these
        gives none.

        Args:
            rows: indices, such as a row of `batches`, or a slice.
            split: `"train"`, `"val"` or `"test"`; the last is counted in `test_evaluations`.
        """
        part = self._part(split)
        self._count_test(split)
        known = {"pi": self.priors, "w": None if part.w is None else part.w[rows]}
        return {name: value for name, value in known.items() if value is not None}

    def _drawn(
        self, seed: int, steps: int, batch_size: int | None, split: str = "train"
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The rows of each batch, and its instances and targets."""
        part = self._part(split)
        seed = whole("seed", seed)
        # Not `seed` itself, with which `batch_order` starts: crops and permutations would be drawn from the same
        # bits.
        generator = torch.Generator().manual_seed((seed + 1) % 2**63)
        for rows in self.batches(seed, steps, batch_size, split):
            inputs = part.X[rows]
            if self.augment and split == "train":
                inputs = augmentation(self.augment)(inputs, generator)
            yield rows, inputs, part.y[rows]

    def _part(self, split: str) -> Split:
        parts = {"train": self.train, "val": self.val, "test": self._test}
        if split not in parts:
            raise TaskError(f"split {split!r}: expected train, val or test")
        return parts[split]

    def _count_test(self, split: str) -> None:
        if split == "test":
            self.ledger[split] += 1

    def fit(
        self,
        loss: InstanceLoss | InContext | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        on_step: StepHook | None = None,
    ) -> nn.Module:
        """A fresh model trained on the training part with this loss.

        SGD with Nesterov momentum and weight decay; dropout and batch normalisation are in training mode.
        The same seed gives the same start, batches and dropout whatever the loss. A model that diverges is
        returned as it is: its metrics are NaN.

        Args:
            loss: a formula, or a function of `(outputs, targets)` that returns a scalar. In a formula `pi` is
                the class prior and `w` the weight of the instance; `InContext` makes a function that knows them.
            seed: of initialisation and batch order.
            settings: those of the task unless given.
            on_step: called as `on_step(step, model)` after each step, from 1; False ends training.

        >>> import symloss.tasks as tasks
        >>> task = tasks.load_task("wine")
        >>> model = task.fit(task.base_loss(), seed=0)
        >>> task.evaluate(model)["accuracy"] > 0.9
        True
        """
        seed = whole("seed", seed)
        chosen = settings or self.settings
        model = self.build_model(seed)
        drawn = self._drawn(seed, chosen.steps, chosen.batch_size)
        batches = ((inputs, targets, self.context(rows)) for rows, inputs, targets in drawn)
        # The seed of dropout too, whatever was drawn before: candidates differ in their loss alone.
        with seeded(seed):
            return train(model, for_training(loss, self.device), batches, chosen, on_step)

    def evaluate(
        self,
        model: nn.Module,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """Metrics of a model on one part, by name; NaN when an output is not finite.

        Args:
            model: as `fit` returns it; evaluated in evaluation mode, its mode restored.
            split: `"train"`, `"val"` or `"test"`; the last is counted in `test_evaluations`.
            metrics: names, `Metric`s or functions; the primary metric unless given.
        """
        part = self._part(split)
        # Before the look is counted: an unknown metric looks at nothing.
        chosen = [self.measure] if metrics is None else [get_metric(metric, self.kind) for metric in metrics]
        self.ledger[split] += 1
        outputs = predict(model, part.X)
        return {metric.name: metric(outputs, part.y) for metric in chosen}

    def score(
        self,
        loss: InstanceLoss | Loss,
        *,
        seed: int,
        settings: TrainingSettings | None = None,
        split: str = "val",
        metrics: Sequence[AnyMetric] | None = None,
    ) -> dict[str, float]:
        """`fit`, then `evaluate`; see `Task.score`."""
        return self.evaluate(self.fit(loss, seed=seed, settings=settings), split, metrics)

    def score_parts(
        self, loss: InstanceLoss | Loss, *, seed: int, settings: TrainingSettings | None = None
    ) -> tuple[float, float]:
        """See `Task.score_parts`."""
        model = self.fit(loss, seed=seed, settings=settings)
        return self.evaluate(model)[self.metric], self.evaluate(model, "test")[self.metric]

    def score_steps(
        self,
        loss: InstanceLoss | Loss,
        steps: Sequence[int],
        *,
        seed: int,
        settings: TrainingSettings | None = None,
    ) -> list[float]:
        """See `Task.score_steps`: one training, evaluated on its way."""
        steps = [whole("steps", step, 0) for step in steps]
        found: dict[int, float] = {}

        def look(step: int, model: nn.Module) -> None:
            if step in steps:
                found[step] = self.evaluate(model)[self.metric]

        self.fit(loss, seed=seed, settings=settings, on_step=look)
        return [found.get(step, math.nan) for step in steps]

    def meta_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The differentiable objective by which coefficients are tuned, a scalar; not the metric.

        Cross-entropy, binary cross-entropy or mean squared error, unless `with_objective` chose another.
        """
        if self.objective is not None:
            return self.objective(outputs, targets)
        return ordinary(self.kind, outputs, targets)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the kind and of every number in the three parts."""
        return digest(self.kind, (self.train, self.val, self._test))

    @cached_property
    def _hard_labels(self) -> bool:
        """Whether every label is 0 or 1: class indices are, and multilabel targets that hold no other number."""
        if KINDS[self.kind].exclusive:
            return not self.train.y.is_floating_point()
        return KINDS[self.kind].independent and bool(((self.train.y == 0) | (self.train.y == 1)).all())

    def describe(self) -> dict[str, Any]:
        """See `Task.describe`."""
        return {
            "name": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "greater_is_better": self.measure.greater_is_better,
            "meta_loss": _name(self.objective) if self.objective else self.base_loss().formula,
            "classes": self.classes,
            "hard_labels": self._hard_labels,
            "inputs": list(self.inputs),
            "sizes": {"train": len(self.train), "val": len(self.val), "test": len(self._test)},
            "model": _name(self.factory),
            "settings": asdict(self.settings),
            "augment": _name(self.augment) if self.augment else None,
            "fingerprint": self.fingerprint,
            **self.facts,
        }

    def with_model(self, model: str | ModelFactory) -> Self:
        """The same task with another model: a name, or a function without arguments that makes one.

        Raises:
            TaskError: for an unknown name, or a model whose outputs do not have the shape of the task.
        """
        outputs = self.classes or 1
        if isinstance(model, str):
            return replace(self, factory=architecture(model, self.row, outputs))
        # A module is callable too, but it would be one set of weights that every training goes on from.
        if isinstance(model, nn.Module) or not callable(model):
            raise TaskError(
                f"model is a {type(model).__name__}: expected a name, or a function that makes a fresh model"
            )
        changed = replace(self, factory=model)
        shape = output_shape(changed.build_model(0), self.train.X[:2])
        expected = (2, self.classes) if KINDS[self.kind].probabilities else (2,)
        if shape != expected:
            raise TaskError(f"the model's outputs for two instances have shape {shape}: expected {expected}")
        return changed

    def with_metric(self, metric: AnyMetric, greater_is_better: bool = False) -> Self:
        """The same task with another primary metric: a name, a `Metric`, or `(outputs, targets) -> float`.

        Raises:
            TaskError: for an unknown name, a metric of another kind of task, or one without a value here.
        """
        measure = get_metric(metric, self.kind, greater_is_better)
        check_defined(measure, self.val.y, self.classes)
        return replace(self, measure=measure)

    def with_objective(self, objective: InstanceLoss) -> Self:
        """The same task with another differentiable meta-objective `(outputs, targets) -> scalar`."""
        return replace(self, objective=objective)

    def to(self, device: torch.device | str) -> Self:
        """The same task with its data on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("train", "val", "_test")}
        return replace(self, **moved, priors=None if self.priors is None else self.priors.to(device))


def _name(thing: Any) -> str:
    if isinstance(thing, Architecture):
        return thing.name
    return thing if isinstance(thing, str) else str(getattr(thing, "__qualname__", type(thing).__name__))
