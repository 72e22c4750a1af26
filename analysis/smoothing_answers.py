"""What the cells of `analysis.learned_smoothing` come to: shares with exact intervals, and what a knock-out costs."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from scipy.stats import binomtest

from symloss.compare.statistics import detectable_difference, holm, overlap_of, paired_t

__all__ = ["answers", "draw", "paired", "printed", "share"]

KNOCKED = ("clipped", "continued")
HYPOTHESIS = "evomal"
Cells = Mapping[str, Any]
Values = dict[str, dict[int, float]]


def share(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many smooth labels, with the exact 95 % interval of those that are settled.

    `bounds`: the share if everything open did not smooth, and if all of it did.
    """
    rows = list(found)
    counts = Counter(row["smooths"] for row in rows)
    settled = counts["yes"] + counts["no"]
    strengths = sorted(row["xi"] for row in rows if row["smooths"] == "yes")
    said: dict[str, Any] = {
        "n": len(rows), "smooth": counts["yes"], "unknown": counts["unknown"],
        "share": None, "interval": None, "bounds": None,
        "xi": {"median": statistics.median(strengths), "most": strengths[-1]} if strengths else None,
    }  # fmt: skip
    if settled:
        interval = binomtest(counts["yes"], settled).proportion_ci(method="exact")
        said |= {"share": counts["yes"] / settled, "interval": [float(interval.low), float(interval.high)]}
    if rows:
        said["bounds"] = [counts["yes"] / len(rows), (counts["yes"] + counts["unknown"]) / len(rows)]
    return said


def answers(cells: Cells, asked: Sequence[tuple[int, float, str]], arms: Sequence[str]) -> dict[str, Any]:
    """Everything that is said, JSON-ready.

    Args:
        cells: by `control/TASK`, `gate/CLASSES`, `pick/NOISE/TASK/SEED/ARM` and `knock/NOISE/TASK/SEED/ARM`.
        asked: seed, noise and task of what was to be done.
        arms: the methods.
    """
    picks = _of(cells, "pick")
    noises = sorted({noise for noise, *_ in picks})

    def of_arm(noise: float, arm: str, name: str | None = None) -> list[Mapping[str, Any]]:
        return [row for (n, t, _, a), row in picks.items() if (n, a) == (noise, arm) and name in (None, t)]

    return {
        "missing": [
            f"pick/{noise:g}/{name}/{seed}/{arm}"
            for seed, noise, name in asked
            for arm in arms
            if (noise, name, seed, arm) not in picks
        ],
        "picks that smooth": {
            f"noise {noise:g}": {
                arm: {
                    **share(of_arm(noise, arm)),
                    "the task loss": sum(row["ordinary"] for row in of_arm(noise, arm)),
                    "by task": {
                        name: share(of_arm(noise, arm, name)) for name in sorted({name for _, name, *_ in picks})
                    },
                }
                for arm in arms
            }
            for noise in noises
        },
        "base rate, trees that pass the gate": {
            key.partition("/")[2] + " classes": share(rows) for key, rows in cells.items() if key.startswith("gate/")
        },
        "base rate, trained candidates": {
            f"noise {noise:g}": {
                arm: share(each for row in of_arm(noise, arm) for each in row["candidates"])
                for arm in arms
            }
            for noise in noises
        },
        "picks over their candidates": _tests({arm: _over_candidates(picks, arm) for arm in arms}, picks, HYPOTHESIS),
        "strength with noise over without": _tests({arm: _growth(picks, arm) for arm in arms}, picks),
        "accuracy of the pick over its knock-out": {
            f"noise {noise:g}": _tests(
                {version: _worth(_of(cells, "knock"), noise, version) for version in KNOCKED}, picks
            )
            for noise in noises
        },
        "confidence": _confidence(cells),
        "control": {
            version: {"confidence": row["confidence"], "accuracy": statistics.fmean(row["accuracy"])}
            for version, row in cells.get("control/digits", {}).items()
        },
    }  # fmt: skip


