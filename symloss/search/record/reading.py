"""A run as it was written, read again: the one way from a store to a `Result`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from symloss.errors import RunError, SymlossError
from symloss.search.loop.ranks import with_fitness
from symloss.search.record.codec import baseline_from, evaluation_from, front_of
from symloss.search.record.result import Evaluation, FrontRow, Generation, Result
from symloss.search.settings import SearchSettings

__all__ = ["read_result"]


class Readable(Protocol):
    """What is read of a store."""

    path: Any
    status: str

    @property
    def config(self) -> dict[str, Any]:
        """What the run was made with."""

    def get(self, kind: str, key: int | str) -> Any:
        """A payload, or None."""

    def all(self, kind: str) -> list[tuple[str, Any]]:
        """Every payload of a kind, in order."""


def read_result(store: Readable) -> Result:
    """The run in a store, whatever its status.

    Raises:
        RunError: when it holds something else.
    """
    config = store.config
    try:
        settings = SearchSettings.from_config(config)
        task, seed = dict(config["task"]), int(config["seed"])
        signs = _signs(task)
        count = store.get("front", "count")
        evaluations = [
            evaluation_from(int(key), data)
            for key, data in store.all("evaluation")
            if data is not None and (count is None or int(key) < int(count))
        ]
        evaluations = with_fitness(sorted(evaluations, key=lambda entry: entry.number), signs)
        fresh = {
            int(number): [float(value) for value in values]
            for number, values in (store.get("front", "fresh") or {}).items()
        }
        generations = _generations(store.all("generation"), settings, task, signs, evaluations)
        baselines = tuple(baseline_from(data) for _, data in store.all("baseline"))
        notes = tuple(map(str, [*config.get("notes", []), *(store.get("front", "notes") or [])]))
        front = _front(evaluations, task, signs, fresh)
    except RunError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, SymlossError) as error:
        raise RunError(f"the run cannot be read: {type(error).__name__} {error}") from None
    return Result(
        path=store.path, task=task, method=settings.method, seed=seed, settings=settings.to_dict(),
        status=store.status, front=front, evaluations=tuple(evaluations), generations=generations,
        baselines=baselines, notes=notes,
    )  # fmt: skip


def _signs(task: Mapping[str, Any]) -> dict[str, float]:
    described = task.get("tasks", [task])
    names = [str(name) for name in task.get("names", [task["name"]])]
    return {
        name: -1.0 if each["greater_is_better"] else 1.0 for name, each in zip(names, described, strict=True)
    }


def _front(
    evaluations: Sequence[Evaluation],
    task: Mapping[str, Any],
    signs: Mapping[str, float],
    fresh: Mapping[int, Sequence[float]],
) -> tuple[FrontRow, ...]:
    return front_of(
        evaluations, classes=task.get("classes"), fresh=fresh,
        sign=next(iter(signs.values())) if len(signs) == 1 else 1.0,
        hard_labels=all(each.get("hard_labels", False) for each in task.get("tasks", [task])),
    )  # fmt: skip


def _generations(
    records: Sequence[tuple[str, Any]],
    settings: SearchSettings,
    task: Mapping[str, Any],
    signs: Mapping[str, float],
    evaluations: Sequence[Evaluation],
) -> tuple[Generation, ...]:
    found = []
    for key, data in sorted(records, key=lambda record: int(record[0])):
        number, evaluated = int(key), int(data["evaluated"])
        so_far = with_fitness(evaluations[:evaluated], signs)
        front = _front(so_far, task, signs, {})
        found.append(Generation(number, settings.generations, front, evaluated, float(data["seconds"])))
    return tuple(found)
