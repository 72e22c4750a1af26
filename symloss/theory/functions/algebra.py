"""Exact algebra, bounded by counted size: equal formulas that are shorter, and whether a formula vanishes.

What is too large for SymPy's polynomials stays as it stands, an equal formula: nothing is lost but a decision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sympy import (
    Abs,
    Add,
    Expr,
    Pow,
    Symbol,
    cancel,
    cosh,
    exp,
    expand,
    factor,
    factor_terms,
    log,
    sinh,
    tanh,
    together,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.expr import Y, canonicalise, elementary, log_cosh, sigmoid, softplus
from symloss.expr.canonical import MAX_TERMS, count_terms
from symloss.theory.functions.enclose import enclose
from symloss.theory.functions.exponentials import vanishes_in
from symloss.theory.functions.interval import Interval
from symloss.theory.functions.probes import shares_of
from symloss.theory.functions.work import remembered, spend

__all__ = ["differs", "multiplied_out", "one_fraction", "shorter", "tidy", "vanishes"]

_MAX_OPERATIONS = 600
"""Formulas beyond this many operations are not rewritten, only enclosed; a third of it where factors are sought."""
_MAX_DEGREE, _MAX_DEGREES, _MAX_RATE, _MAX_GENERATORS = 12, 60, 24, 6
"""Of one power, of all together, of the numbers in an exponent, and of what counts as a variable."""
_HYPERBOLIC = (tanh, sinh, cosh, sigmoid, softplus, log_cosh)
_PRICE = 20
"""Steps for each operation of a formula that polynomial algebra rewrites."""


@remembered(4096)
def tidy(expr: Expr) -> Expr:
    """An equal formula in factored form over one denominator, where that is cheap; else common factors drawn out.

    Holds wherever `expr` is defined.
    """
    if not expr.args or expr.count_ops() > _MAX_OPERATIONS // 3:
        return expr
    if not _is_small(expr):
        return factor_terms(expr) if isinstance(expr, Add) else expr
    # Factors tell roots apart: bisection cannot settle a double root of a sum, nor two that lie close together.
    factored = _rewritten(lambda e: factor(together(e)), expr)
    # The root of a square that factoring uncovers is an absolute value: no longer smooth.
    return expr if factored.has(Abs) else factored


@remembered(4096)
def shorter(expr: Expr) -> Expr:
    """The one of `expr`, its factored form and its expansion with the fewest operations."""
    candidates = [expr, tidy(expr)]
    if expr.count_ops() <= _MAX_OPERATIONS // 3:
        candidates.append(multiplied_out(expr))
    candidates = [candidate for candidate in candidates if not candidate.has(Abs)] or [expr]
    return min(candidates, key=lambda e: (e.count_ops(), e.sort_key()))


def multiplied_out(expr: Expr) -> Expr:
    """An equal formula without brackets, where that is cheap."""
    return _rewritten(expand, expr) if _is_small(expr) else expr


def one_fraction(expr: Expr) -> Expr:
    """An equal formula over one denominator, cancelled, where that is cheap."""
    return _rewritten(lambda e: cancel(together(e)), expr) if _is_small(expr) else expr


@remembered(4096)
def vanishes(expr: Expr) -> bool:
    """Whether a formula is proved to be 0 wherever it is defined, by rewriting."""
    if not expr.args:
        return bool(expr.is_zero)
    if expr.count_ops() > _MAX_OPERATIONS:
        return False
    # A target that is a variable here is any real number.
    kind = "regression" if Y in expr.free_symbols else "classification"
    return (
        # Each only rewrites: one that reaches 0 proves it, and none that fails disproves. The cheaper ones first.
        multiplied_out(expr) == 0
        or tidy(expr) == 0
        or _rewritten(lambda e: canonicalise(e, kind), expr) == 0
        or one_fraction(multiplied_out(expr)) == 0
        or (_has_exponential_form(expr) and one_fraction(_in_exponentials(expr)) == 0)
        or _vanishes_in_one(expr)
    )


def _vanishes_in_one(expr: Expr) -> bool:
    """Whether logarithms of exponentials of the only variable cancel."""
    if not expr.has(exp, *_HYPERBOLIC) or len(expr.free_symbols) != 1:
        return False
    (variable,) = expr.free_symbols
    return vanishes_in(expr, variable)


def _has_exponential_form(expr: Expr) -> bool:
    """Whether a formula has `tanh` and its like, of nothing with a logarithm in it."""
    # exp(a log(c p)) is (c p)**a to SymPy, which takes c**a apart: without end where both have many digits.
    heads = expr.atoms(*_HYPERBOLIC)
    return bool(heads) and not any(elementary(head.args[0]).has(log) for head in heads)


def _in_exponentials(expr: Expr) -> Expr:
    """`tanh`, `sinh`, `cosh` and what is made of them by exponentials."""
    return multiplied_out(elementary(expr).rewrite((tanh, sinh, cosh), exp))


@remembered(4096)
def differs(expr: Expr, variable: Symbol, low: float, high: float) -> bool:
    """Whether a smooth formula is proved not to vanish identically on (low, high): at some point it is not 0."""
    if not expr.args and not expr.free_symbols:
        return expr.is_zero is False
    # A smooth formula that is 0 on the stretch is 0 at all of them; one enclosure away from 0 is enough.
    points = shares_of(low, high)
    try:
        value, _ = enclose(expr, variable, Interval(points, points))
    except OverflowError:
        return False
    return bool(np.any(value.sign != 0))


def _rewritten(step: Callable[[Expr], Expr], expr: Expr) -> Expr:
    """`step(expr)`, counted; the formula as it stands where SymPy gives up."""
    spend(_PRICE * expr.count_ops())
    try:
        return step(expr)
    except (PolynomialError, NotImplementedError, ZeroDivisionError):
        return expr


def _is_small(expr: Expr) -> bool:
    """Whether polynomial algebra on a formula stays small: few generators and terms, low degrees."""
    powers = [p for p in expr.atoms(Pow) if p.exp.is_Rational]
    # A power that is not rational is one more variable to polynomials, and factoring among many has no bound.
    if any(abs(p.exp) > _MAX_DEGREE for p in powers) or len(powers) < len(expr.atoms(Pow)):
        return False
    # Polynomials take exp(1511/2500) for the 1511th power of a generator.
    rates = [term.as_coeff_Mul()[0] for f in expr.atoms(exp) for term in Add.make_args(f.args[0])]
    if any(rate.is_Rational and max(abs(rate.p), rate.q) > _MAX_RATE for rate in rates):
        return False
    # To polynomials each of these is one more variable, and the price of factoring grows with their number and with
    # degrees.
    generators = {f for f in expr.atoms(log, exp) if f.free_symbols}
    generators |= {f for f in expr.atoms() if f.is_Symbol}
    generators |= {n for n in _heads(expr) if n.free_symbols}
    generators |= {p.base for p in powers if p.exp.q != 1}
    degree = sum(abs(int(p.exp.p)) for p in powers)
    return len(generators) <= _MAX_GENERATORS and degree <= _MAX_DEGREES and count_terms(expr) <= MAX_TERMS


def _heads(expr: Expr) -> set[Expr]:
    heads: set[Expr] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if node.is_Function:
            heads.add(node)
        stack.extend(node.args)
    return heads
