"""A task on other rows of its data: what a claim about the data, not about one split of it, is tested on."""

from __future__ import annotations

from dataclasses import replace

from symloss.errors import TaskError
from symloss.runs import derive
from symloss.tasks.data.modifiers import Modifiers
from symloss.tasks.data.pool import Pool
from symloss.tasks.given import number
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.task import Task

__all__ = ["REPLICATES", "ROWS_OF_A_POOL", "replicate", "replicates_of", "thinned", "with_label_noise"]

REPLICATES = ("splits", "pools", "starts")
"""The ways in which a task is repeated, see `replicates_of`."""
ROWS_OF_A_POOL = 1000
"""Rows, test rows aside, that each of several disjoint pools must have."""


def replicates_of(task: Task, count: int) -> str:
    """How a task can be repeated so many times.

    `"pools"`: on disjoint pools of rows, each with at least `ROWS_OF_A_POOL`, and common test rows. `"splits"`: on
    random splits of all rows, which overlap, each with test rows, noise and outliers of its own. `"starts"`: where
    the parts were given (loaders), or nothing is known of them (functions), repetitions differ in initialisation and
    order of batches alone, and say nothing of other data.

    >>> from symloss.tasks import load_task
    >>> replicates_of(load_task("diabetes"), 10)
    'splits'
    """
    pool = task.pool if isinstance(task, SupervisedTask) else None
    if pool is None:
        return "starts"
    return "pools" if pool.size // count >= ROWS_OF_A_POOL else "splits"


def replicate(task: Task, how: str, number: int, count: int, seed: int) -> Task:
    """One repetition of a task, the same for the same arguments.

    Args:
        task: to be repeated.
        how: one of `REPLICATES`.
        number: of the repetition, from 0.
        count: how many there are.
        seed: of all of them; a split's own seed is `derive(seed, "split", number)`.

    Raises:
        TaskError: for a task of which no other rows are known, or too few.

    >>> from symloss.tasks import load_task
    >>> replicate(load_task("wine"), "splits", 3, 10, seed=0)
    <Task wine: classification, 106/36/36 instances, accuracy>
    """
    if how == "starts":
        return task
    if not isinstance(task, SupervisedTask) or task.pool is None:
        raise TaskError(f"{task.name}: its parts were given, so its rows cannot be drawn anew")
    if how == "pools":
        return task.with_pool(task.pool.deal(derive(seed, "pools"), count, number), f"pool {number + 1}")
    return task.with_pool(redrawn(task, derive(seed, "split", number)), f"split {number + 1}")


def redrawn(task: SupervisedTask, seed: int) -> Pool:
    """The rows of a task as another seed of the split has them: test rows, noise, imbalance and outliers too.

    Official test rows stay what they are.
    """
    if task.pool is None:
        raise TaskError(f"{task.name}: its parts were given, so its rows cannot be drawn anew")
    modifiers = {name: value for name, value in (task.facts.get("modifiers") or {}).items() if value}
    return task.pool.of(task.pool.data, seed, Modifiers(**modifiers), task.pool.target_scale)


def thinned(task: Task, share: float, seed: int) -> Task:
    """The task with a share of its training and validation rows, and all of its test rows.

    Raises:
        TaskError: where rows cannot be drawn anew, or too few are left.

    >>> from symloss.tasks import load_task
    >>> thinned(load_task("wine"), 0.5, seed=0)
    <Task wine: classification, 53/17/36 instances, accuracy>
    """
    if share == 1:
        return task
    if not isinstance(task, SupervisedTask) or task.pool is None:
        raise TaskError(f"{task.name}: its parts were given, so no share of its rows can be drawn")
    return task.with_pool(task.pool.thin(seed, share), f"a share of {share:g}")


def with_label_noise(task: Task, rate: float) -> SupervisedTask:
    """The task as `load_task(..., label_noise=rate)` makes it, in place of the noise that it has.

    Raises:
        TaskError: for a rate that is no share, labels that are numbers, or parts that were given.

    >>> from symloss.tasks import load_task
    >>> noisy = with_label_noise(load_task("wine"), 0.4)
    >>> noisy.fingerprint == load_task("wine", label_noise=0.4).fingerprint
    True
    """
    if not isinstance(task, SupervisedTask) or task.pool is None:
        raise TaskError(f"{task.name}: its parts were given, so noise cannot be added to its labels")
    rate = number("label noise", rate)
    modifiers = {**(task.facts.get("modifiers") or {}), "label_noise": rate}
    # The seed of the task's own split: the same test rows, and of the training rows the same labels flipped as
    # `load_task` flips.
    seed = int(task.facts.get("split_seed", 0))
    given = {name: value for name, value in modifiers.items() if value}
    pool = task.pool.of(task.pool.data, seed, Modifiers(**given), task.pool.target_scale)
    noisy = task.with_pool(pool)
    origin = task.facts.get("origin")
    # Else `rebuild` would make the task without this noise and refuse it for its fingerprint.
    again = origin and {maker: {**own, "label_noise": rate} for maker, own in origin.items()}
    return replace(noisy, facts={**noisy.facts, "modifiers": modifiers, "origin": again})
