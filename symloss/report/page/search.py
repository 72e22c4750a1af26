"""The report of a search."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from symloss.errors import SymlossError
from symloss.expr import KINDS, Loss
from symloss.report.certificate_figure import plot_certificates
from symloss.report.heat_figure import plot_heat
from symloss.report.lineage_figure import plot_lineage
from symloss.report.loss_figures import plot_gradient, plot_loss
from symloss.report.page.common import (
    Made,
    certificate_blocks,
    citation_section,
    notes_section,
    parsed,
    reproduce_section,
    seconds_of,
    task_facts,
)
from symloss.report.page.document import Block, Document, Facts, Picture, Row, Section, Words, table_of
from symloss.report.page.references import METHOD_KEYS, keys_of_names
from symloss.report.posterior_figure import plot_posterior
from symloss.report.run_figures import plot_front, plot_history
from symloss.report.shares import row_within
from symloss.report.summary import baseline_note, front_note, outcomes, verdict
from symloss.report.tables import baseline_table, front_table, headroom_table, number
from symloss.report.tree_figure import plot_tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.search import FrontRow, Result

__all__ = ["search_document"]

_FEW = 4
"""Losses in one picture, of several tasks each with baselines of its own."""


def search_document(result: Result, made: Made) -> Document:
    """What was searched, what came out, and what is proved of it."""
    picked = next((row for row in result.front if row.picked), None)
    return Document(
        f"A loss for {result.task.get('name', 'a task')}",
        _lead(result, picked),
        (
            _done(result),
            _told(result),
            _front(result),
            _pick(result, picked),
            _baselines(result),
            _shape(result, picked),
            _history(result),
            notes_section(result.notes),
            reproduce_section(made, _seeds(result), _cost(result)),
            citation_section(_references(result)),
        ),
    )


def _kind(result: Result) -> str:
    return str(result.task.get("kind") or (result.front[0].kind if result.front else "classification"))


def _metric(result: Result) -> str:
    return str(result.task.get("metric", "metric"))


def _lead(result: Result, picked: FrontRow | None) -> str:
    if picked is None:
        return "No candidate was trained to the end."
    what = f"a network of {picked.complexity:,} weights" if picked.neural else picked.text
    named = f", which is {picked.name}" if picked.name else ""
    compared = f" {verdict(result)}" if result.baselines else ""
    return f"The search settled on {what}{named}.{compared}"


def _done(result: Result) -> Section:
    facts = [
        *task_facts(result.task),
        ("method", f"{result.method}, seed {result.seed}"),
        ("status", result.status),
        ("candidates", outcomes(result)),
    ]
    return Section("What was done", (Facts(tuple(facts)),))


def _told(result: Result) -> Section:
    """What differences the task can tell, from losses that are known."""
    blocks: list[Block] = []
    for each in result.headroom:
        losses = [parsed(row.formula, _kind(result)) for row in each.rows]
        caption = (
            f"Losses with names and random ones on {each.task}, the best first: means over the first blocks."
        )
        table = table_of(
            headroom_table(each), caption, losses, folded=f"The {len(losses)} losses that say so"
        )
        blocks += [Words(f"{each.task}: {each.sentence()}."), table]
    return Section("What can be told apart here", tuple(blocks))


def _front(result: Result) -> Section:
    if not result.front:
        return Section("The front", ())
    metric = _metric(result)
    first, last = (row_within(row, metric) for row in (result.front[0], result.front[-1]))
    losses = [None if row.neural else row.shown for row in result.front]
    caption = "Losses that no other beats in both validation metric and complexity; the pick stands out."
    rows = ", ".join(f"row {row.row}{' (picked)' if row.picked else ''}" for row in result.front)
    said = (
        f"Validation {metric} against complexity: {rows}, from {number(first.validation)} at complexity "
        f"{first.complexity} to {number(last.validation)} at {last.complexity}."
    )
    picture = Picture(
        "front", "What each loss costs in complexity and gains", said, partial(plot_front, result)
    )
    table = table_of(front_table(result.front, metric), caption, losses, head=1)
    named = [_named(row, each) for row, each in zip(result.front, table.rows, strict=True)]
    note = " ".join(filter(None, (front_note(result), table.note)))
    return Section("The front", (replace(table, rows=tuple(named), note=note), picture))


def _named(row: FrontRow, shown: Row) -> Row:
    """The pick in a word rather than a mark, and the name of a loss behind its formula."""
    mark, *cells, last = shown.cells
    mark = replace(mark, text="picked" if row.picked else "")
    return replace(shown, cells=(mark, *cells, replace(last, note=row.name)))


def _pick(result: Result, picked: FrontRow | None) -> Section:
    title = "The pick"
    if picked is None:
        return Section(title, ())
    if picked.neural:
        said = f"A network of {picked.complexity:,} weights. It has no formula: symloss distill finds one near it."
        return Section(title, (Words(said),))
    try:
        certificate = picked.certificate
    except SymlossError as error:  # of a kind that theory does not take
        return Section(
            title, (*certificate_blocks(picked.shown, None), Words(f"Nothing is proved of it: {error}."))
        )
    return Section(title, (*certificate_blocks(picked.shown, certificate), _matrix(result)))


def _matrix(result: Result) -> Picture:
    """What is proved of which row of the front."""

    def draw() -> Figure:
        rows = [row for row in result.front if not row.neural]
        return plot_certificates({f"{row.row}: {row.text}": row.certificate for row in rows})

    said = "A row for each loss of the front, a column for each finding: proved, refuted or open."
    return Picture("certificates", "What is proved of the losses of the front", said, draw)


def _baselines(result: Result) -> Section:
    if not result.baselines:
        return Section("Against the ordinary loss", ())
    several = "tasks" in result.task
    caption = (
        "The pick beside what it has to beat, all trained alike; test data were touched once, for this table."
    )
    losses = [row.loss for row in result.baselines]
    table = table_of(
        baseline_table(result.baselines, "metric" if several else _metric(result)), caption, losses
    )
    table = replace(table, note=baseline_note(result))
    return Section("Against the ordinary loss", (Words(verdict(result), strong=True), table))


def _shape(result: Result, picked: FrontRow | None) -> Section:
    """Pictures of the picked loss."""
    title = "What the pick looks like"
    if picked is None or picked.neural:
        return Section(title, ())
    loss, classes = picked.loss, int(result.task.get("classes") or picked.classes or 10)
    text = str(loss)
    beside = _beside(result, loss)
    others = f", beside {', '.join(list(beside)[1:])}" if len(beside) > 1 else ""
    pictures = [
        Picture(
            "loss", f"The loss of one entry{others}", f"The value of {text} over the prediction{others}.",
            partial(plot_loss, beside, classes),
        ),
        Picture(
            "gradient", f"How the loss pulls on a logit{others}",
            f"The gradient of {text}{others}, with the points at which descent comes to rest.",
            partial(plot_gradient, beside, classes),
        ),
        Picture("tree", "The formula as a tree", f"The tree of {text}.", partial(plot_tree, picked.shown)),
    ]  # fmt: skip
    if KINDS[loss.kind].exclusive:
        # A posterior of more than three classes has no picture in the plane.
        shown = classes if classes in (2, 3) else 2
        pictures.append(
            Picture(
                "posterior", f"Which probabilities the loss rewards, with {shown} classes",
                f"The prediction of least expected loss under {text}, by the true class probabilities.",
                partial(plot_posterior, loss, shown),
            )
        )  # fmt: skip
    pictures.append(
        Picture(
            "heat", "The pull at all probabilities", f"The gradient of {text} as a map: zero on the black line.",
            partial(plot_heat, loss, classes),
        )
    )  # fmt: skip
    return Section(title, tuple(pictures))


def _beside(result: Result, picked: Loss) -> dict[str, Loss]:
    """The pick, and the ordinary loss and the best of the zoo where they are others."""
    losses = {"pick": picked}
    for row in result.baselines:
        name = row.name.rpartition(": ")[2].replace(" as is", "").replace(" tuned", "")
        if row.loss is not None and row.role != "discovered" and row.loss not in losses.values():
            losses[name] = row.loss
    return losses if len(losses) < _FEW else {"pick": picked}


def _history(result: Result) -> Section:
    if not result.evaluations:
        return Section("How the search went", ())
    said = f"Best and median validation {_metric(result)} by generation, and {outcomes(result)}."
    history = Picture(
        "history",
        "The search, generation by generation, on its own blocks",
        said,
        partial(plot_history, result),
    )
    told = "The ancestors of the pick by generation, each with its formula."
    lineage = Picture("lineage", "Where the pick comes from", told, partial(plot_lineage, result))
    return Section("How the search went", (history, lineage))


def _seeds(result: Result) -> str:
    splits = {each.get("split_seed") for each in result.task.get("tasks", [result.task])} - {None}
    told = f"run {result.seed}"
    return f"{told}; split {', '.join(map(str, sorted(splits)))}" if splits else told


def _cost(result: Result) -> str:
    trained = sum(entry.outcome == "trained" for entry in result.evaluations)
    spent = seconds_of(entry.seconds for entry in result.evaluations)
    return f"{trained} of {len(result.evaluations)} candidates trained: {spent} of one core in tuning and training them"


def _references(result: Result) -> list[str]:
    keys = list(METHOD_KEYS.get(result.method, ()))
    breeds = result.method in ("evomal", "gplfl")
    if breeds and result.settings.get("objectives") == 2:
        keys.append("deb2002")
    names = [row.name for row in result.front if row.name] + [row.name for row in result.baselines]
    return [*keys, *keys_of_names(names, _kind(result))]
