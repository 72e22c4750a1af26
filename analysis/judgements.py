"""What finished comparisons come to together: gains of one loss over others, judged over all cells of a hypothesis.

A cell is what `analysis.comparisons` keeps of one comparison: its `rows` with the score on every split, the `metric`,
and the `overlap` of the splits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symloss.compare import holm, margin_of, paired_t, verdict
from symloss.tasks import get_metric

__all__ = ["TUNED", "Cell", "gains", "judged", "not_inferior", "over_both", "row_of", "transferred"]

TUNED = "tuned"
Cell = Mapping[str, Any]


def row_of(cell: Cell, name: str, treatment: str = TUNED) -> Mapping[str, Any] | None:
    """The row of a loss on all of the rows, or None."""
    for row in cell["rows"]:
        if (row["name"], row["treatment"], row["fraction"]) == (name, treatment, 1.0):
            return dict(row)
    return None


def gains(
    cell: Cell, ours: str, theirs: str, treatment: str = TUNED, *, against: str | None = None
) -> list[float]:
    """By split, how much better one loss is than another; none where one of them diverged.

    Args:
        cell: that holds both.
        ours, theirs: names of the losses.
        treatment: of both, unless the other's is said in `against`.
    """
    rows = [row_of(cell, ours, treatment), row_of(cell, theirs, against or treatment)]
    if any(row is None or row["mean"] is None for row in rows):
        return []
    sign = 1.0 if get_metric(cell["metric"]).greater_is_better else -1.0
    a, b = (row["scores"] for row in rows if row is not None)
    return [sign * (x - y) for x, y in zip(a, b, strict=True)]


def judged(cells: Mapping[str, Cell], ours: str, theirs: str | Sequence[str]) -> dict[str, dict[str, Any]]:
    """By cell, the gain of a tuned loss over another, with Holm's correction over all of the cells.

    The p value is that of the comparison where it has one, which on disjoint pools resamples the test rows as well;
    intervals are those of the paired t test.

    Args:
        cells: of one hypothesis.
        ours: name of the loss.
        theirs: name of the rival, or the names that it may have, as ordinary losses differ from task to task.
    """
    rivals = [theirs] if isinstance(theirs, str) else theirs
    found: dict[str, dict[str, Any]] = {}
    for key, cell in cells.items():
        rival = next((name for name in rivals if row_of(cell, name)), None)
        values = gains(cell, ours, rival, TUNED) if rival else []
        if rival is None or not values:
            continue
        test, row, base = paired_t(values, cell["overlap"]), row_of(cell, ours), row_of(cell, rival)
        assert row is not None
        assert base is not None
        p = row.get("p") if rival == cell["rows"][0]["name"] else None
        found[key] = {
            "ours": row["mean"], "theirs": base["mean"], "gain": test.mean, "interval": list(test.interval()),
            "detectable": row.get("detectable"), "p": test.p_value if p is None else p, "test": test,
            "splits": len(values), "margin": margin_of(get_metric(cell["metric"]), base["mean"]),
        }  # fmt: skip
    known = [each for each in found.values() if math.isfinite(each["p"])]
    for each, p in zip(known, holm([each["p"] for each in known]), strict=True):
        each["p_corrected"] = p
    for each in found.values():
        test = each.pop("test")
        each["verdict"] = verdict(test, each["splits"], each.pop("margin"), each.get("p_corrected"))
    return found


def not_inferior(cells: Mapping[str, Cell], ours: str, rivals: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By cell, whether a tuned loss is not inferior to the best of several, whichever that is.

    It is not inferior to the best exactly when it is not inferior to each: an intersection-union test, which needs no
    correction for their number, and does not choose the best by the scores that it is judged on.

    Args:
        cells: to be judged one by one.
        ours: name of the loss.
        rivals: names of the others.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, cell in cells.items():
        by_rival = {rival: gains(cell, ours, rival) for rival in rivals}
        tests = {name: paired_t(values, cell["overlap"]) for name, values in by_rival.items() if values}
        splits = max((len(values) for values in by_rival.values()), default=0)
        if splits < 2:
            continue
        # 90 % intervals: a one-sided test at 5 %.
        lows = {name: test.interval(0.1)[0] for name, test in tests.items()}
        hardest = min(lows, key=lambda name: lows[name])
        best = max(tests, key=lambda name: -tests[name].mean)
        base = row_of(cell, hardest)
        assert base is not None
        margin = margin_of(get_metric(cell["metric"]), base["mean"])
        found[key] = {
            "best": best, "gain over the best": tests[best].mean, "rival": hardest, "gain": tests[hardest].mean,
            "low": lows[hardest], "margin": margin,
            "holds": lows[hardest] > -margin, "splits": splits,
        }  # fmt: skip
    return found


def transferred(
    found: Mapping[str, Cell],
    keys: Iterable[str],
    ordinary: tuple[str, str],
    rivals: Sequence[str],
    mean: str,
) -> dict[str, Any]:
    """How a loss that was discovered on one set holds elsewhere: the hypothesis, cell by cell, and how often it holds.

    Args:
        found: cells of the study, with its search.
        keys: of the cells that the hypothesis is about; the others are exploratory.
        ordinary: name of the ordinary loss, and what to call it.
        rivals: losses with a name.
        mean: what to call the mean of the metric.
    """
    name, called = ordinary
    compared = {key: cell for key, cell in found.items() if "rows" in cell}
    main = {key: compared[key] for key in keys if key in compared}
    rest = {key: cell for key, cell in compared.items() if key not in main}
    better, others = judged(main, "discovered", name), not_inferior(main, "discovered", rivals)
    verdicts = [each["verdict"] for each in better.values()]
    return {
        "discovered": found.get("search"),
        "cells of the hypothesis": len(main),
        f"better than tuned {called} on": verdicts.count("better"),
        "worse on": verdicts.count("worse"),
        "not inferior to the best tuned loss with a name on": sum(each["holds"] for each in others.values()),
        f"against tuned {called}": better,
        "against the best loss with a name": others,
        f"exploratory, against tuned {called}": judged(rest, "discovered", name),
        "exploratory, against the best loss with a name": not_inferior(rest, "discovered", rivals),
        f"{mean}, tuned": {
            key: {row["name"]: row["mean"] for row in cell["rows"] if row["treatment"] == TUNED}
            for key, cell in compared.items()
        },
    }


def over_both(said: Mapping[str, Any], called: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `transferred` says of every cell: over the ordinary loss, and over the hardest of those with a name."""
    over, hardest = (
        {**said[f"against {what}"], **said[f"exploratory, against {what}"]}
        for what in (f"tuned {called}", "the best loss with a name")
    )
    return over, hardest
