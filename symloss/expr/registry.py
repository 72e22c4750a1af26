"""The operators that formulas may use: the built-in ones and a user's own, as a value.

A run carries its registry and writes it down, so two runs with different operators of one name live in one
process. Where none is given the default one of the process is used, which `register_primitive` extends.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sympy import Expr, Float, Pow, Symbol, log, preorder_traversal

from symloss.errors import DomainError
from symloss.expr.arrays import ArrayModule
from symloss.expr.functions import elementary
from symloss.expr.operator import Operator, apply_body
from symloss.expr.operators import BY_HEAD, OPERATORS
from symloss.expr.parser import parse_expression
from symloss.expr.symbols import COEFFICIENT_NAME, SYMBOLS

__all__ = ["Definitions", "Registry", "default_registry", "register_primitive"]

Definitions = Mapping[str, tuple[tuple[str, ...], str]]
"""Arguments and formula of each own operator, in the order of their definition."""
_PROBES = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)


@dataclass(frozen=True)
class Registry:
    """The operators of the grammar and `own` ones, which are defined by formulas of those before them.

    >>> swish = Registry().define("swish", ["x"], "x*sigmoid(x)")
    >>> swish.definitions
    {'swish': (('x',), 'x*sigmoid(x)')}
    >>> "swish" in Registry().operators
    False
    """

    own: tuple[Operator, ...] = ()

    # Operators are made of functions, which do not pickle; their definitions do.
    def __reduce__(self) -> tuple[Any, ...]:
        return Registry.of, (self.definitions,)

    @cached_property
    def operators(self) -> Mapping[str, Operator]:
        """All of them by name."""
        return OPERATORS | {operator.name: operator for operator in self.own}

    @property
    def definitions(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """What `of` makes the registry from again; JSON-ready."""
        return {operator.name: operator.definition for operator in self.own if operator.definition}

    @classmethod
    def of(cls, definitions: Mapping[str, Sequence[Any]]) -> Registry:
        """The registry with the operators of some definitions.

        Raises:
            DomainError, ParseError: as `define`.
        """
        return _defined(
            tuple((name, tuple(arguments), formula) for name, (arguments, formula) in definitions.items())
        )

    def define(self, name: str, arguments: Sequence[str], formula: str) -> Registry:
        """This registry and the operator `name(*arguments) = formula`.

        A formula that uses it is printed, compiled and analysed by its definition, so what it prints can be
        read where the operator is not known.

        Args:
            name: how it is called in formulas.
            arguments: the names of its arguments, which stand in `formula`.
            formula: its value, in the grammar of `parse`, defined for all real arguments.

        Raises:
            DomainError: for a name that is taken, an argument that is not used, or a formula that is not proved
                finite and real for all real arguments.
            ParseError: for a formula outside the grammar.
        """
        definition = (tuple(arguments), formula)
        known = self.operators.get(name)
        if known is not None and known.definition == definition:
            return self
        if not COEFFICIENT_NAME.match(name):
            raise DomainError(f"{name!r} is no name for an operator: use ASCII letters, digits, underscores")
        if known is not None or name in SYMBOLS:
            raise DomainError(f"the name {name!r} is taken: call the operator otherwise")
        if not arguments or len(set(arguments)) != len(arguments):
            raise DomainError(f"{name}: expected one or more different arguments, got {list(arguments)}")
        # Arguments pass as coefficients, of which the parser takes the names alone.
        expr = parse_expression(formula, dict.fromkeys(arguments, 1.0), self.operators)
        symbols = [Symbol(argument, real=True) for argument in arguments]
        unused, foreign = set(symbols) - expr.free_symbols, expr.free_symbols - set(symbols)
        if unused or foreign:
            what = (
                f"{min(map(str, foreign))} is no argument"
                if foreign
                else f"{min(map(str, unused))} is unused"
            )
            raise DomainError(f"{name}({', '.join(arguments)}) = {formula}: {what}")
        _check_closed(name, expr, symbols)
        return Registry((*self.own, _operator(name, definition, expr, symbols)))


@lru_cache(maxsize=64)
def _defined(definitions: tuple[tuple[str, tuple[str, ...], str], ...]) -> Registry:
    """Each worker of a run reads the same definitions with every piece of work: proved once."""
    registry = Registry()
    for name, arguments, formula in definitions:
        registry = registry.define(name, arguments, formula)
    return registry


_default = Registry()


def default_registry() -> Registry:
    """The registry of whoever gives none: the built-in operators and what `register_primitive` added."""
    return _default


def register_primitive(name: str, arguments: Sequence[str], formula: str) -> Operator:
    """Adds the operator `name(*arguments) = formula` to the default registry of this process.

    Registering the same definition again changes nothing. See `Registry.define` for arguments and errors; a
    run keeps the registry that it began with.

    >>> swish = register_primitive("swish", ["x"], "x*sigmoid(x)")
    >>> from symloss import parse
    >>> str(parse("y*swish(-p)"))
    '-p*y*sigmoid(-p)'
    """
    global _default
    _default = _default.define(name, arguments, formula)
    return _default.operators[name]


def _operator(
    name: str, definition: tuple[tuple[str, ...], str], expr: Expr, symbols: list[Symbol]
) -> Operator:
    body = _body(expr, symbols)

    def value(xp: ArrayModule, *arguments: Any) -> Any:
        return apply_body(body, lambda inner, *operands: OPERATORS[inner].value(xp, *operands), arguments)

    def build(*arguments: Expr) -> Expr:
        return expr.xreplace(dict(zip(symbols, arguments, strict=True)))

    return Operator(name, len(symbols), build, value, definition=definition, body=body)


def _check_closed(name: str, expr: Expr, symbols: list[Symbol]) -> None:
    """By SymPy's assumptions on real symbols: every logarithm, root and divisor stays in its domain."""
    for node in preorder_traversal(expr):
        if isinstance(node, log):
            # SymPy's assumptions are three-valued: None, not known, counts as open, and the definition is refused.
            closed, demand = node.args[0].is_positive, f"{node.args[0]} > 0"
        elif isinstance(node, Pow) and node.exp.is_Integer:
            closed, demand = node.exp > 0 or node.base.is_zero is False, f"{node.base} != 0"
        elif isinstance(node, Pow) and node.exp.is_positive:
            closed, demand = node.base.is_nonnegative, f"{node.base} >= 0"
        elif isinstance(node, Pow):
            closed, demand = node.base.is_positive, f"{node.base} > 0"
        else:
            continue
        if not closed:
            witness = _witness(expr, symbols)
            found = (
                f"undefined at {witness}" if witness else f"not proved that {demand} for all real arguments"
            )
            raise DomainError(f"{name}: {found}; protect it, as plog, psqrt and aq do")


def _witness(expr: Expr, symbols: list[Symbol]) -> str:
    for values in itertools.product(_PROBES, repeat=min(len(symbols), 3)):
        # For the message only: the refusal stands with or without a point at which the formula fails.
        value = elementary(expr).subs(dict(zip(symbols, values, strict=False)))
        if not value.free_symbols and not (value.is_real and value.is_finite):
            return ", ".join(f"{s} = {v:g}" for s, v in zip(symbols, values, strict=False))
    return ""


def _body(expr: Expr, symbols: list[Symbol]) -> Any:
    """`expr` as nested tuples `(operator, operand, ...)`; an argument is its index, a constant a float."""
    if expr in symbols:
        return symbols.index(expr)
    # Before the heads: exp(1) is one constant and not a call.
    if expr.is_number:
        return float(Float(expr))
    name, operands = BY_HEAD[expr.func].name, [_body(arg, symbols) for arg in expr.args]
    if len(operands) <= BY_HEAD[expr.func].arity:
        return (name, *operands)
    result = operands[0]  # a sum of many terms, two at a time
    for operand in operands[1:]:
        result = (name, result, operand)
    return result
