"""A distillation for the terminal: its front, and what it says in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from symloss.expr import KINDS
from symloss.report.tables import new_table
from symloss.text import number, signed

if TYPE_CHECKING:
    from symloss.search import Distillation

__all__ = ["distillation_sentences", "distillation_table"]


def distillation_table(found: Distillation) -> Table:
    """One row a formula; the picked one is bold."""
    numbers = ("row", "complexity", "R2", "scale")
    table = new_table("row", "complexity", "R2", "scale", "loss", "known as", numbers=numbers)
    for row in found.rows:
        table.add_row(
            str(row.row), str(row.complexity), f"{row.r2:.4f}", f"{row.scale:.4g}", Text(str(row.loss)),
            Text(row.known_as or ""), style="bold" if row.picked else None,
        )  # fmt: skip
    return table


def distillation_sentences(found: Distillation) -> list[str]:
    """What the front is, which row to take, and whether training with it ends where the network's does."""
    row = found.picked
    scaled = "" if row.scale == 1 else f" At the network's own scale it is {row.scale:.4g} times that."
    said = [
        f"Gradients were compared at {found.visited}; {found.evaluated:,} formulas were looked at.",
        f"Row {row.row} explains {row.r2:.2%} of the network's gradient: "
        f"{KINDS[row.loss.kind].signature} = {row.loss}.{scaled}",
    ]
    if found.nearest and row.known_as is None:
        said.append(f"The nearest loss with a name, {found.nearest}, explains {found.nearest_r2:.2%}.")
    fidelity = found.fidelity
    if fidelity is not None:
        interval = ""
        if fidelity.interval is not None:
            low, high = fidelity.interval
            interval = f" (95 % interval {signed(low)} to {signed(high)})"
        pairs = "1 pair" if fidelity.seeds == 1 else f"{fidelity.seeds} pairs"
        said.append(
            f"{pairs} of trainings on {fidelity.task}: {fidelity.metric} {number(fidelity.formula)} "
            f"with the formula, {number(fidelity.network)} with the network, difference {signed(fidelity.difference)}"
            f"{interval}; the two models agree to {fidelity.agreement:.2%}."
        )
        if fidelity.failed:
            said.append(f"{fidelity.failed} more diverged with one of the two, and are left out.")
    return said
