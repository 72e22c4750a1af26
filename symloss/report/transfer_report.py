"""A transfer for the terminal and as a picture: its matrix of losses and cells, and what it says in sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from symloss.report.style import BLACK, BLUE, GREEN, GREY, VERMILION, figure, plain
from symloss.report.tables import new_table
from symloss.text import number, signed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.compare import Transfer, TransferRow

__all__ = ["plot_transfer", "transfer_sentences", "transfer_table"]

_COLOURS = {"better": GREEN, "worse": VERMILION, "as good as": BLUE, "diverged": BLACK}
"""Of verdicts; any other is grey."""
_NAME, _WIDTH, _HEIGHT = 3.0, 1.5, 0.55
"""Inches: of the losses' names, and of one cell of the picture."""
_LONGEST = 34
"""Characters of a loss's name in the picture."""


def transfer_table(transfer: Transfer) -> Table:
    """One row a loss and cell, the ordinary loss first; the verdicts of the hypothesis are bold."""
    rows = transfer.rows
    shown: list[tuple[str, list[str]]] = [
        ("task", [row.task for row in rows]),
        ("model", [row.model for row in rows]),
    ]
    # What is the same everywhere has no column.
    for name, cells in (
        ("C", [str(row.classes or "") for row in rows]),
        ("noise", [f"{row.label_noise:g}" for row in rows]),
        ("rows", [f"{100 * row.fraction:g}%" for row in rows]),
        ("inputs", [row.inputs for row in rows]),
    ):
        if len(set(cells)) > 1:
            shown.append((name, cells))
    heads = ["loss", "rate", "steps", transfer.metric, "difference", "95 % interval", "p", "verdict"]
    numbers = ("C", "noise", "rows", "rate", "steps", transfer.metric, "difference", "p")
    table = new_table(*(name for name, _ in shown), *heads, numbers=numbers)
    for i, row in enumerate(rows):
        if i and row.cell != rows[i - 1].cell:
            table.add_section()
        low, high = row.difference_interval or (None, None)
        p = row.p if row.p_corrected is None else row.p_corrected
        table.add_row(
            *(cells[i] for _, cells in shown), Text(row.name), f"{row.learning_rate:.3g}", str(row.steps),
            number(row.mean), "" if row.difference is None else signed(row.difference),
            "" if low is None or high is None else f"{signed(low)} to {signed(high)}", "" if p is None else f"{p:.2g}",
            Text(_said(row)), style="bold" if row.primary else None,
        )  # fmt: skip
    return table


def _said(row: TransferRow) -> str:
    said = f"{row.verdict} ({row.note})" if row.note else row.verdict
    return f"{said}; proved no more: {', '.join(row.broken)}" if row.broken else said


def transfer_sentences(transfer: Transfer) -> list[str]:
    """What the matrix says: a sentence for each loss, then one for each of its certificates elsewhere."""
    said = []
    ordinary = next((row.name for row in transfer.rows if row.verdict == "baseline"), "the ordinary loss")
    tuned = any(row.treatment == "tuned" for row in transfer.rows)
    against = f"{'tuned ' if tuned else ''}{ordinary}"
    for name in transfer.losses:
        rows = [row for row in transfer.rows if row.name == name]
        counts = Counter(row.verdict for row in rows)
        parts = []
        for verdict, count in counts.items():
            where = "; ".join(row.place for row in rows if row.verdict == verdict)
            named = f" ({where})" if verdict in ("better", "worse", "diverged") else ""
            parts.append(f"{verdict}{_after(verdict)} {count} of {len(rows)} cells{named}")
        said.append(f"{name} against {against}: {', '.join(parts)}.")
    return [*said, *(f"{each.sentence()}." for each in transfer.certificates)]


def _after(verdict: str) -> str:
    return " it in" if verdict == "as good as" else " in"


def plot_transfer(transfer: Transfer) -> Figure:
    """The matrix: a row a loss, a column a cell, coloured by verdict, with the difference from the ordinary loss."""
    rows = {(row.name, row.cell): row for row in transfer.rows}
    places = {row.cell: row.place for row in transfer.rows}
    losses, cells = transfer.losses, list(places)
    fig, (ax,) = figure(height=1.6 + _HEIGHT * len(losses))
    fig.set_figwidth(max(_NAME + _WIDTH * len(cells), 6.0))
    ax.grid(visible=False)
    for x, cell in enumerate(cells):
        for y, name in enumerate(losses):
            row = rows.get((name, cell))
            if row is None:
                continue
            strong = row.verdict in _COLOURS
            colour = _COLOURS.get(row.verdict, GREY)
            ax.fill_between(
                [x - 0.48, x + 0.48], y - 0.45, y + 0.45, color=colour, alpha=0.35 if strong else 0.15, lw=0
            )
            mark = "†" if row.broken else ""
            difference = "" if row.difference is None else signed(row.difference, 2)
            said = row.verdict.replace("too few splits to tell", "too few splits")
            ax.text(x, y, f"{difference}{mark}\n{said}", ha="center", va="center", fontsize=8)
    ax.set_xticks(range(len(cells)), [plain(places[cell].replace(", ", "\n")) for cell in cells], fontsize=8)
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in losses]
    ax.set_yticks(range(len(losses)), list(map(plain, names)), fontsize=8)
    ax.set_xlim(-0.5, len(cells) - 0.5)
    ax.set_ylim(len(losses) - 0.5, -0.5)
    broken = "; † a finding is proved no more" if any(row.broken for row in transfer.rows) else ""
    ax.set_title(
        f"difference in test {plain(transfer.metric)} from the ordinary loss of the cell{broken}", fontsize=9
    )
    return fig
