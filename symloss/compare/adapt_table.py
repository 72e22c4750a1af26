"""The table of an adaptation from the answers of its trainings: rows, claims, and the path with its certificates."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch

from symloss.compare.adapt_work import (
    ADAPTIVE,
    ALL_ROWS,
    COSINE,
    FIXED,
    MEAN,
    ML3,
    ORDINARY,
    PARTS,
    RATE,
    REPLAYED,
    SCALE,
    TUNED,
    Answer,
)
from symloss.compare.adaptation import MOVED, Adaptation, AdaptationRow, Step
from symloss.compare.comparison import BASELINE
from symloss.compare.statistics import holm, paired_t
from symloss.compare.verdicts import TOO_FEW, UNKNOWN, margin_of, verdict
from symloss.expr import KINDS, Loss
from symloss.meta import LearnedLoss, NeuralLoss
from symloss.meta.adaptable import ScaledLoss, formula_at
from symloss.meta.learned_loss import unpacked
from symloss.tasks import SupervisedTask, Task
from symloss.theory import analyze

__all__ = ["ORDER", "table_of"]

ORDER = (
    ADAPTIVE, FIXED, RATE, REPLAYED, SCALE, MEAN, ML3, ORDINARY, TUNED, COSINE, ALL_ROWS,
)  # fmt: skip
"""The rows of the table, the adapting loss first."""
CLAIMS = {
    "adaptivity": (REPLAYED, "its path replayed on another start"),
    "shape": (SCALE, "the ordinary loss at its implicit learning rate"),
}
"""The two hypotheses: what adapting gains over the same path without, and over a schedule of the learning rate."""


def table_of(
    task: Task,
    loss: str,
    learned: Sequence[LearnedLoss],
    how: str,
    answers: Sequence[Mapping[str, Answer]],
    seed: int,
    settings: Mapping[str, Any],
    described: Mapping[str, Any],
) -> Adaptation:
    """The table of the replicates that are finished.

    Args:
        task: as it was given.
        loss: what it is called.
        learned: the adapting loss of each replicate.
        how: in which way the task was repeated, see `tasks.replicates_of`.
        answers: by replicate, by part of `PARTS`.
        seed, settings, described: of the run.
    """
    done = [each for each in answers if each]
    overlap = _overlap(task, how)
    scores = {
        name: [each[part]["rows"][name] for each in done]
        for part, names in PARTS.items()
        for name in names
        if done and part in done[0]
    }
    rows = _rows(task, {name: scores[name] for name in ORDER if name in scores}, overlap)
    trajectories = tuple(
        # The path of the first replicate alone has certificates.
        tuple(_step(one, step, task.classes, not i) for step in each["adapting"]["path"])
        for i, (one, each) in enumerate(zip(learned, done, strict=False))
    )
    moved = [each["adapting"]["moved"] for each in done]
    shape = [each["adapting"]["moved_shape"] for each in done]
    return Adaptation(
        path=None, task=described, metric=task.metric, loss=loss, seed=seed, seeds=len(done),
        settings={**settings, "chosen": _chosen(done)}, rows=tuple(rows),
        moved=statistics.median(moved) if moved else None, moved_shape=statistics.median(shape) if shape else None,
        trajectories=trajectories, claims=_claims(rows), notes=(
            *_notes(task, how, rows, moved, done, overlap), *_unmoved(trajectories),
        ),
    )  # fmt: skip


def _overlap(task: Task, how: str) -> float:
    if how != "splits" or not isinstance(task, SupervisedTask):
        return 0.0
    return task.overlap


def _rows(task: Task, scores: Mapping[str, Sequence[Answer]], overlap: float) -> list[AdaptationRow]:
    if not scores:
        return []
    sign = 1.0 if task.measure.greater_is_better else -1.0
    base = [each["test"] for each in scores[ADAPTIVE]]
    margin = margin_of(task.measure, statistics.fmean(base))
    # Of the control over the adapting loss, hence the turned words of `_claims`: adapting helps where the control is
    # worse.
    gains = {
        name: [sign * (each["test"] - ours) for each, ours in zip(rows, base, strict=True)]
        for name, rows in scores.items()
    }
    tests = {name: paired_t(values, overlap) for name, values in gains.items() if name != ADAPTIVE}
    # Two hypotheses were fixed beforehand; correcting for the exploratory rows as well would cost power and prove
    # nothing.
    hypotheses = [row for row, _ in CLAIMS.values() if row in tests]
    corrected = dict(zip(hypotheses, holm([_p(tests[name].p_value) for name in hypotheses]), strict=True))
    found = []
    for name, rows in scores.items():
        values = [each["test"] for each in rows]
        reasons = [each["diverged"] for each in rows if each["diverged"]]
        test = tests.get(name)
        low, high = (
            (math.nan, math.nan) if test is None else sorted(sign * end + 0.0 for end in test.interval())
        )
        p = math.nan if test is None else test.p_value
        found.append(
            AdaptationRow(
                name=name, mean=statistics.fmean(values), interval=_ends(paired_t(values, overlap).interval()),
                difference=None if test is None else sign * test.mean + 0.0, difference_interval=_ends((low, high)),
                p=None if math.isnan(p) else p,
                p_corrected=None if math.isnan(p) else corrected.get(name),
                verdict=BASELINE if test is None else verdict(test, len(values), margin, corrected.get(name)),
                diverged=len(reasons), scores=tuple(values),
                seconds=statistics.fmean(each["seconds"] for each in rows),
                note=f"{len(reasons)} of {len(rows)} diverged, as at {reasons[0]}" if reasons else "",
            )
        )  # fmt: skip
    return found


def _p(value: float) -> float:
    # One replicate says nothing against the null hypothesis.
    return 1.0 if math.isnan(value) else value


def _ends(interval: tuple[float, float]) -> tuple[float, float] | None:
    return None if math.isnan(interval[0]) else (float(interval[0]), float(interval[1]))


def _claims(rows: Sequence[AdaptationRow]) -> dict[str, str]:
    """In words, whether adapting beats the control that each claim rests on."""
    known = {row.name: row.verdict for row in rows}
    said = {
        "worse": "yes: better than {}",
        "better": "no: worse than {}",
        "as good as": "no: {} is as good",
        UNKNOWN: "open: not told apart from {}",
        TOO_FEW: "open: too few replicates to tell it from {}",
    }
    return {
        claim: said.get(known[row], f"open: {known[row]}").format(what)
        for claim, (row, what) in CLAIMS.items()
        if row in known
    }


def _chosen(done: Sequence[Mapping[str, Answer]]) -> dict[str, Any]:
    """What tuning chose, replicate by replicate."""
    if not done:
        return {}
    found: dict[str, Any] = {key: [each["adapting"][key] for each in done] for key in ("eta", "speed")}
    if "learning rate" in done[0]:
        found["eta of the learning rate only"] = [each["learning rate"]["eta"] for each in done]
    for key in ("rate", "steps", "cosine_rate"):
        found[key.replace("_", " ")] = [each["ordinary"][key] for each in done]
    return found


def _notes(
    task: Task,
    how: str,
    rows: Sequence[AdaptationRow],
    moved: Sequence[float],
    done: Sequence[Mapping[str, Answer]],
    overlap: float,
) -> list[str]:
    said = []
    far = statistics.median(moved) if moved else math.inf
    if far < MOVED:
        said.append(
            f"the loss did not move: its gradient changed by {far:.2g} of itself, so it is an offline loss; try larger "
            "rates with etas"
        )
    speeds = [each["adapting"]["speed"] for each in done]
    if any(speed != 1.0 for speed in speeds):
        said.append(
            f"the loss's scale is taken out: it trains at {statistics.median(speeds):.3g} times the task's learning "
            "rate, chosen as the ordinary loss's is; the path shows the loss by itself"
        )
    if done and how == "splits":
        said.append(f"random splits; tests are corrected for their overlap, {overlap:.2g}")
    if how == "starts":
        said.append(
            f"the rows of {task.name} cannot be drawn anew: replicates differ in start and batches alone"
        )
    said += [f"{row.name}: {row.note}" for row in rows if row.note]
    return said


def _unmoved(trajectories: Sequence[Sequence[Step]]) -> list[str]:
    """Coefficients that a gradient never reaches, as ACE's `phi1`, on which its slope depends at a kink alone."""
    ends = [(path[0].coefficients, path[-1].coefficients) for path in trajectories if path]
    known = [(first, last) for first, last in ends if first and last]
    # Exactly equal: a coefficient whose gradient is always 0 stays to the last bit.
    still = [name for name in (known[0][0] if known else {}) if all(a[name] == b[name] for a, b in known)]
    return [
        f"{name} did not move: the slope of the loss depends on it nowhere, or at a kink alone"
        for name in still
    ]


