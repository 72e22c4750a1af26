"""The command line: the one room that knows all others. Heavy imports happen inside the verbs."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from symloss.cli import (
    adapt,
    compare,
    distill,
    fewshot,
    headroom,
    look,
    plot,
    prove,
    report,
    runs,
    search,
    transfer,
)
from symloss.cli.group import OneLineErrors

__all__ = ["app", "main"]

app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"symloss {metadata.version('symloss')}")
        raise typer.Exit


@app.callback()
def symloss(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Discover, compile and prove things about closed-form loss functions.

    A LOSS is a formula in `y` (target) and `p` (prediction), as `'-y*log(p)'`; a zoo name, as `focal`; or a
    row of a finished search, as `runs/a#1`.

    Start with `symloss discover digits --label-noise 0.4 --demo`, `symloss zoo`, or `symloss analyze ace --classes 10`.
    """


for _room in (search, headroom, compare, transfer, adapt, distill, fewshot, runs, report, look, plot, prove):
    _room.register(app)


def main() -> None:
    """The console script."""
    app(prog_name="symloss")
