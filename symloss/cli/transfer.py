"""The verb that takes losses elsewhere, and what the verbs about runs do with a transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from symloss.cli.arguments import Json, Kind, split_top_level
from symloss.cli.group import INTERRUPTED, FormulaCommand
from symloss.cli.options import MODELS, Device, Executor, TargetScale, items_of, option, place_of
from symloss.cli.output import console, print_json, say, show, write_figure, write_text
from symloss.cli.problem import Problem
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.compare import Transfer
    from symloss.report import LiveStages
    from symloss.tasks import Task

__all__ = ["print_transfer", "register", "resume_transfer"]

# Groups of `transfer --help`.
_CELLS, _DATA, _HOW, _MACHINE = "The cells", "The data", "The comparison", "Where"


class Rows(StrEnum):
    """Which rows of a whole run."""

    pick = "pick"
    front = "front"


def transfer(
    losses: Annotated[
        str,
        typer.Argument(
            metavar="RUN[,LOSS...]",
            help="A run, RUN#ROW, a formula, a zoo name as gce(q=0.5), or best-zoo; several with commas between.",
            show_default=False,
        ),
    ],
    to: Annotated[str | None, option("Tasks with names, of one kind.", _CELLS, metavar="TASK,...")] = None,
    model: Annotated[
        str | None, option(f"Each with every task: {MODELS}", _CELLS, "--model", "--models", metavar="M,...")
    ] = None,
    label_noise: Annotated[
        str | None, option("Shares of labels to corrupt, as 0,0.4.", _CELLS, metavar="R,...")
    ] = None,
    fractions: Annotated[
        str | None, option("Shares of the rows to learn from, as 0.1,1.", _CELLS, metavar="R,...")
    ] = None,
    corrupt: Annotated[
        str | None,
        option(
            "Corruptions of the test inputs, beside clean ones: gaussian:SD, missing:SHARE, blur:PIXELS.",
            _CELLS,
            metavar="NAME[:SEVERITY],...",
        ),
    ] = None,
    rows: Annotated[Rows, option("Which rows of a run [default: pick].", _HOW)] = Rows.pick,
    seeds: Annotated[int, option("Trainings averaged within a split.", _HOW, metavar="N", least=1)] = 3,
    splits: Annotated[
        int, option("Splits of the data; below 10 there is no verdict.", _HOW, metavar="N", least=1)
    ] = 10,
    tune: Annotated[bool, option("Whether rate and steps are tuned.", _HOW, "--tune/--no-tune")] = True,
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
    metric: Annotated[str | None, option("What to compare by.", _DATA, metavar="NAME")] = None,
    imbalance: Annotated[float | None, option("Largest class over rarest.", _DATA, metavar="R")] = None,
    outliers: Annotated[float, option("Share of targets to shift.", _DATA, metavar="R")] = 0.0,
    target_scale: Annotated[TargetScale | None, option("How a regression's target is scaled.", _DATA)] = None,
    out: Annotated[
        Path | None, option("Folder that keeps the transfer, for resume.", _MACHINE, metavar="RUN")
    ] = None,
    csv: Annotated[Path | None, option("Write the table as CSV.", _MACHINE, metavar="FILE")] = None,
    latex: Annotated[Path | None, option("Write the table for LaTeX.", _MACHINE, metavar="FILE")] = None,
    plot: Annotated[
        Path | None, option("Draw the matrix as .png, .svg or .pdf.", _MACHINE, metavar="FILE")
    ] = None,
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
    """Does a loss hold elsewhere? Its formula unchanged, on other tasks, models, label noise, sizes and inputs.

    In every cell of that matrix it meets the ordinary loss, both tuned there alike, on many splits, with paired tests
    that are corrected for the number of cells. What was proved of it at the number of classes of its search is
    asked again at theirs.

    Examples:

    - `symloss transfer runs/noisy --to wine,breast-cancer --model linear,mlp-2x64`
    - `symloss transfer runs/noisy#2,gce --to digits --label-noise 0,0.2,0.4 --out runs/elsewhere`
    - `symloss transfer runs/noisy --rows front --to mnist-5k --model lenet5 --corrupt gaussian,missing:0.3,blur:1.5`
    - `symloss transfer runs/a --data houses.csv --target price --fractions 0.1,1`
    """
    columns = {
        "target": target, "group": group, "weight": weights, "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    options = {"metric": metric, "imbalance": imbalance, "outliers": outliers, "target_scale": target_scale}
    if to is None and data is None and code is None:
        raise DomainError("to which tasks? Name them with --to, as --to digits,wine")
    tasks = Problem(tuple(items_of("--to", to)), data, columns, code, kind, options).load()
    import symloss.compare as room
    from symloss.compare.cells import cells_of
    from symloss.search.prepare import prepare

    models = None if model is None else items_of("--model", model)
    noises = _shares("--label-noise", label_noise)
    cells, _ = cells_of(tasks, models, noises)
    placed = prepare(cells, room.MODEL if models is None else None, None, "cpu", "serial")

    def start(live: LiveStages) -> Transfer:
        return room.transfer(
            split_top_level(losses), tasks, models, rows=rows, label_noise=noises,
            fractions=_shares("--fractions", fractions), corruptions=items_of("--corrupt", corrupt), seeds=seeds,
            splits=splits, tune=tune, seed=seed, out=out, workers=workers,
            executor=place_of(executor, workers, ray_address, ray_gpus), device=device, on_progress=live.progress,
        )  # fmt: skip

    found = _watched(placed, start, as_json)
    for path, text in ((csv, found.to_csv), (latex, found.to_latex)):
        if path is not None:
            write_text(path, text())
    if plot is not None and found.rows:
        import symloss.report as report

        write_figure(plot, report.plot_transfer(found))
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def resume_transfer(run: Path, code: str | None, as_json: bool, **where: Any) -> None:
    """Go on with a transfer, for `symloss resume`."""
    import symloss.compare as room
    from symloss.tasks import load_object

    task = None if code is None else load_object(code)
    found = _watched(
        [], lambda live: room.resume_transfer(run, task, on_progress=live.progress, **where), as_json
    )
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _watched(tasks: Sequence[Task], start: Callable[[LiveStages], Transfer], as_json: bool) -> Transfer:
    """Transfer under progress bars, write the files and print the end."""
    from symloss.report import LiveStages, describe, write_transfer_files

    # JSON has standard output to itself.
    watched = Console(stderr=True, highlight=False) if as_json else console()
    # Cells of one task share its remarks.
    for line in dict.fromkeys(line for task in tasks for line in describe(task.describe()).splitlines()):
        watched.print(line, soft_wrap=True, markup=False)
    with LiveStages(watched) as live:
        found = start(live)
    print_transfer(found, write_transfer_files(found), as_json)
    return found


def print_transfer(found: Transfer, files: Sequence[Path] = (), as_json: bool = False) -> None:
    """The table, what it says in sentences, and what limits it."""
    if as_json:
        print_json({**found.to_dict(), "files": [str(file) for file in files]})
        return
    import symloss.report as report

    if not found.rows:
        say("No split is finished yet.")
    else:
        show(report.transfer_table(found))
        for sentence in report.transfer_sentences(found):
            say(sentence)
    for note in found.notes:
        say(f"note: {note}")
    if found.detectable:
        say(f"Differences of {found.detectable:.2g} {found.metric} are told with 80 % power.")
    if files:
        say(f"Files in {found.path}: " + ", ".join(file.name for file in files))
    if found.path is not None and found.status != "finished":
        say(f"The transfer was not over: symloss resume {found.path} goes on with it.")


def _shares(name: str, text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(item) for item in items_of(name, text)]
    except ValueError:
        raise DomainError(f"{name} {text}: expected shares with commas between, as 0.1,0.5") from None


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("transfer", cls=FormulaCommand)(transfer)
