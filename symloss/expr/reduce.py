"""Simplifications that hold on the domain of a kind: known signs, guards that cannot act, idle extrema.

Every rule is an identity on the whole domain, soft labels included; the canonical form uses them too, so that
a loss and its reduced form are one loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sympy import Abs, Add, Expr, Integer, Max, Min, Mul, Pow, Symbol, exp, log, sign, sqrt
from sympy.core.exprtools import factor_terms

from symloss.expr.domain import Domain
from symloss.expr.operators import GUARD, plog, psqrt

__all__ = ["Undefined", "defined", "reduced", "reduced_node", "unguarded"]

MAX_FACTORS = 24
"""Factors of a product whose signs are looked at, and terms of an extremum that are compared."""


class Undefined(Exception):
    """A part of a formula has no real value on the domain, single points aside."""


def defined(expr: Expr, known: Mapping[Symbol, Symbol], domain: Domain) -> Expr:
    """`expr` in the symbols of which more is `known`.

    Raises:
        Undefined: for a part such as `sqrt(-1 - p)`, over which SymPy's extrema fail and its other rules hold for
            complex numbers only.
    """
    seen: dict[Expr, Expr] = {}

    def walk(node: Expr) -> Expr:
        if not node.args:
            return known.get(node, node)
        if node not in seen:
            # Arguments first, and the check before SymPy sees the node: its Max raises a ValueError over what is not
            # real.
            args = [walk(arg) for arg in node.args]
            if _has_no_value(node, domain):
                raise Undefined(str(node))
            seen[node] = node.func(*args)
            if seen[node].is_extended_real is False:
                raise Undefined(str(node))
        return seen[node]

    return walk(expr)


def _has_no_value(node: Expr, domain: Domain) -> bool:
    if isinstance(node, log):
        return domain.of(node.args[0])[1] <= 0
    fraction = node.is_Pow and node.exp.is_Rational and not node.exp.is_Integer
    return fraction and domain.of(node.base)[1] <= 0


def unguarded(expr: Expr, domain: Domain) -> Expr:
    """`expr` with `log` and `sqrt` for `plog` and `psqrt` where their guard cannot act; nothing else is changed.

    >>> from symloss.expr import P
    >>> unguarded(plog(1 + P) + plog(P), Domain("classification"))
    log(p + 1) + plog(p)
    """
    bare = {
        node: head(_absolute([node.args[0]], domain))
        for guarded, head in ((plog, log), (psqrt, sqrt))
        for node in expr.atoms(guarded)
        if domain.outside_guard(node.args[0])
    }
    return expr.xreplace(bare)


def reduced(expr: Expr, domain: Domain) -> Expr:
    """`expr` with every rule applied from the leaves up.

    >>> from symloss.expr import P, Y
    >>> unit = Domain("classification")
    >>> reduced(Abs(Y * log(P) * Y), unit), reduced(plog(1 + P), unit), reduced(psqrt(P - Y) ** 2, unit)
    (-y**2*log(p), log(p + 1), Max(1/10000000, Abs(p - y)))
    """
    return _walk(expr, domain, {})


def _walk(expr: Expr, domain: Domain, seen: dict[Expr, Expr]) -> Expr:
    if not expr.args:
        return expr
    if expr not in seen:
        args = [_walk(arg, domain, seen) for arg in expr.args]
        seen[expr] = reduced_node(expr.func, args, domain)
    return seen[expr]


def reduced_node(func: Callable[..., Expr], args: list[Expr], domain: Domain) -> Expr:
    """`func(*args)` with the rules for `func` applied; the arguments are reduced already."""
    rule = _RULES.get(func)
    return rule(args, domain) if rule else func(*args)


def _split(expr: Expr, domain: Domain) -> tuple[Expr, Expr]:
    """`(known, rest)`, `known >= 0` on the domain and `|expr| = known * |rest|`."""
    known, rest = Integer(1), Integer(1)
    factors = Mul.make_args(expr)
    # Each sign is a pass over the factor's tree; a product this long is left alone.
    if len(factors) > MAX_FACTORS:
        return known, expr
    for factor in factors:
        direction = domain.sign(factor)
        if direction:
            known *= direction * factor
        else:
            rest *= factor
    return known, rest


def _absolute(args: list[Expr], domain: Domain) -> Expr:
    known, rest = _split(args[0], domain)
    direction = domain.sign(rest)
    return known * (direction * rest if direction else Abs(rest))


def _bare(x: Expr) -> Expr:
    """An argument of an even function without the absolute value and the sign that it does not see."""
    if isinstance(x, Abs):
        x = x.args[0]
    return -x if x.as_coeff_Mul()[0].is_negative else x


def _logarithm(args: list[Expr], domain: Domain) -> Expr:
    x = args[0]
    if isinstance(x, Abs) and domain.sign(x.args[0]):
        x = domain.sign(x.args[0]) * x.args[0]
    return log(x)


def _protected_logarithm(args: list[Expr], domain: Domain) -> Expr:
    x = _bare(args[0])
    return log(_absolute([x], domain)) if domain.outside_guard(x) else plog(x)


def _protected_root(args: list[Expr], domain: Domain) -> Expr:
    x = _bare(args[0])
    return sqrt(_absolute([x], domain)) if domain.outside_guard(x) else psqrt(x)


def _floored(x: Expr, domain: Domain) -> Expr:
    """`max(|x|, 1e-7)`: what stands under the root of `psqrt` and in the logarithm of `plog`."""
    return _extremum(Max, [_absolute([x], domain), GUARD], domain)


def _power(args: list[Expr], domain: Domain) -> Expr:
    base, exponent = args
    if isinstance(base, psqrt) and exponent.is_Integer and exponent % 2 == 0:
        # psqrt(x)**(2k) = max(|x|, 1e-7)**k: the root goes, and no branch is lost since what stands under it is
        # positive.
        return _floored(base.args[0], domain) ** (exponent / 2)
    if isinstance(base, Abs) and domain.sign(base.args[0]):
        base = domain.sign(base.args[0]) * base.args[0]
    return Pow(base, exponent)


def _exponential(args: list[Expr], domain: Domain) -> Expr:
    factor, rest = args[0].as_coeff_Mul()
    if isinstance(rest, plog) and factor.is_Integer:
        # exp(k plog(x)) = max(|x|, 1e-7)**k.
        return _floored(rest.args[0], domain) ** factor
    return exp(args[0])


def _sign(args: list[Expr], domain: Domain) -> Expr:
    # Strictly: sign(y) is 1 on (0, 1] and 0 at a label of 0.
    low, high = domain.of(args[0])
    return Integer(1) if low > 0 else Integer(-1) if high < 0 else sign(args[0])


def _extremum(func: type[Max] | type[Min], args: list[Expr], domain: Domain) -> Expr:
    """Without the arguments that another one is never behind."""
    flat = [inner for arg in args for inner in (arg.args if isinstance(arg, func) else (arg,))]
    flat = list(dict.fromkeys(flat))
    if len(flat) > MAX_FACTORS:
        return func(*flat)
    wanted = 1 if func is Max else -1
    kept: list[Expr] = []
    for i, arg in enumerate(flat):
        others = [*kept, *flat[i + 1 :]]
        # Of two that are equal on the whole domain the later one stays.
        # max(a, b) = b where b - a >= 0 on the whole domain.
        if not any(domain.sign(wanted * (other - arg)) > 0 for other in others):
            kept.append(arg)
    return _shared(func, kept, domain) if len(kept) > 1 else kept[0]


def _shared(func: type[Max] | type[Min], args: list[Expr], domain: Domain) -> Expr:
    """Common terms, and common factors that are not negative, stand before the extremum."""
    # max(t + a, t + b) = t + max(a, b), and max(f a, f b) = f max(a, b) for f >= 0. Recursion ends, as each call has
    # fewer terms or factors.
    terms = _common([Add.make_args(arg) for arg in args])
    if terms:
        return Add(*terms, _extremum(func, [arg - Add(*terms) for arg in args], domain))
    factors = _common([Mul.make_args(factor_terms(arg)) for arg in args])
    known = [each for each in factors if each.free_symbols and domain.sign(each) > 0]
    if known:
        return Mul(*known, _extremum(func, [factor_terms(arg) / Mul(*known) for arg in args], domain))
    return func(*args)


def _common(lists: Sequence[Sequence[Expr]]) -> list[Expr]:
    return [each for each in lists[0] if all(each in other for other in lists[1:])]


_RULES: dict[object, Callable[[list[Expr], Domain], Expr]] = {
    Abs: _absolute,
    Max: lambda args, domain: _extremum(Max, args, domain),
    Min: lambda args, domain: _extremum(Min, args, domain),
    Pow: _power,
    exp: _exponential,
    log: _logarithm,
    plog: _protected_logarithm,
    psqrt: _protected_root,
    sign: _sign,
}
