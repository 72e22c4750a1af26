"""What a search ends with: the loss, what it is worth, and where everything was written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from symloss.report.few_shot_report import describe_episodes
from symloss.report.tables import number, tested

if TYPE_CHECKING:
    from symloss.search import Baseline, Result

__all__ = [
    "SIGNIFICANT", "baseline_note", "count_outcomes", "describe", "front_note", "outcomes", "verdict",
]  # fmt: skip

SIGNIFICANT = 0.05
"""Probability below which a paired difference over seeds is not put down to chance."""


def describe(task: Mapping[str, Any]) -> str:
    """What `Task.describe` says, in a line, and its remarks about the data, a line each; so of episodes."""
    if "instances" in task:
        return describe_episodes(task)
    if task["sizes"] is None:  # the function of a user keeps its data and its model to itself
        data = "trained by a function"
    else:
        # By name: a stored run has its keys in the order of the alphabet.
        sizes = "/".join(str(task["sizes"][part]) for part in ("train", "val", "test"))
        data = f"{sizes} instances, {task['model']}"
    classes = f", {task['classes']} classes" if task.get("classes") else ""
    changed = "".join(
        f", {name.replace('_', ' ')} {value:g}" for name, value in task.get("modifiers", {}).items() if value
    )
    head = f"{task['name']}: {task['kind']}{classes}, {data}, {task['metric']}"
    return "\n".join([head + changed, *(f"  {note}" for note in task.get("notes", []))])


def count_outcomes(result: Result) -> dict[str, int]:
    """How many candidates ended how, the most frequent first."""
    return dict(Counter(entry.outcome for entry in result.evaluations).most_common())


def outcomes(result: Result) -> str:
    """How many candidates ended how, in one line."""
    parts = ", ".join(f"{count} {outcome}" for outcome, count in count_outcomes(result).items())
    return f"{len(result.evaluations)} candidates: {parts}" if parts else "no candidates"


def front_note(result: Result) -> str:
    """Which blocks the numbers of the front come from, and what its columns mean; `""` of an empty front."""
    if not result.front:
        return ""
    metric = str(result.task.get("metric", "metric"))
    errors = "" if all(row.se is None for row in result.front) else " (se: its standard error)"
    finals = max(len(row.finals) for row in result.front)
    if result.finalists and finals:
        where = f"over the {finals} final blocks, splits that decided nothing before, drawn towards the other finalists"
    else:
        where = "over the splits that the search scored it on"
    score = "; score: the gain over the row before, per symbol" if len(result.front) > 1 else ""
    return f"{metric}{errors}: the mean {where}{score}."


def baseline_note(result: Result) -> str:
    """Which data the numbers of the baselines come from; `""` without any."""
    if not result.baselines:
        return ""
    seeds = len(result.baselines[0].tests)
    return (
        f"Validation and test: the task's own split, mean of {seeds} training{'s' if seeds != 1 else ''} each; the "
        "front's numbers are from other splits. p: of the difference in test to the tuned ordinary loss."
    )


def verdict(result: Result) -> str:
    """Whether the discovered loss beats the tuned baseline on test data: a plain sentence for each task."""
    tasks = result.task.get("tasks", [result.task])
    if len(tasks) == 1:
        return _sentence(result.baselines, tasks[0])
    names = [str(name) for name in result.task.get("names", [task["name"] for task in tasks])]
    # Of several tasks a baseline's name begins with its task's.
    groups = [[row for row in result.baselines if row.name.startswith(f"{name}: ")] for name in names]
    return "\n".join(
        f"{name}: {_sentence(group, task)}" for name, group, task in zip(names, groups, tasks, strict=True)
    )


def _sentence(rows: Sequence[Baseline], task: Mapping[str, Any]) -> str:
    discovered = next((row for row in rows if row.role == "discovered"), None)
    tuned = next((row for row in rows if row.role == "ordinary tuned"), None)
    if discovered is None or tuned is None:
        return "The discovered loss was not compared with the baselines."
    # The search may come back to the ordinary loss, which is among its candidates.
    if discovered.loss is not None and discovered.loss == tuned.loss:
        return (
            f"The pick is the ordinary loss itself ({tuned.name.rpartition(': ')[2]}): nothing that was searched did "
            f"better on the final blocks. Its test {task['metric']}: {tested(discovered)}."
        )
    against = f"the tuned baseline ({tuned.name.rpartition(': ')[2]})"
    if discovered.diverged or tuned.diverged:
        return f"The discovered loss was not told apart from {against}: {_diverged(discovered, tuned, task)}."
    figures = f"test {task['metric']} {number(discovered.test)} against {number(tuned.test)}"
    better = (discovered.test > tuned.test) == bool(task.get("greater_is_better", False))
    if not better or discovered.test == tuned.test:
        return f"The discovered loss does not beat {against}: {figures}{_chance(discovered)}."
    if discovered.p_value is not None and discovered.p_value < SIGNIFICANT:
        return f"The discovered loss beats {against}: {figures}{_chance(discovered)}."
    return f"The discovered loss does not beat {against} beyond chance: {figures}{_chance(discovered)}."


def _diverged(discovered: Baseline, tuned: Baseline, task: Mapping[str, Any]) -> str:
    """Which trainings diverged, and what is left where both losses trained."""
    broken = [
        f"{row.diverged} of the {len(row.tests)} final trainings with {whose} diverged"
        for whose, row in (("it", discovered), ("the baseline", tuned))
        if row.diverged
    ]
    both = [pair for pair in zip(discovered.tests, tuned.tests, strict=True) if all(map(math.isfinite, pair))]
    if not both:
        return " and ".join(broken)
    ours, theirs = (number(fmean(values)) for values in zip(*both, strict=True))
    return f"{' and '.join(broken)}; where both trained, test {task['metric']} {ours} against {theirs}"


def _chance(row: Baseline) -> str:
    if row.p_value is None:
        return ", too few seeds for a test"
    return f", paired p = {number(row.p_value, 2)} over {len(row.tests)} seeds"
