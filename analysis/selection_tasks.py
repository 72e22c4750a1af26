"""The tasks of `analysis.selection`, and where its stored candidates come from.

`figures/selection_candidates.json` holds for each task seed the losses that one search trained as searches were
before evidence came in blocks: one split, a race after a fifth of the training, the simplest finalist within one
standard error over eight training seeds. It was made with the code of commit 5bb18f7 by

    python -m analysis.selection_store

which stands in that commit and cannot be run with a later one: for each loss the formula, the validation fitness,
the fitnesses on fresh seeds where it became a finalist, and the metric on the clean test rows over two training
seeds of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import symloss as sl
from symloss.tasks import Task

__all__ = ["TASKS"]

TASKS: dict[str, tuple[int, Callable[[int], Task]]] = {
    "digits": (10, lambda seed: sl.load_task("digits", label_noise=0.4, seed=seed)),
    "letter": (5, lambda seed: sl.load_task("keel:letter", label_noise=0.4, seed=seed)),
    "diabetes": (5, lambda seed: sl.load_task("diabetes", outliers=0.1, seed=seed)),
}
"""By name the number of task seeds, and the task of one; each seed draws split, noise and test rows anew."""
