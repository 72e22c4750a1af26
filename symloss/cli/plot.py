"""The verb that draws."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symloss.cli.arguments import KindOption, SetOption, is_run, read_loss, read_row
from symloss.cli.group import INTERRUPTED, FormulaCommand
from symloss.cli.look import Classes, Out, refuse
from symloss.cli.options import MODELS, items_of, option
from symloss.cli.output import say, show, write_figure
from symloss.errors import DomainError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.compare import Landscape
    from symloss.expr import Loss

__all__ = ["register"]


class What(StrEnum):
    """What to draw."""

    loss = "loss"
    gradient = "gradient"
    heat = "heat"
    tree = "tree"
    posterior = "posterior"
    certificates = "certificates"
    landscape = "landscape"
    front = "front"
    history = "history"
    lineage = "lineage"
    comparison = "comparison"
    convergence = "convergence"
    transfer = "transfer"
    path = "path"


class Directions(StrEnum):
    """Where a landscape is looked at."""

    random = "random"
    minima = "minima"
    path = "path"


_OF_RUN = {
    "Result": (What.front, What.history, What.lineage, What.certificates),
    "Comparison": (What.comparison, What.convergence),
    "Transfer": (What.transfer,),
    "Adaptation": (What.path,),
    "FewShot": (What.history,),
}
"""Pictures of each kind of run, the usual one first."""
_OF_LOSSES = (What.loss, What.gradient, What.certificates, What.landscape)
"""Pictures of several losses together."""
_LANDSCAPE = "The landscape"


def plot(
    subject: Annotated[
        str, typer.Argument(metavar="LOSS|RUN", help="A formula, zoo name or RUN#ROW; or a run folder.")
    ],
    what: Annotated[
        What | None, typer.Option(help="What to draw [default: loss; of a run its usual picture].")
    ] = None,
    others: Annotated[
        str | None,
        typer.Option(
            "--with",
            metavar="LOSS,...",
            help="More losses in the picture: with loss, gradient, certificates and landscape.",
            show_default=False,
        ),
    ] = None,
    out: Out = None,
    classes: Classes = None,
    kind: KindOption = None,
    values: SetOption = None,
    task: Annotated[str | None, option("Its task, a name.", _LANDSCAPE, "--task", metavar="TASK")] = None,
    model: Annotated[str | None, option(MODELS, _LANDSCAPE, "--model", metavar="NAME")] = None,
    label_noise: Annotated[
        float, option("Share of training and validation labels to corrupt.", _LANDSCAPE, metavar="R")
    ] = 0.0,
    directions: Annotated[
        Directions,
        option("Random; through two minima; or along the path of training [default: random].", _LANDSCAPE),
    ] = Directions.random,
    dimensions: Annotated[
        int, option("A plane (2) or a line (1) [default: 2].", _LANDSCAPE, metavar="N")
    ] = 2,
    grid: Annotated[int, option("Points along an axis [default: 51].", _LANDSCAPE, metavar="N")] = 51,
    span: Annotated[
        float,
        option("How far random directions go; 1 is as far as weights are large.", _LANDSCAPE, metavar="R"),
    ] = 1.0,
    steps: Annotated[
        int | None, option("Steps of each training [default: the task's].", _LANDSCAPE, metavar="N")
    ] = None,
    seed: Annotated[int, option("Of start, batches and directions.", _LANDSCAPE, metavar="S", least=0)] = 0,
) -> None:
    """Draw losses or a run as .png, .svg or .pdf.

    Of a loss: `loss` and `gradient` over the prediction (`--with` draws more beside it, attractors marked), `heat` (the
    gradient as a map), `posterior` (for two or three classes), `tree`, `certificates` (what is proved of which loss).
    Of a search: `front`, `history`, `lineage` (the ancestors of the pick, or of RUN#ROW), `certificates` of the front;
    of a comparison `comparison`, `convergence`; of a transfer `transfer`; of an adaptation `path`; of few-shot learning
    `history`. Other pictures of a search are those of its pick.

    `landscape` trains a model of `--task` with the loss, and one with the loss `--with` or else the ordinary one, and
    looks at both losses and the metric around them. Its values go to a `.npz` file beside the picture; where that holds
    a part, as after Ctrl-C, the rest is computed.

    Examples:

    - `symloss plot ace --what gradient --with ce,gce --classes 10`
    - `symloss plot runs/a --what history --out a.svg`
    - `symloss plot sce --what landscape --task digits --label-noise 0.4 --model mlp --directions minima`
    """
    whole = is_run(subject)
    of_task = {"--task": task, "--model": model, "--steps": steps}
    if whole:
        refuse({"--kind": kind, "--set": values}, subject)
    if what is not What.landscape:
        given = next((name for name, value in of_task.items() if value is not None), None)
        if given:
            raise DomainError(f"{given} is of a landscape: draw it with --what landscape")
    if what not in (*_OF_LOSSES, None) and others is not None:
        drawn = "run" if any(what in own for own in _OF_RUN.values()) else "loss"
        raise DomainError(f"{what} draws one {drawn}: leave --with out")
    if what is What.landscape:
        if task is None:
            raise DomainError("--what landscape trains a model: name its task with --task, as --task digits")
        around = {
            "directions": directions,
            "dimensions": dimensions,
            "grid": grid,
            "span": span,
            "seed": seed,
        }
        _landscape(subject, others, kind, values, (task, model, label_noise, steps), around, out)
        return
    if whole:
        figure, name = _of_run(subject, what, others, classes)
    else:
        figure, name = _of_losses(subject, what, others, classes, kind, values)
    write_figure(out or Path(f"{_slug(subject)}-{name}.png"), figure)


def _of_run(subject: str, what: What | None, others: str | None, classes: int | None) -> tuple[Figure, str]:
    """A picture of a run, or of the picked loss of a search."""
    import symloss.compare as compare
    import symloss.report as report
    from symloss.search import Result

    run: Any = compare.open_run(subject)
    own = _OF_RUN[type(run).__name__]
    chosen = what or own[0]
    if isinstance(run, Result) and (chosen not in own or others is not None):
        return _of_losses(
            f"{subject}#{run.picked.row}", chosen, others, classes or run.picked.classes, None, None
        )
    if chosen not in own:
        raise DomainError(f"--what {chosen}: {subject} has the pictures {', '.join(own)}")
    refuse({"--classes": classes}, subject)
    if chosen is What.certificates:
        rows = [row for row in run.front if not row.neural]
        return report.plot_certificates({f"{row.row}: {row.text}": row.certificate for row in rows}), chosen
    if chosen is What.convergence:
        return report.plot_convergence(run, run.rows[0].task if run.rows else ""), chosen
    draw: dict[What, Any] = {
        What.front: report.plot_front, What.lineage: report.plot_lineage,
        What.history: report.plot_history if isinstance(run, Result) else report.plot_few_shot,
        What.comparison: report.plot_comparison, What.transfer: report.plot_transfer, What.path: report.plot_adaptation,
    }  # fmt: skip
    return draw[chosen](run), chosen


def _of_losses(
    subject: str, what: What | None, others: str | None, classes: int | None, kind: str | None, values: Any
) -> tuple[Figure, str]:
    import symloss.report as report

    chosen = what or What.loss
    if chosen is What.lineage and "#" in subject:
        from symloss.search import open_row

        row, result = open_row(subject)
        return report.plot_lineage(result, row), chosen
    if any(chosen in own and chosen not in _OF_LOSSES for own in _OF_RUN.values()):
        raise DomainError(f"--what {chosen} draws a run, and {subject.strip()!r} is no run folder")
    first = read_loss(subject, kind, values)
    if "#" in subject and classes is None:
        classes = read_row(subject).classes
    losses = {subject.strip(): first}
    losses |= {text: read_loss(text, first.kind) for text in items_of("--with", others)}
    several: Loss | dict[str, Loss] = first if len(losses) == 1 else losses
    if chosen is What.certificates:
        from symloss.theory import analyze

        return report.plot_certificates(
            {name: analyze(loss, classes or 10) for name, loss in losses.items()}
        ), chosen
    if chosen is What.tree:
        return report.plot_tree(first), chosen
    if chosen is What.posterior:
        return report.plot_posterior(first, 2 if classes is None else classes), chosen
    if chosen is What.heat:
        return report.plot_heat(first, classes or 10), chosen
    draw = report.plot_loss if chosen is What.loss else report.plot_gradient
    return draw(several, 10 if classes is None else classes), chosen


def _landscape(
    subject: str,
    others: str | None,
    kind: str | None,
    values: Any,
    of_task: Any,
    around: dict[str, Any],
    out: Path | None,
) -> None:
    """Trains, looks around, prints how sharp it is there, and draws."""
    import symloss.compare as compare
    import symloss.report as report
    from symloss.cli.tables import watched
    from symloss.tasks import load_task
    from symloss.zoo import entry, names

    name, model, label_noise, steps = of_task
    task = load_task(name, model=model, label_noise=label_noise)
    if is_run(subject):
        from symloss.search import open_run

        subject = f"{subject}#{open_run(subject).picked.row}"
    first = read_loss(subject, kind or task.kind, values)
    ordinary = task.base_loss()
    losses = {subject.strip(): first}
    for text in items_of("--with", others):
        losses[text] = read_loss(text, task.kind)
    if others is None and first != ordinary:
        named = (entry(each, task.kind) for each in names(task.kind))
        losses[next((each.name for each in named if each.loss == ordinary), "ordinary loss")] = ordinary
    picture = out or Path(f"{_slug(subject)}-landscape.png")
    landscape: Landscape = watched(
        [task.describe()],
        lambda live: compare.landscape(
            task, list(losses.values()), names=list(losses), steps=steps, out=picture.with_suffix(".npz"),
            on_progress=live.progress, **around,
        ),
        as_json=False,
    )  # fmt: skip
    show(report.sharpness_table(landscape))
    for sentence in report.landscape_sentences(landscape):
        say(sentence)
    say(f"wrote {picture.with_suffix('.npz')}")
    write_figure(picture, report.plot_landscape(landscape))
    if landscape.done < 1:
        raise typer.Exit(INTERRUPTED)


def _slug(text: str) -> str:
    """A file name that reminds of what was typed."""
    words = re.sub(r"[^A-Za-z0-9.]+", "-", text.strip().rstrip("/").rpartition("/")[2]).strip("-.")
    return words[:40] or "loss"


def register(app: typer.Typer) -> None:
    """Add this verb to the command line."""
    app.command("plot", cls=FormulaCommand)(plot)
