"""Few-shot learning: how to learn from a few instances, meta-learned (MAML, NPBML), its parts as switches.

`phi` is what is meta-learned, a mapping from names to tensors; `theta` is what adapts in the inner loop, part of it.
"""

from __future__ import annotations

from symloss.meta.fewshot.evaluation import METRICS, adapted_outputs, scores
from symloss.meta.fewshot.inner_loop import InnerLoop, stacked
from symloss.meta.fewshot.learner import Learner
from symloss.meta.fewshot.meta_gradient import meta_gradient, query_loss
from symloss.meta.fewshot.model import FewShotModel
from symloss.meta.fewshot.options import settings_for
from symloss.meta.fewshot.settings import METHODS, PARTS, FewShotSettings
from symloss.meta.fewshot.state import State, arrays_from, arrays_to
from symloss.meta.fewshot.training import Training

__all__ = [
    "METHODS", "METRICS", "PARTS", "FewShotModel", "FewShotSettings", "InnerLoop", "Learner", "State", "Training",
    "adapted_outputs", "arrays_from", "arrays_to", "meta_gradient", "query_loss", "scores", "settings_for", "stacked",
]  # fmt: skip
