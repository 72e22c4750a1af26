"""Rows of a table from the scores of trainings: means, paired differences, verdicts."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symloss.compare.comparison import (
    AS_IS,
    BASELINE,
    DIVERGED,
    NORMALISED,
    RATE_ONLY,
    TREATMENTS,
    TUNED,
    Cost,
    Row,
)
from symloss.compare.contenders import Contender, Variant
from symloss.compare.convergence import Reported, convergence, target_of
from symloss.compare.searched import Found
from symloss.compare.selection import Chosen
from symloss.compare.statistics import (
    Evidence,
    Joint,
    bootstrap,
    detectable_difference,
    effect_size,
    holm,
    paired_t,
)
from symloss.compare.verdicts import ENOUGH_SPLITS, UNKNOWN, explained_by, margin_of, verdict
from symloss.compare.work import Answer, Replicate, unpacked
from symloss.tasks import SupervisedTask, Task

__all__ = ["NO_BASELINE", "Draft", "Tried", "concluded", "drafts_of"]

NO_BASELINE = "the baseline diverged: nothing to compare with"


@dataclass
class Tried:
    """Everything that was trained of one loss on one task and share of its rows.

    Attributes:
        contender: the loss.
        reports: by treatment, by number of the replicate, the training of each seed.
        choices: by treatment (`tuned`, and the control), by number of the replicate, what tuning chose.
        found: by number of the replicate, what was searched there.
        seconds, steps: of the tuning.
    """

    contender: Contender
    reports: dict[str, dict[int, list[Reported]]]
    choices: dict[str, dict[int, Chosen]]
    seconds: float = 0.0
    steps: int = 0
    found: dict[int, Found] = field(default_factory=dict)

    def variants(self, number: int) -> tuple[Variant, ...]:
        """What the loss may be on a replicate."""
        return self.contender.variants if self.contender.search is None else (self.found[number].variant,)


@dataclass(frozen=True)
class _Scores:
    """What one loss and treatment came to, by number of the replicate; None where a training has no score."""

    values: Mapping[int, float | None]
    rows: Mapping[int, np.ndarray]
    failed: int
    trainings: int

    @property
    def complete(self) -> bool:
        """Whether it can be compared: few enough trainings diverged, and those count as untrained models."""
        # With half of them gone the mean would be that of untrained models.
        return 2 * self.failed < self.trainings and None not in self.values.values()


@dataclass(frozen=True)
class Draft:
    """A row before Holm's correction, which needs every row and task of the hypothesis.

    Attributes:
        row: without verdict.
        evidence: of its gains over the baseline; None where there is nothing to compare.
        gains: by split, positive is better.
        margin: of non-inferiority.
        overlap: of the splits.
        controls: name and gains of each control for what explains the difference.
        primary: whether it belongs to the hypothesis.
    """

    row: Row
    evidence: Evidence | None = None
    gains: tuple[float, ...] = ()
    margin: float = math.nan
    overlap: float = 0.0
    controls: tuple[tuple[str, tuple[float, ...]], ...] = ()
    primary: bool = False


def drafts_of(
    task: Task, where: Replicate, tried: Sequence[Tried], seed: int, hypothesis: str | None
) -> list[Draft]:
    """The rows of one task and share of its rows, those of the control too, without verdicts.

    Args:
        task: as it was given.
        where: any of its replicates, for how they were made.
        tried: the losses, the ordinary one first.
        seed: of the bootstrap.
        hypothesis: the treatment whose rows are the table's one hypothesis; None where these are exploratory.
    """
    scores = {
        (i, treatment): _scores(task, reports)
        for i, one in enumerate(tried)
        for treatment, reports in one.reports.items()
        if reports
    }
    maker = _Maker(
        task, where, tried, scores, seed, target_of(task, tried[0].reports.get(AS_IS, {})), hypothesis
    )
    return [
        maker.draft(i, treatment)
        for i in range(len(tried))
        for treatment in (*TREATMENTS, RATE_ONLY)
        if (i, treatment) in scores
    ]


def concluded(drafts: Sequence[Draft]) -> list[Row]:
    """The rows with their verdicts, those of the hypothesis by p values that Holm has corrected for all of them."""
    tested = [draft for draft in drafts if draft.primary and draft.evidence is not None]
    # One family over all rows and tasks: each further row makes a false claim more likely.
    p_values = iter(holm([draft.evidence.p_value for draft in tested if draft.evidence]))
    rows = []
    for draft in drafts:
        if draft.evidence is None:
            rows.append(draft.row)
            continue
        p = next(p_values) if draft.primary else None
        found = verdict(draft.evidence, len(draft.gains), draft.margin, p)
        explained = None
        # What is not told apart needs no explanation.
        if found in ("better", "worse") and draft.controls:
            explained = explained_by(draft.gains, draft.controls, draft.overlap, draft.margin)
        rows.append(replace(draft.row, p_corrected=p, verdict=found, explained_by=explained))
    return rows


@dataclass(frozen=True)
class _Maker:
    task: Task
    where: Replicate
    tried: Sequence[Tried]
    scores: Mapping[tuple[int, str], _Scores]
    seed: int
    target: float | None
    hypothesis: str | None

    @property
    def sign(self) -> float:
        """What turns a difference of the metric into a gain."""
        return 1.0 if self.task.measure.greater_is_better else -1.0

    @property
    def overlap(self) -> float:
        """Of the splits: of the whole task, as a share of the rows is drawn from it anew each time."""
        if self.where.how != "splits" or not isinstance(self.task, SupervisedTask):
            return 0.0
        return self.task.overlap

    def draft(self, i: int, treatment: str) -> Draft:
        """One loss and treatment, beside the ordinary loss under the same."""
        one, scores = self.tried[i], self.scores[i, treatment]
        # The scale of the ordinary loss is 1, so its normalised row would be this one once more.
        against = AS_IS if treatment == NORMALISED else treatment
        base = self.scores.get((0, against))
        finite = [value for value in scores.values.values() if value is not None]
        reported = [each for runs in one.reports[treatment].values() for each in runs]
        row = Row(
            name=one.contender.name, role=_role(one.contender, treatment), treatment=treatment, task=self.task.name,
            metric=self.task.metric, fraction=self.where.fraction,
            mean=statistics.fmean(finite) if scores.complete else None,
            interval=_interval(finite, self.overlap) if scores.complete else None,
            difference=None, difference_interval=None, p=None, p_corrected=None, effect=None, detectable=None,
            verdict=DIVERGED, explained_by=None, scores=tuple(scores.values[n] for n in sorted(scores.values)),
            metrics=_beside(self.task, reported), cost=self._cost(one, treatment, reported),
            **convergence(self.task, one.reports[treatment], self.target, self.overlap),
            **self._training(one, treatment),
        )  # fmt: skip
        if scores.failed or not scores.complete:
            row = replace(row, note=_failed(reported, scores.complete))
        lost = sum(not each.survived for each in one.found.values())
        if lost:
            said = f"{lost} of {len(one.found)} searches found nothing: the ordinary loss stands in"
            row = replace(row, note="; ".join(filter(None, (row.note, said))))
        if not scores.complete:
            return Draft(row)
        if i == 0:
            return Draft(replace(row, verdict=BASELINE))
        gains = self._gains(i, treatment, against)
        if base is None or not base.complete or not gains:
            return Draft(replace(row, verdict=UNKNOWN, note=NO_BASELINE))
        return self._compared(row, i, gains, against)

    def _compared(self, row: Row, i: int, gains: Sequence[float], against: str) -> Draft:
        ours, theirs = self.scores[i, row.treatment], self.scores[0, against]
        evidence = self._evidence(gains, ours, theirs)
        # Adding 0 makes 0 of -0.
        low, high = sorted(self.sign * end + 0.0 for end in evidence.interval())
        spread = statistics.stdev(gains) if len(gains) > 1 else math.nan
        row = replace(
            row, difference=self.sign * statistics.fmean(gains) + 0.0, effect=_number(effect_size(gains)),
            difference_interval=None if math.isnan(low) else (low, high), p=_number(evidence.p_value),
            detectable=_number(detectable_difference(spread, len(gains), self.overlap)),
        )  # fmt: skip
        margin = margin_of(
            self.task.measure, statistics.fmean(v for v in theirs.values.values() if v is not None)
        )
        controls = self._controls(i, row.treatment) if row.treatment in (AS_IS, NORMALISED) else []
        # Too few splits give no verdict; such rows may not use up the correction of others.
        primary = row.treatment == self.hypothesis and len(gains) >= ENOUGH_SPLITS
        return Draft(row, evidence, tuple(gains), margin, self.overlap, tuple(controls), primary)

    def _gains(self, i: int, treatment: str, against: str) -> list[float]:
        """Paired differences over the common replicates, signed so that positive is better."""
        ours, theirs = self.scores[i, treatment].values, self.scores[0, against].values
        pairs = [(ours[n], theirs[n]) for n in sorted(ours) if n in theirs]
        return [self.sign * (a - b) for a, b in pairs if a is not None and b is not None]

    def _controls(self, i: int, treatment: str) -> list[tuple[str, tuple[float, ...]]]:
        """The gains under each control: learning rate tuned, everything tuned; without tuning, the scale taken out."""
        # The rate first: what it explains needs no early stopping.
        known = [("learning rate", RATE_ONLY, RATE_ONLY), ("early stopping", TUNED, TUNED)]
        if treatment == AS_IS and (i, RATE_ONLY) not in self.scores:
            known = [("learning rate", NORMALISED, AS_IS)]
        return [
            (name, tuple(self._gains(i, ours, theirs)))
            for name, ours, theirs in known
            if all(key in self.scores and self.scores[key].complete for key in ((i, ours), (0, theirs)))
            # Paired over the same splits, or not at all.
            and self.scores[i, ours].values.keys() == self.scores[i, treatment].values.keys()
        ]

    def _evidence(self, gains: Sequence[float], ours: _Scores, theirs: _Scores) -> Evidence:
        """The paired t test; of disjoint pools with common test rows, these rows resampled too."""
        test = paired_t(gains, self.overlap)
        common = [n for n in ours.rows if n in theirs.rows]
        if self.where.how != "pools" or len(common) < len(gains):
            return test
        # Averaged over pools before resampling: the pools are the other part of the evidence.
        rows = self.sign * np.mean([ours.rows[n] - theirs.rows[n] for n in common], axis=0)
        units = self.task.test_units if isinstance(self.task, SupervisedTask) else None
        return Joint((test, bootstrap(rows, self.seed, units)))

    def _training(self, one: Tried, treatment: str) -> dict[str, Any]:
        """The columns that say how a loss was trained: formula, learning rate, steps, chosen versions."""
        rate, steps = self.task.settings.learning_rate, self.task.settings.steps
        choices = one.choices.get(treatment, {})
        every = [choices[n] for n in sorted(choices)]
        # Of a loss with versions, or one that each split has found for itself, that of most splits stands for it.
        used = [
            one.variants(n)[choices[n].variant if n in choices else 0] for n in sorted(one.reports[treatment])
        ]
        versions = Counter(each.name for each in used).most_common()
        # `versions` counts by name: its text is that of the first split that chose it.
        text = next(each.text for each in used if each.name == versions[0][0])
        several = len(one.contender.variants) > 1 and bool(every)
        return {
            "loss": text,
            # The lower median is a rate that was chosen; the mean of two would be none.
            "learning_rate": rate * statistics.median_low([each.rate for each in every]) if every else rate,
            "steps": statistics.median_low([each.steps for each in every]) if every else steps,
            "at_edge": sum(each.edge for each in every),
            "chosen": dict(versions) if several or one.contender.search is not None else {},
        }

    def _cost(self, one: Tried, treatment: str, reported: Sequence[Reported]) -> Cost:
        tuned = treatment in (TUNED, RATE_ONLY)
        origin, found = one.contender.origin, one.found.values()
        search = math.fsum([origin.seconds if origin else 0.0, *(each.seconds for each in found)])
        return Cost(
            seconds=math.fsum(each.answer["seconds"] for each in reported),
            steps=sum(each.stops[-1] for each in reported),
            selection_seconds=one.seconds if tuned else 0.0, selection_steps=one.steps if tuned else 0,
            search_seconds=search, search_steps=round(search / self._second_per_step) if search else 0,
            candidates=(origin.candidates if origin else 0) + sum(each.candidates for each in found),
        )  # fmt: skip

    @property
    def _second_per_step(self) -> float:
        """Seconds per step of the ordinary loss's reported trainings, their validation measurements included."""
        runs = [
            each for reports in self.tried[0].reports.values() for some in reports.values() for each in some
        ]
        seconds = math.fsum(each.answer["seconds"] for each in runs)
        return seconds / max(1, sum(each.stops[-1] for each in runs)) or math.inf


