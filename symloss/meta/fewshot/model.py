"""A learner that has been trained, for a user's own tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.meta.adaptable import formula_at
from symloss.meta.fewshot.evaluation import adapted_outputs
from symloss.meta.fewshot.layers import Weights
from symloss.meta.fewshot.learner import RATE_SPEED, Learner
from symloss.tasks.episodes import Episode

__all__ = ["FewShotModel"]


@dataclass(frozen=True)
class FewShotModel:
    """What a training came to.

    Attributes:
        learner: names and shapes.
        phi: what was meta-learned, by name: `encoder.*`, `head.*`, `rate.*`, `warp.*`, `loss.*`, `regulariser.*`,
            `film.*`.
    """

    learner: Learner
    phi: Weights

    def predict(
        self, support_inputs: Tensor, support_targets: Tensor, query_inputs: Tensor, steps: int | None = None
    ) -> Tensor:
        """Learns a task from its support set, and answers its queries.

        Args:
            support_inputs: `[ways * shots, ...]`, as the episodes had them.
            support_targets: class numbers 0 to ways - 1, or numbers `[shots, 1]`.
            query_inputs: `[queries, ...]`.
            steps: inner steps; the learner's own unless given.

        Returns:
            logits `[queries, ways]`, or predictions `[queries, 1]`.

        Raises:
            DomainError: for labels that are not those classes, or numbers of another shape.
        """
        ways = self.learner.outputs
        if self.learner.kind == "regression":
            if support_targets.shape != (len(support_inputs), 1):
                raise DomainError(
                    f"support targets of shape {tuple(support_targets.shape)}: expected [shots, 1]"
                )
        elif sorted(set(support_targets.tolist())) != list(range(ways)):
            raise DomainError(f"support targets: expected each of the classes 0 to {ways - 1}")
        # Nothing looks at the targets of the queries.
        episode = Episode(support_inputs, support_targets, query_inputs, support_targets[:1])
        return adapted_outputs(self.learner, self.phi, episode, steps=steps)[-1]

    @property
    def rates(self) -> dict[str, float]:
        """The inner learning rate of each tensor that adapts; learned or as set."""
        alpha = self.learner.settings.inner.rate
        found = {}
        for name in self.learner.adapted:
            learned = self.phi.get(f"rate.{name}", self.phi.get("rate.all"))
            found[name] = alpha if learned is None else alpha * float((RATE_SPEED * learned).exp())
        return found

    @property
    def formula(self) -> Loss | None:
        """The learned formula before a task modulates it, or None where the loss is none."""
        learned = self.learner.formula
        if learned is None:
            return None
        names: Mapping[str, Tensor] = learned.coefficients
        return formula_at(learned, {name: self.phi[f"loss.formula.{name}"].detach().cpu() for name in names})

    def to(self, device: torch.device | str) -> FewShotModel:
        """On another device."""
        return FewShotModel(self.learner, {name: each.to(device) for name, each in self.phi.items()})
