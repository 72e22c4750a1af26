"""What the cells of `search_economy` say: medians, paired tests and intervals, and the picture of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import wilcoxon

__all__ = ["answers", "draw"]

Cells = Mapping[str, Any]
DRAWS = 10_000


def arms(cells: Cells, study: str, task: str | None = None) -> dict[str, list[Any]]:
    """The cells of a study by arm, in order of the seeds."""
    found: dict[str, list[Any]] = {}
    for key in sorted(cells, key=lambda key: int(key.rsplit("/", 1)[1])):
        name, arm, on, _ = key.split("/")
        if name == study and task in (None, on):
            found.setdefault(arm, []).append(cells[key])
    return found


def interval(values: Sequence[float]) -> dict[str, Any]:
    """The median and its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).choice(values, (DRAWS, len(values)))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    return {"median": statistics.median(values), "interval": [float(low), float(high)], "n": len(values)}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """The differences, seed by seed, and the p of a two-sided Wilcoxon test that their median is zero."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    p = 1.0 if not any(differences) else float(wilcoxon(differences).pvalue)
    return {**interval(differences), "p": p, "differences": differences}


def answers(cells: Cells) -> dict[str, Any]:
    """Every figure of the studies that have cells."""
    found: dict[str, Callable[[Cells], Any]] = {
        "alone": _alone, "economy": _economy, "controls": _controls, "recovery": _recovery,
        "sensitivity": _sensitivity, "audit": _audit,
    }  # fmt: skip
    return {name: answer(cells) for name, answer in found.items() if arms(cells, name)}


def _alone(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    columns = ("wall", "validation", "considered", "trained", "load before")
    seen = arms(cells, "alone")
    for arm, runs in seen.items():
        found[arm] = {name: statistics.median(each[name] for each in runs) for name in columns}
    one, two = seen.get("quick preset", []), seen.get("quick preset, 2 workers", [])
    for name, clock in (
        ("", "wall"),
        (" after the first generation", "wall of all generations but the first"),
    ):
        shares = [a[clock] / (2 * b[clock]) for a, b in zip(one, two, strict=False) if b[clock]]
        if shares:
            found[f"share of the ideal at 2 workers{name}"] = statistics.median(shares)
    if two:
        found["same front at 1 and 2 workers"] = [
            a["front"] == b["front"] for a, b in zip(one, two, strict=False)
        ]
    return found


def _economy(cells: Cells) -> dict[str, Any]:
    (runs,) = arms(cells, "economy").values()
    ours, theirs = ([run[arm] for run in runs] for arm in ("as it is", "without"))
    both = [
        (a, b) for a, b in zip(ours, theirs, strict=True) if None not in (a["validation"], b["validation"])
    ]
    return {
        "processor time without, over with": interval([b["cpu"] / a["cpu"] for a, b in both]),
        "best validation with, over without": interval([a["validation"] / b["validation"] for a, b in both]),
        "best validation": paired([a["validation"] for a, _ in both], [b["validation"] for _, b in both]),
        "trees looked at": statistics.median(run["considered"] for run in theirs),
        "trained with and without": [statistics.median(e["trained"] for e in each) for each in (ours, theirs)],
    }  # fmt: skip


def _controls(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for task in ("digits", "diabetes"):
        runs = arms(cells, "controls", task)
        for arm in ("random", "shuffled"):
            for metric in ("validation", "test"):
                pairs = [
                    (a[metric], b[metric])
                    for a, b in zip(runs.get("evomal", []), runs.get(arm, []), strict=False)
                    if None not in (a[metric], b[metric])
                ]
                if pairs:
                    found[f"{task}, {metric}: evomal minus {arm}"] = paired(*zip(*pairs, strict=True))
    return found


def _recovery(cells: Cells) -> dict[str, Any]:
    return {
        plant: {
            "recovered": sum(run["recovered"] for run in runs), "of": len(runs),
            "first at": sorted(run["first"] for run in runs if run["first"] is not None),
            # How near the nearest comes, of what the ordinary loss misses.
            "distance left": statistics.median(_left(run) for run in runs),
        }
        for plant, runs in arms(cells, "recovery").items()
    }  # fmt: skip


def _left(run: Mapping[str, Any]) -> float:
    whole = run["distance of the ordinary loss"]
    if run["distance"] is None or not whole:
        return 1.0 if run["distance"] is None else 0.0
    return float(run["distance"] / whole)


def _sensitivity(cells: Cells) -> dict[str, Any]:
    runs = arms(cells, "sensitivity")
    base = [run["validation"] for run in runs["as it is"]]
    found = {}
    for arm, each in runs.items():
        values = [run["validation"] for run in each]
        found[arm] = {
            "validation": statistics.median(values),
            "cpu": statistics.median(r["cpu"] for r in each),
        }
        if arm != "as it is":
            found[arm]["minus as it is"] = paired(values, base[: len(values)])
    return found


def _audit(cells: Cells) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for task in ("digits", "diabetes"):
        for runs in arms(cells, "audit", task).values():
            rungs = [rung for run in runs for rung in run["rungs"].values()]
            found[task] = {
                "rank correlation of the rung": [rung["correlation"] for rung in rungs],
                "losses": [rung["losses"] for rung in rungs],
                "false rejections": sum(run["false rejections"] for run in runs),
                "of rejected trees trained all the same": sum(run["tried"] for run in runs),
            }
    return found


def draw(cells: Cells) -> Figure:
    """Four panels: what economy saves, what is recovered, what the controls do, what the settings matter."""
    figure = Figure(figsize=(12, 9), layout="constrained")
    panels = figure.subplots(2, 2)
    _draw_economy(panels[0][0], cells)
    _draw_recovery(panels[0][1], cells)
    _draw_controls(panels[1][0], cells)
    _draw_sensitivity(panels[1][1], cells)
    return figure


def _draw_economy(ax: Axes, cells: Cells) -> None:
    for runs in arms(cells, "economy").values():
        for arm, label in (("as it is", "as it is"), ("without", "without gate, race, classes")):
            ax.plot(
                [run[arm]["cpu"] for run in runs], [run[arm]["validation"] for run in runs], "o", label=label
            )
        ax.legend(frameon=False)
    ax.set(
        xlabel="processor seconds",
        xlim=(0, None),
        ylabel="best validation mse",
        title="Economy: diabetes, trees alike in number",
    )


def _draw_recovery(ax: Axes, cells: Cells) -> None:
    found = arms(cells, "recovery")
    names = list(found)[::-1]
    rates = [100 * statistics.fmean(run["recovered"] for run in found[name]) for name in names]
    bars = ax.barh(names, rates, color="tab:blue")
    ax.bar_label(
        bars, [f"{sum(run['recovered'] for run in found[n])} of {len(found[n])}" for n in names], padding=3
    )
    ax.set(xlabel="% of seeds", xlim=(0, 115), title="A planted loss on the front within 400 candidates")


def _draw_controls(ax: Axes, cells: Cells) -> None:
    labels, columns = [], []
    for task in ("digits", "diabetes"):
        runs = arms(cells, "controls", task)
        middle = [run["validation"] for run in runs.get("evomal", []) if run["validation"] is not None]
        for arm, each in sorted(runs.items()):
            values = [run["validation"] for run in each if run["validation"] is not None]
            if values and middle:
                # One axis for an accuracy and an error: each relative to the median of the search itself.
                columns.append([value / statistics.median(middle) for value in values])
                labels.append(f"{task}\n{arm}")
    if columns:
        ax.boxplot(columns)
        ax.set_xticks(range(1, len(labels) + 1), labels, fontsize=8)
    ax.axhline(1, color="grey", linewidth=0.6)
    ax.set(
        ylabel="best validation over the median of evomal",
        title="Controls at equal evaluations\n(digits: accuracy, more is better; diabetes: error, less is better)",
    )


def _draw_sensitivity(ax: Axes, cells: Cells) -> None:
    found = arms(cells, "sensitivity")
    for place, runs in enumerate(found.values()):
        values = [run["validation"] for run in runs if run["validation"] is not None]
        ax.plot(values, [place] * len(values), "o", alpha=0.6)
        if values:
            ax.plot(statistics.median(values), place, "k|", markersize=16)
    ax.set_yticks(range(len(found)), list(found))
    ax.set(xlabel="best validation mse (bar: median)", title="Sensitivity: diabetes")
