"""Verdicts on the differences between two losses, by rules that were fixed before the numbers were known.

A *gain* is a difference turned so that positive is better, whatever the metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symloss.compare.statistics import LEVEL, Evidence, paired_t
from symloss.tasks import METRICS, Metric

__all__ = ["ENOUGH_SPLITS", "TOO_FEW", "UNKNOWN", "explained_by", "margin_of", "verdict"]

ENOUGH_SPLITS = 10
"""Splits below which there is no verdict."""
UNKNOWN = "not told apart"
TOO_FEW = "too few splits to tell"
NON_INFERIOR = 0.1
"""Non-inferiority is read off the 90 % interval: a one-sided test at 5 %."""
_POINT, _SHARE = 0.01, 0.02
"""Margins of non-inferiority: one point of a share, or 2 % of an error."""


def margin_of(metric: Metric, baseline: float) -> float:
    """By how much a loss may be worse and still be as good: 1 point of a share, 2 % of the baseline's error.

    Args:
        metric: of the task.
        baseline: its mean for the baseline.

    >>> from symloss.tasks import get_metric
    >>> margin_of(get_metric("accuracy"), 0.9), margin_of(get_metric("mse"), 0.5)
    (0.01, 0.01)
    """
    # A scorer of scikit-learn is a share unless it is an error.
    share = metric.share or (metric.name.partition(":")[0] not in METRICS and metric.greater_is_better)
    return _POINT if share else _SHARE * abs(baseline)


def verdict(
    gains: Evidence, splits: int, margin: float, p_value: float | None = None, level: float = LEVEL
) -> str:
    """`better`, `worse`, `as good as`, `not told apart`, or `too few splits to tell`.

    `better` and `worse`: the interval of the gain excludes 0 and `p_value` is below the level. `as good as`: the
    lower end of its 90 % interval lies above minus the margin. A gain that is worse by less than the margin is
    `worse` all the same.

    Args:
        gains: of the loss over the baseline.
        splits: how many the gain rests on.
        margin: see `margin_of`.
        p_value: corrected for the rows of one hypothesis; that of `gains` unless given.
        level: of the claim.

    >>> verdict(paired_t([0.02, 0.03] * 5), 10, margin=0.01)
    'better'
    >>> verdict(paired_t([0.002, -0.002] * 5), 10, margin=0.01)
    'as good as'
    >>> verdict(paired_t([0.05, -0.06] * 5), 10, margin=0.01), verdict(paired_t([0.02, 0.03]), 2, margin=0.01)
    ('not told apart', 'too few splits to tell')
    """
    if splits < ENOUGH_SPLITS:
        return TOO_FEW
    low, high = gains.interval(level)
    # The corrected p decides whether there is a difference; the interval, which is not corrected, only on which side.
    if (gains.p_value if p_value is None else p_value) < level:
        if low > 0:
            return "better"
        if high < 0:
            return "worse"
    return "as good as" if _not_inferior(gains, margin) else UNKNOWN


def explained_by(
    as_is: Sequence[float],
    controls: Sequence[tuple[str, Sequence[float]]],
    overlap: float,
    margin: float,
) -> str | None:
    """What the difference of a loss from the baseline owes to something else than its shape, or None.

    The first control under which (as is) minus (controlled) is itself above 0, by its own interval, *and* the
    controlled difference is not inferior: not worse than minus the margin. That a p value vanished under control
    explains nothing. A gain of which a part remains under the control - the loss is better there too - is not
    explained by it; a loss that is worse as it is is explained where control lifts it, (controlled) minus (as is)
    above 0, and it is not inferior then.

    Args:
        as_is: gains over the baseline, split by split, both as they are.
        controls: name and gains of each control, both under it, on the same splits.
        overlap: as in `paired_t`.
        margin: see `margin_of`.

    >>> gains, none = [0.10, 0.12] * 5, [0.0] * 10
    >>> explained_by(gains, [("learning rate", none)], overlap=0.25, margin=0.01)
    'learning rate'
    >>> explained_by(gains, [("learning rate", gains)], overlap=0.25, margin=0.01) is None
    True
    """
    # A gain is explained by what takes it away, a loss by what makes up for it.
    sign = 1.0 if paired_t(as_is).mean > 0 else -1.0
    for name, controlled in controls:
        lost = paired_t([sign * (a - b) for a, b in zip(as_is, controlled, strict=True)], overlap)
        rest = paired_t(controlled, overlap)
        # Not inferior also holds of what is still better: then a part of the gain is the shape's own.
        remains = sign > 0 and rest.interval()[0] > 0
        if lost.interval()[0] > 0 and _not_inferior(rest, margin) and not remains:
            return name
    return None


def _not_inferior(gains: Evidence, margin: float) -> bool:
    low, _ = gains.interval(NON_INFERIOR)
    return not math.isnan(low) and low > -margin
