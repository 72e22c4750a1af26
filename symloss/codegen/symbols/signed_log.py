"""Formulas evaluated on numbers kept as a sign and the logarithm of their magnitude.

Where floating point would meet `0 * inf` or `inf - inf` on the way (`1/p - 1/p**2` at `p = exp(-20000)`), the
true value is often representable, or a signed infinity. This slow form repairs exactly the entries on which
the printed code is not finite; it works in float64 and has no gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import torch
from sympy import Add, Expr, Mul, Pow, Symbol, atan, cos, cosh, exp, log, sin, sinh, tanh
from torch import Tensor

from symloss.codegen.symbols import nodes
from symloss.expr import log_cosh

__all__ = ["LOWEST", "SignedLog", "evaluate"]

LOWEST = -1e300
"""Stands for `log 0`: quotients of what is infinite cancel, as they would not with infinities."""
_INFINITE = 690.0
"""The logarithm of numbers that are infinite: `LOWEST` has a larger one."""
_SMALL = -30.0
"""Below `exp(_SMALL)` a function with `f(x) = x + O(x**2)` is its argument to more than float64's digits."""


@dataclass(frozen=True)
class SignedLog:
    """`sign * exp(log)`; zero is `(0, -inf)`, and both are NaN where the number is."""

    sign: Tensor
    log: Tensor

    @classmethod
    def of(cls, value: Tensor) -> SignedLog:
        """A plain tensor's value."""
        value = value.double()
        return cls(_sign(value), torch.log(torch.abs(value)))

    @classmethod
    def exp_of(cls, value: Tensor) -> SignedLog:
        """`exp(value)`."""
        value = value.double()
        return cls(torch.where(value == value, 1.0, value), value)

    @property
    def value(self) -> Tensor:
        """The number itself: 0 or infinite where its magnitude leaves float64."""
        size = torch.exp(torch.where(self.log < _INFINITE, self.log, self.log + _INFINITE))
        return torch.where(self.sign == 0, 0.0, self.sign * size)

    def __mul__(self, other: SignedLog) -> SignedLog:
        sign = self.sign * other.sign
        return SignedLog(sign, torch.where(sign == 0, -math.inf, self.log + other.log))

    def __neg__(self) -> SignedLog:
        return SignedLog(-self.sign, self.log)

    def __add__(self, other: SignedLog) -> SignedLog:
        pair = torch.broadcast_tensors(self.sign, other.sign, self.log, other.log)
        return SignedLog(torch.stack(pair[:2]), torch.stack(pair[2:])).sum(0)

    def sum(self, dim: int, keepdim: bool = False) -> SignedLog:
        """The sum over a dimension; the largest magnitude is taken out first."""
        top = self.log.amax(dim, keepdim=True)
        shifted = torch.where(self.log == top, 0.0, self.log - top)
        total = (self.sign * torch.exp(shifted)).sum(dim, keepdim=True)
        result = _sign(total), torch.log(torch.abs(total)) + torch.where(total == 0, 0.0, top)
        sign, magnitude = result if keepdim else (result[0].squeeze(dim), result[1].squeeze(dim))
        return SignedLog(sign, magnitude)

    def power(self, exponent: float) -> SignedLog:
        """`self ** exponent`: the base is positive, or the exponent an integer."""
        if exponent == 0:
            return SignedLog.exp_of(torch.zeros_like(self.log))
        odd = exponent % 2 == 1
        sign = self.sign if odd else torch.abs(self.sign)
        if exponent % 1:
            sign = torch.where(self.sign < 0, math.nan, sign)
        magnitude = self.log * exponent
        return SignedLog(
            torch.where(magnitude == math.inf, torch.where(sign == 0, 1.0, sign), sign), magnitude
        )

    def exceeds(self, other: SignedLog) -> Tensor:
        """The sign of `self - other`."""
        return (self + -other).sign

    def where(self, condition: Tensor, other: SignedLog) -> SignedLog:
        """`self` where the condition holds, else `other`."""
        return SignedLog(
            torch.where(condition, self.sign, other.sign), torch.where(condition, self.log, other.log)
        )


def _sign(x: Tensor) -> Tensor:
    """torch's sign of NaN is 0."""
    return torch.where(x == x, torch.sign(x), x)


