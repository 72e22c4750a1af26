"""The outcome of a search, printed as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.cli.output import print_json, say, show

if TYPE_CHECKING:
    from symloss.search import Baseline, FrontRow, Result

__all__ = ["print_run", "row_facts", "run_facts"]


def print_run(result: Result, files: Sequence[Path] = (), as_json: bool = False) -> None:
    """The front, the discovered loss beside the baselines, whether it beats them, and the files."""
    if as_json:
        print_json(run_facts(result, files))
        return
    metric = str(result.task.get("metric", "metric"))
    say(_headline(result))
    for headroom in result.headroom:
        say(f"{headroom.task}: {headroom.sentence()}")
    for note in result.notes:
        say(f"note: {note}")
    if result.front:
        _say_found(result, files, metric)
    else:
        say("The front is empty: no candidate was trained to the end.")
    if result.path is not None and result.status in ("running", "interrupted", "time limit"):
        say(f"The search was not over: symloss resume {result.path} goes on with it.")


def _say_found(result: Result, files: Sequence[Path], metric: str) -> None:
    import symloss.report as report
    from symloss.expr import KINDS
    from symloss.report.shares import within
    from symloss.report.summary import baseline_note, front_note

    show(report.front_table(result.front, metric))
    say(front_note(result))
    best = result.picked
    say(f"Discovered loss (row {best.row}, validation {metric} {within(best.validation, metric):.4g}):")
    if best.neural:
        say(f"  neural: a network of {best.complexity:,} weights, which has no formula: distil it")
    else:
        say(f"  {KINDS[best.kind].signature} = {best.shown}")
        say(f"  LaTeX:    {best.shown.latex()}")
    if best.hard:
        say(f"  on soft labels too: {best.loss}")
    if result.baselines:
        show(report.baseline_table(result.baselines, "metric" if "tasks" in result.task else metric))
        say(baseline_note(result))
        say(report.verdict(result))
    if files:
        say(f"Files in {result.path}: " + ", ".join(file.name for file in files))
        if not best.neural:
            say(f"What it means: symloss analyze {result.path}#{best.row}")


def _headline(result: Result) -> str:
    import symloss.report as report

    where = f"{result.path}: " if result.path else ""
    return (
        f"{where}{result.task.get('name', 'task')}, {result.method}, seed {result.seed}: {result.status}, "
        f"{report.outcomes(result)}"
    )


def run_facts(result: Result, files: Sequence[Path] = ()) -> dict[str, Any]:
    """The run as plain data."""
    import symloss.report as report

    picked = next((row for row in result.front if row.picked), None)
    return {
        "run": str(result.path) if result.path else None,
        "status": result.status,
        "task": dict(result.task),
        "method": result.method,
        "seed": result.seed,
        "settings": dict(result.settings),
        "evaluations": len(result.evaluations),
        "outcomes": report.count_outcomes(result),
        "best": row_facts(picked) if picked else None,
        "front": [row_facts(row) for row in result.front],
        "headroom": [each.to_dict() for each in result.headroom],
        "baselines": [_baseline_facts(row) for row in result.baselines],
        "verdict": report.verdict(result) if result.baselines else None,
        "notes": list(result.notes),
        "files": [str(file) for file in files],
    }


def row_facts(row: FrontRow) -> dict[str, Any]:
    """One row of the front as plain data."""
    return {
        "row": row.row,
        "formula": row.text,
        "exact": row.exact,
        "kind": row.kind,
        "latex": row.latex,
        "complexity": row.complexity,
        "validation": row.validation,
        "score": row.score,
        "picked": row.picked,
        "evaluation": row.evaluation,
        "scale": row.scale,
        "se": row.se,
        "name": row.name or None,
        "finals": list(row.finals),
        "scores": dict(row.scores),
    }


def _baseline_facts(row: Baseline) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "formula": row.text,
        "learning_rate": row.learning_rate,
        "steps": row.steps,
        "validation": row.validation,
        "test": row.test,
        "tests": list(row.tests),
        "diverged": row.diverged,
        "p_value": row.p_value,
    }
