"""What the cells of `analysis.method_table` come to: the table, paired tests, and the figure."""

from __future__ import annotations

import base64
import math
import statistics
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from symloss.compare.ranks import rank_losses, wilcoxon_p
from symloss.compare.statistics import bootstrap, detectable_difference, holm, overlap_of, paired_t
from symloss.compare.verdicts import margin_of, verdict
from symloss.tasks import METRICS

__all__ = ["ROWS", "answers", "draw", "printed"]

ROWS = {
    "as is": "zoo", "tuned": "zoo", "zoo": "zoo", "random": "random", "shuffled": "shuffled", "gplfl": "gplfl",
    "ml3": "ml3", "taylorglo": "taylorglo", "mixture": "mixture", "evomal": "evomal",
}  # fmt: skip
"""The rows of the table, and the cell that each is in."""
NAMES = {
    "as is": "task loss", "tuned": "task loss, tuned", "zoo": "best of the zoo, tuned", "random": "random",
    "shuffled": "shuffled fitness", "gplfl": "GP-LFL", "ml3": "ML3 (neural)", "taylorglo": "TaylorGLO",
    "mixture": "mixture", "evomal": "EvoMAL",
}  # fmt: skip
OURS = "evomal"
PRIMARY = ("zoo", "random")
TABLE_MODEL = "mlp-2x64"
Cells = Mapping[str, Mapping[str, Any]]
Scores = dict[str, dict[str, dict[int, float]]]


def answers(cells: Cells, asked: Sequence[tuple[int, str]], absent: Mapping[str, str]) -> dict[str, Any]:
    """Everything that is said, JSON-ready.

    Args:
        cells: by `SEED/TASK/ARM`.
        asked: seed and task of what was to be done.
        absent: tasks without data, and why.
    """
    failed = {key: cell["failed"] for key, cell in cells.items() if "failed" in cell}
    done, cells = cells, {key: cell for key, cell in cells.items() if key not in failed}
    scores = by_task(cells)
    # One search is no sample of searches: what it can say is under `test rows`.
    tables = {task: each for task, each in scores.items() if f"0/{task}/zoo" not in _images(cells)}
    tests = {
        task: {label: _paired(cells, scores, task, label) for label in ROWS if label != OURS}
        for task in tables
    }
    _correct(tests)
    missing = [
        f"{seed}/{task}/{arm}"
        for seed, task in asked
        for arm in dict.fromkeys(ROWS.values())
        if f"{seed}/{task}/{arm}" not in done
    ]
    return {
        "missing": missing, "absent": dict(absent), "failed": failed,
        "table": {
            task: {label: _mean(each[label]) for label in ROWS if label in each} for task, each in scores.items()
        },
        "picks": _picks(cells),
        "gains of EvoMAL over": tests,
        "ranks": _ranks(cells, tables),
        "test rows of the images": _of_rows(cells),
        "cost of a search": _costs(cells),
    }  # fmt: skip


def by_task(cells: Cells, model: str = TABLE_MODEL) -> Scores:
    """By task, row and search seed the test metric, training starts averaged."""
    found: Scores = {}
    for key, cell in cells.items():
        seed, task, _ = key.split("/")
        for label, row in cell["rows"].items():
            if model in row["reported"]:
                mean = statistics.fmean(row["reported"][model]["tests"])
                found.setdefault(task, {}).setdefault(label, {})[int(seed)] = mean
    return found


