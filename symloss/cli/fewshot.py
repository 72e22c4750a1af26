"""The verb that meta-trains a few-shot learner."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import Json, SetOption, read_loss
from symloss.cli.group import FormulaCommand
from symloss.cli.options import HOW, WHERE, Device, DeviceOption, Quiet, free_folder, items_of, option
from symloss.cli.tables import finish, watched
from symloss.errors import DomainError, TaskError

if TYPE_CHECKING:
    from symloss.compare import FewShot
    from symloss.expr import Loss
    from symloss.report import LiveStages

__all__ = ["register"]

_TASKS, _LEARNER, _INNER, _TRAINING = "The tasks", "The learner", "The inner loop", "Meta-training"
_DEMO = {"queries": 5, "steps": 600, "meta_batch": 4, "every": 50, "validation_tasks": 100, "test_tasks": 200}
"""Some minutes on two cores."""


class Method(StrEnum):
    """Who learns."""

    maml = "maml"
    npbml = "npbml"
    centroid = "centroid"


class Head(StrEnum):
    """Whether the classes share the start of their vectors."""

    shared = "shared"
    separate = "separate"


class Statistics(StrEnum):
    """What normalisation looks at."""

    transductive = "transductive"
    support = "support"
    instance = "instance"


class Rates(StrEnum):
    """What has a learned rate of its own."""

    tensor = "tensor"
    one = "one"


class Warp(StrEnum):
    """Where the preconditioner stands."""

    every = "every"
    last = "last"


class Scores(StrEnum):
    """Who tells the transductive term of the queries' classes."""

    prototypes = "prototypes"
    relation = "relation"


class FilmOn(StrEnum):
    """What modulates."""

    activations = "activations"
    support = "support"


