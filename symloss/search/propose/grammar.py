"""The trees that a search may build: operators, terminals, height, nesting limits, costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from deap import gp

from symloss.errors import SymlossError
from symloss.expr import KINDS, Program, Registry, default_registry

__all__ = ["OPERATORS", "Grammar"]

OPERATORS = (
    "add", "sub", "mul", "aq", "min", "max", "sign", "square", "abs", "plog", "psqrt", "tanh",
)  # fmt: skip
"""The published operators (spec of EvoMAL, arXiv 2209.08907, table I)."""

USUAL = {kind.needs: kind.operators or OPERATORS for kind in KINDS.values()}
"""By the variables of a loss the operators that are drawn unless somebody names others."""
# The published terminals. Every other number comes from the coefficients of the edges.
CONSTANTS = ("1", "-1")
EXTRA_SYMBOLS = ("C", "pi", "w")
_ARITHMETIC = ("add", "sub", "mul", "aq")


@dataclass(frozen=True)
class Grammar:
    """The trees that a search may propose.

    Args:
        operators: names in `registry`.
        variables: the symbols that every loss has.
        extra_symbols: terminals besides `y p 1 -1` (of a margin loss `m 1 -1`): any of `C pi w`.
        max_height: in edges from root to leaf.
        nesting: `{outer: {inner: n}}`: under `outer` at most `n` nested `inner`, as `{"tanh": {"tanh": 0}}`.
        costs: the complexity of an operator where it is not 1.
        registry: what the operators' names mean.

    Raises:
        SymlossError: for an unknown operator or symbol, no binary one, or a limit or cost out of range.

    >>> Grammar(nesting={"tanh": {"tanh": 0}}).allows(Program(("tanh", "add", "y", "tanh", "p")))
    False
    """

    operators: tuple[str, ...] = OPERATORS
    extra_symbols: tuple[str, ...] = ()
    max_height: int = 10
    nesting: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    registry: Registry = field(default_factory=default_registry, compare=False, repr=False)
    variables: tuple[str, ...] = ("y", "p")

    def __post_init__(self) -> None:
        known = self.registry.operators
        mentioned = {*self.operators, *self.costs, *self.nesting}.union(*self.nesting.values())
        for name in sorted(mentioned):
            if name not in known:
                raise SymlossError(f"unknown operator {name!r}: expected one of {', '.join(known)}")
        for name in self.extra_symbols:
            if name not in EXTRA_SYMBOLS:
                raise SymlossError(f"unknown symbol {name!r}: expected one of {', '.join(EXTRA_SYMBOLS)}")
        if self.max_height < 1:
            raise SymlossError(f"max_height is {self.max_height!r}: expected a whole number of at least 1")
        for name, cost in self.costs.items():
            if not 0 <= cost < math.inf:
                raise SymlossError(f"the cost of {name} is {cost!r}: expected a number of at least 0")
        if not self.joiners:
            raise SymlossError("no operator of two arguments: a loss must join y and p")

    def of_kind(self, kind: str) -> Grammar:
        """The same for losses of a kind: of its variables, and of its operators unless others were named."""
        variables = KINDS[kind].needs
        operators = USUAL[variables] if self.is_usual else self.operators
        return replace(self, variables=variables, operators=operators)

    @property
    def is_usual(self) -> bool:
        """Whether nobody has named operators."""
        return self.operators == USUAL[self.variables]

    @cached_property
    def joiners(self) -> tuple[str, ...]:
        """What may join `y` and `p` in a tree that lacks one: arithmetic, or any binary operator."""
        arithmetic = tuple(name for name in self.operators if name in _ARITHMETIC)
        return arithmetic or tuple(
            name for name in self.operators if self.registry.operators[name].arity == 2
        )

    @cached_property
    def primitives(self) -> gp.PrimitiveSet:
        """The same for DEAP, which reads names and arities alone: nothing is compiled."""
        # No arguments: the variables are terminals, as no tree is ever called.
        primitives = gp.PrimitiveSet("loss", 0)
        for name in self.operators:
            operator = self.registry.operators[name]
            primitives.addPrimitive(operator.evaluate, operator.arity, name=name)
        for name in (*self.variables, *CONSTANTS, *self.extra_symbols):
            primitives.addTerminal(name)
        return primitives

    def program(self, tokens: Sequence[str]) -> Program:
        """A tree of these operators."""
        return Program(tuple(tokens), self.registry)

    def allows(self, program: Program) -> bool:
        """Whether a tree keeps to the height and the nesting limits.

        Where `pow` is not drawn, as an operator of two arguments, it stands for a power with a free exponent:
        a constant.
        """
        # EvoMAL's limit (10); a taller child is replaced by its parent, see `offspring`.
        if program.height > self.max_height:
            return False
        if "pow" not in self.operators and not all(
            program.tokens[program.children(i)[1]] in ("1", "-1")
            for i, token in enumerate(program.tokens)
            if token == "pow"
        ):
            return False
        return all(
            _nested(program, i, inner) <= limit
            for i, token in enumerate(program.tokens)
            for inner, limit in self.nesting.get(token, {}).items()
        )

    def surcharge(self, program: Program) -> float:
        """What the operators' costs add to a complexity that counts each as 1."""
        return sum(self.costs.get(token, 1.0) - 1.0 for token in program.tokens)


def _nested(program: Program, root: int, inner: str) -> int:
    """The largest number of `inner` on any path from below `root` to a leaf."""

    def deepest(i: int) -> int:
        below = max((deepest(child) for child in program.children(i)), default=0)
        return below + (program.tokens[i] == inner)

    return max((deepest(child) for child in program.children(root)), default=0)
