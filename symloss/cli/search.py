"""Verbs that search: discover and resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import Json, read_loss, split_top_level
from symloss.cli.conclude import print_run
from symloss.cli.config import CONFIG, ConfigOption, config_text
from symloss.cli.grammar import read_grammar
from symloss.cli.group import INTERRUPTED, FormulaCommand
from symloss.cli.options import (
    BUDGET,
    DATA,
    SEARCH,
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
    Model,
    Outliers,
    Population,
    Quiet,
    RayAddress,
    RayGpus,
    SplitSeed,
    Target,
    TargetScaleOption,
    TaskKind,
    Weights,
    Workers,
    free_folder,
    items_of,
    option,
    place_of,
    whole_numbers_of,
)  # fmt: skip
from symloss.cli.output import progress_console, say
from symloss.cli.problem import Problem
from symloss.cli.tables import resume_table
from symloss.errors import DomainError, TaskError

if TYPE_CHECKING:
    from symloss.report import LiveFront
    from symloss.search import Result
    from symloss.tasks import Task

__all__ = ["register"]


class Method(StrEnum):
    """How losses are proposed and tuned."""

    evomal = "evomal"
    gplfl = "gplfl"
    random = "random"
    taylorglo = "taylorglo"
    mixture = "mixture"
    ml3 = "ml3"


class Preset(StrEnum):
    """How much is searched."""

    quick = "quick"
    paper = "paper"


_DEMO_SECONDS = 110.0
"""The demo's search ends after the generation in which this passes; finals and baselines take a minute more."""

# Groups of `discover --help`.
_TREES = "The formulas"


