"""The verb that compares losses, and what the verbs about runs do with a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from symloss.cli.arguments import Json, Kind, split_top_level
from symloss.cli.group import INTERRUPTED, FormulaCommand
from symloss.cli.options import MODELS, Device, Executor, TargetScale, items_of, option, place_of
from symloss.cli.output import console, print_json, say, show, write_text
from symloss.cli.problem import Problem
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.compare import Comparison
    from symloss.report import LiveStages
    from symloss.tasks import Task

__all__ = ["print_comparison", "register", "resume_compare", "watched_comparison"]

# Groups of `compare --help`.
_DATA, _HOW, _MACHINE = "The data", "The comparison", "Where"


def compare(
    names: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK[,TASK...]", help="Tasks with names ('symloss tasks').", show_default=False
        ),
    ] = None,
    losses: Annotated[
        str | None,
        option(
            "Zoo names, as gce or gce(q=0.5), formulas, rows of runs, best-zoo; the ordinary loss joins by itself.",
            _HOW,
            metavar="LOSS,...",
        ),
    ] = None,
    seeds: Annotated[int, option("Trainings averaged within a split.", _HOW, metavar="N", least=1)] = 3,
    splits: Annotated[
        int, option("Splits of the data; below 10 there is no verdict.", _HOW, metavar="N", least=1)
    ] = 10,
    tune: Annotated[
        bool, option("Whether rate, steps and parameters are tuned.", _HOW, "--tune/--no-tune")
    ] = True,
    fractions: Annotated[
        str | None,
        option("Shares of the rows to learn from, as 0.1,0.5,1.", _HOW, metavar="R,..."),
    ] = None,
    seed: Annotated[int, option("Of splits, blocks and starts.", _HOW, metavar="S", least=0)] = 0,
    data: Annotated[Path | None, option("A CSV or Parquet file instead.", _DATA, metavar="FILE")] = None,
    target: Annotated[str | None, option("Its column to predict.", _DATA, metavar="COLUMN")] = None,
    group: Annotated[
        str | None, option("Its column whose values no split may divide.", _DATA, metavar="COLUMN")
    ] = None,
    weights: Annotated[
        str | None,
        option("Its column of instance weights.", _DATA, "--weight", "--weights", metavar="COLUMN"),
    ] = None,
    encoding: Annotated[str | None, option("Its encoding, as latin-1.", _DATA, metavar="E")] = None,
    decimal: Annotated[str | None, option("Its decimal mark, . or a comma.", _DATA, metavar="C")] = None,
    kind: Annotated[Kind | None, option("Its kind, when the target alone does not say.", _DATA)] = None,
    code: Annotated[
        str | None,
        option("A function of yours that makes the task.", _DATA, "--task", metavar="MODULE:FUNCTION"),
    ] = None,
    model: Annotated[str | None, option(MODELS, _DATA, metavar="NAME")] = None,
    metric: Annotated[str | None, option("What to compare by.", _DATA, metavar="NAME")] = None,
    label_noise: Annotated[float, option("Share of labels to corrupt.", _DATA, metavar="R")] = 0.0,
    imbalance: Annotated[float | None, option("Largest class over rarest.", _DATA, metavar="R")] = None,
    outliers: Annotated[float, option("Share of targets to shift.", _DATA, metavar="R")] = 0.0,
    target_scale: Annotated[TargetScale | None, option("How a regression's target is scaled.", _DATA)] = None,
    out: Annotated[
        Path | None, option("Folder that keeps the comparison, for resume.", _MACHINE, metavar="RUN")
    ] = None,
    csv: Annotated[Path | None, option("Write the table as CSV.", _MACHINE, metavar="FILE")] = None,
    latex: Annotated[Path | None, option("Write the table for LaTeX.", _MACHINE, metavar="FILE")] = None,
    workers: Annotated[
        int, option("How many work at once; the table does not depend on it.", _MACHINE, least=1)
    ] = 1,
    executor: Annotated[Executor, option("What runs the workers.", _MACHINE)] = Executor.serial,
    ray_address: Annotated[
        str | None, option("A running Ray cluster, HOST:PORT or auto.", _MACHINE, metavar="A")
    ] = None,
    ray_gpus: Annotated[
        float, option("Share of a GPU for each piece of work on Ray.", _MACHINE, metavar="SHARE", least=0)
    ] = 0.0,
    device: Annotated[Device, option("What computes.", _MACHINE)] = Device.auto,
    as_json: Json = False,
) -> None:
    """Is a loss really better? Train it and the ordinary one on many splits, and test the differences.

    Each is trained as it is, with its scale taken out, and tuned at equal budget: what goes by tuning alike is said to
    be explained by it.

    Examples:

    - `symloss compare diabetes --losses mse,"0.2*(y-p)**2"`
    - `symloss compare digits --label-noise 0.4 --losses lsr,gce,sce,runs/noisy#1 --out runs/fair`
    - `symloss compare wine,digits --losses focal,"ce + 0.1*brier" --no-tune`
    - `symloss compare --data houses.csv --target price --losses huber,best-zoo --fractions 0.1,0.5,1`
    """
    options = {
        "model": model, "metric": metric, "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers,
        "target_scale": target_scale,
    }  # fmt: skip
    columns = {
        "target": target, "group": group, "weight": weights, "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    asked = items_of("--losses", losses)
    if not asked:
        raise DomainError("which losses? Name them with --losses, as --losses focal,gce")
    tasks = Problem(tuple(split_top_level(names or "")), data, columns, code, kind, options).load()
    import symloss.compare as room
    from symloss.search.prepare import prepare

    # The model that is compared on, so that it is the one that is described.
    placed = prepare(tasks, model or room.MODEL, None, "cpu", "serial")

    def start(live: LiveStages) -> Comparison:
        return room.compare(
            placed, asked, seeds=seeds, splits=splits, tune=tune, fractions=_shares(fractions), seed=seed, out=out,
            model=model or room.MODEL, workers=workers, executor=place_of(executor, workers, ray_address, ray_gpus),
            device=device, on_progress=live.progress,
        )  # fmt: skip

    found = watched_comparison(placed, start, as_json)
    for path, text in ((csv, found.to_csv), (latex, found.to_latex)):
        if path is not None:
            write_text(path, text())
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def resume_compare(run: Path, code: str | None, as_json: bool, **where: Any) -> None:
    """Go on with a comparison, for `symloss resume`."""
    import symloss.compare as room
    from symloss.tasks import load_object, rebuild

    before = room.open_comparison(run)
    if code is not None:
        tasks: list[Task] = [load_object(code)]
    else:
        tasks = [rebuild(description) for description in before.task.get("tasks", [before.task])]
    found = watched_comparison(
        tasks, lambda live: room.resume_comparison(run, tasks, on_progress=live.progress, **where), as_json
    )
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def watched_comparison(
    tasks: Sequence[Task], start: Callable[[LiveStages], Comparison], as_json: bool
) -> Comparison:
    """Compare under progress bars, write the files and print the end."""
    from symloss.report import LiveStages, describe, write_comparison_files

    # JSON has standard output to itself.
    watched = Console(stderr=True, highlight=False) if as_json else console()
    for task in tasks:
        watched.print(describe(task.describe()), soft_wrap=True, markup=False)
    with LiveStages(watched) as live:
        found = start(live)
    print_comparison(found, write_comparison_files(found), as_json)
    return found


def print_comparison(found: Comparison, files: Sequence[Path] = (), as_json: bool = False) -> None:
    """The table, what it says in sentences, and what limits it."""
    if as_json:
        print_json({**found.to_dict(), "files": [str(file) for file in files]})
        return
    import symloss.report as report

    if not found.rows:
        say("No split is finished yet.")
    else:
        show(report.comparison_table(found))
        for sentence in report.comparison_sentences(found):
            say(sentence)
    for note in found.notes:
        say(f"note: {note}")
    for treatment, ranking in found.rankings.items():
        ranks = ", ".join(
            f"{name} {rank:.2f}" for name, rank in zip(ranking.names, ranking.ranks, strict=True)
        )
        say(
            f"mean ranks over {ranking.data_sets} data sets, {treatment}: {ranks}; Friedman p = {ranking.p_value:.2g}, "
            f"critical difference {ranking.critical_difference:.2f}"
        )
    if found.detectable:
        say(f"Differences of {found.detectable:.2g} {found.metric} are told with 80 % power.")
    if files:
        say(f"Files in {found.path}: " + ", ".join(file.name for file in files))
    if found.path is not None and found.status != "finished":
        say(f"The comparison was not over: symloss resume {found.path} goes on with it.")


def _shares(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(item) for item in items_of("--fractions", text)]
    except ValueError:
        raise DomainError(f"--fractions {text}: expected shares with commas between, as 0.1,0.5,1") from None


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("compare", cls=FormulaCommand)(compare)
