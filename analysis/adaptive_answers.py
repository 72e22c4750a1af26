"""What the cells of `analysis.adaptive_losses` come to: gains and their tests, paths, divergence, horizons."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from symloss.compare import holm, margin_of, paired_t, verdict
from symloss.compare.adapt_work import ADAPTIVE, FIXED, RATE, REPLAYED, SCALE, TUNED
from symloss.compare.adaptation import MOVED
from symloss.tasks import get_metric

__all__ = ["EQUAL_TIME", "PUBLISHED", "QUESTIONS", "Cells", "answers", "by_loss", "printed", "relative_rates"]

QUESTIONS = (REPLAYED, SCALE, FIXED, RATE, TUNED)
"""What the adapting loss is tested against; the other rows of the table are exploratory."""
EQUAL_TIME = f"{TUNED}, equal time"
PUBLISHED = "as published"
"""Cells at the scale that offline initialisation ends with."""
Cells = Mapping[str, Any]
Job = tuple[str, str, str, int]


def answers(cells: Cells, asked: Sequence[Job], absent: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is said, JSON-ready.

    Args:
        cells: by `KIND/TASK/LOSS/SEED`, and `quadratic`.
        asked: what was to be done.
        absent: tasks without data, and why.
    """
    replicates = by_loss(cells, "adapt")
    return {
        "missing": ["/".join(map(str, job)) for job in asked if "/".join(map(str, job)) not in cells],
        "absent": dict(absent),
        "failed": {key: cell["failed"] for key, cell in cells.items() if "failed" in cell},
        "quadratic": _quadratic(cells["quadratic"]) if "quadratic" in cells else None,
        "table": {key: _means(found) for key, found in replicates.items()},
        "table as published": {key: _means(found) for key, found in by_loss(cells, PUBLISHED).items()},
        "gains of adapting over": _gains(replicates, by_loss(cells, "equal time")),
        "moved": {key: _moved(found) for key, found in replicates.items()},
        "implicit learning rate": {key: _scale(found) for key, found in replicates.items()},
        "cost of a step": {
            f"{task}/{loss}": round(found[0]["ratio"], 2)
            for (task, loss), found in _split(by_loss(cells, "cost"))
        },
        "divergence": {key.split("/")[0]: _diverged(found) for key, found in by_loss(cells, "divergence").items()},
        "horizons": _horizons(cells),
    }  # fmt: skip


def by_loss(cells: Cells, kind: str) -> dict[str, dict[int, Any]]:
    """By `TASK/LOSS` and replicate, the cells of a kind but for those that failed."""
    found: dict[str, dict[int, Any]] = {}
    for key, cell in cells.items():
        first, *rest = key.split("/")
        if first == kind and "failed" not in cell:
            task, loss, seed = rest
            found.setdefault(f"{task}/{loss}", {})[int(seed)] = cell
    return {key: dict(sorted(each.items())) for key, each in found.items()}


def _split(found: Mapping[str, Any]) -> list[tuple[tuple[str, str], Any]]:
    return [((key.split("/")[0], key.split("/")[1]), each) for key, each in found.items()]


def _quadratic(cell: Mapping[str, Any]) -> dict[str, Any]:
    """How far what was learned is from what is known, as `|log(learned/known)|`; rates and losses by horizon."""
    return {
        "offline, off the greedy rate": {
            name: abs(math.log(each["learned"] / each["greedy"])) for name, each in cell["offline"].items()
        },
        "online, off the greedy rate": cell["online"]["gap"],
        "unrolled, off the best rate": {
            horizon: abs(math.log(rate / cell["horizons"][horizon]["rate later"]))
            for horizon, rate in cell["unrolled"].items()
        },
        "rates": {horizon: each["mean rate"] for horizon, each in cell["horizons"].items()},
        "losses": {horizon: each["loss"] for horizon, each in cell["horizons"].items()},
        "online loss": cell["online"]["loss"],
        "best fixed": cell["fixed"],
    }


def _means(found: Mapping[int, Any]) -> dict[str, Any]:
    cells = list(found.values())
    return {
        name: {
            "mean": statistics.fmean(cell["rows"][name]["test"] for cell in cells),
            "diverged": sum(bool(cell["rows"][name]["diverged"]) for cell in cells),
        }
        for name in cells[0]["rows"]
    }