def discover(
    context: typer.Context,
    names: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK[,TASK...]",
            help="Tasks with names ('symloss tasks' lists them); several are searched for one loss.",
            show_default=False,
        ),
    ] = None,
    data: DataFile = None,
    target: Target = None,
    group: Group = None,
    weights: Weights = None,
    encoding: Encoding = None,
    decimal: Decimal = None,
    kind: TaskKind = None,
    code: Code = None,
    model: Model = None,
    metric: Annotated[str | None, option("What to improve on validation data.", DATA, metavar="NAME")] = None,
    split_seed: SplitSeed = 0,
    label_noise: LabelNoise = 0.0,
    imbalance: Imbalance = None,
    outliers: Outliers = 0.0,
    target_scale: TargetScaleOption = None,
    method: Annotated[
        Method,
        option("How losses are proposed and tuned, see above [default: evomal].", SEARCH),
    ] = Method.evomal,
    seed: Annotated[int, option("The same seed gives the same front.", SEARCH, least=0)] = 0,
    headroom: Annotated[
        bool | None,
        option(
            "First train the zoo and a few random losses: what can be told apart here? "
            "[default: unless the trainer is yours]",
            SEARCH,
            "--headroom/--no-headroom",
        ),
    ] = None,
    zoo: Annotated[
        bool | None,
        option("Whether the zoo's losses join the first population.", SEARCH, "--zoo/--no-zoo"),
    ] = None,
    propose: Annotated[
        str | None,
        option(
            "A command, run once a generation, that prints formulas; on its standard input what is known so far.",
            SEARCH,
            metavar="COMMAND",
        ),
    ] = None,
    keep_scale: Annotated[
        bool | None,
        option(
            "Search the scale of a loss too: a learning rate in disguise.",
            SEARCH,
            "--keep-scale/--no-keep-scale",
        ),
    ] = None,
    require: Annotated[
        str | None,
        option(
            "Findings that no loss of the front may have refuted, as label_smoothing,bounded_above.",
            SEARCH,
            metavar="FINDING,...",
        ),
    ] = None,
    inside: Annotated[
        str | None,
        option(
            "Search among losses that have a property by construction: proper, symmetric, calibrated, bounded, "
            "smoothing=XI, of regression mean; several where they go together, as proper,bounded.",
            SEARCH,
            metavar="THEOREM,...",
        ),
    ] = None,
    seed_loss: Annotated[
        list[str] | None,
        option("Losses to start from: formulas, or sums of zoo names; repeatable.", SEARCH, metavar="LOSS"),
    ] = None,
    meta_steps: Annotated[
        int | None,
        option(
            "Steps in which coefficients (evomal, random: 50) or networks (ml3: 500) learn through training.",
            SEARCH,
            metavar="N",
            least=0,
        ),
    ] = None,
    meta_rate: Annotated[
        float | None,
        option("Step size of that learning [default: 0.003; ml3: 0.001].", SEARCH, metavar="R"),
    ] = None,
    hidden: Annotated[
        str | None,
        option("Units of the hidden layers of ml3's networks [default: 50,50].", SEARCH, metavar="N,..."),
    ] = None,
    sigma: Annotated[
        float | None,
        option(
            "Standard deviation of the first generation of CMA-ES [default: taylorglo 1.2, mixture 1].",
            SEARCH,
            metavar="S",
        ),
    ] = None,
    symbols: Annotated[
        str | None, option("More symbols: pi (class prior), w (weight).", _TREES, "--with", metavar="pi,w")
    ] = None,
    operators: Annotated[
        str | None, option("Operators to build from, as add,mul,plog.", _TREES, metavar="NAME,...")
    ] = None,
    define: Annotated[
        list[str] | None,
        option("An operator of your own, as `swish(x) = x*sigmoid(x)`; repeatable.", _TREES, metavar="F"),
    ] = None,
    cost: Annotated[
        list[str] | None,
        option("Complexity of an operator, as plog=3; 1 unless said; repeatable.", _TREES, metavar="F=N"),
    ] = None,
    nesting: Annotated[
        list[str] | None,
        option(
            "Limit to nesting, as tanh(tanh)=0: no tanh under a tanh; repeatable.", _TREES, metavar="F(G)=N"
        ),
    ] = None,
    max_height: Annotated[
        int | None, option("Height of a tree, in edges, at most.", _TREES, metavar="N")
    ] = None,
    demo: Annotated[bool, option("A quick search that ends within three minutes.", BUDGET, "--demo")] = False,
    preset: Annotated[
        Preset, option("quick: 25 losses, 10 generations; paper: as published.", BUDGET)
    ] = Preset.quick,
    population: Population = None,
    generations: Generations = None,
    time_limit: Annotated[
        float | None, option("Stop after the generation in which S seconds pass.", BUDGET, metavar="S")
    ] = None,
    max_evaluations: Annotated[
        int | None, option("Stop after N candidates beside the zoo's.", BUDGET, metavar="N")
    ] = None,
    patience: Annotated[
        int | None, option("Stop after N generations without a better loss.", BUDGET, metavar="N")
    ] = None,
    folds: Annotated[
        int | None, option("Blocks are folds of N-fold cross-validation.", BUDGET, metavar="N", least=2)
    ] = None,
    blocks: Annotated[
        int | None,
        option("Blocks on which the finalists meet, 12 unless said.", BUDGET, metavar="N", least=2),
    ] = None,
    val_size: Annotated[
        float | None,
        option(
            "Share of the rows that validates in a block; half or more of large data unless said.",
            BUDGET,
            metavar="R",
        ),
    ] = None,
    no_baselines: Annotated[
        bool, option("Do not train the baselines, and leave test data alone.", BUDGET, "--no-baselines")
    ] = False,
    out: Annotated[
        Path | None, option("Folder of the run [default: a new one in runs/].", WHERE, metavar="RUN")
    ] = None,
    config: ConfigOption = None,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    ray_address: RayAddress = None,
    ray_gpus: RayGpus = 0.0,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Search for a loss: evolve formulas, tune them, train with them, and keep the front.

    Ends with the discovered loss in closed form beside the ordinary loss as it is, the ordinary loss with a
    tuned learning rate, and the best loss of the zoo; test data are touched once, then. Ctrl-C keeps what was
    found.

    Methods:

    - `evomal`: evolves formulas, and tunes their coefficients by hypergradients
    - `random`: draws formulas at random, and tunes them: the control
    - `gplfl`: evolves formulas whose coefficients stay 1
    - `taylorglo`: searches the eight parameters of a third-order Taylor polynomial by CMA-ES
    - `mixture`: searches weighted sums of at most three losses with names by CMA-ES
    - `ml3`: tunes networks that are losses by unrolled differentiation: no formula

    Examples:

    - `symloss discover digits --label-noise 0.4 --demo`
    - `symloss discover digits --label-noise 0.4 --seed 1 --out runs/noisy`
    - `symloss discover --data houses.csv --target price --generations 5`
    - `symloss discover digits --label-noise 0.4 --inside symmetric`
    - `symloss discover wine --define 'swish(x) = x*sigmoid(x)' --cost swish=2 --nesting 'tanh(tanh)=0'`
    - `symloss discover --config runs/noisy/config.toml --seed 2`
    """
    options = {
        "model": model, "metric": metric, "label_noise": label_noise, "imbalance": imbalance,
        "outliers": outliers, "target_scale": target_scale, "seed": split_seed,
    }  # fmt: skip
    columns = {
        "target": target, "group": group, "weight": weights, "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    if demo and preset is Preset.paper:
        raise DomainError(
            "--demo ends within three minutes, and --preset paper searches for hours: leave one of them out"
        )
    problem = Problem(tuple(split_top_level(names or "")), data, columns, code, kind, options)
    tasks = problem.load()
    trees = read_grammar(operators, define or (), cost or (), nesting or ())
    seeds = [
        read_loss(item, tasks[0].kind, registry=trees.get("registry"))
        for text in seed_loss or ()
        for item in items_of("--seed-loss", text)
    ]
    place = place_of(executor, workers, ray_address, ray_gpus)
    where: dict[str, Any] = {"workers": workers, "executor": place, "device": device}
    learning = {"steps": meta_steps, "rate": meta_rate}
    network = {"hidden": whole_numbers_of("--hidden", hidden)}
    # A network's weights are learned as a formula's coefficients are, under settings of their own.
    groups = (
        {"neural": {**network, **learning}}
        if method is Method.ml3
        else {"neural": network, "tuning": learning}
    )
    from symloss.search import check_search
    from symloss.search import discover as run_search

    asked: dict[str, Any] = {
        "method": method, "seed": seed, "preset": preset, "population": population, "generations": generations,
        "out": out or free_folder([*(task.name for task in tasks), method, str(seed)]),
        "time_limit": _DEMO_SECONDS if demo and time_limit is None else time_limit,
        "max_evaluations": max_evaluations, "patience": patience, "keep_scale": keep_scale,
        "require": items_of("--require", require), "inside": items_of("--inside", inside),
        "seed_losses": tuple(seeds), "extra_symbols": items_of("--with", symbols), "headroom": headroom,
        "propose": propose, "blocks": {"folds": folds, "final": blocks, "val_size": val_size, "zoo": zoo},
        "grammar": {**trees, "max_height": max_height}, "cma": {"sigma": sigma}, **groups,
    }  # fmt: skip
    # Before the task is announced, as whoever has mistyped an option reads one line.
    check_search(tasks, **asked, executor=place, device=device)

    def start(live: LiveFront) -> Result:
        return run_search(
            tasks, **asked, on_generation=live, on_progress=live.progress, on_headroom=live.opening,
            files={CONFIG: config_text(context)}, **where,
        )  # fmt: skip

    _search(tasks, start, as_json, quiet, compare=not no_baselines, **where)


def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of the run.")],
    code: Annotated[
        str | None,
        option("The task again, when it came from code.", DATA, "--task", metavar="MODULE:FUNCTION"),
    ] = None,
    propose: Annotated[
        str | None,
        option("The command again, when formulas came from one.", SEARCH, metavar="COMMAND"),
    ] = None,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    ray_address: RayAddress = None,
    ray_gpus: RayGpus = 0.0,
    device: Annotated[Device, option("What computes [default: what did before].", WHERE)] = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped, killed or interrupted; the end is that of a run never stopped.

    A run that has ended is shown. Where data came from arrays, an unfinished one needs them again: in Python
    `sl.resume(RUN, task=TASK)`, here `--task`.

    Examples:

    - `symloss resume runs/diabetes-evomal-0`
    """
    from symloss.report import write_run_files
    from symloss.runs import verb_of
    from symloss.search import open_run
    from symloss.search import resume as go_on
    from symloss.tasks import load_object, rebuild

    place = place_of(executor, workers, ray_address, ray_gpus)
    where: dict[str, Any] = {"workers": workers, "executor": place, "device": device}
    if verb_of(run) != "discover":
        if propose is not None:
            raise DomainError("--propose is about a search, and the run is none: leave it out")
        resume_table(run, code, as_json, quiet, **where)
        return
    before = open_run(run)
    if code is not None:
        tasks = [load_object(code)]
    else:
        try:
            tasks = [rebuild(description) for description in before.task.get("tasks", [before.task])]
        except TaskError as error:
            result = go_on(run)  # reads a run that has ended, and asks for the task of any other
            if result.front and not _compared(result):
                progress_console(as_json, quiet).print(
                    f"baselines are not trained: {error}", soft_wrap=True, markup=False
                )
            print_run(result, write_run_files(result), as_json)
            return

    def start(live: LiveFront) -> Result:
        return go_on(
            run,
            tasks,
            propose=propose,
            on_generation=live,
            on_progress=live.progress,
            on_headroom=live.opening,
            **where,
        )

    _search(tasks, start, as_json, quiet, **where)


