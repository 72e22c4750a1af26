"""A comparison for the terminal: its table, and what it says in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from symloss.report.tables import new_table
from symloss.text import number, signed

if TYPE_CHECKING:
    from symloss.compare import Comparison, Row

__all__ = ["comparison_sentences", "comparison_table"]


def comparison_table(comparison: Comparison) -> Table:
    """One row a loss and treatment; the verdicts of the hypothesis are bold, the rest is exploratory."""
    several = len({row.task for row in comparison.rows}) > 1
    shares = len({row.fraction for row in comparison.rows}) > 1
    heads = [*(["task"] if several else []), *(["rows"] if shares else []), "loss", "treatment"]
    numbers = ("rate", "steps", comparison.metric, "difference", "p")
    heads += ["rate", "steps", comparison.metric, "difference", "95 % interval", "p", "verdict"]
    table = new_table(*heads, numbers=numbers)
    for row in comparison.rows:
        low, high = row.difference_interval or (None, None)
        p = row.p if row.p_corrected is None else row.p_corrected
        table.add_row(
            *([row.task] if several else []), *([f"{row.fraction:.0%}"] if shares else []), Text(row.name),
            row.treatment, f"{row.learning_rate:.3g}", str(row.steps), number(row.mean),
            "" if row.difference is None else signed(row.difference),
            "" if low is None or high is None else f"{signed(low)} to {signed(high)}", "" if p is None else f"{p:.2g}",
            Text(said_of(row)), style="bold" if row.primary else None,
        )  # fmt: skip
    return table


def said_of(row: Row) -> str:
    """The verdict, with what explains it."""
    if row.explained_by is None:
        return f"{row.verdict} ({row.note})" if row.note else row.verdict
    what = "the learning rate" if row.explained_by == "learning rate" else row.explained_by
    return f"{row.verdict}: explained by {what}"


def comparison_sentences(comparison: Comparison) -> list[str]:
    """What the table says, a plain sentence for each task and loss."""
    said = []
    for task in dict.fromkeys(row.task for row in comparison.rows):
        rows = [row for row in comparison.rows if row.task == task and row.fraction == _largest(comparison)]
        ordinary = next((row.name for row in rows if row.verdict == "baseline"), "the baseline")
        prefix = f"{task}: " if len({row.task for row in comparison.rows}) > 1 else ""
        for name in dict.fromkeys(row.name for row in rows if not row.role.startswith("ordinary")):
            said.append(prefix + _sentence([row for row in rows if row.name == name], ordinary))
    return said


def _largest(comparison: Comparison) -> float:
    return max(row.fraction for row in comparison.rows)


def _sentence(rows: Sequence[Row], ordinary: str) -> str:
    by_treatment = {row.treatment: row for row in rows}
    parts = []
    for treatment, how in (
        ("as is", "as it is"),
        ("normalised", "with its scale taken out"),
        ("tuned", "tuned"),
    ):
        row = by_treatment.get(treatment)
        # Tuning the learning rate takes the scale out as well: beside it the normalised row says nothing new in a
        # sentence. The table has both.
        if row is None or (treatment == "normalised" and "tuned" in by_treatment):
            continue
        parts.append(f"{how}, {_against(row, ordinary)}")
    return f"{rows[0].name}: {'; '.join(parts)}."


def _against(row: Row, ordinary: str) -> str:
    remark = f" ({row.note})" if row.note else ""
    if row.verdict in ("better", "worse"):
        size = f" by {abs(row.difference or 0):.3g} {row.metric}"
        if row.explained_by is not None:
            what = "the learning rate" if row.explained_by == "learning rate" else row.explained_by
            return f"{row.verdict} than {ordinary}{size}, which is explained by {what}: it goes when both are tuned"
        return f"{row.verdict} than {ordinary}{size}{remark}"
    if row.verdict == "as good as":
        return f"as good as {ordinary}{remark}"
    if row.verdict == "not told apart":
        least = f" (differences under {row.detectable:.2g} cannot be told here)" if row.detectable else remark
        return f"not told apart from {ordinary}{least}"
    return f"{row.verdict}{remark}"
