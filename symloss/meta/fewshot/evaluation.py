"""How well tasks are learned: a score of each task before the first inner step and after each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from symloss.meta.fewshot.encoders import encode
from symloss.meta.fewshot.inner_loop import InnerLoop
from symloss.meta.fewshot.inner_loss import prototypes
from symloss.meta.fewshot.layers import Rows, Weights
from symloss.meta.fewshot.learner import Learner
from symloss.meta.fewshot.meta_gradient import groups_of
from symloss.tasks.episodes import Episode

__all__ = ["METRICS", "adapted_outputs", "scores"]

METRICS = {"classification": "accuracy", "regression": "mse"}
_AT_ONCE = 50
"""Tasks in one computation, where they go together."""


def scores(
    learner: Learner, phi: Weights, episodes: Sequence[Episode], *, together: bool = False
) -> Iterator[Tensor]:
    """The score of each task after 0, 1, ... inner steps, `[steps + 1]`: accuracy, or mean squared error.

    A score that is not finite is that of the step before: who diverges is judged by the last model that is usable.

    Args:
        learner: what learns; one whose method is `centroid` has one score.
        phi: what was meta-learned.
        episodes: the tasks.
        together: several tasks in one computation.
    """
    with torch.no_grad():
        for group, several in groups_of(episodes, _AT_ONCE if together else 1):
            if learner.settings.method == "centroid":
                each = [_one(learner, _nearest(learner, phi, group), group)]
            else:
                each = [
                    _one(learner, outputs, group) for outputs in adapted_outputs(learner, phi, group, several)
                ]
            rows = torch.stack(each, -1)
            yield from _usable(rows if several else rows[None])


def adapted_outputs(
    learner: Learner, phi: Weights, episode: Episode, together: bool = False, steps: int | None = None
) -> list[Tensor]:
    """The outputs for the queries after 0, 1, ... inner steps.

    Args:
        learner, phi: see `scores`.
        episode: a task, or several stacked.
        together: whether there are several.
        steps: the learner's `test_steps` unless given.
    """
    found: list[Tensor] = []
    with torch.no_grad():
        loop = InnerLoop(learner, phi, episode, together)
        known = loop.begin()
        count = learner.settings.inner.test_steps if steps is None else steps
        # Nothing is meta-learned here: no graph, so the memory of one step whatever their number.
        loop.adapt(
            known, count, graph=False, watch=lambda theta: found.append(loop.query_outputs(theta, known))
        )
    return found


def _one(learner: Learner, outputs: Tensor, episode: Episode) -> Tensor:
    """The score of the task, a scalar, or of each of several that are stacked, `[tasks]`."""
    targets = episode.query_targets
    if learner.kind == "regression":
        return (outputs - targets).square().squeeze(-1).double().mean(-1)
    right = (outputs.argmax(-1) == targets).double().mean(-1)
    # argmax has an answer for NaN too, and would count it as a guess.
    return torch.where(torch.isfinite(outputs).all(-1).all(-1), right, torch.nan)


def _usable(rows: Tensor) -> Tensor:
    """`[tasks, steps + 1]` with every score that is not finite replaced by the one before it; the first stays."""
    kept = [rows[:, 0]]
    for column in rows.unbind(-1)[1:]:
        kept.append(torch.where(torch.isfinite(column), column, kept[-1]))
    return torch.stack(kept, -1).cpu()


def _nearest(learner: Learner, phi: Weights, episode: Episode) -> Tensor:
    """Minus the squared distance of each query to each class's mean feature: nothing adapts."""
    design = learner.settings.design
    counts = len(episode.support_targets), len(episode.query_targets)
    both = torch.cat([episode.support_inputs, episode.query_inputs])
    # Support and query rows together, for the statistics of normalisation that they share or do not.
    rows = Rows(*counts, design.statistics, design.film_on)
    features = learner.encoder.flat(encode(learner.encoder, both, phi, rows))
    support, query = features.split(list(counts))
    centres = prototypes(support, episode.support_targets, learner.outputs)
    return -(query[:, None] - centres[None]).square().sum(-1)
