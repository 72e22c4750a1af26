"""The meta-gradient of a batch of tasks: of the ordinary loss on their queries, through the inner loop."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from symloss.meta.fewshot.inner_loop import InnerLoop, stacked
from symloss.meta.fewshot.inner_loss import instance_losses
from symloss.meta.fewshot.layers import Weights
from symloss.meta.fewshot.learner import Learner
from symloss.tasks.episodes import Episode

__all__ = ["groups_of", "meta_gradient", "query_loss"]


def query_loss(learner: Learner, phi: Weights, episode: Episode, *, together: bool = False) -> Tensor:
    """The mean ordinary loss on the queries after the inner loop, differentiable in `phi`.

    Args:
        learner: what learns.
        phi: what is meta-learned.
        episode: a task, or several stacked.
        together: whether there are several.
    """
    loop = InnerLoop(learner, phi, episode, together)
    known = loop.begin()
    theta = loop.adapt(known, learner.settings.inner.steps, graph=True)
    outputs, targets = loop.query_outputs(theta, known), episode.query_targets
    if together:
        outputs, targets = outputs.flatten(0, 1), targets.flatten(0, 1)
    return instance_losses(learner.kind, outputs, targets).mean()


def meta_gradient(
    learner: Learner, phi: Weights, episodes: Sequence[Episode], *, together: bool = False
) -> tuple[float, dict[str, Tensor]]:
    """The mean query loss of some tasks and its gradient in what is meta-learned; 0 for all else.

    One task after the other keeps the memory of one; together they take fewer, larger operations.

    Args:
        learner: what learns.
        phi: what is meta-learned.
        episodes: the tasks.
        together: see above.
    """
    learned = [name for name in phi if learner.learns(name)]
    total, found = 0.0, dict[str, Tensor]()
    for group, several in groups_of(episodes, len(episodes) if together else 1):
        # A group's mean, weighted by its tasks: the sum over groups is the mean over tasks, however they are
        # grouped.
        share = (len(group.query_targets) if several else 1) / len(episodes)
        # Fresh for each group: its graph is freed with it.
        leaves = {name: each.detach().requires_grad_(name in learned) for name, each in phi.items()}
        with torch.enable_grad():
            value = share * query_loss(learner, leaves, group, together=several)
            slopes = torch.autograd.grad(
                value, [leaves[name] for name in learned], allow_unused=True, materialize_grads=True
            )
        total += float(value.detach())
        for name, slope in zip(learned, slopes, strict=True):
            found[name] = found[name] + slope if name in found else slope
    return total, {name: found.get(name, torch.zeros_like(each)) for name, each in phi.items()}


def groups_of(episodes: Sequence[Episode], size: int) -> list[tuple[Episode, bool]]:
    """Episodes in groups: each a stack, or a single one; and whether it is a stack."""
    if size == 1:
        return [(episode, False) for episode in episodes]
    return [(stacked(list(episodes[i : i + size])), True) for i in range(0, len(episodes), size)]
