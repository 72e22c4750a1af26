"""The steps after the last generation: rounder numbers, the final blocks, and an audit of the gate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from symloss.errors import SymlossError
from symloss.expr.short import shortened
from symloss.expr.trees import weighted_from
from symloss.runs import generator
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.evidence import KEPT_GAIN, contenders, non_dominated
from symloss.search.loop.field import Field, row_of
from symloss.search.loop.stages import Stages
from symloss.search.loop.tidy import tidied
from symloss.search.loop.training import Training
from symloss.search.record.finals import Finals, Own
from symloss.search.record.front import presented
from symloss.tasks import SupervisedTask

__all__ = [
    "audit",
    "finalists",
    "hold_finals",
    "snap",
    "tidied_candidates",
    "write_out",
    "written_candidates",
]

SLOWER = 3.0
"""By how much the rates of a loss are divided that diverges on a final block: a step of the grid."""
SNAP_BLOCKS = 3
"""Blocks on which rounder numbers are compared with the loss that they come from; they count for nothing else."""


def finalists(field: Field, most: int, always: Sequence[int] = ()) -> list[int]:
    """The losses that meet on the final blocks, by number.

    Those whose evidence overlaps the leader's, whatever their complexity, the front of the evidence, the best
    loss of the zoo, and `always`.
    """
    evidence = field.evidence
    alive = evidence.candidates
    front = non_dominated((evidence.mean(i), float(field.candidates[i].complexity), i) for i in alive)
    named = [i for i in alive if field.candidates[i].name]
    # In the finals whatever its evidence: a discovered loss is worth little unless it beats the best known one there.
    best = [min(named, key=lambda i: (evidence.mean(i), i))] if named else []
    wanted = {*contenders(evidence, most), *front, *best, *(i for i in always if i in alive)}
    return sorted(wanted)


def written_candidates(
    rows: Sequence[Candidate],
    start: int,
    generation: int,
    write: Callable[[Candidate], bool],
    refused: Callable[[Candidate], str],
) -> list[Candidate]:
    """For each loss whose plainest form shows long numbers, the loss with these rounded.

    What a reader copies is then what was trained on the final blocks. Numbered from `start`; each says in
    `parent` in whose place it stands, as close to it as the search's own rounding was to what had been tuned.

    Args:
        rows: the losses.
        start, generation: of the first.
        write: `write_out` for this search: whether it changed the candidate.
        refused: why a loss may not be shown, or `""`: rounding can break what was required.
    """
    candidates: list[Candidate] = []
    for row in rows:
        slot = len(candidates)
        one = Candidate(start + slot, generation, slot, row.program, row.weighted)
        one.formula, one.scale, one.parent = row.formula, row.scale, row.number
        one.remark = row.remark or f"candidate {row.number}, its plainest form written with few digits"
        if write(one) and not refused(one):
            one.stop("trained", "")
            candidates.append(one)
    return candidates


def write_out(candidate: Candidate, kind: str, digits: int, *, hard_labels: bool) -> bool:
    """Makes the numbers of the plainest form short; whether the formula changed.

    Those of a member of a theorem stay: rounded one by one, they are no longer those of one.
    """
    if not candidate.weighted.free:
        return False
    _, shown = presented(candidate.formula, kind, hard_labels)
    try:
        short = shortened(shown, digits, hard_labels=hard_labels)
        tree = weighted_from(short, candidate.program.registry)
    except SymlossError:
        return False  # no tree says the plainest form: the loss stays as the search wrote it
    # Nothing to shorten, or rounded to a number that cannot be trained in single precision.
    if str(short) == str(shown) or not (tree.finite and tree.moderate):
        return False
    candidate.program, candidate.weighted, candidate.formula = tree.program, tree, tree.formula
    return True


def tidied_candidates(rows: Sequence[Candidate], start: int, generation: int) -> list[Candidate]:
    """The versions of each loss that `tidied` offers, numbered from `start`."""
    candidates: list[Candidate] = []
    for row in rows:
        for said, version in tidied(row.weighted):
            slot = len(candidates)
            one = Candidate(start + slot, generation, slot, row.program, version)
            one.remark = f"candidate {row.number}, {said}"
            one.parent = row.number
            candidates.append(one)
    return candidates


def snap(
    stages: Stages, field: Field, rows: Sequence[Candidate], ordinary: Candidate | None
) -> tuple[dict[int, int], dict[int, str]]:
    """For each loss the version with rounder numbers that takes its place, and what that costs, in words.

    A version may cost a tenth of what the loss gains over the ordinary one, as a simpler loss may when one is
    picked; the simplest of those is taken. Compared on blocks that count for nothing else.

    Args:
        stages: to train.
        field: with the losses and, as `rows`, the versions that may be trained.
        rows: versions, ready to train; each says in `parent` which loss it comes from.
        ordinary: the ordinary loss.
    """
    parents = {row.parent: field.candidates[row.parent] for row in rows if row.parent is not None}
    if not rows:
        return {}, {}
    asked = [*parents.values(), *rows]
    if ordinary is not None and ordinary.number not in parents:
        asked.append(ordinary)
    # Under a purpose of their own, so these blocks are neither those of the generations nor the final ones.
    blocks: list[int | None] = list(range(SNAP_BLOCKS))
    trainings = [stages.training(candidate, block) for block in blocks for candidate in asked]
    scores: dict[int, dict[int, tuple[float | None, ...]]] = {}
    for training, values in zip(trainings, stages.trainer.values("snap", trainings), strict=True):
        scores.setdefault(training.candidate.number, {})[training.block or 0] = values
    means = {
        number: math.fsum(row_of(each, field.signs, field.noises).values()) / SNAP_BLOCKS
        for number, each in scores.items()
    }
    taken: dict[int, int] = {}
    cost: dict[int, str] = {}
    for number in parents:
        gain = means[ordinary.number] - means[number] if ordinary is not None else 0.0
        enough = means[number] + (1 - KEPT_GAIN) * max(gain, 0.0)
        # A simpler loss may cost a tenth of the gain, as in `pick`: no standard error, which would give away more the
        # noisier the task.
        good = [row for row in rows if row.parent == number and means[row.number] <= enough]
        if good:
            best = min(good, key=lambda row: (row.complexity, means[row.number], row.number))
            taken[number] = best.number
            before, after = parents[number].complexity, best.complexity
            cost[number] = (
                f"{before} symbols to {after}, {means[best.number] - means[number]:+.2g} in what is minimised"
            )
    return taken, cost


def hold_finals(
    stages: Stages, rows: Sequence[Candidate], own: Mapping[int, Own], ordinary: int | None
) -> Finals:
    """Each finalist at its own rates and steps, on every final block.

    The blocks are fixed beforehand, and no decision has seen them but one: a loss of which a training there diverges
    meets them all once more at a third of its rates. The few blocks that chose the rates do not show what fails once
    in twenty; a whole step down for every loss that is near it would cost the others more than it saves.
    """
    kept = dict(own)
    scores = _on_final_blocks(stages, rows, kept)
    broken = [row for row in rows if any(None in values for values in scores[row.number].values())]
    for row in broken:
        # Once only: a second divergence stands, and the row is out.
        kept[row.number] = _slower(stages, own[row.number])
    return Finals(scores | _on_final_blocks(stages, broken, kept), kept, ordinary)


def _on_final_blocks(
    stages: Stages, rows: Sequence[Candidate], own: Mapping[int, Own]
) -> dict[int, dict[int, tuple[float | None, ...]]]:
    trainings = [
        Training(row, block, own[row.number].rates, tuple((steps,) for steps in own[row.number].steps))
        # Every finalist on every block, in one order: paired differences need no fit.
        for block in range(stages.settings.blocks.final)
        for row in rows
    ]
    scores: dict[int, dict[int, tuple[float | None, ...]]] = {row.number: {} for row in rows}
    for training, values in zip(trainings, stages.trainer.values("final", trainings), strict=True):
        scores[training.candidate.number][training.block or 0] = values
    return scores


def _slower(stages: Stages, own: Own) -> Own:
    rates = tuple(
        rate / SLOWER if isinstance(task, SupervisedTask) else rate
        for rate, task in zip(own.rates, stages.tasks, strict=True)
    )
    return replace(own, rates=rates)


def audit(stages: Stages, field: Field) -> list[str]:
    """What the gate was worth, in words: from a sample of what it turned away."""
    away, size = stages.turned_away, stages.settings.screening.sample
    block = 0 if stages.settings.blocks.resample else -1
    seen = [
        c.scores[block] for c in field.candidates.values() if block in c.scores and c.outcome == "trained"
    ]
    fitnesses = sorted(row_of({0: values}, field.signs, field.noises)[0] for values in seen)
    if not (size and away and fitnesses):
        return []
    # Its own seed, so that the audit changes nothing of what the search proposes.
    order = sorted(generator(stages.seed, "audit").permutation(len(away))[:size])
    tried = stages.try_anyway([away[i] for i in order])
    best = [
        min(
            row_of(c.scores, field.signs, field.noises).get(block, math.inf)
            if c.outcome == "trained"
            else math.inf
            for c in ways
        )
        for ways in tried
    ]
    good = sum(fitness <= fitnesses[len(fitnesses) // 2] for fitness in best)
    return [
        f"gate: {len(away)} trees turned away untrained; as a check {len(order)} of them were trained, and {good} "
        f"({good / len(order):.0%}) would have been in the better half of the candidates, so were turned away wrongly"
    ]
