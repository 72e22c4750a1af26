"""The report of few-shot learning."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from symloss.report.few_shot_report import few_shot_sentences, few_shot_table, plot_few_shot
from symloss.report.page.common import Made, citation_section, notes_section, reproduce_section, task_facts
from symloss.report.page.document import Block, Document, Facts, Picture, Section, Table, Words, table_of
from symloss.report.page.references import METHOD_KEYS
from symloss.text import number

if TYPE_CHECKING:
    from symloss.compare import FewShot

__all__ = ["few_shot_document"]


def few_shot_document(found: FewShot, made: Made) -> Document:
    """How well tasks of unseen classes are learned."""
    settings = found.settings
    said = few_shot_sentences(found) if found.seeds else ["No training is finished yet."]
    facts = [
        *task_facts(found.task),
        ("method", settings.method),
        ("meta-learned", ", ".join(settings.parts) or "nothing"),
        ("encoder", f"{settings.design.encoder}, the last {settings.design.adapted} blocks adapt"),
        ("queries seen before they are judged", "yes" if settings.setting == "transductive" else "no"),
        ("status", found.status),
    ]
    seeds = ", ".join(str(found.seed + i) for i in range(max(1, len(found.seeds))))
    outer = settings.outer
    cost = f"{outer.steps} meta-steps of {outer.batch} tasks after {settings.pretraining.steps} steps of pretraining"
    return Document(
        f"{settings.shape} learning of {found.task.get('name', 'a task')}",
        " ".join(said),
        (
            Section("What was done", (Facts(tuple(facts)),)),
            Section("How well are new tasks learned?", (*map(Words, said), *_table(found))),
            Section("Meta-training and adaptation", _course(found)),
            notes_section(found.notes),
            reproduce_section(made, f"of weights, batches and training episodes {seeds}", cost),
            citation_section(METHOD_KEYS[settings.method]),
        ),
    )


def _table(found: FewShot) -> tuple[Table, ...]:
    caption = "The test tasks, the same for every learner and seed; intervals are over tasks, of all seeds over seeds."
    return (table_of(few_shot_table(found), caption),) if found.seeds else ()


def _course(found: FewShot) -> tuple[Block, ...]:
    if not found.history:
        return ()
    (_, first), (step, last) = found.history[0], found.history[-1]
    told = f"Validation {found.metric} {number(first)} before meta-training, {number(last)} after {step} meta-steps."
    return (
        Picture(
            "fewshot",
            "Validation by meta-step, test tasks by inner step",
            told,
            partial(plot_few_shot, found),
        ),
    )
