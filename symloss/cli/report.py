"""The verb that writes a run's report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symloss.cli.group import FormulaCommand
from symloss.cli.output import say

__all__ = ["register"]


class Format(StrEnum):
    """What to write a report as."""

    html = "html"
    tex = "tex"


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of the run.")],
    format: Annotated[Format, typer.Option(help="A web page, or a LaTeX document.")] = Format.html,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write [default: report.html in the run's folder].", show_default=False),
    ] = None,
) -> None:
    """Write a run down for people: what was done and found, what is proved, pictures, how to reproduce and cite it.

    Of a search, a comparison, a transfer or an adaptation. The web page is one file that needs no network; the LaTeX
    document has its pictures and references beside it.

    Examples:

    - `symloss report runs/a`
    - `symloss report runs/a --format tex --out paper/appendix.tex`
    """
    from symloss.report import write_report

    for file in write_report(run, format, out):
        say(f"wrote {file}")


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("report", cls=FormulaCommand)(report)
