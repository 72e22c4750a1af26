"""The verb that compares losses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symloss.cli.arguments import Json, split_top_level
from symloss.cli.group import FormulaCommand
from symloss.cli.options import (
    HOW,
    WHERE,
    Code,
    DataFile,
    Decimal,
    Device,
    DeviceOption,
    Encoding,
    Executor,
    ExecutorOption,
    Generations,
    Group,
    Imbalance,
    LabelNoise,
    Metric,
    Model,
    Outliers,
    Population,
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
    from symloss.compare import Comparison
    from symloss.report import LiveStages

__all__ = ["register"]


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
            HOW,
            metavar="LOSS,...",
        ),
    ] = None,
    search: Annotated[
        str | None,
        option(
            "Methods of search, as evomal,random, each begun anew inside every split and share of the rows.",
            HOW,
            metavar="METHOD,...",
        ),
    ] = None,
    population: Population = None,
    generations: Generations = None,
    seeds: Seeds = 3,
    splits: Splits = 10,
    tune: Annotated[
        bool, option("Whether rate, steps and parameters are tuned.", HOW, "--tune/--no-tune")
    ] = True,
    fractions: Annotated[
        str | None,
        option("Shares of the rows to learn from, as 0.1,0.5,1.", HOW, metavar="R,..."),
    ] = None,
    seed: SplitsSeed = 0,
    data: DataFile = None,
    target: Target = None,
    group: Group = None,
    weights: Weights = None,
    encoding: Encoding = None,
    decimal: Decimal = None,
    kind: TaskKind = None,
    code: Code = None,
    model: Model = None,
    metric: Metric = None,
    label_noise: LabelNoise = 0.0,
    imbalance: Imbalance = None,
    outliers: Outliers = 0.0,
    target_scale: TargetScaleOption = None,
    out: Annotated[
        Path | None, option("Folder that keeps the comparison, for resume.", WHERE, metavar="RUN")
    ] = None,
    csv: TableCsv = None,
    latex: TableLatex = None,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    ray_address: RayAddress = None,
    ray_gpus: RayGpus = 0.0,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Is a loss really better? Train it and the ordinary one on many splits, and test the differences.

    Each is trained as it is, with its scale taken out, and tuned at equal budget: what goes by tuning alike is said to
    be explained by it. With --search a method looks for a loss inside each split, on its rows that are not test rows:
    what a row of a run is worth that was searched elsewhere, or on rows of the same data, shows beside it.

    Examples:

    - `symloss compare diabetes --losses mse,"0.2*(y-p)**2"`
    - `symloss compare digits --label-noise 0.4 --losses lsr,gce,sce,runs/noisy#1 --out runs/fair`
    - `symloss compare wine,digits --losses focal,"ce + 0.1*brier" --no-tune`
    - `symloss compare digits --losses runs/a#1 --search evomal,random --population 12 --fractions 0.1,1`
    - `symloss compare --data houses.csv --target price --losses huber,best-zoo --fractions 0.1,0.5,1`
    """
    options = {
        "model": model, "metric": metric, "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers,
        "target_scale": target_scale,
    }  # fmt: skip
    columns = {
        "target": target, "group": group, "weight": weights, "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    methods = items_of("--search", search)
    if not methods and (population is not None or generations is not None):
        raise DomainError("--population and --generations are of a search: name its method with --search")
    asked = items_of("--losses", losses)
    if not asked and not methods:
        raise DomainError("which losses? Name them with --losses, as --losses focal,gce")
    tasks = Problem(tuple(split_top_level(names or "")), data, columns, code, kind, options).load()
    import symloss.compare as room
    from symloss.search.prepare import prepare

    # Prepared with the model that the comparison trains, so that the printed description names it.
    placed = prepare(tasks, model or room.MODEL, None, "cpu", "serial")

    searched = [room.Searched(each, population=population, generations=generations) for each in methods]

    def start(live: LiveStages) -> Comparison:
        return room.compare(
            placed, [*asked, *searched], seeds=seeds, splits=splits, tune=tune, seed=seed, out=out,
            fractions=shares_of("--fractions", fractions), model=model or room.MODEL, workers=workers,
            executor=place_of(executor, workers, ray_address, ray_gpus),
            device=device, on_progress=live.progress,
        )  # fmt: skip

    finish(watched([task.describe() for task in placed], start, as_json, quiet), as_json, csv, latex)


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("compare", cls=FormulaCommand)(compare)
