"""Own operators: defined by a formula, closed on the real numbers by proof, known to every room."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sympy import Expr, Float, Pow, Symbol, log, preorder_traversal

from symloss.errors import DomainError
from symloss.expr.functions import elementary
from symloss.expr.parser import parse_expression
from symloss.expr.primitives import FUNCTIONS, PRIMITIVES, Primitive
from symloss.expr.symbols import COEFFICIENT_NAME, RESERVED

__all__ = ["register_primitive", "registered_primitives"]

_DEFINITIONS: dict[str, tuple[tuple[str, ...], str]] = {}
_PROBES = (-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0)


def register_primitive(name: str, arguments: Sequence[str], formula: str) -> Primitive:
    """Adds the operator `name(*arguments) = formula` to the grammar and to what the search may use.

    A formula that uses it is printed, compiled and analysed by its definition, so what it prints can be read
    where the operator is not registered. Registering the same definition again changes nothing.

    Args:
        name: how it is called in formulas.
        arguments: the names of its arguments, which stand in `formula`.
        formula: its value, in the grammar of `parse`, defined for all real arguments.

    Raises:
        DomainError: for a name that is taken, an argument that is not used, or a formula that is not proved
            finite and real for all real arguments.
        ParseError: for a formula outside the grammar.

    >>> swish = register_primitive("swish", ["x"], "x*sigmoid(x)")
    >>> from symloss import parse
    >>> str(parse("y*swish(-p)"))
    '-p*y*sigmoid(-p)'
    """
    definition = (tuple(arguments), formula)
    if _DEFINITIONS.get(name) == definition:
        return PRIMITIVES[name]
    if not COEFFICIENT_NAME.match(name):
        raise DomainError(f"{name!r} is no name for an operator: use ASCII letters, digits, underscores")
    if name in PRIMITIVES or name in RESERVED:
        raise DomainError(f"the name {name!r} is taken: call the operator otherwise")
    if not arguments or len(set(arguments)) != len(arguments):
        raise DomainError(f"{name}: expected one or more different arguments, got {list(arguments)}")
    expr = parse_expression(formula, dict.fromkeys(arguments, 1.0))
    symbols = [Symbol(argument, real=True) for argument in arguments]
    unused, foreign = set(symbols) - expr.free_symbols, expr.free_symbols - set(symbols)
    if unused or foreign:
        problem = (
            f"{min(map(str, foreign))} is no argument" if foreign else f"{min(map(str, unused))} is unused"
        )
        raise DomainError(f"{name}({', '.join(arguments)}) = {formula}: {problem}")
    _check_closed(name, expr, symbols)
    primitive = Primitive(
        name,
        len(symbols),
        lambda *values: expr.xreplace(dict(zip(symbols, values, strict=True))),
        lambda *values: float(elementary(expr).subs(dict(zip(symbols, values, strict=True)))),
        body=_body(expr, symbols),
    )
    PRIMITIVES[name] = FUNCTIONS[name] = primitive
    _DEFINITIONS[name] = definition
    return primitive


def registered_primitives() -> Mapping[str, tuple[tuple[str, ...], str]]:
    """The arguments and formula of every operator registered so far, for another process to register."""
    return dict(_DEFINITIONS)


def _check_closed(name: str, expr: Expr, symbols: list[Symbol]) -> None:
    """By SymPy's assumptions on real symbols: every logarithm, root and divisor stays in its domain."""
    for node in preorder_traversal(expr):
        if isinstance(node, log):
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
        value = elementary(expr).subs(dict(zip(symbols, values, strict=False)))
        if not value.free_symbols and not (value.is_real and value.is_finite):
            return ", ".join(f"{s} = {v:g}" for s, v in zip(symbols, values, strict=False))
    return ""


def _body(expr: Expr, symbols: list[Symbol]) -> Any:
    """`expr` as nested tuples `(operator, operand, ...)`; an argument is its index, a constant a float."""
    if expr in symbols:
        return symbols.index(expr)
    if expr.is_number:
        return float(Float(expr))
    operands = [_body(arg, symbols) for arg in expr.args]
    if expr.is_Add or expr.is_Mul or expr.func.__name__ in ("Max", "Min"):
        operator = "add" if expr.is_Add else "mul" if expr.is_Mul else expr.func.__name__.lower()
        result = operands[0]
        for operand in operands[1:]:
            result = (operator, result, operand)
        return result
    return ("pow" if expr.is_Pow else expr.func.__name__.lower(), *operands)
