"""A comparison read again from its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from symloss.compare.comparison import Comparison, Cost, Row
from symloss.compare.ranks import Ranking
from symloss.errors import RunError

__all__ = ["comparison_from"]

_FIELDS = {each.name for each in fields(Row)}


def comparison_from(record: Any, config: Mapping[str, Any], path: Path | None, status: str) -> Comparison:
    """The comparison that `Comparison.to_dict` wrote; without rows where there is none yet.

    Args:
        record: of the table, or None.
        config: of the run.
        path, status: of the run.

    Raises:
        RunError: for a record that is damaged.
    """
    try:
        settings, found = config["settings"], record or {}
        return Comparison(
            path=path, task=config["task"], metric=str(found.get("metric", _metric(config["task"]))),
            seed=int(config["seed"]), seeds=int(settings["seeds"]), splits=int(settings["splits"]),
            detectable=found.get("detectable"),
            rows=tuple(_row(row) for row in found.get("rows", [])),
            controls=tuple(_row(row) for row in found.get("controls", [])),
            rankings={name: _ranking(each) for name, each in found.get("rankings", {}).items()},
            wilcoxon=found.get("wilcoxon", {}), notes=tuple(found.get("notes", [])), status=status,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the comparison cannot be read: {type(error).__name__} {error}") from None


def _metric(task: Mapping[str, Any]) -> str:
    return ",".join(dict.fromkeys(str(each["metric"]) for each in task.get("tasks", [task])))


def _row(data: Mapping[str, Any]) -> Row:
    known = {name: value for name, value in data.items() if name in _FIELDS}
    for name in ("interval", "difference_interval"):
        known[name] = None if known[name] is None else tuple(known[name])
    known |= {name: tuple(map(tuple, known.get(name, ()))) for name in ("curve", "reached")}
    return Row(**{**known, "scores": tuple(known["scores"]), "cost": Cost(**known["cost"])})


def _ranking(data: Mapping[str, Any]) -> Ranking:
    names = tuple(data["names"])
    place = {name: i for i, name in enumerate(names)}
    return Ranking(
        names=names, ranks=tuple(data["ranks"]), data_sets=int(data["data_sets"]), p_value=float(data["p_value"]),
        critical_difference=float(data["critical_difference"]),
        groups=tuple(tuple(place[name] for name in group) for group in data["groups"]),
        pairs={(place[a], place[b]): float(p) for a, b, p in data["pairs"]},
    )  # fmt: skip
