"""The landscape of losses: what they look like around models that were trained with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.compare.landscapes.plane import Plane, plane_of_paths, plane_of_points, random_plane
from symloss.compare.landscapes.record import Array, Landscape, load_landscape, save_landscape
from symloss.compare.landscapes.surface import Surface, at_once
from symloss.compare.landscapes.walk import Progress, Walk, alone, sharpness, walk
from symloss.compare.protocol import as_json
from symloss.errors import DomainError, RunError
from symloss.expr import Loss
from symloss.numbers import as_real, as_whole
from symloss.search.prepare import prepare
from symloss.tasks import SupervisedTask, Task
from symloss.zoo import parse

__all__ = ["DIRECTIONS", "landscape"]

DIRECTIONS = ("random", "minima", "path")
"""Through each trained model along filter-normalised Gaussian directions; through both trained models and their common
start; or along the principal directions of their training."""
_MARGIN = 0.35
"""Beyond what is to be seen of a plane, as a share of it."""
_ROWS = 2048
"""Training rows by which losses are measured."""


def landscape(
    task: Task,
    losses: Sequence[Loss | str],
    *,
    names: Sequence[str] | None = None,
    model: str | None = None,
    steps: int | None = None,
    directions: str = "random",
    dimensions: int = 2,
    grid: int = 51,
    span: float = 1.0,
    seed: int = 0,
    device: str = "auto",
    out: str | Path | None = None,
    on_progress: Progress | None = None,
) -> Landscape:
    """Trains a model with each loss, from one start and in one order of batches, and looks at all losses around them.

    Losses are means over (at most 2,048) training rows, the metric is that of the validation rows. The model is in
    evaluation mode; in a plane of two minima batch normalisation's statistics go from those of one to those of the
    other, elsewhere they are those of the trained model. Test rows are not touched.

    Args:
        task: with data, a model and gradients.
        losses: one, or two to be looked at side by side; formulas or names of the zoo.
        names: what they are called.
        model, steps: those of the task unless given.
        directions: one of `DIRECTIONS`; `minima` needs two losses.
        dimensions: 1 for a line, 2 for a plane.
        grid: points along an axis, odd, so that the trained model is one of them.
        span: of random directions, how far they go: 1 is as far as the weights are large.
        seed: of start, batches and directions.
        device: see `discover`.
        out: file (`.npz`) that keeps it as it goes; where it holds the same landscape in part, the rest is computed.
        on_progress: called with a stage, how many points are done, and of how many.

    Returns:
        the landscape; after Ctrl-C with NaN where nothing has been computed, to go on with.

    Raises:
        SymlossError: for a task without gradients, losses of another kind, or numbers out of range.
        RunError: when the file holds another landscape, or cannot be written.

    References:
        Li et al., Visualizing the loss landscape of neural nets, 2018.

    >>> from symloss.tasks import load_task
    >>> found = landscape(load_task("wine", model="linear"), ["ce"], steps=20, grid=3, dimensions=1)
    >>> found.scores.shape, found.done, bool((found.values[0, 0, 0, 1] == found.ends[0, 0]))
    ((1, 1, 3), 1.0, True)
    """
    (placed,) = prepare(task, model, None, device, "serial")
    if not isinstance(placed, SupervisedTask):
        raise DomainError(
            f"task {placed.name} is trained by a function of yours: its weights cannot be looked at"
        )
    if steps is not None:
        placed = placed.with_settings(steps=_whole("steps", steps, 1))
    called = tuple(map(str, losses if names is None else names))
    if len(called) != len(losses):
        raise DomainError(f"{len(called)} names for {len(losses)} losses: expected one each")
    chosen = [parse(each, kind=placed.kind) if isinstance(each, str) else each for each in losses]
    _check(placed, chosen, directions, dimensions, grid, span)
    config = as_json({
        "task": placed.describe()["fingerprint"], "name": placed.name, "model": placed.describe()["model"],
        "training": placed.describe()["settings"], "losses": list(map(str, chosen)), "directions": directions,
        "dimensions": dimensions, "grid": grid, "span": float(span), "seed": _whole("seed", seed, 0),
    })  # fmt: skip
    path = None if out is None else Path(out)
    held = _held(path, config)
    if held is not None and held.done == 1.0:
        return held
    walks = [walk(placed, loss, seed, directions == "path", on_progress) for loss in chosen]
    planes = _planes(walks, config)
    surface = Surface(placed, walks[0].model, chosen, _ROWS)
    found = held or _blank(surface, called, walks, planes, config)
    laid = _LaidOut(surface, planes, walks, found)
    if path is not None:
        save_landscape(path, found)
    try:
        for part in _computed(laid, found, on_progress):
            found = part
            if path is not None:
                save_landscape(path, found)
    # What is done is saved, and `done` says how much; the file goes on from there.
    except KeyboardInterrupt:
        pass
    return found


def _whole(name: str, value: Any, least: int) -> int:
    number = as_whole(value)
    if number is None or number < least:
        raise DomainError(f"{name} is {value!r}: expected a whole number of at least {least}")
    return number


def _check(
    task: SupervisedTask, losses: Sequence[Loss], directions: str, dimensions: int, grid: int, span: float
) -> None:
    if not 1 <= len(losses) <= 2:
        raise DomainError(f"{len(losses)} losses: a landscape is of one, or of two side by side")
    for loss in losses:
        if loss.kind != task.kind:
            raise DomainError(f"{loss} is a {loss.kind} loss, and {task.name} is a {task.kind} task")
    if directions not in DIRECTIONS:
        raise DomainError(f"directions {directions!r}: expected one of {', '.join(DIRECTIONS)}")
    if directions == "minima" and len(losses) < 2:
        raise DomainError("directions minima: the plane goes through two minima; name a second loss")
    if dimensions not in (1, 2):
        raise DomainError(f"dimensions is {dimensions!r}: expected 1 or 2")
    if _whole("grid", grid, 3) % 2 == 0:
        raise DomainError(f"grid is {grid}: expected an odd number, so that the trained model is on it")
    size = as_real(span)
    if size is None or not 0 < size <= 1e3:
        raise DomainError(f"span is {span!r}: expected a number above 0, at most 1000")


def _held(path: Path | None, config: Mapping[str, Any]) -> Landscape | None:
    """What a file holds of this landscape.

    Raises:
        RunError: when it holds another, or none.
    """
    if path is None or not path.exists():
        return None
    held = load_landscape(path)
    differing = [name for name, value in config.items() if held.config.get(name) != value]
    if differing:
        raise RunError(f"{path} holds another landscape, with another {differing[0]}: choose another file")
    return held


@dataclass(frozen=True)
class _LaidOut:
    """The planes of a landscape, with what is needed to evaluate points on them."""

    surface: Surface
    planes: Sequence[Plane]
    walks: Sequence[Walk]
    landscape: Landscape

    def buffers(self, origin: int, places: Tensor) -> dict[str, Tensor]:
        """Of the model at each place of a plane."""
        first = self.walks[min(origin, len(self.walks) - 1)].buffers
        if self.landscape.directions != "minima":
            return {name: each.expand(len(places), *each.shape) for name, each in first.items()}
        second = self.walks[1].buffers
        found = {}
        for name, each in first.items():
            if not each.is_floating_point():
                found[name] = each.expand(len(places), *each.shape)
                continue
            # x runs from the first minimum (0) to the second (1); y leads to the start, whose statistics are not
            # kept.
            share = places[:, 0].to(each).view(-1, *[1] * each.ndim)
            mixed = each + share * (second[name] - each)
            # Beyond the minima a variance would go below 0.
            found[name] = (
                mixed.clamp_min(0) if bool((each >= 0).all() and (second[name] >= 0).all()) else mixed
            )
        return found


def _planes(walks: Sequence[Walk], config: Mapping[str, Any]) -> list[Plane]:
    ends, start = [one.points[-1] for one in walks], walks[0].points[0]
    if config["directions"] == "random":
        return [random_plane(one.model, config["dimensions"], config["seed"]) for one in walks]
    if config["directions"] == "minima":
        return [plane_of_points(ends[0], ends[1], start if config["dimensions"] == 2 else None)]
    return [plane_of_paths([one.points for one in walks], config["dimensions"])]


def _blank(
    surface: Surface,
    names: tuple[str, ...],
    walks: Sequence[Walk],
    planes: Sequence[Plane],
    config: Mapping[str, Any],
) -> Landscape:
    """The landscape with NaN at every grid point: axes, places of the trainings, and their own scores."""
    directions, task, losses = config["directions"], surface.task, surface.losses
    ways = [np.array([_two(planes[0].place(each)) for each in one.points]) for one in walks]
    places = np.full((len(walks), 2, 2), np.nan)
    for i, way in enumerate(ways):
        places[i] = [[0.0, 0.0], [0.0, 0.0]] if directions == "random" else [way[0], way[-1]]
    if directions == "random" or (directions == "minima" and config["dimensions"] == 1):
        places[:, 0] = np.nan  # the start is not there
    x, y = _axes(np.concatenate(ways) if directions == "path" else places.reshape(-1, 2), config)
    unknown = np.full((len(planes), len(losses), len(y), len(x)), np.nan)
    return Landscape(
        config=config, losses=tuple(map(str, losses)), names=names, metric=task.metric,
        greater_is_better=task.measure.greater_is_better, x=x, y=y, values=unknown, scores=unknown[:, 0].copy(),
        places=places, ends=alone(surface, [one.points[-1] for one in walks], walks),
        starts=alone(surface, [walks[0].points[0]], walks[:1])[0],
        paths=tuple(ways) if directions == "path" else (), explained=planes[0].explained,
        sharpness=tuple(sharpness(task, loss, one) for loss, one in zip(losses, walks, strict=True)),
    )  # fmt: skip


def _two(place: Sequence[float]) -> tuple[float, float]:
    return (place[0], place[1] if len(place) > 1 else 0.0)


def _axes(seen: Array, config: Mapping[str, Any]) -> tuple[Array, Array]:
    """The coordinates of the grid: symmetrical about the trained model, or around what is to be seen."""
    half, span = config["grid"] // 2, config["span"]
    steps = np.arange(-half, half + 1)
    if config["directions"] == "random":
        # Whole numbers times a factor: 0, the trained model, is on the axis exactly.
        line = span * steps / half
        return line, line if config["dimensions"] == 2 else np.zeros(1)
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    pad = _MARGIN * (high - low).max()
    sides = [(low[i] - pad, high[i] + pad) for i in range(2)]
    x, y = (middle + (b - a) / 2 * steps / half for (a, b), middle in ((s, (s[0] + s[1]) / 2) for s in sides))
    return x, y if config["dimensions"] == 2 else np.zeros(1)


def _computed(laid: _LaidOut, found: Landscape, on_progress: Progress | None) -> Any:
    """The landscape after each pass over points that were not known."""
    values, scores = found.values.copy(), found.scores.copy()
    size = at_once(laid.surface.model)
    points = [
        (origin, j, i)
        for origin in range(len(laid.planes))
        for j in range(len(found.y))
        for i in range(len(found.x))
    ]
    # NaN means not computed; a loss that is not finite is stored as infinite, see `Surface._finite`.
    missing = [point for point in points if np.isnan(scores[point])]
    done = len(points) - len(missing)
    while missing:
        origin = missing[0][0]
        # One plane at a time: a batch shares its origin and its buffers.
        batch = [point for point in missing[:size] if point[0] == origin]
        missing = missing[len(batch) :]
        plane = laid.planes[origin]
        places = torch.tensor(
            [[found.x[i], found.y[j]][: len(plane.axes)] for _, j, i in batch], dtype=torch.float64
        )
        losses, metric = laid.surface.values(plane.at(places), laid.buffers(origin, places))
        for (_, j, i), each, score in zip(batch, losses, metric, strict=True):
            values[origin, :, j, i], scores[origin, j, i] = each, score
        done += len(batch)
        if on_progress is not None:
            on_progress("landscape", done, len(points))
        # Copies: the caller keeps, and saves, what it was given.
        yield replace(found, values=values.copy(), scores=scores.copy())
