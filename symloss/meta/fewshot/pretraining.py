"""The encoder before the first meta-step: a classifier of all training classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from symloss.meta.fewshot.encoders import encode, uniform
from symloss.meta.fewshot.inner_loss import prototypes, relations
from symloss.meta.fewshot.layers import Rows
from symloss.meta.fewshot.learner import Learner
from symloss.runs import derive, generator
from symloss.tasks.episodes import EpisodeSource

__all__ = ["Classifier"]

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Classifier:
    """The encoder, with its preconditioner and modulation in place, under a linear layer for all training classes.

    Where class scores come from a relation network, that is pretrained beside it on episodes, its features held fixed.

    Attributes:
        learner: whose encoder it is.
        source: of training classes and episodes.
        seed: of batches.
        inputs, targets: all training instances.
    """

    learner: Learner
    source: EpisodeSource
    seed: int
    inputs: Tensor
    targets: Tensor

    @classmethod
    def of(cls, learner: Learner, source: EpisodeSource, seed: int) -> Classifier:
        """On all training instances of the source."""
        return cls(learner, source, seed, *source.pool("train"))

    def start(self) -> Weights:
        """The linear layer, fresh."""
        classes, features = int(self.targets.max()) + 1, self.learner.features
        return {
            "classifier.weight": uniform("classifier.weight", (classes, features), self.seed, features**-0.5),
            "classifier.bias": torch.zeros(classes),
        }

    def gradient(self, weights: Weights, step: int) -> tuple[float, Weights]:
        """The loss of the batch of a step, and its gradient: 0 for what is not pretrained."""
        device = weights["classifier.bias"].device
        # By the step, so that a training goes on exactly where it was stopped.
        draw = generator(self.seed, "pretraining", step)
        chosen = torch.from_numpy(
            draw.integers(len(self.targets), size=self.learner.settings.pretraining.batch)
        )
        inputs, targets = self.inputs[chosen].to(device), self.targets[chosen].to(device)
        learned = [name for name in weights if name.startswith(("encoder.", "classifier.", "loss.relation."))]
        leaves = {name: each.detach().requires_grad_(name in learned) for name, each in weights.items()}
        with torch.enable_grad():
            logits = F.linear(
                self._features(leaves, inputs, len(inputs), 0),
                leaves["classifier.weight"],
                leaves["classifier.bias"],
            )
            value = F.cross_entropy(logits, targets)
            if "loss.relation.1.weight" in leaves:
                value = value + self._relation_loss(leaves, step, device)
            slopes = torch.autograd.grad(value, [leaves[name] for name in learned])
        # One vector for one Adam: a weight with gradient 0 from the first step on never moves.
        found = {name: torch.zeros_like(each) for name, each in weights.items()}
        return float(value.detach()), {**found, **dict(zip(learned, slopes, strict=True))}

    def _features(self, weights: Weights, inputs: Tensor, support: int, query: int) -> Tensor:
        design = self.learner.settings.design
        rows = Rows(support, query, design.statistics, design.film_on)
        return self.learner.encoder.flat(encode(self.learner.encoder, inputs, weights, rows))

    def _relation_loss(self, weights: Weights, step: int, device: torch.device) -> Tensor:
        settings = self.learner.settings
        episode = self.source.sample(
            "train", ways=settings.ways, shots=settings.shots, queries=settings.queries,
            seed=derive(self.seed, "relations", step),
        ).to(device)  # fmt: skip
        sizes = [len(episode.support_targets), len(episode.query_targets)]
        both = torch.cat([episode.support_inputs, episode.query_inputs])
        # Held fixed: the encoder is the classifier's, and the relation network follows it.
        support, query = self._features(weights, both, *sizes).detach().split(sizes)
        centres = prototypes(support, episode.support_targets, settings.ways)
        return F.cross_entropy(relations(query, centres, weights), episode.query_targets)
