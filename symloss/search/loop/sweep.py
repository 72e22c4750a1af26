"""The sweep before the first generation: the zoo and a few random losses, trained to see what the task can tell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from symloss.errors import SymlossError
from symloss.expr import KINDS, Loss
from symloss.expr.trees import Weighted, weighted_from
from symloss.runs import derive
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.evidence import Evidence
from symloss.search.loop.field import row_of
from symloss.search.loop.headroom import Headroom, HeadroomRow, headroom_of
from symloss.search.loop.stages import Stages
from symloss.search.propose.breeding import rates_of
from symloss.search.propose.gp import initial_loss
from symloss.search.propose.inside import Inside
from symloss.tasks import SupervisedTask, Task
from symloss.zoo import Entry, entry, names

__all__ = [
    "base_candidate",
    "leave_out",
    "measure",
    "noises_of",
    "ordinary_number",
    "strangers",
    "train_sweep",
    "zoo_candidates",
]

_LABEL_COUNTS = ("accuracy", "error-rate", "pair-accuracy")
"""Metrics that noisy labels shrink by a known factor, and do not turn round."""
_RATES = (0.3, 1.0, 3.0)
"""Learning rates that a loss of the zoo is tried at, as multiples of the ordinary loss's own; widened at the edge."""
_TRIALS = 2
"""Blocks on which its rate is chosen: none that counts as evidence."""


def zoo_candidates(
    task: Task, start: int, member: Callable[[Loss], Weighted | None] | None = None, *, alone: bool = False
) -> list[Candidate]:
    """The losses of the zoo, each at its defaults and at the values that its entry suggests, as candidates.

    Args:
        task: what they are for.
        start: number of the first.
        member: inside a theorem, what reads a loss as a member.
        alone: whether members alone are wanted; else others are candidates as they are, to be held against.
    """
    found: list[Candidate] = []
    for name in names(task.kind):
        one = entry(name, task.kind)
        for values in settings_of(one):
            try:
                formula = one.with_coefficients(**values)
                loss = member(formula) if member is not None else None
                if loss is None and member is not None and alone:
                    continue
                loss = weighted_from(formula) if loss is None else loss
            except SymlossError:
                continue  # no tree says it
            number = start + len(found)
            remark = f"zoo: {one.title(values)}"
            candidate = Candidate(
                number, 0, number, loss.program, loss, fixed=True, remark=remark, exempt=True
            )
            candidate.name = one.title(values)
            found.append(candidate)
    return found


def settings_of(one: Entry) -> list[Mapping[str, float]]:
    """The coefficients of a loss of the zoo that are tried: its defaults first."""
    tried: list[Mapping[str, float]] = [dict(one.defaults)]
    for name, values in one.grid.items():
        # One parameter at a time: a full grid would spend the sweep on the losses with most parameters.
        tried += [{**one.defaults, name: value} for value in values if value != one.defaults[name]]
    return tried


def leave_out(candidates: Sequence[Candidate], inside: Inside) -> None:
    """Losses with a name that are not read as members of a theorem take no further part."""
    for candidate in candidates:
        if candidate.outcome == "trained" and candidate.weighted.free:
            candidate.outcome = "rejected"
            candidate.reason = f"{candidate.remark}; outside: not read as a member of {inside.name}"


def strangers(stages: Stages, start: int, count: int) -> list[Candidate]:
    """Random trees that pass the gate, with unit coefficients."""
    rates = rates_of(stages.settings)
    found = []
    for i in range(count):
        loss = initial_loss(stages.stock, rates, derive(stages.seed, "stranger", i), stages.worth_it)
        remark = "a random loss of the sweep"
        found.append(Candidate(start + i, 0, start + i, loss.program, loss, fixed=True, remark=remark))
    return found


def train_sweep(stages: Stages, candidates: Sequence[Candidate], blocks: int) -> None:
    """Own rates for the losses of the zoo, then every loss over the same blocks."""
    stages.prepare(candidates)
    # The ordinary loss has its own rate already: it is what the search trains at.
    named = [c for c in candidates if c.on_its_way and c.name and c.name != base_name(stages.tasks[0])]
    stops = [list(each) for each in stages.stops]
    own = stages.trainer.own(
        "zoo", named, base=stages.settled.rates, rates=_RATES, stops=stops, trials=_TRIALS
    )
    for candidate, found in zip(named, own, strict=True):
        # Relative to the settled rate, which `Stages.training` multiplies back.
        candidate.rates = tuple(
            rate / base for rate, base in zip(found.rates, stages.settled.rates, strict=True)
        )
    alive = [c for c in candidates if c.on_its_way]
    stages.train(alive, list(range(blocks)))


