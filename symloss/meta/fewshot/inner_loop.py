"""The inner loop: a task is learned by a few steps, each a function of what is meta-learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.meta.fewshot.encoders import encode
from symloss.meta.fewshot.inner_loss import class_scores, task_loss
from symloss.meta.fewshot.layers import Rows, Weights
from symloss.meta.fewshot.learner import RATE_SPEED, Learner
from symloss.meta.fewshot.recompute import recomputed
from symloss.meta.inner import SGD
from symloss.tasks.episodes import Episode

__all__ = ["InnerLoop", "stacked"]

Tensors = Mapping[str, Tensor]


def stacked(episodes: list[Episode]) -> Episode:
    """Several episodes as one, tasks first: every tensor `[tasks, rows, ...]`."""
    return Episode(*(
        torch.stack([getattr(each, name) for each in episodes])
        for name in ("support_inputs", "support_targets", "query_inputs", "query_targets")
    ))  # fmt: skip


@dataclass(frozen=True)
class InnerLoop:
    """One task, or several at once, under given meta-learned weights.

    Attributes:
        learner: what learns.
        phi: what is meta-learned.
        episode: the task; `stacked` where there are several.
        together: whether there are several. Their losses are computed by `vmap`; gradients are those of the sum over
            tasks, as no task's loss depends on another's weights: autograd works on tensors of all tasks at once.
    """

    learner: Learner
    phi: Weights
    episode: Episode
    together: bool = False

    def begin(self) -> dict[str, Tensor]:
        """What stays the same for all steps: inputs of the first block that adapts, class scores, task embedding."""
        known = self._each(_known, (None, 0))(self.phi, _tensors(self.episode))
        return cast(dict[str, Tensor], known)

    def start(self) -> dict[str, Tensor]:
        """What adapts, before the first step; tasks first, where there are several."""
        theta = self.learner.at_start(self.phi)
        if self.together:
            count = len(self.episode.support_targets)
            theta = {name: each.expand(count, *each.shape) for name, each in theta.items()}
        return theta

    def adapt(
        self,
        known: Tensors,
        steps: int,
        *,
        graph: bool,
        watch: Callable[[dict[str, Tensor]], object] | None = None,
    ) -> dict[str, Tensor]:
        """What adapts, after some steps.

        Args:
            known: from `begin`.
            steps: how many.
            graph: whether the result is to be differentiable in what is meta-learned.
            watch: told of what adapts before the first step and after each.
        """
        theta, state = self.start(), dict[str, Tensor]()
        if not graph:
            # Cut from `phi`, or each step would keep the graph of all before it.
            theta = {name: each.detach() for name, each in theta.items()}
        again = graph and self.learner.settings.inner.checkpointed
        step = partial(recomputed, self.step) if again else partial(self.step, graph=graph)
        for _ in range(steps):
            if watch:
                watch(theta)
            state = step(theta, state, self.phi, known)
            theta = self._unpacked(state["theta"])
        if watch:
            watch(theta)
        return theta

    def step(
        self, theta: Tensors, state: Tensors, phi: Weights, known: Tensors, *, graph: bool = True
    ) -> dict[str, Tensor]:
        """One step of SGD with Nesterov's momentum: `theta` and torch's `momentum_buffer` after it, each in one vector.

        A vector, as few operations on long tensors take less time than many on short ones.

        Args:
            theta: what adapts, by name.
            state: what the step before returned, whose `theta` is the same numbers; empty before the first.
            phi: what is meta-learned.
            known: from `begin`.
            graph: whether the result is to be differentiable.
        """
        inner = self.learner.settings.inner
        with torch.enable_grad():
            leaves = {
                # Through `phi`, or the step before, a weight is in the meta-gradient's graph and stays in it. One
                # that is neither learned nor moved yet has none, and needs one for the inner gradient.
                name: each if each.requires_grad else each.detach().requires_grad_()
                for name, each in theta.items()
            }
            # `phi` is an argument though the loop has it: a recomputed step has meta-gradients in what it is
            # given alone.
            losses = self._each(_loss, (0, None, 0))(leaves, phi, known)
            slopes = torch.autograd.grad(
                losses.sum(), list(leaves.values()), create_graph=graph and not inner.first_order
            )
        rule = SGD(
            # A tensor where rates are learned: SGD's step only multiplies by it.
            cast(float, self._rate(phi)),
            momentum=inner.momentum,
            nesterov=True,
            weight_decay=inner.weight_decay,
        )
        # Packed once: a second copy of a step's weights would make a meta-step larger than one through `higher`.
        vector = state["theta"] if state else self._packed(theta.values())
        moved, rest = rule.step(vector, self._packed(slopes), state)
        return {"theta": moved, **rest}

    def query_outputs(self, theta: Tensors, known: Tensors) -> Tensor:
        """Logits or predictions of the query rows, `[queries, N]` (after the tasks, where there are several)."""
        return cast(Tensor, self._each(_query, (0, None, 0))(theta, self.phi, known))

    def _rate(self, phi: Weights) -> float | Tensor:
        """The learning rate: a number, or one for each weight."""
        alpha = self.learner.settings.inner.rate
        if "rate.all" in phi:
            return alpha * (RATE_SPEED * phi["rate.all"]).exp()
        if f"rate.{self.learner.adapted[0]}" not in phi:
            return alpha
        rates = torch.stack([phi[f"rate.{name}"] for name in self.learner.adapted])
        return (alpha * (RATE_SPEED * rates).exp())[self.learner.places.to(rates.device)]

    def _packed(self, tensors: Iterable[Tensor]) -> Tensor:
        """Tensors in one vector, tasks first where there are several."""
        return torch.cat([each.flatten(1 if self.together else 0) for each in tensors], -1)

    def _unpacked(self, vector: Tensor) -> dict[str, Tensor]:
        parts = vector.split(list(self.learner.sizes), -1)
        return {
            name: part.unflatten(-1, shape)
            for (name, shape), part in zip(self.learner.adapted_shapes.items(), parts, strict=True)
        }

    def _each(self, function: Callable[..., Any], where: tuple[int | None, ...]) -> Callable[..., Any]:
        """The function of one task, of all of them at once where there are several."""

        def of_one(*arguments: Any) -> Any:
            return function(self.learner, *arguments)

        return torch.vmap(of_one, in_dims=where) if self.together else of_one


def _tensors(episode: Episode) -> dict[str, Tensor]:
    return {
        "support": episode.support_inputs,
        "targets": episode.support_targets,
        "query": episode.query_inputs,
    }


def _known(learner: Learner, phi: Weights, episode: dict[str, Tensor]) -> dict[str, Tensor]:
    support, query = episode["support"], episode["query"]
    sizes, rows = [len(support), len(query)], _rows(learner, len(support), len(query))
    scored = "transductive" in learner.settings.terms
    modulated = learner.formula is not None and "film.formula.weight" in phi
    # Nothing comes before the first block that adapts: its inputs are the images.
    if not (learner.first or scored or modulated):
        return episode
    found = {"targets": episode["targets"]}
    both = encode(learner.encoder, torch.cat([support, query]), phi, rows, 0, learner.first)
    # Blocks that do not adapt see the same inputs at every step: once for all of them.
    found["support"], found["query"] = both.split(sizes)
    if scored or modulated:
        features = learner.encoder.flat(encode(learner.encoder, both, phi, rows, learner.first))
        if scored:
            found["scores"] = class_scores(learner, features, episode["targets"], phi)
        if modulated:
            found["embedding"] = features[: sizes[0]].mean(0)
    return found


def _loss(learner: Learner, theta: Tensors, phi: Weights, known: Tensors) -> Tensor:
    scores = known.get("scores")
    inputs = known["support"] if scores is None else torch.cat([known["support"], known["query"]])
    count = len(known["targets"])
    outputs = _outputs(learner, theta, phi, inputs, _rows(learner, count, len(inputs) - count))
    return task_loss(learner, outputs, known["targets"], theta, phi, scores, known.get("embedding"))


def _query(learner: Learner, theta: Tensors, phi: Weights, known: Tensors) -> Tensor:
    design = learner.settings.design
    if design.statistics != "support" and not (
        "film" in learner.settings.parts and design.film_on == "support"
    ):
        return _outputs(learner, theta, phi, known["query"], _rows(learner, 0, len(known["query"])))
    # What the queries are normalised or modulated by is the support set: it goes through as well.
    inputs, count = torch.cat([known["support"], known["query"]]), len(known["support"])
    return _outputs(learner, theta, phi, inputs, _rows(learner, count, len(inputs) - count))[count:]


def _outputs(learner: Learner, theta: Tensors, phi: Weights, inputs: Tensor, rows: Rows) -> Tensor:
    weights = {**phi, **theta}
    features = learner.encoder.flat(encode(learner.encoder, inputs, weights, rows, learner.first))
    return F.linear(features, weights["head.weight"], weights["head.bias"])


def _rows(learner: Learner, support: int, query: int) -> Rows:
    design = learner.settings.design
    return Rows(support, query, design.statistics, design.film_on)
