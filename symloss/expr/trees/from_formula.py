"""A formula as a tree that can be bred from."""

from __future__ import annotations

from sympy import Expr, Integer, Pow

from symloss.errors import DomainError
from symloss.expr.loss import Loss
from symloss.expr.operators import BY_HEAD
from symloss.expr.registry import Registry, default_registry
from symloss.expr.trees.program import Program
from symloss.expr.trees.weighted import Weighted

__all__ = ["weighted_from"]

_Tree = tuple[list[str], list[float], float]


def weighted_from(loss: Loss, registry: Registry | None = None) -> Weighted:
    """The loss as a tree with coefficients on its edges; equal to it but for rounding of numbers.

    Args:
        loss: the formula.
        registry: of the tree, where it is not the default one: what may be bred with.

    Raises:
        DomainError: for a formula without a tree.

    >>> from symloss.expr import parse
    >>> weighted_from(parse("y*abs(log(1.3*p))")).program.tokens
    ('mul', 'y', 'abs', 'log', 'p')
    """
    tokens, edges, factor = _tree(loss.value_expr)
    return Weighted(Program(tuple(tokens), registry or default_registry()), tuple(edges), factor).merged()


def _tree(expr: Expr) -> _Tree:
    """Tokens in prefix order, the coefficient of every edge (one fewer), and the factor before the root."""
    if expr.is_number:
        # A number is a coefficient of the terminal 1, so that tuning can move it.
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
    operator = BY_HEAD.get(expr.func)
    if operator is not None and operator.arity == 2:
        # SymPy's sums, products and extrema are flat; trees have two operands a node.
        tree = _tree(expr.args[0])
        for argument in expr.args[1:]:
            tree = _apply(operator.name, tree, _tree(argument))
        return tree
    if operator is not None:
        return _apply(operator.name, _tree(expr.args[0]))
    raise DomainError(f"no tree says {expr.func.__name__}: seed the search with another form of the loss")


def _power(expr: Pow) -> _Tree:
    base, exponent = expr.base, expr.exp
    if exponent == 2:
        return _apply("square", _tree(base))
    if exponent == Integer(1) / 2:
        return _apply("sqrt", _tree(base))
    # a**-b = 1/a**b, which at b = 1 needs no power.
    if exponent.is_number and exponent.is_negative:
        return _apply("div", (["1"], [], 1.0), _tree(Pow(base, -exponent)))
    return _apply("pow", _tree(base), _tree(exponent))


def _apply(name: str, *arguments: _Tree) -> _Tree:
    tokens, edges = [name], []
    for inner, numbers, factor in arguments:
        tokens += inner
        # The factor of a subtree is the coefficient of the edge that leads to it.
        edges += [factor, *numbers]
    return tokens, edges, 1.0