def _of(cells: Cells, what: str) -> dict[tuple[float, str, int, str], Any]:
    """By noise, task, seed and arm."""
    found = {}
    for key, cell in cells.items():
        kind, *place = key.split("/")
        if kind == what:
            noise, *name, seed, arm = place
            found[float(noise), "/".join(name), int(seed), arm] = cell
    return found


def _over_candidates(picks: Mapping[tuple[float, str, int, str], Any], arm: str) -> Values:
    """On clean labels, by task and seed: 1 for a pick that smooths, else 0, minus the share of its candidates."""
    found: Values = {}
    for (noise, name, seed, its), row in picks.items():
        settled = [each["smooths"] == "yes" for each in row["candidates"] if each["smooths"] != "unknown"]
        if not noise and its == arm and settled and row["smooths"] != "unknown":
            found.setdefault(name, {})[seed] = (row["smooths"] == "yes") - statistics.fmean(settled)
    return found


def _growth(picks: Mapping[tuple[float, str, int, str], Any], arm: str) -> Values:
    """By task and seed, the strength with the most noise minus that without; 0 for a pick that does not smooth."""
    found: Values = {}
    most = max((noise for noise, *_ in picks), default=0.0)
    for (noise, name, seed, its), row in picks.items():
        clean = picks.get((0.0, name, seed, its))
        if its == arm and noise == most > 0 and clean and "xi" in row and "xi" in clean:
            found.setdefault(name, {})[seed] = row["xi"] - clean["xi"]
    return found


def _worth(knocked: Mapping[tuple[float, str, int, str], Any], noise: float, version: str) -> Values:
    """By task and seed the accuracy that the pick has over its knock-out, averaged over the methods' picks."""
    gains: dict[str, dict[int, list[float]]] = {}
    for (its, name, seed, _), row in knocked.items():
        if its == noise:
            gain = statistics.fmean(row["pick"]["accuracy"]) - statistics.fmean(row[version]["accuracy"])
            gains.setdefault(name, {}).setdefault(seed, []).append(gain)
    return {
        name: {seed: statistics.fmean(each) for seed, each in by_seed.items()}
        for name, by_seed in gains.items()
    }


def _tests(
    values: Mapping[str, Values], picks: Mapping[tuple[float, str, int, str], Any], primary: str = ""
) -> dict[str, Any]:
    """By label and task a paired t test over seeds, which are splits of one data set.

    Holm's correction runs over the tasks of the label that the hypothesis is about; the rest is exploratory.
    """
    overlaps = {name: overlap_of(row["test_rows"], row["other_rows"]) for (_, name, *_), row in picks.items()}
    found = {
        label: {name: paired(list(by_seed.values()), overlaps[name]) for name, by_seed in by_task.items()}
        for label, by_task in values.items()
    }
    tested = [row for row in found.get(primary, {}).values() if row["p"] is not None]
    for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p corrected"] = p
    return found


def paired(values: Sequence[float], overlap: float) -> dict[str, Any]:
    """Mean, 95 % interval, p and what could have been told."""
    test = paired_t(values, overlap)
    known = not math.isnan(test.se)
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return {
        "n": len(values), "mean": test.mean, "interval": list(test.interval()) if known else None,
        "p": test.p_value if known else None,
        "detectable": detectable_difference(spread, len(values), overlap) if known else None,
    }  # fmt: skip


def _confidence(cells: Cells) -> dict[str, dict[str, float]]:
    """Mean probability of the training labels, by noise and version: whether the knock-out did what it is for."""
    found: dict[str, dict[str, list[float]]] = {}
    for (noise, *_), row in _of(cells, "knock").items():
        for version, each in row.items():
            found.setdefault(f"noise {noise:g}", {}).setdefault(version, []).append(each["confidence"])
    return {
        noise: {version: statistics.fmean(values) for version, values in each.items()}
        for noise, each in found.items()
    }


