"""SymPy functions that exist only while a formula is compiled.

SymPy differentiates `Abs`, `sign`, `Max` and `Min` into distributions; here a kink has the subgradient that
torch takes (0 for `abs`, one half each for a tie of `max`), and a guard has derivative 0 inside. Each class
knows its derivative; how it is printed is the business of `source.languages`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

from sympy import Abs, Add, Expr, Function, Integer, Max, Min, exp, log, sign, sqrt

from symloss.expr import GUARD, log_cosh, plog, psqrt, sigmoid, softplus

__all__ = [
    "CALLED", "COMPILED", "LOG_GUARD", "absolute", "beyond", "bounded", "expm1", "fenced", "inverse", "log1p",
    "log_cosh_by_tanh", "logistic",
    "maximum", "minimum", "outside", "plogarithm", "psquareroot", "signum", "softened", "step", "void",
]  # fmt: skip

LOG_GUARD = math.log(GUARD)
"""The guard of the protected logarithm, in the log domain."""


class _Real(Function):
    def _eval_is_extended_real(self) -> bool:
        return True


class expm1(_Real):
    """`exp(x) - 1` without cancellation near 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return exp(self.args[0])


class log1p(_Real):
    """`log(1 + x)` without cancellation near 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 / (1 + self.args[0])


class absolute(_Real):
    """`|x|`, with derivative 0 at 0."""

    nargs = 1

    def _eval_is_extended_nonnegative(self) -> bool:
        return True

    def fdiff(self, argindex: int = 1) -> Expr:
        return signum(self.args[0])


class outside(_Real):
    """1 where `|x| > 1e-7`, else 0: `x` times its `inverse`; derivative 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class signum(_Real):
    """The sign of `x`, with derivative 0 everywhere."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class step(_Real):
    """1 for positive `x`, 0 for negative, one half at 0; derivative 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class maximum(_Real):
    """The larger of two; at a tie each argument gets half of the derivative."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        a, b = self.args
        return step(a - b) if argindex == 1 else step(b - a)


class minimum(_Real):
    """The smaller of two; at a tie each argument gets half of the derivative."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        a, b = self.args
        return step(b - a) if argindex == 1 else step(a - b)


class plogarithm(_Real):
    """`log(max(|x|, 1e-7))`."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return inverse(self.args[0])


class inverse(_Real):
    """`1/x` where `|x| > 1e-7`, else 0: the derivative of the protected logarithm."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -(inverse(self.args[0]) ** 2)


class psquareroot(_Real):
    """`sqrt(max(|x|, 1e-7))`; `d sqrt|x| = sqrt|x| / (2 x)`."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return psquareroot(self.args[0]) * inverse(self.args[0]) / 2


class fenced(_Real):
    """`max(x, log 1e-7)`: the guard of the protected logarithm where `x` is a logarithm already."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return beyond(self.args[0])


class beyond(_Real):
    """1 where `x > log 1e-7`, else 0; derivative 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class logistic(_Real):
    """`1 / (1 + exp(-x))`; its derivative as a product of two logistics does not cancel."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return logistic(self.args[0]) * logistic(-self.args[0])


class softened(_Real):
    """`log(1 + exp(x))`."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return logistic(self.args[0])


class log_cosh_by_tanh(_Real):
    """`log cosh x` of `x` and its hyperbolic tangent; printed, never differentiated."""

    nargs = 2


class bounded(_Real):
    """`x`, but the lowest number for minus infinity: `0 * log 0` is then 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(1)


class void(_Real):
    """0, but NaN where `x` is NaN: added where an operator would turn a NaN into a number; derivative 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


def _exceeds_guard(x: Expr) -> bool:
    """Whether the guard of a protected operator of `x` never acts, as in `0.1 + p`."""
    constant, rest = x.as_coeff_Add()
    return bool(constant > GUARD) and all(term.is_nonnegative for term in Add.make_args(rest))


COMPILED: dict[type, Callable[..., Expr]] = {
    Abs: absolute,
    sign: signum,
    plog: lambda x: log(x) if _exceeds_guard(x) else plogarithm(x),
    psqrt: lambda x: sqrt(x) if _exceeds_guard(x) else psquareroot(x),
    sigmoid: logistic,
    softplus: softened,
    Max: lambda *args: reduce(maximum, args),
    Min: lambda *args: reduce(minimum, args),
    log_cosh: log_cosh,
}
"""What stands for a formula's function while it is compiled; one that neither this table nor SymPy has is compiled
by its definition."""

CALLED: dict[type, str] = {
    expm1: "expm1",
    log1p: "log1p",
    log_cosh: "log_cosh",
    absolute: "abs",
    signum: "sign",
    step: "step",
    inverse: "inverse",
    outside: "outside",
    plogarithm: "plog",
    psquareroot: "psqrt",
    logistic: "sigmoid",
    softened: "softplus",
    void: "void",
}
"""What these functions are called in the languages that formulas are printed in."""
