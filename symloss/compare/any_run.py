"""Opens, resumes and verifies runs of every verb."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symloss.compare.adapt import ADAPT, AdaptVerb
from symloss.compare.adapt_verify import verify_adaptation
from symloss.compare.compare import COMPARE
from symloss.compare.few_shot.run import FEWSHOT, FewShotVerb
from symloss.compare.few_shot.verify import verify_few_shot
from symloss.compare.running import TableVerb
from symloss.compare.transfer import TRANSFER
from symloss.compare.verify import verify_table
from symloss.errors import DomainError
from symloss.runs import verb_of
from symloss.search import Check
from symloss.search import open_run as open_search
from symloss.search import resume as resume_search
from symloss.search import verify as verify_search
from symloss.search.loop.workers import Progress

__all__ = ["open_run", "resume", "verify"]

_VERBS: dict[str, TableVerb[Any] | AdaptVerb | FewShotVerb] = {
    verb.name: verb for verb in (COMPARE, TRANSFER, ADAPT, FEWSHOT)
}
"""The verbs that are no search; every other run is one."""


def open_run(path: str | Path) -> Any:
    """A run as it is on disk, finished or as far as it came; nothing is trained.

    Returns:
        what the verb that made the run returned: a `Result` of `discover`, a `Comparison` of `compare`, a `Transfer`
        of `transfer`, an `Adaptation` of `adapt`, a `FewShot` of `fewshot`.

    Raises:
        RunError: when there is no run, or it is damaged.
    """
    verb = _VERBS.get(verb_of(path))
    return open_search(path) if verb is None else verb.open(path)


def resume(
    path: str | Path,
    task: Any = None,
    *,
    models: Sequence[Any] | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
    **of_search: Any,
) -> Any:
    """Goes on with a run that was stopped, killed or interrupted, to the end that it would have had.

    Nothing that was finished is computed again. A search that has ended is only read, and its files are written anew
    where they are not those of its record.

    Args:
        path: folder of the run.
        task: again where it came from arrays or code (few-shot: its source of episodes), or all of several tasks; the
            data must be those of the run.
        models: of a transfer, again where one of them was a function.
        workers, executor, on_progress: see `discover`.
        device: another than that of the run, where that one is not available; the end may differ in rounding.
        of_search: of a search, `propose` (again where the run's formulas came from a command or a function),
            `on_generation` and `on_headroom`; see `discover`.

    Returns:
        as `open_run`.

    Raises:
        RunError: when there is no run, it is damaged, or another process writes it.
        TaskError: when the task is needed, or is not that of the run.
        DomainError: for what says nothing to the verb of the run.
    """
    where: dict[str, Any] = {
        "workers": workers, "executor": executor, "device": device, "on_progress": on_progress,
    }  # fmt: skip
    verb = _VERBS.get(verb_of(path))
    if verb is None:
        _no_models(models)
        return resume_search(path, task, **where, **of_search)
    for name, value in of_search.items():
        if value is not None:
            raise DomainError(f"{name} is about a search, and {path} is a run of {verb.name}: leave it out")
    return verb.resume(path, task, models, **where)


def verify(path: str | Path, task: Any = None, models: Sequence[Any] | None = None) -> tuple[Check, ...]:
    """Works out every printed number of a run again, from formulas, data and seeds, and compares its files.

    Args:
        path: the run's folder; it is only read.
        task, models: see `resume`.

    Raises:
        RunError: when the run cannot be read.
        TaskError: when its task cannot be made again, or its data are others.
    """
    verb = _VERBS.get(verb_of(path))
    if verb is None:
        _no_models(models)
        return verify_search(path, task)
    if isinstance(verb, AdaptVerb):
        return verify_adaptation(path, verb.one(task, models))
    if isinstance(verb, FewShotVerb):
        return verify_few_shot(path, verb.one(task, models))
    return verify_table(verb, path, task, models)


def _no_models(models: Sequence[Any] | None) -> None:
    if models is not None:
        raise DomainError("models are of a transfer, and the run is a search: leave them out")
