"""Checks and prepares a user's tasks and settings for a search, and again for a run that is resumed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch

from symloss.errors import DomainError, SymlossError, TaskError
from symloss.expr import KINDS, parse
from symloss.expr.trees import Weighted, weighted_from
from symloss.search.loop.ledger import task_signs
from symloss.search.methods import METHODS
from symloss.search.propose.inside import inside_of
from symloss.search.propose.inside.read import read
from symloss.search.propose.inside.theorem import EXCLUSIVE
from symloss.search.settings import SearchSettings
from symloss.tasks import SupervisedTask, Task, rebuild
from symloss.tasks.data.pool import LARGE

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = [
    "check_exclusive",
    "check_gradients",
    "check_same",
    "check_symbols",
    "describe_all",
    "given_losses",
    "prepare",
    "remarks",
    "unusable",
]


def prepare(
    task: Task | Sequence[Task],
    model: str | None,
    metric: str | Metric | Callable[..., float] | None,
    device: str,
    executor: str,
) -> tuple[Task, ...]:
    """The tasks as a search wants them: model (None for their own), metric, device.

    Raises:
        TaskError: for no task, tasks of different kinds, or one that cannot be sent to other processes.
    """
    tasks = [task] if isinstance(task, Task) else list(task)
    if not tasks:
        raise TaskError("no task: expected one or several")
    if len({each.kind for each in tasks}) > 1:
        kinds = ", ".join(f"{each.name} ({each.kind})" for each in tasks)
        raise TaskError(f"one loss serves tasks of one kind only, got {kinds}")
    if metric is not None:
        tasks = [_with_metric(each, metric) for each in tasks]
    if model is not None:
        tasks = [_with_model(each, model) for each in tasks]
    return _placed(tasks, device, executor)


def unusable(device: str) -> str:
    """Why nothing can be computed on a device, or `""`."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        return str(error).split("\n")[0].split(". ")[0]
    return ""


def _placed(tasks: Sequence[Task], device: str, executor: str) -> tuple[Task, ...]:
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    problem = unusable(device)
    if problem:
        raise TaskError(f"the device {str(device)!r} cannot be used here ({problem}): choose another, as cpu")
    if device != "cpu":
        tasks = [each.to(device) for each in tasks]
    if executor != "serial":
        try:
            # Tried at once: in a worker the same failure would come late, and without saying which task.
            pickle.dumps(tasks)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TaskError(
                f"a task cannot be sent to other processes ({error}): define its model and metric at the top "
                "of a module, or use the serial executor"
            ) from None
    return tuple(tasks)


def _with_metric(task: Task, metric: str | Metric | Callable[..., float]) -> Task:
    if not isinstance(task, SupervisedTask):
        raise TaskError(f"{task.name} reports a metric of its own: name it in from_function")
    return task.with_metric(metric)


def _with_model(task: Task, model: str) -> Task:
    """The preset's model in place of a table's default perceptron; a model of the user's, or of images, stays."""
    if isinstance(task, SupervisedTask) and task.describe()["model"] == "mlp":
        return task.with_model(model)
    return task


def describe_all(tasks: Sequence[Task]) -> dict[str, Any]:
    """One task in words and numbers, or several under one roof."""
    if len(tasks) == 1:
        return tasks[0].describe()
    names = list(task_signs(tasks))
    return {
        "name": ",".join(names), "names": names, "kind": tasks[0].kind, "metric": "mean in units of noise",
        "greater_is_better": False, "classes": tasks[0].classes, "tasks": [each.describe() for each in tasks],
    }  # fmt: skip


