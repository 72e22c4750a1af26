"""Formulas in the log domain: `log p` and `log(1 - p)` are inputs, never computed from a rounded `p`.

Of an entry with the logit `d = log p - log(1 - p)` four positive or non-positive quantities are known
exactly: `p`, `q = 1 - p`, `u = log p` and `v = log q`. A formula is rewritten in them, so that
`log(1 - p)` is `v`, `p**a` is `exp(a u)`, and products such as `p * (1/p)` cancel before they are computed.
"""

from __future__ import annotations

from sympy import Abs, Add, Expr, Integer, Mul, Poly, Pow, Symbol, cosh, exp, log, sign
from sympy.polys.polyerrors import PolynomialError

from symloss.codegen.symbols.nodes import (
    COMPILED,
    absolute,
    expm1,
    fenced,
    inverse,
    log1p,
    logistic,
    outside,
    signum,
    softened,
)
from symloss.expr import PI, P, RealFunction, W, Y, log_cosh, plog

__all__ = [
    "ENTRY",
    "LOG_P",
    "LOG_Q",
    "PRIOR",
    "P_",
    "Q_",
    "RESIDUAL",
    "TARGET",
    "WEIGHT",
    "in_logs",
    "logit_slope",
    "plain",
]

P_ = Symbol("p", positive=True)
Q_ = Symbol("q", positive=True)
LOG_P = Symbol("u", nonpositive=True)
LOG_Q = Symbol("v", nonpositive=True)
TARGET = Symbol("y", nonnegative=True)
PRIOR = Symbol("pi", positive=True)
WEIGHT = Symbol("w", nonnegative=True)
RESIDUAL = Symbol("r", real=True)
"""`p - y` of a regression loss that depends on no more."""
ENTRY: dict[Expr, Expr] = {P: P_, Y: TARGET, PI: PRIOR, W: WEIGHT}
"""What is known of the entries of a classification or multilabel loss."""

_ENTRIES = (P_, Q_, LOG_P, LOG_Q, TARGET, PRIOR, WEIGHT)

MAX_DEGREE = 6
"""The largest degree in `p` of a sum from which factors `p` and `1 - p` are taken out."""


def plain(expr: Expr) -> Expr:
    """`expr` with the compiler's own functions for those with kinks and guards; no log domain."""
    return _Rewriting(logs=False).value(expr)


def in_logs(expr: Expr) -> Expr:
    """`expr`, a formula in `p` of `ENTRY`, in `p, q, u, v`.

    >>> in_logs(log(1 - P_) / P_)
    v/p
    """
    return _Rewriting(logs=True).value(expr)


def logit_slope(expr: Expr) -> Expr:
    """The derivative of an expression in `p, q, u, v` by the logit `d = u - v`.

    `dp/dd = p q`, `dq/dd = -p q`, `du/dd = q`, `dv/dd = -p`.
    """
    inner = expr.diff(P_) - expr.diff(Q_)
    products = Add(*(P_ * Q_ * term for term in Add.make_args(inner)))
    logs = [
        factor * term
        for factor, part in ((Q_, expr.diff(LOG_P)), (-P_, expr.diff(LOG_Q)))
        for term in Add.make_args(part)
    ]
    return _collected(Add(products, *logs))


def log_slope(expr: Expr) -> Expr:
    """The derivative of an expression in `p, q, u, v` by `u = log p`: finite at `p = 1` without `v`."""
    inner = expr.diff(P_) - expr.diff(Q_)
    products = Add(*(P_ * term for term in Add.make_args(inner)))
    tail = [-P_ / Q_ * term for term in Add.make_args(expr.diff(LOG_Q))]
    return _collected(Add(products, expr.diff(LOG_P), *tail))


def _collected(expr: Expr) -> Expr:
    """Terms that differ by a factor free of entries become one: that factor is a number at run time."""
    factors: dict[Expr, list[Expr]] = {}
    for term in map(_met, Add.make_args(expr)):
        number, entry = term.as_independent(*_ENTRIES, as_Add=False)
        factors.setdefault(entry, []).append(number)
    return Add(*(Add(*numbers) * entry for entry, numbers in factors.items()))


def _met(term: Expr) -> Expr:
    """A product with each pair `x * inverse(x)` as `outside(x)`."""
    for guarded in term.atoms(inverse):
        x = guarded.args[0]
        if {x, guarded} <= set(Mul.make_args(term)):
            term = term / (x * guarded) * outside(x)
    return term


