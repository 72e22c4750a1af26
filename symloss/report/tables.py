"""Tables: for the terminal with rich, for papers as LaTeX."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from symloss.expr import Loss
from symloss.report.shares import within
from symloss.text import escape, number

if TYPE_CHECKING:
    from symloss.search import Baseline, FrontRow, Headroom, Result
    from symloss.zoo import Entry

__all__ = [
    "baseline_table", "broken", "escape", "facts_table", "front_table", "headroom_table", "losses_tex", "new_table",
    "number", "rows_table", "tested", "zoo_table",
]  # fmt: skip

HARD_LABELS = "Labels are 0 or 1: y**2 and sqrt(y) are written y, as they are one thing on such labels."

NO_FORMULA = "neural: a network, which has no formula"

_ONE_LINE = 120
"""Characters of LaTeX up to which a formula is taken to fit one line of the table."""


def new_table(*columns: str, numbers: Sequence[str] = (), title: str | None = None) -> Table:
    """An empty table with these columns; those of `numbers` are set right."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        # Formulas fold over lines rather than lose their ends.
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def zoo_table(entries: Sequence[Entry]) -> Table:
    """The losses with names: formula, coefficients, domain, reference."""
    table = new_table("name", "kind", "formula", "coefficients", "domain", "reference")
    for entry in entries:
        values = ", ".join(f"{name}={value:g}" for name, value in entry.defaults.items())
        table.add_row(entry.name, entry.kind, Text(entry.formula), values, entry.domain, entry.reference)
    return table


def facts_table(facts: Sequence[tuple[str, Any]]) -> Table:
    """Facts of one thing, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(_shown(value)))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_shown(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def rows_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Sequence[str] = ()) -> Table:
    """Any rows under any columns; `numbers` names the columns to set right."""
    table = new_table(*columns, numbers=numbers)
    for row in rows:
        table.add_row(*(Text(number(cell) if isinstance(cell, float) else str(cell)) for cell in row))
    return table


def front_table(front: Sequence[FrontRow], metric: str = "validation", title: str | None = None) -> Table:
    """The front: what each loss costs in complexity and gains in the metric; `>` marks the pick.

    Of several tasks each has a column with its own score.
    """
    tasks = [name for row in front[:1] for name in row.scores if len(row.scores) > 1]
    numbers = ("row", "complexity", metric, "se", "score", *tasks)
    table = new_table("", "row", "complexity", metric, "se", *tasks, "score", "loss", numbers=numbers)
    table.title = title
    for row in front:
        table.add_row(
            ">" if row.picked else "", str(row.row), str(row.complexity), number(within(row.validation, metric)),
            number(row.se, 2), *(number(row.scores.get(name)) for name in tasks), number(row.score, 3),
            Text(f"{row.text}   ({row.name})" if row.name else row.text),
            style="bold" if row.picked else None,
        )  # fmt: skip
    if any(row.hard for row in front):
        table.caption = HARD_LABELS
        table.caption_justify = "left"
    return table


def headroom_table(headroom: Headroom) -> Table:
    """The losses of the sweep, the best first, each with its mean over the blocks and a 95 % interval."""
    metric = headroom.metric
    table = new_table("loss", metric, "95 % interval", "formula", numbers=(metric,))
    for row in headroom.rows:
        low, high = (number(within(each, metric)) for each in row.interval)
        # A random formula is its own name: it stands in the last column, once.
        name = row.name.partition(":")[0] if row.name.startswith("random:") else row.name
        table.add_row(
            name, number(within(row.mean, metric)), f"{low} to {high}", Text(row.formula),
            style="bold" if row.name in (headroom.leader, headroom.ordinary) else None,
        )  # fmt: skip
    return table


def tested(row: Baseline) -> str:
    """The mean test metric, or how many of the trainings that it is the mean of diverged."""
    return f"{row.diverged} of {len(row.tests)} diverged" if row.diverged else number(row.test)


def baseline_table(baselines: Sequence[Baseline], metric: str) -> Table:
    """The discovered loss beside what it has to beat, trained on the same data."""
    columns = (
        "trained with",
        "learning rate",
        "steps",
        f"validation {metric}",
        f"test {metric}",
        "p",
        "loss",
    )
    table = new_table(*columns, numbers=columns[1:6])
    for row in baselines:
        table.add_row(
            row.name, f"{row.learning_rate:.3g}", str(row.steps), number(row.validation), tested(row),
            number(row.p_value, 2), Text(row.text), style="bold" if row.role == "discovered" else None,
        )  # fmt: skip
    return table


def losses_tex(result: Result) -> str:
    """The front as a LaTeX document that compiles as it stands; its table can be pasted elsewhere."""
    metric = str(result.task.get("metric", "metric"))
    star = r"$\star$ "
    lines = [
        f"{star if row.picked else ''}{row.row} & {row.complexity} & {number(within(row.validation, metric))} & "
        rf"{NO_FORMULA if row.neural else f'${broken(row.shown)}$'} \\"
        for row in result.front
    ]
    caption = (
        f"Losses found on {result.task.get('name', 'a task')} by {result.method} "
        f"(seed {result.seed}); the star marks the pick."
        + (f" {HARD_LABELS}" if any(row.hard for row in result.front) else "")
    )
    return "\n".join(
        [
            r"\documentclass{article}",
            r"\usepackage{amsmath,array,booktabs,longtable}",
            r"\usepackage[margin=2cm]{geometry}",
            r"\begin{document}",
            r"\begin{longtable}{rrr>{\raggedright\arraybackslash}p{0.66\linewidth}}",
            rf"\caption{{{escape(caption)}}}\\",
            r"\toprule",
            rf"row & complexity & validation {escape(metric)} & loss \\",
            r"\midrule",
            r"\endhead",
            *lines,
            r"\bottomrule",
            r"\end{longtable}",
            r"\end{document}",
            "",
        ]
    )


def broken(loss: Loss) -> str:
    r"""The formula's LaTeX; a long one without `\left` and `\right`, inside which TeX breaks no line."""
    text = loss.latex()
    if len(text) > _ONE_LINE:
        text = re.sub(r"\\(left|right)(?![a-z])", "", text)
    return "\n".join(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False))