def gains(cells: Cells, scores: Scores, task: str, label: str) -> list[float]:
    """By search seed that has both, what EvoMAL's pick gains over a row; positive is better, whatever the metric."""
    sign = 1.0 if _about(cells, task)["greater_is_better"] else -1.0
    ours, theirs = scores[task].get(OURS, {}), scores[task].get(label, {})
    return [sign * (ours[seed] - theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]


def _about(cells: Cells, task: str) -> Mapping[str, Any]:
    return next(cell for key, cell in cells.items() if key.split("/")[1] == task and "failed" not in cell)


def _images(cells: Cells) -> list[str]:
    """Cells whose test rows are on record."""
    return [
        key
        for key, cell in cells.items()
        if any("right" in said for row in cell["rows"].values() for said in row["reported"].values())
    ]


def _paired(cells: Cells, scores: Scores, task: str, label: str) -> dict[str, Any]:
    about, values = _about(cells, task), gains(cells, scores, task, label)
    if not values:
        return {"n": 0}
    overlap = overlap_of(about["test_rows"], about["other_rows"])
    found = paired_t(values, overlap)
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    margin = margin_of(METRICS[about["metric"]], statistics.fmean(scores[task][label].values()))
    low, high = found.interval()
    return {
        "n": len(values), "gain": found.mean, "interval": _known([low, high]), "p": _number(found.p_value),
        "detectable": _number(detectable_difference(spread, len(values), overlap)), "margin": margin,
        "verdict": verdict(found, len(values), margin), "primary": label in PRIMARY,
    }  # fmt: skip


def _correct(tests: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
    """Holm's correction over the one hypothesis: both primary rows of every table."""
    primary = [
        row for each in tests.values() for row in each.values() if row.get("primary") and row["p"] is not None
    ]
    for row, p in zip(primary, holm([row["p"] for row in primary]), strict=True):
        row["p corrected"] = p


def _ranks(cells: Cells, tables: Scores) -> dict[str, Any]:
    """Over the tables that have every row: mean ranks, and signed-rank tests of EvoMAL against each.

    Each table speaks by the search seeds that all of its rows have: seeds are splits, which differ more than rows do.
    """
    common = {
        task: set.intersection(*(set(each.get(label, {})) for label in ROWS)) for task, each in tables.items()
    }
    whole = [task for task, seeds in common.items() if seeds]
    if len(whole) < 2:
        return {"tasks": len(whole)}
    errors = [
        [error_of(cells, task, {seed: tables[task][label][seed] for seed in common[task]}) for label in ROWS]
        for task in whole
    ]
    ranking = rank_losses(list(ROWS), errors)
    ours = list(ROWS).index(OURS)
    # In units of the task loss's own error, as data sets differ in theirs.
    share = [[(each - row[ours]) / row[0] for each in row] for row in errors]
    return {
        "tasks": len(whole), "seeds": {task: len(common[task]) for task in whole},
        "mean ranks": dict(zip(ranking.names, ranking.ranks, strict=True)),
        "Friedman p": ranking.p_value, "critical difference": ranking.critical_difference,
        "Wilcoxon p": {
            label: wilcoxon_p([row[i] for row in share]) for i, label in enumerate(ROWS) if label != OURS
        },
        "error saved over the task loss": {task: row[0] for task, row in zip(whole, share, strict=True)},
        "error saved over the tuned task loss": {
            task: (row[1] - row[ours]) / row[1] for task, row in zip(whole, errors, strict=True)
        },
    }  # fmt: skip


def error_of(cells: Cells, task: str, scores: Mapping[int, float]) -> float:
    """The mean error over the search seeds; not below half a test row, so that shares of it exist."""
    about, mean = _about(cells, task), statistics.fmean(scores.values())
    return max(1 - mean, 0.5 / about["test_rows"]) if about["greater_is_better"] else mean


def _of_rows(cells: Cells) -> dict[str, Any]:
    """By task and model, what EvoMAL's pick gains over each row on the common test rows, resampled."""
    found: dict[str, Any] = {}
    keys = _images(cells)
    for task in dict.fromkeys(key.split("/")[1] for key in keys):
        rows = {
            label: row
            for key in keys
            if key.split("/")[1] == task
            for label, row in cells[key]["rows"].items()
        }
        for model in rows[OURS]["reported"] if OURS in rows else ():
            ours = right(rows[OURS]["reported"][model])
            for label, row in rows.items():
                if label == OURS:
                    continue
                difference = ours - right(row["reported"][model])
                again = bootstrap(difference)
                found.setdefault(f"{task}, {model}", {})[label] = {
                    "gain": float(difference.mean()), "interval": list(again.interval()), "p": again.p_value,
                    "detectable": detectable_difference(float(difference.std(ddof=1)), difference.size),
                }  # fmt: skip
    return found


def right(reported: Mapping[str, Any]) -> NDArray[np.float64]:
    """By test row, the share of the starts that have it right."""
    packed = zlib.decompress(base64.b64decode(reported["right"]))
    return np.frombuffer(packed, dtype=np.uint8) / len(reported["tests"])


def _mean(scores: Mapping[int, float]) -> dict[str, Any]:
    values = [scores[seed] for seed in sorted(scores)]
    return {"mean": statistics.fmean(values), "seeds": len(values), "scores": values}


def _picks(cells: Cells) -> dict[str, dict[str, list[str]]]:
    """By task and row the losses of the search seeds; the ordinary loss by the word."""
    found: dict[str, dict[str, list[str]]] = {}
    for key in sorted(cells):
        for label, row in cells[key]["rows"].items():
            if label not in ("as is", "tuned"):
                said = "the task loss" if row["ordinary"] else row["loss"]
                found.setdefault(key.split("/")[1], {}).setdefault(label, []).append(said)
    return found


def _costs(cells: Cells) -> dict[str, dict[str, float]]:
    """By arm the means over searches."""
    keys = ("cpu", "steps", "all_steps", "candidates", "trained")
    return {
        arm: {
            key: round(
                statistics.fmean(cell[key] for name, cell in cells.items() if name.endswith(f"/{arm}")), 1
            )
            for key in keys
        }
        for arm in dict.fromkeys(name.split("/")[2] for name in cells)
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _known(values: Sequence[float]) -> list[float] | None:
    return list(values) if all(map(math.isfinite, values)) else None


def printed(found: Mapping[str, Any]) -> str:
    """The table as text: test metric by row and task, then what EvoMAL gains over the primary rows."""
    tasks = list(found["table"])
    width = max(12, *(len(task) + 2 for task in tasks)) if tasks else 12
    lines = ["".join([f"{'':24}", *(f"{task:>{width}}" for task in tasks)])]
    for label, name in NAMES.items():
        cells = [found["table"][task].get(label) for task in tasks]
        shown = [f"{each['mean']:.4f} ({each['seeds']})" if each else "missing" for each in cells]
        lines.append("".join([f"{name:24}", *(f"{each:>{width}}" for each in shown)]))
    for task, rows in found["gains of EvoMAL over"].items():
        lines += [
            f"{task}, EvoMAL over {NAMES[label]}: {_said(rows[label])}"
            for label in PRIMARY
            if rows[label]["n"]
        ]
    lines += [f"{task}: left out, {why}" for task, why in found["absent"].items()]
    lines += [f"{key} found nothing: {why}" for key, why in found["failed"].items()]
    if found["missing"]:
        lines.append(f"{len(found['missing'])} searches are missing: {', '.join(found['missing'])}")
    return "\n".join(lines)


def _said(row: Mapping[str, Any]) -> str:
    text = f"{row['gain']:+.4f}"
    if row["interval"] is None:
        return f"{text} on one seed: no interval"
    low, high = row["interval"]
    return (
        f"{text} ({low:+.4f} to {high:+.4f}), n = {row['n']}, Holm's p {row['p corrected']:.2g}, detectable "
        f"{row['detectable']:.4f}: {row['verdict']}"
    )


def draw(cells: Cells) -> Figure:
    """A panel for each task: the test metric of each row, a dot a search seed, the mean as a bar."""
    scores = by_task(cells)
    columns = max(1, min(4, len(scores)))
    rows = max(1, math.ceil(len(scores) / columns))
    figure = Figure(figsize=(3.4 * columns, 2.6 * rows + 0.8), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    labels = list(ROWS)
    for axes, (task, each) in zip(panels, scores.items(), strict=False):
        for y, label in enumerate(labels):
            values = list(each.get(label, {}).values())
            axes.plot(values, [y] * len(values), "o", color="0.7", markersize=4)
            if values:
                axes.plot(statistics.fmean(values), y, "|", color="C0", markersize=14, markeredgewidth=2)
        axes.set_title(task)
        axes.set_xlabel(f"test {_about(cells, task)['metric']}")
        axes.set_yticks(range(len(labels)), [NAMES[label] for label in labels])
        axes.invert_yaxis()
    for axes in panels[len(scores) :]:
        axes.set_visible(False)
    return figure