def evaluate(expr: Expr, inputs: Mapping[Symbol, SignedLog]) -> SignedLog:
    """`expr` of the compiler's whitelist on signed logarithms."""
    like = next(iter(inputs.values())).log
    seen: dict[Expr, SignedLog] = dict(inputs)

    def visit(node: Expr) -> SignedLog:
        if node not in seen:
            if node.is_number:
                seen[node] = SignedLog.of(torch.full_like(like, float(node.evalf(20))))
            else:
                seen[node] = _apply(node, [visit(arg) for arg in node.args])
        return seen[node]

    return visit(expr)


def _apply(node: Expr, args: list[SignedLog]) -> SignedLog:
    if isinstance(node, Add):
        return reduce(SignedLog.__add__, args)
    if isinstance(node, Mul):
        return reduce(SignedLog.__mul__, args)
    x = args[0]
    if isinstance(node, Pow):
        if node.exp.is_number:
            return x.power(float(node.exp))
        return SignedLog.exp_of(x.log * args[1].value)
    if isinstance(node, nodes.maximum | nodes.minimum):
        excess = x.exceeds(args[1])
        chosen = x.where((excess > 0) == isinstance(node, nodes.maximum), args[1])
        return (x + args[1]).where(excess != excess, chosen)
    return _function(node.func, x)


def _function(func: type, x: SignedLog) -> SignedLog:
    if func is nodes.absolute:
        return SignedLog(torch.abs(x.sign), x.log)
    if func is nodes.signum:
        return SignedLog.of(x.sign)
    if func is nodes.bounded:
        return x
    if func is nodes.void:
        return SignedLog.of(torch.where(x.sign == x.sign, 0.0, x.sign))
    if func is nodes.step:
        return SignedLog.of((x.sign + 1) / 2)
    if func is exp:
        return SignedLog.exp_of(x.value)
    if func is log:
        return SignedLog.of(torch.where(x.sign > 0, x.log, torch.where(x.sign == 0, -math.inf, math.nan)))
    if func is nodes.fenced:
        return SignedLog.of(x.value.clamp(min=nodes.LOG_GUARD))
    if func is nodes.beyond:
        return SignedLog.of((x.value > nodes.LOG_GUARD).double())
    if func is nodes.plogarithm:
        return SignedLog.of(x.log.clamp(min=nodes.LOG_GUARD))
    if func is nodes.psquareroot:
        return SignedLog.exp_of(x.log.clamp(min=nodes.LOG_GUARD) / 2)
    if func is nodes.outside:
        return SignedLog.of((x.log > nodes.LOG_GUARD).double())
    if func is nodes.inverse:
        outside = x.log > nodes.LOG_GUARD
        return SignedLog(torch.where(outside, x.sign, 0.0), torch.where(outside, -x.log, -math.inf))
    if func is nodes.logistic:
        return SignedLog.exp_of(-torch.nn.functional.softplus(-x.value))
    if func is nodes.softened:
        value = x.value  # softplus(x) is exp(x) far below 0, where exp(x) itself may round to 0
        return SignedLog.exp_of(value).where(value < _SMALL, _through(torch.nn.functional.softplus, x))
    if func is log_cosh:
        size = torch.exp(x.log)
        return SignedLog.of(size + torch.log1p(torch.exp(-2 * size)) - math.log(2))
    if func is cosh:
        size = torch.exp(x.log)
        return SignedLog.exp_of(size + torch.log1p(torch.exp(-2 * size)) - math.log(2))
    if func is sinh:
        size = torch.exp(x.log)
        big = SignedLog(x.sign, size + torch.log(-torch.expm1(-2 * size)) - math.log(2))
        return x.where(x.log < _SMALL, big)
    if func is nodes.expm1:
        value = x.value
        result = SignedLog.exp_of(value).where(value > -_SMALL, _through(torch.expm1, x))
        return x.where(x.log < _SMALL, result)
    if func is nodes.log1p:
        # 1 + x through the sum: exact where x is enormous.
        one = SignedLog.exp_of(torch.zeros_like(x.log))
        return x.where(x.log < _SMALL, _function(log, one + x))
    if func in (sin, cos):
        # Of an argument beyond float64 no digit of the phase is known; 0 is the mean over a period.
        value = torch.where(x.log > 709, math.nan, x.value)
        waves = SignedLog.of(torch.nan_to_num((torch.sin if func is sin else torch.cos)(value), nan=0.0))
        return x.where(x.log < _SMALL, waves) if func is sin else waves
    if func in (tanh, atan):
        return x.where(x.log < _SMALL, _through(torch.tanh if func is tanh else torch.atan, x))
    raise AssertionError(f"{func.__name__} has no form on signed logarithms")


def _through(function: object, x: SignedLog) -> SignedLog:
    assert callable(function)
    return SignedLog.of(function(x.value))
