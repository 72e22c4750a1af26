"""The tasks of `analysis.selection`, and where its stored candidates come from.

`figures/selection_candidates.json` holds for each task seed the losses that one search trained as searches were
before evidence came in blocks: one split, a race after a fifth of the training, the simplest finalist within one
standard error over eight training seeds. It was made with the code of commit 5bb18f7 by

    python -m analysis.selection_store

which stands in that commit and cannot be run with a later one (it needs a reader of Fashion-MNIST beside): for each
loss the formula, the validation fitness, the fitnesses on fresh seeds where it became a finalist, and the metric on
the clean test rows over two training seeds of its own. A pick that trains as another candidate does is stored as that
one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

import symloss as sl
from symloss.tasks import SupervisedTask

__all__ = ["TASKS", "VAL_SIZE"]


def _fashion(seed: int) -> SupervisedTask:
    """2,000 rows of the official training part to train and 1,000 to validate, others with each seed; its test part."""
    task = sl.load_task("fashion-mnist", label_noise=0.4, seed=seed)
    assert task.pool is not None
    order = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(seed))
    rows = task.pool.train[order[:3000].numpy()]
    pool = replace(task.pool, train=rows[:2000], val=rows[2000:])
    train, val, test = pool.prepare(pool.train, pool.val).parts
    return replace(task, pool=pool, train=train, val=val, _test=test)


TASKS: dict[str, tuple[int, Callable[[int], SupervisedTask]]] = {
    "digits": (10, lambda seed: sl.load_task("digits", label_noise=0.4, seed=seed)),
    "letter": (5, lambda seed: sl.load_task("keel:letter", label_noise=0.4, seed=seed)),
    "diabetes": (5, lambda seed: sl.load_task("diabetes", outliers=0.1, seed=seed)),
    "california": (5, lambda seed: sl.load_task("california", seed=seed)),
    "fashion-mnist": (5, _fashion),
}
"""By name the number of task seeds, and the task of one; each seed draws split, noise and test rows anew."""

VAL_SIZE = {"fashion-mnist": 1 / 3}
"""The share of a block that validates, where it is not the one that a search takes for the whole data set."""
