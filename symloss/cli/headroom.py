"""The verb that asks whether a task can tell losses apart."""

from __future__ import annotations

from typing import Annotated

import typer

from symloss.cli.arguments import Json, split_top_level
from symloss.cli.group import FormulaCommand
from symloss.cli.options import (
    DATA,
    SEARCH,
    Device,
    DeviceOption,
    Executor,
    ExecutorOption,
    Imbalance,
    LabelNoise,
    Model,
    Outliers,
    Quiet,
    SplitSeed,
    Workers,
    option,
    place_of,
)  # fmt: skip
from symloss.cli.output import print_json, progress_console, say, show
from symloss.cli.problem import Problem

__all__ = ["register"]


def headroom(
    names: Annotated[
        str,
        typer.Argument(metavar="TASK[,TASK...]", help="Tasks with names.", show_default=False),
    ],
    seed: Annotated[int, option("Of the blocks and the random losses.", SEARCH, least=0)] = 0,
    model: Model = None,
    metric: Annotated[str | None, option("What to measure on validation data.", DATA, metavar="NAME")] = None,
    split_seed: SplitSeed = 0,
    label_noise: LabelNoise = 0.0,
    imbalance: Imbalance = None,
    outliers: Outliers = 0.0,
    workers: Workers = 1,
    executor: ExecutorOption = Executor.serial,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Can a task tell losses apart? Train the zoo and a few random losses over a few blocks, and say.

    A search of the same task and seed begins with the same trainings.

    Examples:

    - `symloss headroom digits --label-noise 0.4`
    - `symloss headroom diabetes --json`
    """
    from symloss.report import LiveFront, headroom_table
    from symloss.search import Headroom
    from symloss.search import headroom as measure

    options = {
        "model": model, "metric": metric, "label_noise": label_noise, "imbalance": imbalance,
        "outliers": outliers, "seed": split_seed,
    }  # fmt: skip
    tasks = Problem(tuple(split_top_level(names)), None, {}, None, None, options).load()
    watched = progress_console(as_json, quiet)
    with LiveFront(watched, tasks[0].metric) as live:
        measured = measure(
            tasks, seed=seed, workers=workers, executor=place_of(executor, workers, None, 0.0), device=device,
            on_progress=live.progress,
        )  # fmt: skip
    rows = (measured,) if isinstance(measured, Headroom) else measured
    if as_json:
        facts = [each.to_dict() for each in rows]
        print_json(facts[0] if len(facts) == 1 else facts)
        return
    for each in rows:
        show(headroom_table(each))
        for remark in each.said:
            say(f"note: {remark}")
        say(f"{each.task}: {each.sentence()}")


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("headroom", cls=FormulaCommand)(headroom)
