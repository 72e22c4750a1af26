"""A tree whose edges are functions of fewer numbers: what is learned is the unbounded number behind each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from symloss.codegen.trees.interpret import coefficient_gradient, output_gradient, program_loss
from symloss.expr import Program
from symloss.meta.learned_loss import Coefficients, Context, LearnedLoss

__all__ = ["LINKS", "TiedLoss"]

LINKS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "exp": (torch.exp, torch.exp),
    "sigmoid": (torch.sigmoid, lambda c: torch.sigmoid(c) * torch.sigmoid(-c)),
    "identity": (lambda c: c, torch.ones_like),
}
"""From the number that is learned to the one in the formula, and the derivative: above 0, between 0 and 1, any."""


@dataclass(frozen=True)
class TiedLoss(LearnedLoss):
    """A tree of which several edges may be one number: `edge = constant * link(c)`.

    Attributes:
        kind: of the loss.
        program: the tree.
        ties: for each edge the place of its number, -1 for none, and the constant.
        links: of each number, by name (`LINKS`).
        start: where the numbers behind the links begin.

    >>> square = Program(("square", "sub", "y", "p"))
    >>> loss = TiedLoss("regression", square, ((0, 1.0), (0, 1.0), (0, -1.0)), ("exp",), (0.0,))
    >>> loss.edges(torch.tensor([0.6931472]))
    tensor([ 2.,  2., -2.])
    """

    kind: str
    program: Program
    ties: tuple[tuple[int, float], ...]
    links: tuple[str, ...]
    start: tuple[float, ...]

    @property
    def coefficients(self) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        return {"numbers": torch.tensor(self.start)}

    @cached_property
    def _places(self) -> Tensor:
        return torch.tensor([place for place, _ in self.ties], dtype=torch.long)

    @cached_property
    def _constants(self) -> Tensor:
        return torch.tensor([constant for _, constant in self.ties])

    def linked(self, raw: Tensor) -> Tensor:
        """The numbers of the formula, `[n]`, from those behind the links."""
        return torch.stack([LINKS[link][0](c) for link, c in zip(self.links, raw, strict=True)])

    def edges(self, raw: Tensor) -> Tensor:
        """The edges, `[size - 1]`, from the numbers behind the links."""
        constants = self._constants.to(raw)
        known = torch.cat([self.linked(raw), torch.ones(1).to(raw)])  # the last for edges that are no number
        return constants * known[self._places.to(raw.device)]

    def __call__(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        edges = self.edges(coefficients["numbers"])
        return program_loss(self.program, self.kind, outputs, targets, edges, context)

    # Both by hand: autograd costs a tree more in bookkeeping than its arithmetic takes.
    def output_gradient(
        self, coefficients: Coefficients, outputs: Tensor, targets: Tensor, context: Context | None = None
    ) -> Tensor:
        """See `LearnedLoss`."""
        edges = self.edges(coefficients["numbers"])
        return output_gradient(self.program, self.kind, outputs, targets, edges, context)

    def coefficient_gradient(
        self,
        coefficients: Coefficients,
        outputs: Tensor,
        targets: Tensor,
        direction: Tensor,
        context: Context | None = None,
    ) -> dict[str, Tensor]:
        """See `LearnedLoss`."""
        raw = coefficients["numbers"]
        by_edge = coefficient_gradient(
            self.program, self.kind, outputs, targets, direction, self.edges(raw), context
        )
        slopes = torch.stack([LINKS[link][1](c) for link, c in zip(self.links, raw, strict=True)])
        # dL/dc = link'(c) sum over its edges of constant * dL/dedge.
        by_number = torch.zeros(len(raw) + 1).to(raw)
        # Place -1 is the last: what has no number moves none.
        by_number.index_add_(
            0, self._places.to(raw.device) % (len(raw) + 1), by_edge * self._constants.to(raw)
        )
        return {"numbers": by_number[:-1] * slopes}
