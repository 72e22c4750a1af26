"""Verbs about runs that exist: runs and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from symloss.cli.arguments import Json
from symloss.cli.group import FormulaCommand
from symloss.cli.output import print_json, show
from symloss.errors import SymlossError

__all__ = ["register"]

_COLUMNS = ("run", "task", "method", "seed", "status", "candidates", "metric", "validation", "loss")


def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the runs are.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List the runs in a folder, newest first.

    Examples:

    - `symloss runs`
    """
    from symloss.runs import list_runs

    rows = [_row(path) for path in list_runs(folder)]
    if as_json:
        print_json(rows)
        return
    from symloss.report.tables import rows_table

    numbers = ("seed", "candidates", "validation")
    cells = [[("" if row.get(key) is None else row[key]) for key in _COLUMNS] for row in rows]
    show(rows_table(_COLUMNS, cells, numbers))


def _row(path: Path) -> dict[str, Any]:
    """What a run came to; of a damaged one, what is wrong with it."""
    from symloss.search import open_run

    try:
        result = open_run(path)
    except SymlossError as error:
        return {"run": str(path), "status": str(error)}
    picked = next((row for row in result.front if row.picked), None)
    return {
        "run": str(path), "task": result.task.get("name"), "method": result.method, "seed": result.seed,
        "status": result.status, "candidates": len(result.evaluations), "metric": result.task.get("metric"),
        "validation": picked.validation if picked else None, "loss": str(picked.loss) if picked else None,
    }  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("runs", cls=FormulaCommand)(runs)
