"""An evolved tree: the search's own form of a formula, and its weighted graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sympy import Expr, Integer

from symloss.errors import DomainError
from symloss.expr.operator import Operator
from symloss.expr.registry import Registry, default_registry
from symloss.expr.symbols import SYMBOLS

__all__ = ["TERMINALS", "Program"]

TERMINALS: dict[str, Expr] = {**SYMBOLS, "1": Integer(1), "-1": Integer(-1)}


@dataclass(frozen=True)
class Program:
    """A tree in prefix order, such as `("mul", "y", "plog", "p")`.

    As a weighted graph (the *transition* of EvoMAL, arXiv 2209.08907) it has one coefficient for each edge
    from child to parent, multiplying the child's value: coefficient `i - 1` belongs to `tokens[i]`. The
    root has none.

    Args:
        tokens: operators and terminals by name.
        registry: what the operators' names mean.

    Raises:
        DomainError: when the tokens are not one complete tree.

    >>> Program(("mul", "y", "plog", "p")).children(0)
    (1, 2)
    """

    tokens: tuple[str, ...]
    registry: Registry = field(default_factory=default_registry, compare=False, repr=False)
    own: tuple[Operator, ...] = field(init=False, repr=False)
    """The registered operators that occur in it: two trees with the same tokens differ where these do."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", tuple(self.tokens))
        own = tuple(operator for operator in self.registry.own if operator.name in self.tokens)
        object.__setattr__(self, "own", own)
        operators = self.registry.operators
        # Open places: the root's at first. A token fills one and opens as many as it has operands; a complete tree
        # reaches 0 with its last token and not before.
        missing = 1
        for token in self.tokens:
            if missing == 0:
                break
            if token not in TERMINALS and token not in operators:
                raise DomainError(f"{token!r} is neither an operator nor a terminal")
            missing += self.arity(token) - 1
        else:
            if missing == 0:
                return
        raise DomainError("the tokens are not one complete tree in prefix order")

    def arity(self, token: str) -> int:
        """How many children a token has; a terminal has none."""
        return 0 if token in TERMINALS else self.registry.operators[token].arity

    def with_tokens(self, tokens: Sequence[str]) -> Program:
        """Another tree of the same operators."""
        return Program(tuple(tokens), self.registry)

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self.tokens)

    @cached_property
    def _children(self) -> tuple[tuple[int, ...], ...]:
        children: list[tuple[int, ...]] = [()] * self.size
        stack: list[int] = []
        for i in range(self.size - 1, -1, -1):
            count = self.arity(self.tokens[i])
            # Read backwards, the leftmost operand was pushed last and comes off first.
            children[i] = tuple(stack.pop() for _ in range(count))
            stack.append(i)
        return tuple(children)

    def children(self, i: int) -> tuple[int, ...]:
        """The positions of the children of the token at `i`, from left to right."""
        return self._children[i]

    @cached_property
    def height(self) -> int:
        """The number of edges on the longest way from the root to a leaf."""
        heights = [0] * self.size
        for i in range(self.size - 1, -1, -1):
            heights[i] = max((heights[child] + 1 for child in self._children[i]), default=0)
        return heights[0]
