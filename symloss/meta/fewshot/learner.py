"""A few-shot learner: which weights it has, and which of them adapt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symloss.errors import DomainError
from symloss.meta.adaptable import learned_from_dict
from symloss.meta.fewshot.encoders import Encoder, encoder_named, uniform
from symloss.meta.fewshot.layers import Weights
from symloss.meta.fewshot.settings import FewShotSettings
from symloss.meta.learned_loss import LearnedLoss
from symloss.runs import generator

__all__ = ["HIDDEN", "PART_OF", "RATE_SPEED", "Learner"]

HIDDEN = 40
"""Units of both hidden layers of the loss networks and the regulariser."""
_SPREAD = 1e-2
"""Standard deviation that loss networks and modulation start with: the first updates are near MAML's."""
RATE_SPEED = 10.0
"""A learned rate is `alpha exp(10 r)`: at Adam's 1e-3 it changes by a hundredth a meta-step, tenfold in 230."""
PART_OF = {
    "encoder": "init", "head": "init", "rate": "rate", "warp": "optimiser", "loss": "loss",
    "regulariser": "regulariser", "film": "film",
}  # fmt: skip
"""The part that meta-learns a weight, by the first word of its name."""
STATISTICS = 4
"""What the regulariser sees of a tensor: mean, standard deviation, L1 and L2 norm."""