def _role(contender: Contender, treatment: str) -> str:
    return "ordinary tuned" if contender.role == "ordinary" and treatment == TUNED else contender.role


def _scores(task: Task, reports: Mapping[int, Sequence[Reported]]) -> _Scores:
    values: dict[int, float | None] = {}
    rows: dict[int, np.ndarray] = {}
    for number, runs in reports.items():
        found = [_score(task, each.answer) for each in runs]
        known = [value for value in found if value is not None]
        # A replicate with a missing score is missing: a mean over fewer seeds would be of the lucky ones.
        values[number] = statistics.fmean(known) if len(known) == len(found) else None
        packed = [each.answer["rows"] for each in runs]
        if all(packed):
            rows[number] = np.asarray(np.mean([unpacked(each) for each in packed], axis=0, dtype=np.float64))
    reasons = [each.answer["reason"] for runs in reports.values() for each in runs]
    return _Scores(values, rows, sum(map(bool, reasons)), len(reasons))


def _score(task: Task, answer: Answer) -> float | None:
    """The test metric; of a trainer that reports none, the validation metric."""
    tests = answer["test"] or {}
    if isinstance(task, SupervisedTask) or tests.get(task.metric) is not None:
        return tests.get(task.metric)
    value: float | None = answer["values"][-1]
    return value


def _interval(values: Sequence[float], overlap: float) -> tuple[float, float] | None:
    low, high = paired_t(values, overlap).interval()
    return None if math.isnan(low) else (low, high)


def _beside(task: Task, reported: Sequence[Reported]) -> dict[str, float]:
    """Means of the other metrics on test rows, those that every training has."""
    tests = [each.answer["test"] or {} for each in reported]
    names = [name for name in tests[0] if name != task.metric] if tests else []
    return {
        name: statistics.fmean(test[name] for test in tests)
        for name in names
        if all(test.get(name) is not None for test in tests)
    }


def _failed(reported: Sequence[Reported], counted: bool) -> str:
    reasons = Counter(each.answer["reason"] for each in reported if each.answer["reason"])
    reason, _ = reasons.most_common(1)[0] if reasons else ("its test metric is not finite", 0)
    failed = f"{sum(reasons.values()) or 1} of {len(reported)} trainings failed"
    return f"{failed} and count as untrained models" if counted else f"{failed}: {reason}"


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
