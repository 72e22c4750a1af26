"""The verb that adapts a loss while a model trains."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import Json, SetOption, read_loss
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
    Group,
    Imbalance,
    LabelNoise,
    Metric,
    Model,
    Outliers,
    Quiet,
    RayAddress,
    RayGpus,
    Target,
    TargetScaleOption,
    TaskKind,
    Weights,
    Workers,
    items_of,
    option,
    place_of,
)  # fmt: skip
from symloss.cli.problem import Problem
from symloss.cli.tables import finish, watched
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.compare import Adaptation
    from symloss.expr import Loss
    from symloss.report import LiveStages

__all__ = ["register"]

NEURAL = "neural"


class MetaRows(StrEnum):
    """Where the batches of the meta-objective come from."""

    validation = "validation"
    training = "training"


def adapt(
    name: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="A task with a name ('symloss tasks').", show_default=False),
    ] = None,
    loss: Annotated[
        str,
        option(
            "neural [default], or a formula, a zoo name or RUN#ROW, whose coefficients adapt.",
            HOW,
            metavar="LOSS",
        ),
    ] = NEURAL,
    values: SetOption = None,
    steps: Annotated[
        int | None, option("Steps of each training [default: the task's].", HOW, metavar="N", least=1)
    ] = None,
    seeds: Annotated[
        int, option("Splits, each with a start; below 10 there is no verdict.", HOW, metavar="N", least=1)
    ] = 10,
    eta: Annotated[
        str | None,
        option("Meta learning rates to choose from [default: 1e-4,1e-3,1e-2].", HOW, metavar="RATE,..."),
    ] = None,
    initial_steps: Annotated[
        int | None,
        option(
            "Steps of offline initialisation [default: 2500 for neural, 250 for a formula].",
            HOW,
            metavar="N",
            least=0,
        ),
    ] = None,
    meta_rows: Annotated[
        MetaRows, option("Rows that the loss adapts by [default: validation].", HOW)
    ] = MetaRows.validation,
    keep_scale: Annotated[
        bool,
        typer.Option(
            "--keep-scale",
            help="Train at the scale that offline initialisation ends with, as published.",
            rich_help_panel=HOW,
        ),
    ] = False,
    seed: Annotated[int, option("Of splits, starts and batches.", HOW, metavar="S", least=0)] = 0,
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
        Path | None, option("Folder that keeps the run, for resume.", WHERE, metavar="RUN")
    ] = None,
    plot: Annotated[
        Path | None, option("Draw the path as .png, .svg or .pdf.", WHERE, metavar="FILE")
    ] = None,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    ray_address: RayAddress = None,
    ray_gpus: RayGpus = 0.0,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Adapt a loss while a model trains, beside everything that could explain what that gains.

    A network (AdaLFL) or the coefficients of a formula follow every step of the model with one of their own. Adapting
    helps only where it beats its own path replayed, the loss's shape only where it beats the ordinary loss at the same
    implicit learning rate; the path says what the loss became: attractor, label smoothing, learning rate, step by step.

    Examples:

    - `symloss adapt diabetes`
    - `symloss adapt digits --loss ace --set phi1=1.05 --out runs/adapted`
    - `symloss adapt wine --loss runs/noisy#1 --steps 200 --eta 1e-3,1e-2`
    - `symloss adapt mnist-5k --model lenet5 --seeds 5 --plot path.png`
    """
    options = {
        "model": model, "metric": metric, "label_noise": label_noise, "imbalance": imbalance, "outliers": outliers,
        "target_scale": target_scale,
    }  # fmt: skip
    columns = {
        "target": target, "group": group, "weight": weights, "encoding": encoding, "decimal": decimal,
    }  # fmt: skip
    tasks = Problem(() if name is None else (name,), data, columns, code, kind, options).load()
    begins = _loss(loss, tasks[0].kind, values)
    import symloss.compare as room
    from symloss.search.prepare import prepare

    placed = prepare(tasks, model or room.MODEL, None, "cpu", "serial")
    chosen: dict[str, Any] = {} if eta is None else {"etas": [_rate(text) for text in items_of("--eta", eta)]}

    def start(live: LiveStages) -> Adaptation:
        return room.adapt(
            placed[0], begins, steps=steps, seeds=seeds, initial_steps=initial_steps, meta_rows=meta_rows,
            keep_scale=keep_scale, seed=seed, model=model or room.MODEL, out=out, workers=workers,
            executor=place_of(executor, workers, ray_address, ray_gpus), device=device, on_progress=live.progress,
            **chosen,
        )  # fmt: skip

    finish(watched([placed[0].describe()], start, as_json, quiet), as_json, plot=plot)


def _loss(text: str, kind: str, values: Sequence[str] | None) -> str | Loss:
    if text in (NEURAL,) or "#" in text:
        if values:
            raise DomainError(f"--set says nothing to {text}: it goes with a formula or a zoo name")
        return text
    return read_loss(text, kind, values)


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DomainError(f"--eta {text}: expected rates, as 1e-4,1e-3") from None


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("adapt", cls=FormulaCommand)(adapt)
