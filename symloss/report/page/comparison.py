"""The reports of comparisons and transfers: their tables, what these say, and their pictures."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from symloss.report.comparison_figures import (
    plot_comparison,
    plot_convergence,
    plot_ranking,
    plot_sample_efficiency,
)
from symloss.report.comparison_table import comparison_sentences, comparison_table
from symloss.report.live import duration
from symloss.report.page.common import Made, citation_section, notes_section, reproduce_section, task_facts
from symloss.report.page.document import Block, Document, Facts, Items, Picture, Section, table_of
from symloss.report.page.references import METHOD_KEYS, keys_of_names
from symloss.report.transfer_report import plot_transfer, transfer_sentences, transfer_table

if TYPE_CHECKING:
    from symloss.compare import Comparison, Row, Transfer

__all__ = ["comparison_document", "transfer_document"]


def comparison_document(found: Comparison, made: Made) -> Document:
    """Whether losses are better than the ordinary one, and what explains it."""
    said = comparison_sentences(found) if found.rows else []
    pictures: list[Block] = []
    if any(row.difference is not None for row in found.rows):
        pictures.append(
            Picture(
                "comparison", "Differences from the ordinary loss, with 95 % intervals", " ".join(said),
                partial(plot_comparison, found),
            )
        )  # fmt: skip
    if len({row.fraction for row in found.rows}) > 1:
        told = f"Test {found.metric} of each loss against the share of the rows."
        draw = partial(plot_sample_efficiency, found)
        pictures.append(Picture("sample-efficiency", "How much data each loss needs", told, draw))
    for i, task in enumerate(dict.fromkeys(row.task for row in found.rows if row.curve)):
        told = f"Validation {found.metric} of each loss by training step on {task}."
        draw = partial(plot_convergence, found, task)
        pictures.append(Picture(f"convergence-{i}", f"How fast each loss gets there on {task}", told, draw))
    for i, (treatment, ranking) in enumerate(found.rankings.items()):
        ranks = zip(ranking.names, ranking.ranks, strict=True)
        told = "Mean ranks: " + ", ".join(f"{name} {rank:.2f}" for name, rank in ranks) + "."
        title = f"Mean ranks over the data sets, {treatment}"
        pictures.append(Picture(f"ranks-{i}", title, told, partial(plot_ranking, ranking)))
    caption = (
        "One row a loss and treatment; the rows of the hypothesis stand out, every other is exploratory."
    )
    table = (table_of(comparison_table(found), caption),) if found.rows else ()
    keys = ["nadeau2003", "holm1979"]
    keys += ["kaplan1958"] if any(row.reached for row in found.rows) else []
    keys += ["demsar2006"] if found.rankings else []
    keys += ["wilcoxon1945"] if found.wilcoxon else []
    title = f"Losses compared on {found.task.get('name', 'a task')}"
    return _document(title, _lead(found), found, made, said, (*table, *pictures), keys)


def transfer_document(found: Transfer, made: Made) -> Document:
    """Whether losses hold on other tasks, models and noise."""
    said = transfer_sentences(found) if found.rows else []
    blocks: tuple[Block, ...] = ()
    if found.rows:
        caption = "One row a loss and cell, the ordinary loss of the cell first."
        told = " ".join(said)
        title = "Differences from the ordinary loss of each cell"
        blocks = (
            table_of(transfer_table(found), caption),
            Picture("transfer", title, told, partial(plot_transfer, found)),
        )
    title = f"Losses on other tasks: {found.task.get('name', 'tasks')}"
    lead = " ".join(said[: len(found.losses)]) or "No cell is finished yet."
    return _document(title, lead, found, made, said, blocks, ["nadeau2003", "holm1979"])


def _lead(found: Comparison) -> str:
    """The verdicts of the hypothesis, in a line."""
    if not found.verdicts:
        return "No verdict yet: too few splits are finished, or nothing is tuned and compared."
    said = "; ".join(f"{name} {verdict}" for name, verdict in found.verdicts.items())
    return f"Against the ordinary loss, tuned alike: {said}."


def _document(
    title: str, lead: str, found: Any, made: Made, said: list[str], blocks: tuple[Block, ...], keys: list[str]
) -> Document:
    facts = [
        *task_facts(found.task),
        ("splits", f"{found.splits}, each with {found.seeds} trainings of every loss averaged"),
        ("status", found.status),
    ]
    if found.detectable:
        facts.append(
            ("power", f"differences of {found.detectable:.2g} {found.metric} are told with 80 % power")
        )
    kind = str(found.task.get("kind", "classification"))
    searched = [key for name in {row.name for row in found.rows} for key in METHOD_KEYS.get(name, ())]
    names = keys_of_names([row.name for row in found.rows], kind)
    return Document(
        title,
        lead,
        (
            Section("What was done", (Facts(tuple(facts)),)),
            Section("What was found", (Items(tuple(said)), *blocks) if said else blocks),
            notes_section(found.notes),
            reproduce_section(made, f"of splits, blocks and starts {found.seed}", _cost(found.every)),
            citation_section([*keys, *searched, *names]),
        ),
    )


def _cost(rows: Iterable[Row]) -> str:
    costs = [row.cost for row in rows]
    # What tuning and searching took is told in each row of a loss: once a loss and task.
    known = {(row.name, row.task, row.fraction): row.cost for row in rows if row.cost.selection_seconds}
    parts = [
        f"{duration(sum(cost.seconds for cost in costs))} of one core in the trainings that are reported"
    ]
    tuning = sum(cost.selection_seconds for cost in known.values())
    if tuning:
        parts.append(f"{duration(tuning)} in tuning")
    # One search found a loss, however many rows it has.
    searching = sum({row.name: row.cost.search_seconds for row in rows}.values())
    if searching:
        parts.append(f"{duration(searching)} in searching for the losses")
    return ", ".join(parts)
