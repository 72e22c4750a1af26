"""Verbs about runs that exist: runs and verify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import Json
from symloss.cli.group import FAILED, FormulaCommand
from symloss.cli.output import print_json, say, show
from symloss.errors import SymlossError

if TYPE_CHECKING:
    from symloss.compare import FewShot

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

    # Before the first search there is no folder runs: to a program that is a list of nothing.
    none_yet = as_json and folder == Path("runs") and not folder.exists()
    rows = [] if none_yet else [_row(path) for path in list_runs(folder)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(f"no runs in {folder}")
        return
    from symloss.report.shares import within
    from symloss.report.tables import rows_table

    numbers = ("seed", "candidates", "validation")
    for row in rows:
        if row.get("validation") is not None:
            row["validation"] = within(row["validation"], str(row.get("metric")))
    cells = [[("" if row.get(key) is None else row[key]) for key in _COLUMNS] for row in rows]
    show(rows_table(_COLUMNS, cells, numbers))


def _row(path: Path) -> dict[str, Any]:
    """What a run came to; of a damaged one, what is wrong with it."""
    from symloss.compare import Adaptation, Comparison, FewShot, Transfer, open_run

    try:
        run = open_run(path)
    except SymlossError as error:
        # One damaged run must not hide the others in the list.
        return {"run": str(path), "status": str(error)}
    row = {"run": str(path), "task": run.task.get("name"), "seed": run.seed, "status": run.status}
    if isinstance(run, Comparison | Transfer):
        # Verdicts stand where a search has its loss.
        method = "compare" if isinstance(run, Comparison) else "transfer"
        said = "; ".join(f"{name}: {_verdicts(verdict)}" for name, verdict in run.verdicts.items())
        more = {"candidates": None, "metric": run.metric, "validation": None, "loss": said or None}
        return {**row, "method": method, **more}
    if isinstance(run, Adaptation):
        said = "; ".join([run.loss, *(f"{claim}: {answer}" for claim, answer in run.claims.items())])
        more = {"candidates": None, "metric": run.metric, "validation": None, "loss": said}
        return {**row, "method": "adapt", **more}
    if isinstance(run, FewShot):
        last = run.history[-1][1] if run.history else None
        told: dict[str, Any] = {"candidates": None, "metric": run.metric, "validation": last}
        return {**row, "method": f"fewshot {run.settings.method}", **told, "loss": _tested(run)}
    picked = next((row for row in run.front if row.picked), None)
    return {
        **row, "method": run.method, "candidates": len(run.evaluations), "metric": run.task.get("metric"),
        "validation": picked.validation if picked else None, "loss": picked.text if picked else None,
    }  # fmt: skip


def _tested(found: FewShot) -> str | None:
    """What stands where a search has its loss: how well tasks of new classes are learned."""
    if found.mean is None:
        return None
    return (
        f"{found.settings.shape}: test {found.metric} {found.mean:.4g} on {found.settings.tests.tasks} tasks"
    )


def _verdicts(found: str | Mapping[str, int]) -> str:
    """The verdict of a comparison, or how often a transfer has each."""
    return (
        found
        if isinstance(found, str)
        else ", ".join(f"{count} {verdict}" for verdict, count in found.items())
    )


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of the run.")],
    code: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="MODULE:FUNCTION",
            help="The task again, when it came from code.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Work out every printed number of a run again, from formulas, data and seeds; say which hold.

    The exit code is 1 when one does not.

    Examples:

    - `symloss verify runs/a`
    """
    import symloss.compare as compare
    from symloss.tasks import load_object

    checks = compare.verify(run, load_object(code) if code else None)
    holds = all(check.holds for check in checks)
    if as_json:
        print_json({"run": str(run), "holds": holds, "checks": [asdict(check) for check in checks]})
    else:
        from symloss.report.tables import rows_table

        rows = [
            (check.where, check.what, check.printed, check.found, "yes" if check.holds else "NO", check.note)
            for check in checks
        ]
        show(rows_table(("where", "what", "printed", "found", "holds", "note"), rows))
        failed = sum(not check.holds for check in checks)
        count = len(checks)
        say(f"{run}: {failed} of {count} checks fail" if failed else f"{run}: all {count} checks hold")
    if not holds:
        raise typer.Exit(FAILED)


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("runs", cls=FormulaCommand)(runs)
    app.command("verify", cls=FormulaCommand)(verify)
