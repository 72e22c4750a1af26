"""A task that the user's own module makes: `--task MODULE:FUNCTION`."""

from __future__ import annotations

import importlib
import os
import sys

from symloss.errors import TaskError
from symloss.tasks.names import suggestion
from symloss.tasks.task import Task

__all__ = ["load_object"]


def load_object(spec: str) -> Task:
    """The task that `module:function` returns; the module is imported, which runs its code.

    The function takes no arguments; a `Task` of that name will do as well. The working directory is searched
    for the module too, as `python -m` does.

    Raises:
        TaskError: when there is no such module or function, or it makes no task.
    """
    module_name, _, name = spec.partition(":")
    if not name or not all(part.isidentifier() for part in (*module_name.split("."), *name.split("."))):
        raise TaskError(f"task {spec!r}: expected MODULE:FUNCTION, as in my_tasks:make_task")
    if os.getcwd() not in sys.path and "" not in sys.path:
        # It stays there: worker processes have to find the module again.
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise TaskError(f"cannot import {module_name}: {type(error).__name__}: {error}") from error
    thing = getattr(module, name, None)
    if thing is None:
        names = [key for key in vars(module) if not key.startswith("_")]
        raise TaskError(f"{module_name} has no {name!r}: {suggestion(name, names or ['a function'])}")
    if not isinstance(thing, Task):
        if not callable(thing):
            raise TaskError(f"{spec} is a {type(thing).__name__}: expected a function that returns a Task")
        try:
            thing = thing()
        except TaskError:
            raise
        except Exception as error:
            raise TaskError(f"{spec} failed with {type(error).__name__}: {error}") from error
    if not isinstance(thing, Task):
        raise TaskError(f"{spec} returned a {type(thing).__name__}: expected a Task")
    return thing