def check_same(
    config: Mapping[str, Any], task: Task | Sequence[Task] | None, device: str, executor: str
) -> tuple[Task, ...]:
    """The tasks of a run that goes on: rebuilt, or those given if they are the same.

    On the device of the run, where `device` is `"auto"`: another one rounds otherwise.

    Raises:
        TaskError: when they cannot be rebuilt, or are others.
    """
    descriptions = config["task"].get("tasks", [config["task"]])
    if device == "auto":
        device = str(config.get("device", device))
    if task is None:
        return _placed([rebuild(description) for description in descriptions], device, executor)
    tasks = [task] if isinstance(task, Task) else list(task)
    model = config["settings"].get("model")
    if model is not None:
        tasks = [_with_model(each, str(model)) for each in tasks]
    found = [each.describe() for each in tasks]
    if len(found) != len(descriptions):
        raise TaskError(f"the run has {len(descriptions)} tasks, got {len(found)}")
    for ours, theirs in zip(found, descriptions, strict=True):
        for key in ("kind", "metric", "fingerprint", "model", "settings"):
            if _plain(ours.get(key)) != _plain(theirs.get(key)):
                what = "its data are others" if key == "fingerprint" else f"its {key} is {ours.get(key)}"
                raise TaskError(f"{ours['name']} is not the task of this run: {what}")
    return _placed(tasks, device, executor)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def given_losses(settings: SearchSettings, tasks: Sequence[Task]) -> list[Weighted]:
    """The losses that the first generation begins with, as trees.

    Raises:
        ParseError: for one that is no formula.
        DomainError: for one that no tree says.
    """
    kind = tasks[0].kind
    # With the zoo the ordinary loss is a candidate already.
    ordinary = [tasks[0].base_loss()] if settings.ordinary and not settings.blocks.zoo else []
    given = [parse(text, kind=kind, registry=settings.registry) for text in settings.seed_losses]
    inside = inside_of(settings.inside, kind)
    if inside is None:
        return [weighted_from(loss, settings.registry) for loss in (*ordinary, *given)]
    # With different numbers of classes a member must hold for every C.
    counts = {task.classes for task in tasks}
    classes = counts.pop() if len(counts) == 1 else None
    # A seed loss that is no member is an error: silently dropped, the user would believe it had been searched from.
    members = [read(loss, inside, classes) for loss in given]
    with suppress(DomainError):  # where the ordinary loss is no member, the search does without
        members = [*(read(loss, inside, classes) for loss in ordinary), *members]
    return list(members)


def check_exclusive(settings: SearchSettings, kind: str) -> None:
    """Looks whether what is asked for can be had at all.

    Raises:
        DomainError: for theorems that exclude each other, or requirements that do.
    """
    inside_of(settings.inside, kind)
    asked = {*settings.screening.require, *(name.partition("=")[0] for name in settings.inside)}
    proper, symmetric = asked & {"proper", "smoothing"}, asked & {"symmetric", "symmetric_noise_robust"}
    if KINDS[kind].exclusive and proper and symmetric:
        raise DomainError(f"{', '.join(sorted(proper | symmetric))}: {EXCLUSIVE}")
    if "smoothing" in asked and "proper" in asked:
        raise DomainError(
            "smoothing, proper: a loss that smooths labels is not proper: leave one of them out"
        )


def check_symbols(settings: SearchSettings, tasks: Sequence[Task]) -> None:
    """Looks whether the tasks know the extra symbols.

    Raises:
        SymlossError: for one that says nothing on a task, or a method whose losses are made of others.
    """
    method, kind = METHODS[settings.method], KINDS[tasks[0].kind]
    if method.symbols - kind.symbols:
        wanted = " and ".join(sorted(method.symbols, reverse=True))
        raise SymlossError(
            f"{method.name} makes losses of {wanted}, and a {kind.name} loss is one of {kind.variable}: choose evomal"
        )
    for name in settings.grammar.extra_symbols:
        for task in tasks:
            if (
                name not in kind.symbols
                or (name == "pi" and task.priors is None)
                or (name == "C" and task.classes is None)
            ):
                raise SymlossError(f"the symbol {name!r} has no value on {task.name}, a {task.kind} task")


def check_gradients(settings: SearchSettings, tasks: Sequence[Task]) -> None:
    """Looks whether a method that learns through training can.

    Raises:
        TaskError: where somebody else trains.
    """
    for task in tasks:
        if not METHODS[settings.method].formula and not isinstance(task, SupervisedTask):
            raise TaskError(
                f"{settings.method} tunes networks through training, and {task.name} is trained by a function: choose "
                "a method that needs no gradients, as taylorglo"
            )


def remarks(tasks: Sequence[Task], settings: SearchSettings) -> list[str]:
    """What a reader of the result should know: fallbacks that were taken."""
    said = []
    inside = inside_of(settings.inside, tasks[0].kind)
    if inside is not None:
        said.append(f"inside {inside.name}: every loss of the front is {inside.says}, by construction")
    black = [task.name for task in tasks if not isinstance(task, SupervisedTask)]
    if settings.tunes and black:
        said.append(
            f"{', '.join(black)}: trained by a function, so coefficients are not tuned and scale stays"
        )
    if settings.blocks.resample and settings.blocks.val_size is None and not settings.blocks.folds:
        for task in tasks:
            pool = task.pool if isinstance(task, SupervisedTask) else None
            if pool is not None and pool.size > LARGE:
                said.append(
                    f"{task.name}: blocks train on {min(pool.size // 2, LARGE):,} of its {pool.size:,} rows and "
                    "validate on as many; --val-size to decide"
                )
    if len(tasks) > 1:
        said.append("validation is the mean over the tasks, each in units of its noise")
    return said
