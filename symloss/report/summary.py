"""What a search ends with: the loss, what it is worth, and where everything was written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from symloss.report.tables import number

if TYPE_CHECKING:
    from symloss.search import Baseline, Result

__all__ = ["SIGNIFICANT", "count_outcomes", "outcomes", "verdict"]

SIGNIFICANT = 0.05
"""Probability below which a paired difference over seeds is not put down to chance."""


def count_outcomes(result: Result) -> dict[str, int]:
    """How many candidates ended how, the most frequent first."""
    return dict(Counter(entry.outcome for entry in result.evaluations).most_common())


def outcomes(result: Result) -> str:
    """How many candidates ended how, in one line."""
    parts = ", ".join(f"{count} {outcome}" for outcome, count in count_outcomes(result).items())
    return f"{len(result.evaluations)} candidates: {parts}" if parts else "no candidates"


def verdict(result: Result) -> str:
    """Whether the discovered loss beats the tuned baseline on test data, in one plain sentence."""
    by_name = {row.name: row for row in result.baselines}
    discovered = by_name.get("discovered")
    tuned = next((row for name, row in by_name.items() if name.endswith("tuned")), None)
    if discovered is None or tuned is None:
        return "The discovered loss was not compared with the baselines."
    metric = str(result.task.get("metric", "metric"))
    figures = f"test {metric} {number(discovered.test)} against {number(tuned.test)}"
    better = (discovered.test > tuned.test) == bool(result.task.get("greater_is_better", False))
    if not better or discovered.test == tuned.test:
        return f"The discovered loss does not beat the tuned baseline ({tuned.name}): {figures}."
    chance = _chance(discovered)
    if discovered.p_value is not None and discovered.p_value < SIGNIFICANT:
        return f"The discovered loss beats the tuned baseline ({tuned.name}): {figures}{chance}."
    against = f"the tuned baseline ({tuned.name}) beyond chance"
    return f"The discovered loss does not beat {against}: {figures}{chance}."


def _chance(row: Baseline) -> str:
    if row.p_value is None:
        return ", too few seeds for a test"
    return f", paired p = {number(row.p_value, 2)} over {len(row.tests)} seeds"