def base_candidate(task: Task) -> Candidate:
    """The ordinary loss, as it is."""
    base = weighted_from(task.base_loss())
    return Candidate(-1, 0, 0, base.program, base, fixed=True, as_given=True)


def base_name(task: Task) -> str:
    """The name of the ordinary loss; `""` where the zoo does not have it."""
    base = task.base_loss()
    return next((name for name in names(task.kind) if entry(name, task.kind).loss == base), "")


def ordinary_number(task: Task, candidates: Sequence[Candidate]) -> int | None:
    """The number of the candidate that is the ordinary loss."""
    name = base_name(task)
    if not name:
        return None  # random losses have no name either
    return next((c.number for c in candidates if c.name == name), None)


def noises_of(
    tasks: Sequence[Task], candidates: Sequence[Candidate], signs: Sequence[float]
) -> tuple[float, ...]:
    """By task the standard deviation of a paired difference over the blocks of the sweep; 1 where unknown."""
    found = []
    for t in range(len(tasks)):
        # See `headroom_of`: of a difference.
        noise = math.sqrt(2) * _of_task(candidates, t, signs).spread
        found.append(noise if noise > 0 and math.isfinite(noise) else 1.0)
    return tuple(found)


def _of_task(candidates: Sequence[Candidate], t: int, signs: Sequence[float]) -> Evidence:
    return Evidence(
        {
            c.number: row_of({b: (v[t],) for b, v in c.scores.items()}, [signs[t]], [1.0])
            for c in candidates
            if c.outcome == "trained" and len(c.scores) > 1
        }
    )


def measure(
    stages: Stages, candidates: Sequence[Candidate], signs: Sequence[float], planned: int
) -> list[Headroom]:
    """What the sweep says of each task."""
    return [_measure(stages, candidates, signs, planned, t) for t in range(len(stages.tasks))]


def _measure(
    stages: Stages, candidates: Sequence[Candidate], signs: Sequence[float], planned: int, t: int
) -> Headroom:
    task = stages.tasks[t]
    evidence = _of_task(candidates, t, signs)
    named = {c.number: c.name for c in candidates if c.name and c.number in evidence.scores}
    ordinary = ordinary_number(task, candidates)
    titles = {c.number: c.name or f"random: {c.formula}" for c in candidates}
    noise, detectable, headroom, interval, leader = headroom_of(
        evidence, named, -1 if ordinary is None else ordinary, final_blocks=stages.settings.blocks.final
    )
    rows = []
    for number in sorted(evidence.candidates, key=lambda i: (evidence.mean(i), i)):
        # Includes the dependence of blocks: `standard_error` is s sqrt(1/n + c).
        centre, half = evidence.mean(number), 1.96 * evidence.standard_error(number)
        ends = sorted((signs[t] * (centre - half), signs[t] * (centre + half)))
        formula = next(c.formula for c in candidates if c.number == number)
        rows.append(HeadroomRow(titles[number], formula, signs[t] * centre, (ends[0], ends[1])))
    slope = clean_slope(task)
    return Headroom(
        task=task.name, metric=task.metric, noise=noise, detectable=detectable,
        detectable_clean=None if slope is None else detectable / slope, headroom=headroom, interval=interval,
        leader=titles.get(leader, ""), ordinary=titles.get(-1 if ordinary is None else ordinary, ""),
        candidates=planned, rows=tuple(rows), said=tuple(_said(task, evidence)),
    )  # fmt: skip


def clean_slope(task: Task) -> float | None:
    """By how much symmetric label noise shrinks differences of accuracy; None without it, or for other metrics.

    Noisy accuracy is `R/(C-1) + (1 - R C/(C-1)) clean`; only accuracy keeps its order under noise.
    """
    rate = float((task.facts.get("modifiers") or {}).get("label_noise") or 0.0)
    # Binary labels, though a margin loss itself knows no classes.
    classes = 2 if KINDS[task.kind].signed else task.classes
    if not rate or task.metric not in _LABEL_COUNTS or not classes:
        return None
    slope = 1 - rate * classes / (classes - 1)
    # At R = (C-1)/C labels say nothing, beyond it the order is reversed: nothing to translate.
    return slope if slope > 0 else None


def _said(task: Task, evidence: Evidence) -> list[str]:
    said = []
    if not isinstance(task, SupervisedTask):
        said.append("a block changes the seed of the trainer only: its data are its own business")
    elif (task.facts.get("modifiers") or {}).get("label_noise") and task.metric not in _LABEL_COUNTS:
        said.append(f"{task.metric} on noisy labels rewards fitting the noise")
    if not math.isfinite(evidence.spread):
        said.append("too few losses were trained on two blocks: the noise is not known")
    return said