def _gains(
    replicates: Mapping[str, Mapping[int, Any]], shorter: Mapping[str, Mapping[int, Any]]
) -> dict[str, dict[str, Any]]:
    """By row and data set with loss; positive is better for adapting, whatever the metric."""
    found: dict[str, dict[str, Any]] = {}
    for key, cells in replicates.items():
        first = next(iter(cells.values()))
        measure = get_metric(first["metric"])
        sign = 1.0 if measure.greater_is_better else -1.0
        for name in (*QUESTIONS, EQUAL_TIME, *first["rows"]):
            if name == ADAPTIVE or key in found.get(name, {}):
                continue
            ours = {seed: cell["rows"][ADAPTIVE]["test"] for seed, cell in cells.items()}
            if name == EQUAL_TIME:
                ours = {seed: each["test"] for seed, each in shorter.get(key, {}).items() if seed in cells}
            theirs = [cells[seed]["rows"][TUNED if name == EQUAL_TIME else name]["test"] for seed in ours]
            if not ours:
                continue
            test = paired_t(
                [sign * (a - b) for a, b in zip(ours.values(), theirs, strict=True)], first["overlap"]
            )
            rival = statistics.fmean(theirs)
            found.setdefault(name, {})[key] = {
                "n": len(ours), "gain": test.mean, "interval": [*test.interval()], "p": test.p_value, "rival": rival,
                "error": 1 - rival if sign > 0 else rival, "test": test, "margin": margin_of(measure, rival),
            }  # fmt: skip
    for name, rows in found.items():
        known = [row for row in rows.values() if math.isfinite(row["p"])]
        if name in (*QUESTIONS, EQUAL_TIME):
            for row, p in zip(known, holm([row["p"] for row in known]), strict=True):
                row["p corrected"] = p
        for row in rows.values():
            row["verdict"] = verdict(row.pop("test"), row["n"], row["margin"], row.get("p corrected"))
            row.update({part: _number(row[part]) for part in ("p", "gain")})
            row["interval"] = None if math.isnan(row["interval"][0]) else row["interval"]
    return found


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _moved(found: Mapping[int, Any]) -> dict[str, Any]:
    distance, shape = (
        statistics.median(cell[name] for cell in found.values()) for name in ("moved", "moved_shape")
    )
    return {"gradient": distance, "shape": shape, "offline": distance < MOVED}


def _scale(found: Mapping[int, Any]) -> dict[str, Any]:
    """Over the best fixed rate that tuning chose, at the start, in the middle and at the end; medians."""
    paths = [relative_rates(cell) for cell in found.values()]
    shown: dict[str, Any] = {}
    for name, place in (("start", 0.0), ("middle", 0.5), ("end", 1.0)):
        known = [path[round(place * (len(path) - 1))][1] for path in paths if path]
        shown[name] = statistics.median(known) if known else None
    falls = [path[-1][1] < path[0][1] for path in paths if path]
    return {**shown, "falls": sum(falls), "of": len(falls)}


def relative_rates(cell: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Step and implicit learning rate over the best fixed one, where there is such a rate."""
    best = cell["chosen"]["rate"] / cell["chosen"].get("speed", 1.0)
    return [
        (step["step"], step["implicit_learning_rate"] / best)
        for step in cell["path"]
        if step["implicit_learning_rate"] is not None
    ]


def _diverged(found: Mapping[int, Any]) -> dict[str, Any]:
    """By way and learning rate, the share that diverged and the share that ended no better than it began."""
    cells = list(found.values())
    return {
        way: {
            factor: {
                name: statistics.fmean(bool(cell[way][factor][name]) for cell in cells)
                for name in ("diverged", "worse")
            }
            for factor in rates
        }
        for way, rates in cells[0].items()
    }


def _horizons(cells: Cells) -> dict[str, Any]:
    """By data set, loss and horizon the implicit learning rate over the best fixed one, and the test score."""
    best = by_loss(cells, "rate")
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(key.split("/")[0] for key in cells if key.startswith("horizon ")):
        for (task, loss), each in _split(by_loss(cells, kind)):
            fixed = best.get(f"{task}/ordinary", {})
            rates = [
                cell["implicit learning rate"] / fixed[seed]["factor"]
                for seed, cell in each.items()
                if seed in fixed and cell["implicit learning rate"] is not None
            ]
            scores = [cell["test"] for cell in each.values() if cell["test"] is not None]
            found.setdefault(f"{task}/{loss}", {})[kind.split()[1]] = {
                "over the best fixed rate": statistics.median(rates) if rates else None,
                "test": statistics.fmean(scores) if scores else None, "n": len(each),
                "diverged": sum(bool(cell["diverged"] or cell["reason"]) for cell in each.values()),
            }  # fmt: skip
    return found


def printed(found: Mapping[str, Any]) -> str:
    """The table of gains and what is missing, as text."""
    lines = [f"{task}: left out, {why}" for task, why in found["absent"].items()]
    lines += [f"{key}: failed, {why}" for key, why in found["failed"].items()]
    if found["quadratic"]:
        known = found["quadratic"]
        off = max(known["offline, off the greedy rate"].values())
        rates = ", ".join(f"{horizon}: {rate:.3g}" for horizon, rate in known["rates"].items())
        lines.append(f"quadratic: offline {100 * off:.1f} % off the greedy rate at most")
        lines.append(f"quadratic: rate by horizon {rates}; best fixed {known['best fixed']['rate']:.3g}")
    for name, rows in found["gains of adapting over"].items():
        for key, row in rows.items():
            corrected = row.get("p corrected")
            p = "" if corrected is None else f"  p {corrected:.2g}"
            lines.append(
                f"{key:26} over {name:28} {row['gain']:+.4g} of {row['rival']:.4g}{p}  {row['verdict']}"
            )
    if found["missing"]:
        lines.append(f"{len(found['missing'])} cells are missing: the same command goes on")
    return "\n".join(lines)
