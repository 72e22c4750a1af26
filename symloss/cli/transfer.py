"""The verb that tries losses on other tasks, models and data."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symloss.cli.arguments import Json, split_top_level
from symloss.cli.group import FormulaCommand
from symloss.cli.options import (
    HOW,
    MODELS,
    WHERE,
    Code,
    DataFile,
    Decimal,
    Device,
    DeviceOption,
    Encoding,
    Executor,
    ExecutorOption,
    Group,
    Imbalance,
    Metric,
    Outliers,
    Quiet,
    RayAddress,
    RayGpus,
    Seeds,
    Splits,
    SplitsSeed,
    TableCsv,
    TableLatex,
    Target,
    TargetScaleOption,
    TaskKind,
    Weights,
    Workers,
    items_of,
    option,
    place_of,
    shares_of,
)  # fmt: skip
from symloss.cli.problem import Problem
from symloss.cli.tables import finish, watched
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.compare import Transfer
    from symloss.report import LiveStages

__all__ = ["register"]

_CELLS = "The cells"


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
    rows: Annotated[Rows, option("Which rows of a run [default: pick].", HOW)] = Rows.pick,
    seeds: Seeds = 3,
    splits: Splits = 10,
    tune: Annotated[bool, option("Whether rate and steps are tuned.", HOW, "--tune/--no-tune")] = True,
    seed: SplitsSeed = 0,
    data: DataFile = None,
    target: Target = None,
    group: Group = None,
    weights: Weights = None,
    encoding: Encoding = None,
    decimal: Decimal = None,
    kind: TaskKind = None,
    code: Code = None,
    metric: Metric = None,
    imbalance: Imbalance = None,
    outliers: Outliers = 0.0,
    target_scale: TargetScaleOption = None,
    out: Annotated[
        Path | None, option("Folder that keeps the transfer, for resume.", WHERE, metavar="RUN")
    ] = None,
    csv: TableCsv = None,
    latex: TableLatex = None,
    plot: Annotated[
        Path | None, option("Draw the matrix as .png, .svg or .pdf.", WHERE, metavar="FILE")
    ] = None,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    ray_address: RayAddress = None,
    ray_gpus: RayGpus = 0.0,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
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
    noises = shares_of("--label-noise", label_noise)
    cells, _ = cells_of(tasks, models, noises)
    placed = prepare(cells, room.MODEL if models is None else None, None, "cpu", "serial")

    def start(live: LiveStages) -> Transfer:
        return room.transfer(
            split_top_level(losses), tasks, models, rows=rows, label_noise=noises,
            fractions=shares_of("--fractions", fractions), corruptions=items_of("--corrupt", corrupt), seeds=seeds,
            splits=splits, tune=tune, seed=seed, out=out, workers=workers,
            executor=place_of(executor, workers, ray_address, ray_gpus), device=device, on_progress=live.progress,
        )  # fmt: skip

    result = watched([task.describe() for task in placed], start, as_json, quiet)
    finish(result, as_json, csv, latex, plot)


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("transfer", cls=FormulaCommand)(transfer)
