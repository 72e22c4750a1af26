"""The verb that draws."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symloss.cli.arguments import KindOption, SetOption, is_run, read_loss
from symloss.cli.group import FormulaCommand
from symloss.cli.look import Classes, Out, refuse
from symloss.cli.output import write_figure
from symloss.errors import DomainError
from symloss.expr import Loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.search import Result

__all__ = ["register"]


class What(StrEnum):
    """What to draw."""

    loss = "loss"
    gradient = "gradient"
    tree = "tree"
    posterior = "posterior"
    front = "front"
    history = "history"


_OF_RUN = (What.front, What.history)


def plot(
    subject: Annotated[
        str, typer.Argument(metavar="LOSS|RUN", help="A formula, zoo name or RUN#ROW; or a run folder.")
    ],
    what: Annotated[
        What | None, typer.Option(help="What to draw [default: loss, or front of a run].")
    ] = None,
    out: Out = None,
    classes: Classes = None,
    kind: KindOption = None,
    values: SetOption = None,
) -> None:
    """Draw a loss (value, gradient, tree, posterior map) or a run (front, history) as .png, .svg or .pdf.

    The posterior map is drawn for two or three classes. Of a run, `loss`, `gradient`, `tree` and `posterior`
    are those of the picked row.

    Examples:

    - `symloss plot ace --what gradient --classes 10`
    - `symloss plot runs/a --what history --out a.svg`
    """
    whole = is_run(subject)
    chosen = what or (What.front if whole else What.loss)
    if whole:
        about_loss = {"--kind": kind, "--set": values, "--classes": classes if chosen in _OF_RUN else None}
        refuse(about_loss, subject)
    if chosen in _OF_RUN and not whole:
        raise DomainError(f"--what {chosen} draws a run, and {subject.strip()!r} is no run folder")
    if whole:
        from symloss.search import open_run

        result = open_run(subject)
        figure = _of_run(result, chosen) if chosen in _OF_RUN else _of_loss(result.best, chosen, classes)
    else:
        figure = _of_loss(read_loss(subject, kind, values), chosen, classes)
    write_figure(out or Path(f"{_slug(subject)}-{chosen}.png"), figure)


def _of_run(result: Result, what: What) -> Figure:
    import symloss.report as report

    return report.plot_front(result) if what is What.front else report.plot_history(result)


def _of_loss(loss: Loss, what: What, classes: int | None) -> Figure:
    import symloss.report as report

    if what is What.tree:
        return report.plot_tree(loss)
    if what is What.posterior:
        return report.plot_posterior(loss, 2 if classes is None else classes)
    draw = report.plot_loss if what is What.loss else report.plot_gradient
    return draw(loss, 10 if classes is None else classes)


def _slug(text: str) -> str:
    """A file name that reminds of what was typed."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", text.strip().rstrip("/").rpartition("/")[2]).strip("-.")
    return words[:40] or "loss"


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("plot", cls=FormulaCommand)(plot)