def _search(
    tasks: list[Task],
    start: Callable[[LiveFront], Result],
    as_json: bool,
    quiet: bool,
    *,
    compare: bool = True,
    **where: Any,
) -> None:
    """Run a search under a live table, compare what it found, write the files and print the end.

    Args:
        tasks: to be searched.
        start: the search, given what watches it.
        as_json: print JSON alone.
        quiet: show no progress.
        compare: train the baselines.
        where: what `discover` and `baselines` have in common: workers, executor, device.
    """
    from symloss.compare import baselines
    from symloss.report import LiveFront, describe, write_run_files

    watched = progress_console(as_json, quiet)
    for task in tasks:
        watched.print(describe(task.describe()), soft_wrap=True, markup=False)
    metric = tasks[0].metric if len(tasks) == 1 else "mean in units of noise"
    with LiveFront(watched, metric) as live:
        result = start(live)
        interrupted = result.status == "interrupted"
        if compare and result.front and not interrupted and not _compared(result):
            try:
                # Under the live table and inside its own try: a Ctrl-C here keeps the front, which is stored already.
                rows = baselines(tasks, result, on_progress=live.progress, **where)
                result = replace(result, baselines=rows)
            except KeyboardInterrupt:
                interrupted = True
    print_run(result, write_run_files(result), as_json)
    if interrupted:
        if result.status != "interrupted" and not as_json:
            say(f"The baselines were not trained to the end: symloss resume {result.path} goes on with them.")
        raise typer.Exit(INTERRUPTED)


def _compared(result: Result) -> bool:
    """Whether the stored baselines belong to the present pick: a resumed run may have picked another loss."""
    return any(row.role == "discovered" and row.text == result.picked.exact for row in result.baselines)


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command("discover", cls=FormulaCommand)(discover)
    app.command("resume", cls=FormulaCommand)(resume)
