"""From a smooth formula to its behaviour at a point: a tail, times an exponential where it has one."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from sympy import Add, Expr, Mul, Pow, Rational, Symbol, atan, cos, cosh, exp, log, sin, sinh, tanh

from symloss.expr import log_cosh, sigmoid, softplus
from symloss.theory.functions.enclose import enclose_number
from symloss.theory.functions.growth import Growth
from symloss.theory.functions.tail import Tail, TailError, multiply
from symloss.theory.functions.taylor import (
    atan_near,
    cos_near,
    log_two,
    right_angle,
    sigmoid_near,
    sin_near,
    softplus_near,
    split,
    tanh_near,
)

__all__ = ["expand_at"]

_ONE = Fraction(1)
_ZERO = Fraction(0)


def expand_at(
    expr: Expr, variable: Symbol, start: Tail, vanishes: Callable[[Expr], bool] = lambda node: False
) -> Growth:
    """What `expr` does where `variable` has the tail `start`.

    Args:
        expr: smooth on the stretch: of functions only exp, log, tanh, atan, sin, cos, sinh, cosh,
            sigmoid, softplus and powers.
        variable: the symbol that runs towards the point.
        start: its own tail, such as `1 - x` at one.
        vanishes: whether a subexpression is known to be zero at the point, which rounding would hide.

    Raises:
        TailError: where there is no such expansion, or none that holds on the whole stretch.
    """
    seen: dict[Expr, Growth] = {}

    def of(node: Expr) -> Growth:
        if node not in seen:
            result = step(node)
            # Next to a root without a formula, or where numbers are enclosed, the constant term is an interval around
            # 0, and nothing can be divided by the tail. What is known to vanish there has the constant 0.
            if result.is_plain and _hides_zero(result.factor) and vanishes(node):
                tail = result.factor
                terms = tuple(term for term in tail.terms if term[:2] != (_ZERO, _ZERO))
                result = Growth.of(Tail(terms, tail.rest, tail.eps))
            seen[node] = result
        return seen[node]

    def step(node: Expr) -> Growth:
        if node == variable:
            return Growth.of(start)
        if isinstance(node, Rational):
            return Growth.constant(Fraction(node.p, node.q), start.eps)
        if not node.free_symbols:
            box = enclose_number(node)
            return Growth.constant((float(box.lo), float(box.hi)), start.eps)
        if isinstance(node, Add | Mul):
            parts = [of(arg) for arg in node.args]
            result = parts[0]
            for part in parts[1:]:
                result = result + part if isinstance(node, Add) else result * part
            return result
        if isinstance(node, Pow):
            if isinstance(node.exp, Rational):
                return of(node.base).power(Fraction(node.exp.p, node.exp.q))
            return (of(node.exp) * of(node.base).log()).exp()
        rule = _RULES.get(node.func)
        if rule is None:
            raise TailError(f"no expansion of {node.func}")
        return rule(of(node.args[0]))

    return of(expr)


def _hides_zero(f: Tail) -> bool:
    """Whether the constant term is an interval around zero."""
    return any(
        t[:2] == (_ZERO, _ZERO) and isinstance(t[2], tuple) and t[2][0] <= 0 <= t[2][1] for t in f.terms
    )


def _circular(function: Callable[[Tail], Tail]) -> Callable[[Growth], Growth]:
    def apply(f: Growth) -> Growth:
        try:
            return Growth.of(function(f.tail()))
        except TailError:  # it may turn for ever, and stays between -1 and 1
            return Growth.of(Tail((), (_ZERO, _ZERO, 1.0), f.eps))

    return apply


def _stays(f: Growth) -> bool:
    """Whether an argument stays bounded; one that diverges has a sign.

    Raises:
        TailError: where it may have any.
    """
    if f.is_plain:
        stays = not split(f.factor)[0]
    else:
        stays = f.exponent.sign() < 0
    if not stays and not f.sign():
        raise TailError("diverges with unknown sign")
    return stays


def _one(f: Growth) -> Growth:
    return Growth.constant(_ONE, f.eps)


def _tanh(f: Growth) -> Growth:
    if _stays(f):
        return Growth.of(tanh_near(f.tail()))
    # tanh f = 1 - 2/(exp(2 f) + 1), and odd.
    sign = Fraction(f.sign())
    # For f > 0 it is 1 - 2 u/(1 + u) with u = exp(-2 f), which falls.
    falling = f.scaled(-2 * sign).exp()
    return (_one(f) + (falling * (_one(f) + falling).power(-_ONE)).scaled(Fraction(-2))).scaled(sign)


def _atan(f: Growth) -> Growth:
    if _stays(f):
        return Growth.of(atan_near(f.tail()))
    # atan f = +-pi/2 - atan(1/f)
    # The identity holds for f of one sign, that of the right angle.
    less = Growth.of(atan_near(f.power(-_ONE).tail())).scaled(-_ONE)
    return Growth.constant(multiply(right_angle(), Fraction(f.sign())), f.eps) + less


def _sigmoid(f: Growth) -> Growth:
    if _stays(f):
        return Growth.of(sigmoid_near(f.tail()))
    # 1/(1 + exp(-f)) for f -> oo, exp(f)/(1 + exp(f)) for f -> -oo: the exponential must fall.
    if f.sign() > 0:
        return (_one(f) + f.scaled(-_ONE).exp()).power(-_ONE)
    rising = f.exp()
    return rising * (_one(f) + rising).power(-_ONE)


def _softplus(f: Growth) -> Growth:
    if _stays(f):
        return Growth.of(softplus_near(f.tail()))
    # softplus(f) = f + softplus(-f): again in the exponential that falls.
    if f.sign() > 0:
        return f + (_one(f) + f.scaled(-_ONE).exp()).log()
    return (_one(f) + f.exp()).log()


def _halves(f: Growth, sign: int) -> Growth:
    return (f.exp() + f.scaled(-_ONE).exp().scaled(Fraction(sign))).scaled(Fraction(1, 2))


def _log_cosh(f: Growth) -> Growth:
    if _stays(f):
        # cosh >= 1 has a logarithm with a constant first term; far out cosh grows beyond every power.
        return _halves(f, 1).log()
    # log(cosh f) = |f| + log(1 + exp(-2 |f|)) - log 2
    size = f.scaled(Fraction(f.sign()))
    less = Growth.constant(multiply(log_two(), -_ONE), f.eps)
    return size + less + (_one(f) + size.scaled(Fraction(-2)).exp()).log()


_RULES: dict[object, Callable[[Growth], Growth]] = {
    exp: Growth.exp,
    log: Growth.log,
    tanh: _tanh,
    atan: _atan,
    sin: _circular(sin_near),
    cos: _circular(cos_near),
    sinh: lambda f: _halves(f, -1),
    cosh: lambda f: _halves(f, 1),
    log_cosh: _log_cosh,
    sigmoid: _sigmoid,
    softplus: _softplus,
}
