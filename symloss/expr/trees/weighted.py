"""A tree with the coefficients of its edges: what is tuned, scaled, rounded and then trained."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from symloss.errors import DomainError
from symloss.expr.loss import Loss, parse
from symloss.expr.trees.merge import merge
from symloss.expr.trees.program import Program
from symloss.expr.trees.text import infix

__all__ = ["Weighted"]


@dataclass(frozen=True)
class Weighted:
    """The loss `factor * program`, whose edge from `tokens[i]` to its parent multiplies by `edges[i - 1]`.

    Raises:
        DomainError: for another number of edges than the tree has.

    >>> loss = Weighted(Program(("mul", "y", "plog", "p")), (1.234567, -2.0, 0.5))
    >>> print(loss.merged().rounded().to_loss("classification"))
    -2.469*y*plog(p/2)
    """

    program: Program
    edges: tuple[float, ...]
    factor: float = 1.0

    free: ClassVar[bool] = True
    """Whether coefficients may be changed one by one."""

    def __post_init__(self) -> None:
        if len(self.edges) != self.program.size - 1:
            raise DomainError(f"{self.program.size - 1} edges, but {len(self.edges)} coefficients")

    @classmethod
    def plain(cls, program: Program) -> Weighted:
        """With unit edges: the tree itself."""
        return cls(program, (1.0,) * (program.size - 1))

    @property
    def finite(self) -> bool:
        """Whether every coefficient is."""
        return all(math.isfinite(value) for value in (*self.edges, self.factor))

    @property
    def moderate(self) -> bool:
        """Whether every coefficient has a magnitude that can be printed and trained in single precision."""
        return all(value == 0 or 1e-12 < abs(value) < 1e12 for value in (*self.edges, self.factor))

    @property
    def coefficients(self) -> int:
        """How many coefficients a reader sees: those that are not 1."""
        return sum(abs(value) != 1 for value in (*self.edges, self.factor))

    def graph(self) -> tuple[Program, tuple[float, ...]]:
        """The same loss as a program and its edges alone; a factor becomes one more multiplication."""
        if self.factor == 1:
            return self.program, self.edges
        # The sign stands in the tree, so that coefficients that start at 1 keep it.
        constant = "1" if self.factor > 0 else "-1"
        return self.program.with_tokens(("mul", constant, *self.program.tokens)), (
            abs(self.factor),
            1.0,
            *self.edges,
        )

    def scaled(self, by: float) -> Weighted:
        """The loss times a number."""
        return replace(self, factor=self.factor * by)

    def turned(self) -> Weighted | None:
        """The loss negated; None for losses that are built to have a property, where negation destroys it."""
        return self.scaled(-1.0)

    def rounded(self, digits: int = 4) -> Weighted:
        """Every coefficient to that many significant digits."""
        return replace(
            self,
            edges=tuple(float(f"{value:.{digits}g}") for value in self.edges),
            factor=float(f"{self.factor:.{digits}g}"),
        )

    def snapped(self, near: float) -> Weighted:
        """Coefficients within a relative distance of 1 or -1 become that; the factor of the whole stays."""
        edges = tuple(
            math.copysign(1.0, value) if value and abs(abs(value) - 1) <= near else value
            for value in self.edges
        )
        return replace(self, edges=edges)

    def merged(self) -> Weighted:
        """The same function of `y` and `p` with fewer coefficients and nodes.

        Constant subtrees become one number, and the coefficients of one product one coefficient. Exact but
        for rounding; numbers that overflow on the way leave the loss as it was.
        """
        changed = merge(self.program, self.edges, self.factor)
        return Weighted(*changed) if changed else self

    @cached_property
    def formula(self) -> str:
        """The loss in the grammar of `parse`."""
        return infix(self.program, self.edges, self.factor)

    def to_loss(self, kind: str) -> Loss:
        """The loss as a value, its numbers exact decimals."""
        return parse(self.formula, kind=kind)
