"""The verb that turns a network into formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from symloss.cli.arguments import Json, split_top_level
from symloss.cli.neural_source import Source, read_source
from symloss.cli.options import DATA, Code, LabelNoise, Model, option
from symloss.cli.output import print_json, say, show
from symloss.cli.problem import Problem
from symloss.errors import DomainError, TaskError

if TYPE_CHECKING:
    from symloss.tasks import Task

__all__ = ["register"]

_SEARCH = "The search"


def distill(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN[#ROW|@STEP]|FILE",
            help="A run of networks, a row of it, a step of one that adapts, or a file of weights.",
            show_default=False,
        ),
    ],
    on: Annotated[
        str | None,
        option("A task whose trainings are looked at [default: that of the run].", DATA, metavar="TASK"),
    ] = None,
    model: Model = None,
    label_noise: LabelNoise = 0.0,
    code: Code = None,
    classes: Annotated[
        int | None,
        option("Number of classes, where no task says it [default: 10].", DATA, metavar="C", least=1),
    ] = None,
    seed: Annotated[int, option("The same seed gives the same front.", _SEARCH, least=0)] = 0,
    population: Annotated[int, option("Formulas in a generation.", _SEARCH, metavar="N", least=2)] = 50,
    generations: Annotated[int, option("Generations.", _SEARCH, metavar="N", least=1)] = 20,
    max_complexity: Annotated[
        int, option("Symbols of a formula, at most.", _SEARCH, metavar="N", least=3)
    ] = 30,
    zoo: Annotated[bool, option("Whether losses with names compete.", _SEARCH, "--zoo/--no-zoo")] = True,
    seeds: Annotated[
        int,
        option(
            "Pairs of trainings that hold the formula against the network.", _SEARCH, metavar="N", least=0
        ),
    ] = 5,
    as_json: Json = False,
) -> None:
    """What does a neural loss say? Formulas whose gradients come nearest to its own, where training takes it.

    Evolution proposes them, and nothing is trained but a few models by which the network is watched, and the picked
    formula is held against it. R2 is the share of the network's gradient that a formula explains at instances to
    which it was not fitted. The scale is a learning rate, and stands beside the formula.

    Examples:

    - `symloss distill runs/digits-ml3-0`
    - `symloss distill runs/digits-ml3-0/neural.json --on wine --json`
    - `symloss distill runs/adapted@500 --max-complexity 15`
    """
    network = read_source(source)
    task, notes = _task_of(network, on, code, model, label_noise)
    import symloss.report as report
    from symloss.search import distill as run

    found = run(
        network.loss, task=task, classes=classes, seed=seed, population=population, generations=generations,
        max_complexity=max_complexity, zoo=zoo, seeds=seeds,
    )  # fmt: skip
    if as_json:
        print_json({"source": source, **found.to_dict(), "notes": [*notes, *found.notes]})
        return
    show(report.distillation_table(found))
    for sentence in report.distillation_sentences(found):
        say(sentence)
    for note in (*notes, *found.notes):
        say(f"note: {note}")


def _task_of(
    network: Source, on: str | None, code: str | None, model: str | None, label_noise: float
) -> tuple[Task | None, list[str]]:
    """The task that was named, else that of the run, else none, and why."""
    if on is None and code is None:
        if model or label_noise:
            raise DomainError("--model and --label-noise are about the task of --on, which is missing")
        try:
            return network.task(), []
        except TaskError as error:
            return None, [f"the trainings of its run cannot be looked at ({error}): name a task with --on"]
    options = {"model": model, "label_noise": label_noise}
    tasks = Problem(tuple(split_top_level(on or "")), None, {}, code, None, options).load()
    if len(tasks) != 1:
        raise DomainError(f"--on {on}: expected one task")
    return tasks[0], []


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("distill")(distill)