class _Rewriting:
    """One pass over a formula, each shared part once."""

    def __init__(self, logs: bool) -> None:
        self.logs = logs
        self.seen: dict[Expr, Expr] = {}

    def value(self, expr: Expr) -> Expr:
        if not expr.args or expr.is_number:
            return expr
        if expr not in self.seen:
            self.seen[expr] = self.rewritten(expr)
        return self.seen[expr]

    def rewritten(self, expr: Expr) -> Expr:
        if isinstance(expr, Add):
            return self.sum(expr)
        args = [self.value(arg) for arg in expr.args]
        if isinstance(expr, log):
            return self.logarithm(args[0])
        if self.logs and expr.func is plog:
            known, rest = _split(args[0])
            if abs(rest) == 1:
                return fenced(known)
        if isinstance(expr, Abs | sign):
            own = absolute if isinstance(expr, Abs) else signum
            outer = expr.func(args[0])  # SymPy takes out what it knows the sign of
            return outer.xreplace({node: own(node.args[0]) for node in outer.atoms(expr.func)})
        if not self.logs and isinstance(expr, Pow) and args[1].is_negative:
            constant, others = args[0].as_coeff_Add()
            if constant == 1 and isinstance(others, exp):
                # 1/(1 + exp(x)), whose slope is infinity over infinity for large x.
                return logistic(-others.args[0]) ** -args[1]
        if isinstance(expr, RealFunction) and expr.func not in COMPILED:
            return self.value(expr.plain(expr.args[0]))
        return COMPILED.get(expr.func, expr.func)(*args)

    def logarithm(self, x: Expr) -> Expr:
        known, rest = _split(x) if self.logs else (Integer(0), x)
        if rest == 1:
            return known
        if isinstance(rest, cosh):
            return known + log_cosh(rest.args[0])
        constant, others = rest.as_coeff_Add()
        if not self.logs and constant == 1 and isinstance(others, exp):
            return known + softened(others.args[0])
        return known + (log1p(others) if constant == 1 and others != 0 else log(rest))

    def sum(self, expr: Expr) -> Expr:
        """A sum with its factors `p` and `1 - p` taken out, `1 - exp(x)` as `expm1`."""
        taken = _endpoints(expr) if self.logs else None
        if taken is not None:
            return taken
        terms = [self.value(arg) for arg in expr.args]
        constant = Add(*(term for term in terms if not term.free_symbols))
        rest = [term for term in terms if term.free_symbols]
        for i, term in enumerate(rest):
            factor, power = term.as_independent(P_, as_Add=False)
            if self.logs and constant != 0 and factor == -constant:
                if power == P_:
                    return Add(constant * Q_, *rest[:i], *rest[i + 1 :])
                if isinstance(power, Pow) and power.base == P_ and not power.exp.has(P_):
                    return Add(factor * expm1(power.exp * LOG_P), *rest[:i], *rest[i + 1 :])
            factor, power = term.as_coeff_Mul()
            if constant != 0 and factor == -constant and isinstance(power, exp):
                return Add(factor * expm1(power.args[0]), *rest[:i], *rest[i + 1 :])
        return Add(*terms)


def _split(x: Expr) -> tuple[Expr, Expr]:
    """`(l, r)` with `log x = l + log r`: `l` gathers every factor whose logarithm is known."""
    known: list[Expr] = []
    rest: list[Expr] = []
    logs = {P_: LOG_P, Q_: LOG_Q}
    for factor in Mul.make_args(x):
        base, power = factor.as_base_exp()
        if isinstance(factor, exp):
            known.append(factor.args[0])
        elif base in logs:
            known.append(power * logs[base])
        elif (base.is_Symbol or base.is_number) and base.is_positive:
            known.append(power * log(base))
        elif base.is_number and base.is_negative and power == 1:
            known.append(log(-base))
            rest.append(Integer(-1))
        else:
            rest.append(factor)
    return Add(*known), Mul(*rest)


def _endpoints(expr: Expr) -> Expr | None:
    """A sum that is a polynomial in `p`, as `p**k * q**m * rest` with `k + m > 0`, else None."""
    powers = [term.as_independent(P_, as_Add=False) for term in expr.args]
    for factor, power in powers:
        base, degree = power.as_base_exp()
        if base not in (P_, 1) or not degree.is_Integer or not 0 <= degree <= MAX_DEGREE:
            return None
        if not factor.is_rational_function():
            return None
    try:
        poly = Poly(expr, P_)
    except PolynomialError:
        return None
    if poly.degree() < 1:
        return None
    low = min(monomial[0] for monomial in poly.monoms())
    poly = poly.quo(Poly(P_**low, P_))
    one_minus, high = Poly(1 - P_, P_), 0
    while poly.degree() > 0 and poly.eval(1) == 0:
        poly, high = poly.quo(one_minus), high + 1
    return P_**low * Q_**high * poly.as_expr() if low + high else None
