"""Is it really better: fair comparison, controls for confounds, statistics.

`sl.compare(task, losses)` compares losses, see `symloss.compare.compare`; `sl.transfer(run, to)` asks the same of a
run's losses on other tasks, see `symloss.compare.transfer`; `sl.adapt(task, loss)` asks whether it pays that
a loss adapts while a model trains, see `symloss.compare.adapt`; `sl.fewshot(task)` meta-trains few-shot learners and
tests them on the same unseen tasks, see `symloss.compare.few_shot`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from symloss.compare.adapt import adapt, loss_at
from symloss.compare.adaptation import Adaptation, AdaptationRow, Step
from symloss.compare.any_run import open_run, resume, verify
from symloss.compare.baselines import baselines
from symloss.compare.compare import MODEL, compare
from symloss.compare.comparison import Comparison, Cost, Row
from symloss.compare.contenders import Contender, contenders_of
from symloss.compare.few_shot.result import FewShot, SeedScores
from symloss.compare.few_shot.run import fewshot
from symloss.compare.landscapes import DIRECTIONS, Landscape, Sharpness, landscape, load_landscape
from symloss.compare.ranks import Ranking, rank_losses, wilcoxon_p
from symloss.compare.searched import Searched
from symloss.compare.statistics import (
    bootstrap,
    detectable_difference,
    effect_size,
    holm,
    kaplan_meier_median,
    paired_t,
)
from symloss.compare.transfer import transfer
from symloss.compare.transferred import Transfer, TransferRow
from symloss.compare.verdicts import explained_by, margin_of, verdict

__all__ = [
    "DIRECTIONS", "MODEL", "Adaptation", "AdaptationRow", "Comparison", "Contender", "Cost", "FewShot",
    "Landscape", "Ranking", "Row", "Searched", "SeedScores", "Sharpness", "Step", "Transfer", "TransferRow",
    "adapt", "baselines", "bootstrap", "compare", "contenders_of", "detectable_difference", "effect_size",
    "explained_by", "fewshot", "holm", "kaplan_meier_median", "landscape", "load_landscape", "loss_at",
    "margin_of", "open_run", "paired_t", "rank_losses", "resume", "transfer", "verdict", "verify", "wilcoxon_p",
]  # fmt: skip


class _Room(ModuleType):
    """Users type `sl.compare(task, losses)`, and `symloss.compare` is this room: it can be called."""

    def __call__(self, *args: Any, **options: Any) -> Comparison:
        return compare(*args, **options)


sys.modules[__name__].__class__ = _Room
