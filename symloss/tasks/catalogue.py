"""Tasks by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from symloss.errors import TaskError
from symloss.tasks import tabular
from symloss.tasks.assemble import assemble
from symloss.tasks.features import DataSet
from symloss.tasks.metrics import Metric
from symloss.tasks.models import ModelFactory
from symloss.tasks.names import suggestion
from symloss.tasks.settings import TrainingSettings
from symloss.tasks.task import Task

__all__ = ["Catalogued", "catalogue", "load_task", "task_names"]


@dataclass(frozen=True)
class Catalogued:
    """A task that can be asked for by name.

    Attributes:
        name: what users type.
        kind: the kind of task.
        description: one line.
        size: instances and shape of one, in words.
        load: reads the raw data.
    """

    name: str
    kind: str
    description: str
    size: str
    load: Callable[[], DataSet]


_ENTRIES = {
    entry.name: entry
    for entry in (
        Catalogued("diabetes", "regression", "disease progression of patients", "442 x 10", tabular.diabetes),
        Catalogued(
            "digits", "classification", "handwritten digits, 10 classes", "1,797 x 64", tabular.digits
        ),
        Catalogued("wine", "classification", "cultivars of wine, 3 classes", "178 x 13", tabular.wine),
        Catalogued(
            "breast-cancer", "classification", "tumours, 2 classes", "569 x 30", tabular.breast_cancer
        ),
    )
}


def catalogue() -> list[Catalogued]:
    """All tasks with a name."""
    return list(_ENTRIES.values())


def task_names() -> list[str]:
    """The names that `load_task` knows.

    >>> task_names()[:2]
    ['diabetes', 'digits']
    """
    return list(_ENTRIES)


def load_task(
    name: str,
    *,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    model: str | ModelFactory | None = None,
    metric: str | Metric | Callable[[Tensor, Tensor], float] | None = None,
    seed: int = 0,
    settings: TrainingSettings | None = None,
) -> Task:
    """The task of a name, split 60/20/20 without leaks; test data are never modified.

    Args:
        name: one of `task_names()`.
        label_noise: probability with which a training or validation label becomes another, in [0, 1].
        imbalance: size of the largest class over that of the rarest, geometric between, >= 1 (training and
            validation).
        outliers: share of training and validation targets shifted by +-5 standard deviations, in [0, 1].
        model: `linear`, `mlp`, `mlp-DEPTHxWIDTH`, `lenet5`, or a function that makes a fresh model.
        metric: a name, a `Metric`, or `(outputs, targets) -> float`; accuracy, macro-F1 or mean squared
            error unless given.
        seed: of the split and the modifiers.
        settings: of the training.

    Raises:
        TaskError: for an unknown name, absent data, or an option that does not fit.

    >>> load_task("diabetes")
    <Task diabetes: regression, 265/89/88 instances, mse>
    """
    entry = _ENTRIES.get(name)
    if entry is None:
        raise TaskError(f"unknown task {name!r}: {suggestion(name, task_names())}")
    origin = None
    if not callable(model) and not callable(metric):
        origin = {
            "name": name, "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers,
            "model": model, "metric": metric, "seed": seed,
        }  # fmt: skip
    return assemble(
        entry.load(), model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
        outliers=outliers, settings=settings, origin=origin,
    )  # fmt: skip
