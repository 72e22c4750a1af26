"""Constants to any number of digits: mpmath's interval arithmetic through SymPy's tree.

Slow, and of one number at a time: for what float64 cannot tell from zero, such as `1 - tanh(20)**2`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from mpmath import libmp
from mpmath.ctx_iv import MPIntervalContext
from sympy import (
    Abs,
    Add,
    E,
    Expr,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    atan,
    cos,
    cosh,
    exp,
    log,
    pi,
    sign,
    sin,
    sinh,
    tanh,
)

from symloss.errors import DomainError
from symloss.expr import RealFunction
from symloss.theory.functions.work import spend

__all__ = ["enclose_to"]

_NOWHERE: Mapping[Expr, Rational] = MappingProxyType({})
_STEPS = 50
"""An operation costs one step, and one more for each so many digits."""
_HUGE = 10**6
"""An argument of an exponential beyond this has more digits than there is room for."""


def enclose_to(number: Expr, digits: int, at: Mapping[Expr, Rational] = _NOWHERE) -> Any:
    """An interval of mpmath around a constant, computed with so many digits; its ends are `.a` and `.b`.

    Args:
        number: a constant, or a formula.
        digits: of the computation.
        at: the values of the formula's symbols.

    Raises:
        DomainError: for what has no real value, or another function.
    """
    context = MPIntervalContext()
    context.dps = digits
    seen: dict[Expr, Any] = {}

    def of(node: Expr) -> Any:
        if node not in seen:
            spend(1 + digits // _STEPS)
            seen[node] = step(node)
        return seen[node]

    def step(node: Expr) -> Any:
        node = at.get(node, node)
        if isinstance(node, Rational):
            # A division of intervals: a fraction that is no binary number gets two ends.
            return context.mpf(int(node.p)) / int(node.q)
        if node is pi or node is E:
            return context.pi if node is pi else context.exp(context.mpf(1))
        if isinstance(node, Add | Mul):
            parts = [of(arg) for arg in node.args]
            result = parts[0]
            for part in parts[1:]:
                result = result + part if isinstance(node, Add) else result * part
            return result
        if isinstance(node, Pow):
            return power(of(node.base), node.exp)
        if isinstance(node, RealFunction):
            return of(node.plain(node.args[0]))
        if isinstance(node, Max | Min):
            parts = [of(arg) for arg in node.args]
            pick = max if isinstance(node, Max) else min
            # Both increase in every argument, so ends go to ends.
            return context.mpf([pick(part.a for part in parts), pick(part.b for part in parts)])
        rule = rules.get(node.func)
        if rule is None or not node.args:
            raise DomainError(f"no enclosure of {node}")
        return rule(of(node.args[0]))

    def power(base: Any, exponent: Expr) -> Any:
        if exponent.is_Integer:
            if exponent < 0 and base.a <= 0 <= base.b:
                raise DomainError("a division by what may be 0")
            return base ** int(exponent)
        if not base.a > 0:
            raise DomainError("a root of what may be negative")
        return expo(of(exponent) * context.log(base))

    def expo(x: Any) -> Any:
        # `not <`, and `not >` for logarithms: an end that is NaN is refused too.
        if not abs(x).b < _HUGE:
            raise DomainError("an exponential that is too large")
        return context.exp(x)

    def logarithm(x: Any) -> Any:
        if not x.a > 0:
            raise DomainError("a logarithm of what may be negative")
        return context.log(x)

    def side(x: Any) -> Any:
        if x.a <= 0 <= x.b and x.a != x.b:
            raise DomainError("the sign of what may be 0")
        return context.mpf((x.a > 0) - (x.b < 0))

    rules: dict[object, Callable[[Any], Any]] = {
        exp: expo,
        log: logarithm,
        sin: context.sin,
        cos: context.cos,
        # mpmath's intervals have no atan, tanh, sinh, cosh. In these forms of tanh and sinh every occurrence of x pulls
        # the same way, so that nothing is lost to the dependence between them.
        atan: lambda x: context.atan2(x, context.mpf(1)),
        Abs: abs,
        sign: side,
        tanh: lambda x: 1 - 2 / (expo(2 * x) + 1),
        sinh: lambda x: (expo(x) - expo(-x)) / 2,
        cosh: lambda x: (expo(x) + expo(-x)) / 2,
    }
    try:
        return of(number)
    except (ValueError, OverflowError, ZeroDivisionError, libmp.ComplexResult) as error:
        raise DomainError(str(error)) from None
