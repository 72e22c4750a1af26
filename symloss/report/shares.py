"""Metrics that are shares, kept to what a share can be where people read them.

What a search knows of a loss is how it does on the average block, which may come out past 1 where its own blocks were
easy; files and JSON keep that number.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from symloss.search import FrontRow

__all__ = ["keep_axis_within", "limits", "row_within", "within"]

_PAD = 0.03
"""Room beyond a limit for the mark of a value that has it, as a share of the axis."""


def limits(metric: str) -> tuple[float, float]:
    """The least and the greatest value of a metric; infinite where there is none, or it is not one of ours.

    >>> limits("accuracy"), limits("r2"), limits("mse")
    ((0.0, 1.0), (-inf, 1.0), (-inf, inf))
    """
    from symloss.tasks import METRICS

    known = METRICS.get(metric)
    if known is None or not known.share:
        return -math.inf, math.inf
    # Worse than the mean of the targets is below 0, without end.
    return (-math.inf if metric == "r2" else 0.0), 1.0


def within(value: float, metric: str) -> float:
    """An estimate of a metric, at most as far as the metric goes; NaN stays.

    >>> within(1.006, "accuracy"), within(1.006, "mse")
    (1.0, 1.006)
    """
    low, high = limits(metric)
    return value if math.isnan(value) else min(max(value, low), high)


def row_within(row: FrontRow, metric: str) -> FrontRow:
    """A row of a front as people read it."""
    return replace(row, validation=within(row.validation, metric))


def keep_axis_within(ax: Axes, metric: str) -> None:
    """Ends a vertical axis where the metric ends."""
    (least, greatest), (low, high) = limits(metric), ax.get_ylim()
    pad = _PAD * (high - low)
    ax.set_ylim(max(low, least - pad), min(high, greatest + pad))
