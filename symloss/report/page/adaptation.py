"""The report of a loss that adapted while models trained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from symloss.report.adaptation_report import (
    adaptation_sentences,
    adaptation_table,
    path_table,
    plot_adaptation,
)
from symloss.report.live import duration
from symloss.report.page.common import (
    Made,
    citation_section,
    notes_section,
    parsed,
    reproduce_section,
    task_facts,
)
from symloss.report.page.document import Block, Document, Facts, Picture, Section, Table, Words, table_of
from symloss.report.page.references import METHOD_KEYS
from symloss.text import number

if TYPE_CHECKING:
    from symloss.compare import Adaptation

__all__ = ["adaptation_document"]


def adaptation_document(found: Adaptation, made: Made) -> Document:
    """Whether it pays that a loss adapts, and what the loss became."""
    said = adaptation_sentences(found)
    facts = [
        *task_facts(found.task),
        ("loss", found.loss),
        ("replicates", str(found.seeds)),
        ("status", found.status),
    ]
    keys = [*METHOD_KEYS["adapt"], "nadeau2003", "holm1979"]
    seconds = sum(row.seconds * len(row.scores) for row in found.rows)
    cost = f"{duration(seconds)} of one core in the trainings that are reported"
    return Document(
        f"A loss that adapts on {found.task.get('name', 'a task')}",
        " ".join(said),
        (
            Section("What was done", (Facts(tuple(facts)),)),
            Section("Does it pay?", (*map(Words, said), *_table(found))),
            Section("What the loss became", _path(found)),
            notes_section(found.notes),
            reproduce_section(made, f"of splits, starts and batches {found.seed}", cost),
            citation_section(keys),
        ),
    )


def _table(found: Adaptation) -> tuple[Table, ...]:
    caption = "Ways to train, each against the adapting loss; the rows that claims rest on stand out."
    return (table_of(adaptation_table(found), caption),) if found.rows else ()


def _path(found: Adaptation) -> tuple[Block, ...]:
    if not found.trajectory:
        return ()
    first, last = found.trajectory[0], found.trajectory[-1]
    told = (
        f"The adapting loss by training step: validation {found.metric} {number(first.validation)} at the start, "
        f"{number(last.validation)} after {last.step} steps."
    )
    picture = Picture("path", "The path of the loss, step by step", told, partial(plot_adaptation, found))
    kind = str(found.task.get("kind", "classification"))
    losses = [None if step.formula is None else parsed(step.formula, kind) for step in found.trajectory]
    return picture, table_of(path_table(found), "The path of the first replicate.", losses)
