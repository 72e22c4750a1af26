"""A task made again from its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symloss.errors import TaskError
from symloss.tasks.build import load_csv, load_task
from symloss.tasks.supervised import SupervisedTask

__all__ = ["rebuild"]

# A description comes from a file that anyone may have written. It may choose one of these functions and its arguments,
# never a module to import: a task that code made has to be given again. Nor may it choose the data folder (`data` is
# dropped below): scikit-learn's cache of California Housing is a pickle, and unpickling runs code.
_MAKERS: dict[str, Callable[..., SupervisedTask]] = {
    "load_task": load_task,
    "load_csv": load_csv,
}
_AGAIN = "in Python as sl.resume(RUN, task=TASK), on the command line as --task MODULE:FUNCTION"


def rebuild(description: Mapping[str, Any]) -> SupervisedTask:
    """The task that `Task.describe` described, made again from where it came.

    Downloaded data and KEEL files are looked for in `$SYMLOSS_DATA` or `~/.cache/symloss`.

    Raises:
        TaskError: when it came from arrays or code, or is not the same any more.

    >>> from symloss.tasks import load_task
    >>> task = load_task("wine", label_noise=0.2, model="linear").with_settings(steps=9)
    >>> rebuild(task.describe()).describe() == task.describe()
    True
    """
    name, origin = description.get("name"), description.get("origin")
    if not isinstance(origin, Mapping) or len(origin) != 1:
        raise TaskError(f"task {name} came from arrays or code: give it again, {_AGAIN}")
    (how, arguments), *_ = origin.items()
    if how not in _MAKERS or not isinstance(arguments, Mapping):
        raise TaskError(f"task {name} has no known origin: give it again, {_AGAIN}")
    try:
        task = _MAKERS[how](**{key: value for key, value in arguments.items() if key != "data"})
        settings = dict(description["settings"])
        settings["milestones"] = tuple(settings["milestones"])
        task = task.with_settings(**settings)
        if "block" in description:
            task = task.block(*description["block"]).task
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise TaskError(f"the description of task {name} is damaged ({error}): give the task again") from None
    # Only names can be followed. A factory or a metric function is known by its `__qualname__`, which is no name
    # of ours, so `_by_name` asks for the task again.
    if task.describe()["model"] != description.get("model"):
        task = _by_name(task.with_model, description, "model")
    if task.metric != description.get("metric"):
        task = _by_name(task.with_metric, description, "metric")
    # The same arguments may now give other data (an edited CSV, another version of scikit-learn): results of the
    # two must not be mixed in one run.
    for key in ("kind", "meta_loss", "fingerprint"):
        if task.describe()[key] != description.get(key):
            what = "its data have changed" if key == "fingerprint" else f"its {key} is another"
            raise TaskError(f"task {name} is not the one described, {what}: give that task again")
    return task


def _by_name(
    change: Callable[[str], SupervisedTask], description: Mapping[str, Any], key: str
) -> SupervisedTask:
    try:
        return change(str(description.get(key)))
    except TaskError as error:
        raise TaskError(
            f"the {key} {description.get(key)!r} came from code ({error}): give the task again"
        ) from None