def fewshot(
    name: Annotated[str, typer.Argument(metavar="TASK", help="sinusoid, glyphs, omniglot, cifar-fs, ...")],
    method: Annotated[
        Method | None, option("maml, npbml or centroid [default: npbml; in a demo maml].", _LEARNER)
    ] = None,
    ways: Annotated[int, option("Classes of a task.", _TASKS, metavar="N")] = 5,
    shots: Annotated[int, option("Instances of each to learn from.", _TASKS, metavar="K")] = 1,
    queries: Annotated[
        int | None, option("Instances of each to be judged on [default: 15].", _TASKS, metavar="Q")
    ] = None,
    classes: Annotated[
        int | None, option("Use so many training classes only [default: all].", _TASKS, metavar="N")
    ] = None,
    data: Annotated[
        Path | None, option("Folder of the data files [default: $SYMLOSS_DATA].", _TASKS, metavar="FOLDER")
    ] = None,
    image_size: Annotated[int | None, option("Height and width of the images.", _TASKS, metavar="N")] = None,
    parts: Annotated[
        str | None,
        option("What is learned: init,rate,optimiser,loss,regulariser,film.", _LEARNER, metavar="PART,..."),
    ] = None,
    encoder: Annotated[
        str | None,
        option(
            "mlp-2x40, 4conv-64, 4conv-64-stride or resnet12-64, with your numbers.", _LEARNER, metavar="NAME"
        ),
    ] = None,
    adapted: Annotated[int | None, option("Blocks that adapt, the last ones.", _LEARNER, metavar="N")] = None,
    head: Annotated[Head | None, option("shared: the order of classes means nothing.", _LEARNER)] = None,
    statistics: Annotated[
        Statistics | None, option("Of normalisation; support or instance for inductive.", _LEARNER)
    ] = None,
    rates: Annotated[
        Rates | None, option("The part rate learns one for each tensor, or one.", _LEARNER)
    ] = None,
    warp: Annotated[Warp | None, option("The part optimiser: after every adapted block.", _LEARNER)] = None,
    terms: Annotated[
        str | None, option("The part loss: inductive,transductive or one.", _LEARNER, metavar="TERM,...")
    ] = None,
    scores: Annotated[Scores | None, option("What the transductive term goes by.", _LEARNER)] = None,
    film_on: Annotated[FilmOn | None, option("The part film: what modulates.", _LEARNER)] = None,
    loss: Annotated[
        str | None,
        option("The part loss learns the coefficients of this formula instead.", _LEARNER, metavar="LOSS"),
    ] = None,
    values: SetOption = None,
    inner_rate: Annotated[float | None, option("Learning rate of a task.", _INNER, metavar="A")] = None,
    inner_steps: Annotated[int | None, option("Steps of a task in training.", _INNER, metavar="N")] = None,
    test_steps: Annotated[int | None, option("Steps of a task in tests.", _INNER, metavar="N")] = None,
    first_order: Annotated[
        bool, option("Take inner gradients as constants: cheaper.", _INNER, "--first-order")
    ] = False,
    checkpointed: Annotated[
        bool, option("Save memory: work inner steps out again.", _INNER, "--checkpointed")
    ] = False,
    steps: Annotated[int | None, option("Meta-steps [default: 1000].", _TRAINING, metavar="N")] = None,
    pretrain_steps: Annotated[
        int | None,
        option("Steps as a classifier before [default: maml 0, else 1000].", _TRAINING, metavar="N"),
    ] = None,
    meta_batch: Annotated[int | None, option("Tasks of a meta-step.", _TRAINING, metavar="N")] = None,
    meta_rate: Annotated[
        float | None, option("Adam's rate [default: 0.001].", _TRAINING, metavar="A")
    ] = None,
    every: Annotated[int | None, option("Meta-steps between validations.", _TRAINING, metavar="N")] = None,
    validation_tasks: Annotated[int | None, option("Tasks of a validation.", _TRAINING, metavar="N")] = None,
    test_tasks: Annotated[
        int | None, option("Tasks of the test [default: 600].", _TRAINING, metavar="N")
    ] = None,
    train_tasks: Annotated[
        int | None, option("Test on tasks of training classes too, for the gap.", _TRAINING, metavar="N")
    ] = None,
    seeds: Annotated[int, option("Trainings, for an interval over seeds.", _TRAINING, metavar="N")] = 1,
    seed: Annotated[int, option("The first of them.", _TRAINING, metavar="S", least=0)] = 0,
    demo: Annotated[
        bool, option("A training of some minutes; of glyphs where the data are absent.", HOW, "--demo")
    ] = False,
    out: Annotated[
        Path | None, option("Folder that keeps the run, for resume.", WHERE, metavar="RUN")
    ] = None,
    plot: Annotated[
        Path | None, option("Draw the course as .png, .svg or .pdf.", WHERE, metavar="FILE")
    ] = None,
    device: DeviceOption = Device.auto,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Learn to learn from a few instances, and test it on tasks of classes that were never seen.

    `maml` meta-learns the initialisation; `npbml` also the preconditioner (warp layers), the loss, a regulariser and
    their modulation; `--parts` switches each. `centroid` is the control: nearest class means, nothing adapts.

    Examples:

    - `symloss fewshot omniglot --demo`
    - `symloss fewshot sinusoid --shots 10 --steps 1000 --method maml`
    - `symloss fewshot cifar-fs --shots 5 --parts init,rate --seeds 3 --out runs/rate-only`
    - `symloss fewshot glyphs --parts init,loss,film --loss ace --set phi1=1.1`
    """
    chosen: dict[str, Any] = {
        "queries": queries, "steps": steps, "pretrain_steps": pretrain_steps, "encoder": encoder, "adapted": adapted,
        "head": head, "statistics": statistics, "rates": rates, "warp": warp, "scores": scores, "film_on": film_on,
        "terms": None if terms is None else items_of("--terms", terms), "inner_rate": inner_rate,
        "inner_steps": inner_steps, "test_steps": test_steps, "first_order": first_order or None,
        "checkpointed": checkpointed or None, "meta_batch": meta_batch, "meta_rate": meta_rate, "every": every,
        "validation_tasks": validation_tasks, "test_tasks": test_tasks, "train_tasks": train_tasks,
    }  # fmt: skip
    options = {option: value for option, value in chosen.items() if value is not None}
    if demo:
        options = {**_DEMO, **options}
    which = method or (Method.maml if demo else Method.npbml)
    import symloss.compare as room

    source, described = _open(name, data, image_size, demo)
    kind = str(described["kind"])

    def start(live: LiveStages) -> FewShot:
        return room.fewshot(
            source, which.value, ways=ways, shots=shots, parts=None if parts is None else items_of("--parts", parts),
            loss=None if loss is None else _loss(loss, kind, values), seeds=seeds, seed=seed, classes=classes,
            data=data, image_size=image_size, out=out or (_folder(source, which) if demo else None), device=device,
            on_progress=live.progress, **options,
        )  # fmt: skip

    finish(watched([described], start, as_json, quiet), as_json, plot=plot)


def _open(name: str, data: Path | None, image_size: int | None, demo: bool) -> tuple[str, dict[str, Any]]:
    """The name of the task and what it is; a demo takes glyphs where data are absent."""
    from symloss.tasks.episodes import episode_names, load_episodes

    try:
        return name, load_episodes(name, data, image_size=image_size).describe()
    except TaskError as error:
        if not demo or name not in episode_names():
            raise
        described = load_episodes("glyphs", image_size=image_size).describe()
        return "glyphs", {**described, "notes": [f"glyphs in place of {name}: {error}", *described["notes"]]}


def _folder(source: str, method: Method) -> Path:
    return free_folder([source, method.value, "demo"])


def _loss(text: str, kind: str, values: list[str] | None) -> str | Loss:
    if "#" in text:
        if values:
            raise DomainError(f"--set says nothing to {text}: it goes with a formula or a zoo name")
        return text
    return read_loss(text, kind, values)


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("fewshot", cls=FormulaCommand)(fewshot)
