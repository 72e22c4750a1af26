"""A formula as a tree that can be bred from."""

from __future__ import annotations

from sympy import Abs, Add, Expr, Integer, Max, Min, Mul, Pow, cos, cosh, exp, log, sign, sin, sinh, tanh

from symloss.errors import DomainError
from symloss.expr.functions import plog, psqrt, sigmoid, softplus
from symloss.expr.loss import Loss
from symloss.expr.trees.program import Program
from symloss.expr.trees.weighted import Weighted

__all__ = ["weighted_from"]

_CALLS = {
    Abs: "abs", sign: "sign", exp: "exp", log: "log", tanh: "tanh", sin: "sin", cos: "cos", sinh: "sinh",
    cosh: "cosh", plog: "plog", psqrt: "psqrt", sigmoid: "sigmoid", softplus: "softplus",
}  # fmt: skip
_JOINS = {Add: "add", Mul: "mul", Min: "min", Max: "max"}
_Tree = tuple[list[str], list[float], float]


def weighted_from(loss: Loss) -> Weighted:
    """The loss as a tree with coefficients on its edges; equal to it but for rounding of numbers.

    Raises:
        DomainError: for a formula without a tree.

    >>> from symloss.expr import parse
    >>> weighted_from(parse("y*abs(log(1.3*p))")).program.tokens
    ('mul', 'y', 'abs', 'log', 'p')
    """
    tokens, edges, factor = _tree(loss.value_expr)
    return Weighted(Program(tuple(tokens)), tuple(edges), factor).merged()


def _tree(expr: Expr) -> _Tree:
    """Tokens, the edges of all but the root, and the factor of the whole."""
    if expr.is_number:
        return ["1"], [], float(expr)
    if expr.is_Symbol:
        return [expr.name], [], 1.0
    if expr.is_Mul or expr.is_Add:
        number, rest = expr.as_coeff_Mul() if expr.is_Mul else (Integer(1), expr)
        if number != 1:
            tokens, edges, factor = _tree(rest)
            return tokens, edges, factor * float(number)
    if expr.is_Pow:
        return _power(expr)
    if expr.func in _JOINS:
        name = _JOINS[expr.func]
        found = _tree(expr.args[0])
        for argument in expr.args[1:]:
            found = _apply(name, found, _tree(argument))
        return found
    if expr.func in _CALLS:
        return _apply(_CALLS[expr.func], _tree(expr.args[0]))
    raise DomainError(f"no tree says {expr.func.__name__}: seed the search with another form of the loss")


def _power(expr: Pow) -> _Tree:
    base, exponent = expr.base, expr.exp
    if exponent == 2:
        return _apply("square", _tree(base))
    if exponent == Integer(1) / 2:
        return _apply("sqrt", _tree(base))
    if exponent.is_number and exponent.is_negative:
        return _apply("div", (["1"], [], 1.0), _tree(Pow(base, -exponent)))
    return _apply("pow", _tree(base), _tree(exponent))


def _apply(name: str, *arguments: _Tree) -> _Tree:
    tokens, edges = [name], []
    for inner, numbers, factor in arguments:
        tokens += inner
        edges += [factor, *numbers]
    return tokens, edges, 1.0
