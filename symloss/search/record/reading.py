"""Reads a run back: the one way from a store to a `Result`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from symloss.errors import RunError, SymlossError
from symloss.search.record.codec import baseline_from, evaluation_from, headroom_from, network_from
from symloss.search.record.finals import finals_from
from symloss.search.record.front import finalist_rows, front_of, scored
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
    verb = config.get("verb", "discover")
    if verb != "discover":
        raise RunError(f"{store.path} is a run of 'symloss {verb}', not of 'symloss discover'")
    try:
        settings = SearchSettings.from_config(config)
        task, seed = dict(config["task"]), int(config["seed"])
        named = _signs(task)
        signs = tuple(named.values())
        noises = tuple(map(float, store.get("front", "noises") or (1.0,) * len(signs)))
        count = store.get("front", "count")
        evaluations = [
            evaluation_from(int(key), data)
            for key, data in store.all("evaluation")
            # None marks a number that a run that went on has not reached yet; beyond `count` lies what an earlier end
            # left.
            if data is not None and (count is None or int(key) < int(count))
        ]
        evaluations = scored(sorted(evaluations, key=lambda entry: entry.number), signs, noises)
        held, kept = store.get("front", "finals"), store.get("front", "network")
        how: dict[str, Any] = {
            "classes": task.get("classes"), "signs": named, "noises": noises,
            "hard_labels": all(each.get("hard_labels", False) for each in task.get("tasks", [task])),
        }  # fmt: skip
        front: Callable[..., tuple[FrontRow, ...]] = partial(front_of, **how)
        generations = tuple(
            Generation(
                int(key), settings.generations, front(_as_of(evaluations, int(key), settings, signs, noises)),
                int(data["evaluated"]), float(data["seconds"]),
            )
            for key, data in sorted(store.all("generation"), key=lambda record: int(record[0]))
        )  # fmt: skip
        baselines = tuple(baseline_from(data) for _, data in store.all("baseline"))
        headroom = tuple(headroom_from(data) for data in store.get("front", "headroom") or ())
        notes = tuple(map(str, [*config.get("notes", []), *(store.get("front", "notes") or [])]))
        finals = None if held is None else finals_from(held)
        finalists = () if finals is None else finalist_rows(evaluations, finals, **how)
        shown = front(evaluations, finals=finals)
    except RunError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, SymlossError) as error:
        raise RunError(f"the run cannot be read: {type(error).__name__} {error}") from None
    return Result(
        path=store.path, task=task, method=settings.method, seed=seed, settings=settings.to_dict(),
        status=store.status, front=shown, evaluations=tuple(evaluations), generations=generations,
        finalists=finalists, headroom=headroom, baselines=baselines, noises=noises, notes=notes,
        network=None if kept is None else network_from(kept),
    )  # fmt: skip


def _signs(task: Mapping[str, Any]) -> dict[str, float]:
    described = task.get("tasks", [task])
    names = [str(name) for name in task.get("names", [task["name"]])]
    return {
        name: -1.0 if each["greater_is_better"] else 1.0 for name, each in zip(names, described, strict=True)
    }


def _as_of(
    evaluations: Sequence[Evaluation],
    generation: int,
    settings: SearchSettings,
    signs: Sequence[float],
    noises: Sequence[float],
) -> list[Evaluation]:
    """The candidates as they stood after so many generations: on the blocks that had been drawn by then."""
    last = max(generation, settings.blocks.sweep if settings.blocks.headroom else 1) - 1
    seen = [
        replace(entry, blocks={block: values for block, values in entry.blocks.items() if block <= last})
        for entry in evaluations
        if entry.generation < generation
    ]
    return scored(seen, signs, noises)