def _step(loss: LearnedLoss, data: Mapping[str, Any], classes: int | None, certify: bool) -> Step:
    phi = torch.tensor(data["phi"], dtype=torch.float64)
    now = unpacked(phi, loss.coefficients)
    formula = None if isinstance(loss, NeuralLoss) else formula_at(loss, now)
    measured = {name: data[name] for name in ("attractor", "label_smoothing", "implicit_learning_rate")}
    proved: dict[str, float] = {}
    # Only certificates of classification have these findings; elsewhere the numbers stay as measured.
    if formula is not None and certify and classes and KINDS[loss.kind].exclusive:
        proved = certified(formula, classes)
    return Step(
        step=data["step"], validation=data["validation"], sharpness=data["sharpness"],
        coefficients=_named(loss, formula, now), formula=None if formula is None else str(formula),
        proved=tuple(proved), **{**measured, **proved},
    )  # fmt: skip


def _named(
    loss: LearnedLoss, formula: Loss | None, now: Mapping[str, torch.Tensor]
) -> dict[str, float] | None:
    """The coefficients as a reader knows them."""
    if formula is None:
        return None
    if isinstance(loss, ScaledLoss):
        return {"scale": float(now["log_scale"].exp())}
    if formula.coefficients:
        return dict(formula.coefficients)
    return {f"edge{i}": value for i, value in enumerate(now["edges"].tolist(), start=1)}


# The table is made again after each session of a run, of the same formulas.
@lru_cache(maxsize=512)
def certified(loss: Loss, classes: int) -> dict[str, float]:
    """Attractor, label smoothing and implicit learning rate, those that are established: a certificate in part."""
    findings = analyze(loss, classes, ("attractor", "label_smoothing", "implicit_learning_rate")).findings
    return {
        name: finding.numeric
        for name, finding in findings.items()
        if finding.verdict != "unknown" and finding.numeric is not None
    }
