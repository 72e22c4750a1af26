"""Reads comparisons and transfers back from their records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from symloss.compare.broken import Certified
from symloss.compare.comparison import AnyRow, Comparison, Cost, Row
from symloss.compare.ranks import Ranking
from symloss.compare.transferred import Transfer, TransferRow
from symloss.errors import RunError

__all__ = ["comparison_from", "transfer_from"]


def comparison_from(record: Any, config: Mapping[str, Any], path: Path | None, status: str) -> Comparison:
    """The comparison that `Comparison.to_dict` wrote; without rows where there is none yet.

    Args:
        record: of the table, or None.
        config: of the run.
        path, status: of the run.

    Raises:
        RunError: for a record that is damaged.
    """
    found = record or {}
    try:
        return Comparison(
            path=path, status=status, **_common(Row, found, config),
            controls=tuple(_row(Row, row) for row in found.get("controls", [])),
            rankings={name: _ranking(each) for name, each in found.get("rankings", {}).items()},
            wilcoxon=found.get("wilcoxon", {}),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the comparison cannot be read: {type(error).__name__} {error}") from None


def transfer_from(record: Any, config: Mapping[str, Any], path: Path | None, status: str) -> Transfer:
    """As `comparison_from`, of a transfer."""
    found = record or {}
    try:
        return Transfer(
            path=path, status=status, **_common(TransferRow, found, config),
            certificates=tuple(Certified.from_dict(each) for each in found.get("certificates", [])),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"the transfer cannot be read: {type(error).__name__} {error}") from None


def _common(kind: type[AnyRow], found: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that both have."""
    task, settings = config["task"], config["settings"]
    metrics = dict.fromkeys(str(each["metric"]) for each in task.get("tasks", [task]))
    return {
        "task": task, "metric": ",".join(metrics), "seed": int(config["seed"]), "seeds": int(settings["seeds"]),
        "splits": int(settings["splits"]), "detectable": found.get("detectable"),
        "rows": tuple(_row(kind, row) for row in found.get("rows", [])), "notes": tuple(found.get("notes", [])),
    }  # fmt: skip


def _row(kind: type[AnyRow], data: Mapping[str, Any]) -> AnyRow:
    names = {each.name for each in fields(kind)}
    known = {name: value for name, value in data.items() if name in names}
    for name in ("interval", "difference_interval"):
        known[name] = None if known[name] is None else tuple(known[name])
    for name in ("scores", "broken"):
        known |= {name: tuple(known[name])} if name in known else {}
    # A record from before there were curves has none.
    known |= {name: tuple(map(tuple, known.get(name, ()))) for name in ("curve", "reached")}
    return kind(**{**known, "cost": Cost(**known["cost"])})


def _ranking(data: Mapping[str, Any]) -> Ranking:
    names = tuple(data["names"])
    place = {name: i for i, name in enumerate(names)}
    return Ranking(
        names=names, ranks=tuple(data["ranks"]), data_sets=int(data["data_sets"]), p_value=float(data["p_value"]),
        critical_difference=float(data["critical_difference"]),
        groups=tuple(tuple(place[name] for name in group) for group in data["groups"]),
        pairs={(place[a], place[b]): float(p) for a, b, p in data["pairs"]},
    )  # fmt: skip
