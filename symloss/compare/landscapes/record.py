"""The data of a landscape, and the file that holds it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symloss.errors import RunError

__all__ = ["Landscape", "Sharpness", "load_landscape", "save_landscape"]

Array = NDArray[np.float64]
_FORMAT = 1


@dataclass(frozen=True)
class Sharpness:
    """Of one trained model, on training rows.

    Attributes:
        own, ordinary: the largest eigenvalue, by magnitude, of the Hessian of the loss that trained it, and of the
            ordinary loss, by which models of losses of different scale can be compared.
        own_rise, ordinary_rise: by how much these losses rise one step up their gradient (`meta.sharpness.rise`).
    """

    own: float
    ordinary: float
    own_rise: float
    ordinary_rise: float


@dataclass(frozen=True)
class Landscape:
    """Losses and the metric around trained models.

    Attributes:
        config: what fixes it: task, model, losses, directions, grid, seed.
        losses: formulas; the models were trained with one each, from one start, in one order of batches.
        names: what these are called.
        metric: of the task.
        greater_is_better: whether more of it is.
        x, y: coordinates of the grid; `y` has one entry, 0, on a line.
        values: `[M, L, ny, nx]`: each loss around each origin; NaN where it has not been computed, infinite where it
            is not finite. Of random directions an origin is a model; a plane of minima or paths is one for all.
        scores: `[M, ny, nx]`: the metric.
        places: `[T, 2, 2]`: where each training began and where it ended, in its plane; NaN for a start outside it.
        ends: `[T, L + 1]`: losses and the metric of each trained model, evaluated alone.
        starts: `[L + 1]`: the same of the model that they began with.
        paths: of a principal plane, the way of each training, `[K, 2]`.
        explained: of a principal plane, the share of the paths' variance along each axis.
        sharpness: of each trained model.
    """

    config: Mapping[str, Any]
    losses: tuple[str, ...]
    names: tuple[str, ...]
    metric: str
    greater_is_better: bool
    x: Array
    y: Array
    values: Array
    scores: Array
    places: Array
    ends: Array
    starts: Array
    paths: tuple[Array, ...] = ()
    explained: tuple[float, ...] = ()
    sharpness: tuple[Sharpness, ...] = field(default=())

    @property
    def directions(self) -> str:
        """`"random"`, `"minima"` or `"path"`."""
        return str(self.config["directions"])

    @property
    def done(self) -> float:
        """The share of the points that have been computed."""
        return 1.0 - float(np.isnan(self.scores).mean())


def save_landscape(path: Path, found: Landscape) -> None:
    """Writes a landscape as `.npz`, whole or not at all: arrays, and everything else as JSON. No pickle.

    Raises:
        RunError: when it cannot be written.
    """
    arrays = {
        each.name: getattr(found, each.name)
        for each in fields(found)
        if isinstance(getattr(found, each.name), np.ndarray)
    }
    arrays |= {f"path_{i}": each for i, each in enumerate(found.paths)}
    told = {
        "format": _FORMAT, "config": dict(found.config), "losses": found.losses, "names": found.names,
        "metric": found.metric, "greater_is_better": found.greater_is_better, "explained": found.explained,
        "sharpness": [vars(each) for each in found.sharpness],
    }  # fmt: skip
    # In the same folder: `os.replace` is atomic within a file system only.
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            np.savez(file, told=np.array(json.dumps(told, sort_keys=True)), **arrays)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def load_landscape(path: Path) -> Landscape:
    """The landscape that `save_landscape` wrote.

    Raises:
        RunError: when there is none, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files if name != "told"}
            told = json.loads(str(held["told"]))
        if told["format"] != _FORMAT:
            raise RunError(
                f"{path} is a landscape of another version of symloss: draw it anew under another name"
            )
        paths = tuple(
            arrays.pop(f"path_{i}") for i in range(sum(name.startswith("path_") for name in arrays))
        )
        return Landscape(
            config=told["config"], losses=tuple(told["losses"]), names=tuple(told["names"]), metric=str(told["metric"]),
            greater_is_better=bool(told["greater_is_better"]), paths=paths, explained=tuple(told["explained"]),
            sharpness=tuple(Sharpness(**each) for each in told["sharpness"]),
            **{name: np.asarray(each, dtype=np.float64) for name, each in arrays.items()},
        )  # fmt: skip
    except FileNotFoundError:
        raise RunError(f"{path} does not exist") from None
    except RunError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is no landscape: {type(error).__name__} {error}") from None