def printed(found: Mapping[str, Any]) -> str:
    """The shares as text, and what the smoothing is worth."""
    lines = []
    for noise, arms in found["picks that smooth"].items():
        for arm, each in arms.items():
            base = found["base rate, trained candidates"][noise][arm]
            lines.append(f"{noise}, {arm:10} picks {_share(each)}; their candidates {_share(base)}")
    lines += [
        f"trees that pass the gate, {classes}: {_share(each)}"
        for classes, each in found["base rate, trees that pass the gate"].items()
    ]
    for title in ("picks over their candidates", "strength with noise over without"):
        lines += [
            f"{title}, {arm}, {name}: {_test(row)}"
            for arm, each in found[title].items()
            for name, row in each.items()
        ]
    for noise, versions in found["accuracy of the pick over its knock-out"].items():
        lines += [
            f"{noise}, pick over {version}, {name}: {_test(row)}"
            for version, each in versions.items()
            for name, row in each.items()
        ]
    lines += [
        f"{noise}, probability of the training labels: "
        + ", ".join(f"{version} {value:.3f}" for version, value in each.items())
        for noise, each in found["confidence"].items()
    ]
    lines += [
        f"control, ACE at 1.3, {version}: probability {each['confidence']:.3f}, accuracy {each['accuracy']:.4f}"
        for version, each in found["control"].items()
    ]
    if found["missing"]:
        lines.append(f"{len(found['missing'])} picks are missing: {', '.join(found['missing'])}")
    return "\n".join(lines)


def _share(each: Mapping[str, Any]) -> str:
    if each["share"] is None:
        return f"none settled of {each['n']}"
    low, high = each["interval"]
    strength = f", median xi {each['xi']['median']:.3f}" if each["xi"] else ""
    settled = each["n"] - each["unknown"]
    return f"{each['smooth']} of {settled} ({low:.2f} to {high:.2f}), {each['unknown']} unknown{strength}"


def _test(row: Mapping[str, Any]) -> str:
    if row["interval"] is None:
        return f"{row['mean']:+.4f} on one seed: no interval"
    low, high = row["interval"]
    p = f"Holm's p {row['p corrected']:.2g}" if "p corrected" in row else f"p {row['p']:.2g}"
    return f"{row['mean']:+.4f} ({low:+.4f} to {high:+.4f}), n = {row['n']}, {p}, detectable {row['detectable']:.4f}"


def draw(cells: Cells, arms: Sequence[str]) -> Figure:
    """Left the strength of each pick by method, clean and noisy; right what its smoothing is worth."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    picks, knocked = _of(cells, "pick"), _of(cells, "knock")
    noises = sorted({noise for noise, *_ in picks})
    for i, noise in enumerate(noises):
        for x, arm in enumerate(arms):
            rows = [row for (n, _, _, a), row in picks.items() if (n, a) == (noise, arm)]
            known = [row["xi"] for row in rows if "xi" in row]
            # Side by side, so that dots that agree can be counted.
            places = [x + 0.3 * i + 0.02 * j for j in range(len(known))]
            left.plot(
                places,
                known,
                "o",
                color=f"C{i}",
                markersize=4,
                alpha=0.7,
                label=f"noise {noise:g}" if not x else None,
            )
    left.set_xticks(range(len(arms)), arms)
    left.set_ylabel("strength xi of the pick (0: none)")
    left.legend(frameon=False)
    for i, noise in enumerate(noises):
        for x, version in enumerate(KNOCKED):
            worth = [
                100 * value for each in _worth(knocked, noise, version).values() for value in each.values()
            ]
            right.plot([x + 0.3 * i] * len(worth), worth, "o", color=f"C{i}", markersize=4, alpha=0.7)
    right.axhline(0, color="0.5", lw=0.8)
    right.set_xticks(range(len(KNOCKED)), KNOCKED)
    right.set_ylabel("points of accuracy over the knock-out")
    return figure
