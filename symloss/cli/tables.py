"""What the verbs that end in a table of comparisons print while they train, and at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from symloss.cli.group import INTERRUPTED
from symloss.cli.output import console, print_json, say, show, write_text

if TYPE_CHECKING:
    from symloss.compare import Comparison, Transfer
    from symloss.report import LiveStages
    from symloss.tasks import Task

__all__ = ["end", "print_table", "watched"]

Found = TypeVar("Found", "Comparison", "Transfer")


def watched(tasks: Sequence[Task], start: Callable[[LiveStages], Found], as_json: bool) -> Found:
    """What `start` finds under progress bars, after what is said of the tasks."""
    from symloss.report import LiveStages, describe

    # JSON has standard output to itself.
    place = Console(stderr=True, highlight=False) if as_json else console()
    # Cells of one task share its remarks.
    for line in dict.fromkeys(line for task in tasks for line in describe(task.describe()).splitlines()):
        place.print(line, soft_wrap=True, markup=False)
    with LiveStages(place) as live:
        return start(live)


def print_table(
    found: Comparison | Transfer,
    what: str,
    table: Callable[[], Table],
    sentences: Sequence[str],
    files: Sequence[Path],
    as_json: bool,
) -> None:
    """The table, what it says in sentences, and what limits it; `what` names it."""
    if as_json:
        print_json({**found.to_dict(), "files": [str(file) for file in files]})
        return
    if not found.rows:
        say("No split is finished yet.")
    else:
        show(table())
        for sentence in sentences:
            say(sentence)
    if found.detectable:
        say(f"Differences of {found.detectable:.2g} {found.metric} are told with 80 % power.")
    for note in found.notes:
        say(f"note: {note}")
    if files:
        say(f"Files in {found.path}: " + ", ".join(file.name for file in files))
    if found.path is not None and found.status != "finished":
        say(f"The {what} was not over: symloss resume {found.path} goes on with it.")


def end(found: Comparison | Transfer, csv: Path | None = None, latex: Path | None = None) -> None:
    """The files that were asked for, and the exit code of an interruption."""
    for path, text in ((csv, found.to_csv), (latex, found.to_latex)):
        if path is not None:
            write_text(path, text())
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)