@dataclass(frozen=True)
class Learner:
    """What is learned, as names and shapes: the values are handed around as mappings from name to tensor.

    Attributes:
        settings: of the learner.
        kind: `"classification"` or `"regression"`.
        input_shape: of one input.

    >>> from symloss.meta.fewshot.options import settings_for
    >>> learner = Learner(settings_for("regression", (1,), "maml"), "regression", (1,))
    >>> list(learner.start(seed=0))
    ['encoder.0.weight', 'encoder.0.bias', 'encoder.1.weight', 'encoder.1.bias', 'head.weight', 'head.bias']
    """

    settings: FewShotSettings
    kind: str
    input_shape: tuple[int, ...]

    @cached_property
    def encoder(self) -> Encoder:
        """What makes features of inputs."""
        return encoder_named(self.settings.design.encoder)

    @cached_property
    def features(self) -> int:
        """The length of a feature vector."""
        return self.encoder.features(self.input_shape)

    @property
    def outputs(self) -> int:
        """Logits of an instance, or 1."""
        return self.settings.ways

    @property
    def first(self) -> int:
        """The first block that adapts."""
        return self.encoder.blocks - self.settings.design.adapted

    @cached_property
    def formula(self) -> LearnedLoss | None:
        """The learned loss that takes the place of the ordinary one."""
        record = self.settings.design.formula
        return None if record is None else learned_from_dict(record)

    @cached_property
    def adapted(self) -> tuple[str, ...]:
        """The names of what adapts in the inner loop."""
        names = [
            name for name in self.encoder.shapes(self.input_shape) if int(name.split(".")[1]) >= self.first
        ]
        return (*names, "head.weight", "head.bias")

    @cached_property
    def adapted_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what adapts, as a task finds it."""
        shapes = self.encoder.shapes(self.input_shape)
        # After the repetition of a shared head: each class's row adapts by itself.
        shapes |= {"head.weight": (self.outputs, self.features), "head.bias": (self.outputs,)}
        return {name: shapes[name] for name in self.adapted}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many numbers each tensor that adapts has."""
        return tuple(math.prod(shape) for shape in self.adapted_shapes.values())

    @cached_property
    def places(self) -> Tensor:
        """For each number that adapts, the place of its tensor among `adapted`, int64 `[P]`."""
        return torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))

    def learns(self, name: str) -> bool:
        """Whether a weight is meta-learned."""
        return PART_OF[name.partition(".")[0]] in self.settings.parts

    def start(self, seed: int) -> dict[str, Tensor]:
        """Fresh weights, float32; those that two learners share by name and shape are the same for one seed."""
        return {
            **self.encoder.start(self.input_shape, seed), **self._head(seed), **self._rates(), **self._warp(),
            **self._losses(seed), **self._film(seed),
        }  # fmt: skip

    def at_start(self, phi: Weights) -> dict[str, Tensor]:
        """What adapts, as a task finds it: the shared vector of the head repeated for each class.

        The repetition is part of the graph, so that the vector gets its meta-gradient. Every weight is a tensor of its
        own: class scores depend on those of `phi` too, and no inner gradient goes through them.
        """
        theta = {name: phi[name].view_as(phi[name]) for name in self.adapted}
        for name in ("head.weight", "head.bias"):
            theta[name] = theta[name].expand(self.outputs, *theta[name].shape[1:])
        return theta

    def _head(self, seed: int) -> dict[str, Tensor]:
        rows = 1 if self.settings.design.head == "shared" else self.outputs
        spread = 1 / math.sqrt(self.features)
        return {
            "head.weight": uniform("head.weight", (rows, self.features), seed, spread),
            "head.bias": torch.zeros(rows),
        }

    def _rates(self) -> dict[str, Tensor]:
        if "rate" not in self.settings.parts:
            return {}
        # At 0 the rate is alpha itself.
        names = ["all"] if self.settings.design.rates == "one" else self.adapted
        return {f"rate.{name}": torch.zeros(()) for name in names}

    @property
    def _warped(self) -> list[int]:
        """The blocks that a layer of the preconditioner follows."""
        if "optimiser" not in self.settings.parts:
            return []
        last = self.encoder.blocks - 1
        return list(range(self.first, last + 1)) if self.settings.design.warp == "every" else [last]

    def _warp(self) -> dict[str, Tensor]:
        found = {}
        for i in self._warped:
            for name, shape in self.encoder.warp_shapes(i, self.input_shape).items():
                weight = torch.zeros(shape)
                if name.endswith(".weight"):
                    # The layer starts as the identity; after a convolution its normalisation still rescales.
                    torch.nn.init.dirac_(weight) if weight.dim() == 4 else torch.nn.init.eye_(weight)
                found[name] = weight + 1 if name.endswith(".scale") else weight
        return found

    @cached_property
    def networks(self) -> dict[str, int]:
        """The networks that make up the inner loss, with the number of their inputs."""
        n = self.outputs
        found = {f"loss.{term}": 2 * n + 1 for term in self.settings.terms}
        if "regulariser" in self.settings.parts:
            found["regulariser"] = STATISTICS * len(self.adapted)
        return found

    def _losses(self, seed: int) -> dict[str, Tensor]:
        found = {}
        for name, inputs in self.networks.items():
            for layer, (into, out) in enumerate(((inputs, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)), start=1):
                found[f"{name}.{layer}.weight"] = _normal(f"{name}.{layer}.weight", (out, into), seed)
                found[f"{name}.{layer}.bias"] = torch.zeros(out)
        if "transductive" in self.settings.terms and self.settings.design.scores == "relation":
            if self.kind == "regression":
                raise DomainError(
                    "a relation network tells classes apart, and the task is a regression: prototypes"
                )
            for layer, (into, out) in enumerate(((2 * self.features, HIDDEN), (HIDDEN, 1)), start=1):
                name = f"loss.relation.{layer}"
                found[f"{name}.weight"] = uniform(f"{name}.weight", (out, into), seed, math.sqrt(6 / into))
                found[f"{name}.bias"] = torch.zeros(out)
        if "loss" in self.settings.parts and self.formula is not None:
            start = self.formula.coefficients
            found |= {f"loss.formula.{name}": each.float() for name, each in start.items()}
        return found

    def _film(self, seed: int) -> dict[str, Tensor]:
        if "film" not in self.settings.parts:
            return {}
        widths = self.encoder.widths(self.input_shape)
        sizes = {f"encoder.{i}": (widths[i + 1], widths[i]) for i in range(self.first, self.encoder.blocks)}
        sizes |= {f"warp.{i}": (widths[i + 1], widths[i + 1]) for i in self._warped}
        for name, inputs in self.networks.items():
            sizes |= {f"{name}.1": (HIDDEN, inputs), f"{name}.2": (HIDDEN, HIDDEN)}
        if self.formula is not None:
            numbers = sum(each.numel() for each in self.formula.coefficients.values())
            sizes["formula"] = (numbers, self.features)
        found = {}
        for name, (out, into) in sizes.items():
            found[f"film.{name}.weight"] = _normal(f"film.{name}.weight", (2 * out, into), seed)
            found[f"film.{name}.bias"] = torch.zeros(2 * out)
        return found

    def describe(self) -> dict[str, Any]:
        """How many weights are meta-learned, by part, and how many adapt."""
        start = self.start(0)
        learned: dict[str, int] = {}
        for name, each in start.items():
            if self.learns(name):
                part = PART_OF[name.partition(".")[0]]
                learned[part] = learned.get(part, 0) + each.numel()
        return {"learned": learned, "adapted": sum(each.numel() for each in self.at_start(start).values())}


def _normal(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    draw = generator(seed, "weights", name)
    return torch.from_numpy((_SPREAD * draw.standard_normal(shape)).astype(np.float32))
