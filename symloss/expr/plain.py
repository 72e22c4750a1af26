"""A formula in its plainest equal form: what people would write.

A few rewritings are tried, and the shortest that is shown to be equal is taken, until none is shorter. "Equal" is
asked twice: the canonical forms must be the same, and so must the values at 50 digits. All work is bounded by
counted steps, never by the clock, and SymPy's own `simplify`, which can hang, is not used.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from functools import reduce

from sympy import Add, Expr, Max, Min, Mul, Pow, Rational, cancel, factor, log, powsimp, together
from sympy.core.exprtools import factor_terms
from sympy.polys.polyerrors import PolynomialError

from symloss.expr.agreement import agrees
from symloss.expr.canonical import MAX_TERMS, bounded, canonicalise, count_terms, is_small
from symloss.expr.domain import Domain
from symloss.expr.hard_labels import hardened
from symloss.expr.kinds import KINDS
from symloss.expr.parser import check_numbers
from symloss.expr.printing import to_string
from symloss.expr.reduce import reduced

__all__ = ["plain", "size"]

MAX_ROUNDS = 12
"""Each round takes the shortest of a few rewritings; three are usual."""
MAX_LOG_POWER = 8
"""Largest exponent that a coefficient becomes when logarithms are drawn together."""
_Key = tuple[float, int, int, str]
"""Symbols of the printed formula; the orders of magnitude of its numbers; its characters; the text itself."""
_NEVER: _Key = (math.inf, 0, 0, "")


def plain(expr: Expr, kind: str, *, hard_labels: bool = False) -> Expr:
    """The plainest formula that is equal to `expr` as a loss of `kind`; never one of more symbols.

    With `hard_labels` it is equal where every label is 0 or 1, as in a classification task without soft labels.

    >>> from sympy import log
    >>> from symloss.expr import P, Y, psqrt
    >>> plain(psqrt((P - Y) ** 2) ** 2 + 1, "regression")
    Max(1/10000000, (p - y)**2) + 1
    >>> plain(Y**2 * log(P), "classification", hard_labels=True)
    y*log(p)
    """
    best = _plainest(expr, kind)
    if hard_labels and KINDS[kind].probabilities:
        for found in hardened(best):
            if found != best and agrees(best, found, kind, hard_labels=True):
                shorter = _plainest(found, kind)
                # Fewer symbols, or it is not worth a formula that holds for hard labels only.
                best = shorter if _key(shorter)[0] < _key(best)[0] else best
    return best


def size(expr: Expr) -> int:
    """How many operators, functions, symbols and numbers the printed formula has."""
    return _count(ast.parse(to_string(expr), mode="eval").body)


def _plainest(expr: Expr, kind: str) -> Expr:
    domain = Domain(kind)
    form = canonicalise(expr, kind)
    keys = {expr: _key(expr)}
    best = expr
    starts = [expr, form]
    for _ in range(MAX_ROUNDS):
        for candidate in (found for start in starts for found in _rewritten(start, kind, domain)):
            if candidate not in keys:
                keys[candidate] = _key(candidate)
        # Best first: the first that passes both checks ends the round, and the others need none.
        better = sorted((each for each in keys if keys[each] < keys[best]), key=keys.__getitem__)
        for candidate in better:
            # Two independent checks: a wrong rule in the canonical form would otherwise prove itself.
            if canonicalise(candidate, kind) == form and agrees(expr, candidate, kind):
                break
            # Not shown to be equal now, nor later.
            keys[candidate] = _NEVER
        else:
            return best
        # From here on only the new best is rewritten: each round starts where the last one ended.
        best, starts = candidate, [candidate]
    return best


def _key(expr: Expr) -> _Key:
    if any(check_numbers(node) for node in (expr, *expr.atoms(Pow, Max, Min))):
        return _NEVER
    text = to_string(expr)
    tree = ast.parse(text, mode="eval").body
    numbers = [
        abs(n.value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, int | float)
    ]
    # Of formulas with as many symbols 2*p is plainer than 2000*p, whatever the digits.
    sizes = sum(int(abs(math.log10(number))) for number in numbers if number)
    return _count(tree), sizes, len(text), text


def _rewritten(expr: Expr, kind: str, domain: Domain) -> Iterator[Expr]:
    known = KINDS[kind].known
    back = {new: old for old, new in known.items()}
    shorter = reduced(expr, domain)
    yield shorter
    if shorter.has(Max, Min):
        # Opposite rewritings, both tried: which is shorter depends on what stands around.
        yield _each_extremum(shorter)
        yield _inward(shorter)
    for step in _STEPS:
        try:
            # With the signs that are known of entries, so that log(a) + log(b) may join and sqrt(p**2) is p.
            yield step(shorter.xreplace(known)).xreplace(back)
        except (PolynomialError, NotImplementedError):
            continue


_STEPS: tuple[Callable[[Expr], Expr], ...] = (
    lambda e: bounded(factor_terms, e),
    lambda e: bounded(factor, e) if is_small(e) and count_terms(e) <= MAX_TERMS else e,
    lambda e: powsimp(_with_fewer_logs(e)) if e.count_ops() <= MAX_TERMS else e,
    lambda e: bounded(lambda inner: cancel(together(inner)), e) if is_small(e) else e,
)


def _with_fewer_logs(expr: Expr) -> Expr:
    """`c*log(a) + c*log(b)` is `c*log(a*b)`; SymPy's `logcombine` would take powers of any size."""
    return expr.replace(lambda node: node.is_Add and node.has(log), _one_log)


def _one_log(node: Expr) -> Expr:
    groups: dict[Expr, list[tuple[Rational, Expr]]] = {}
    others = []
    for term in node.args:
        number, rest = term.as_coeff_Mul()
        logs = [each for each in Mul.make_args(rest) if isinstance(each, log)]
        if len(logs) == 1:
            groups.setdefault(rest / logs[0], []).append((number, logs[0].args[0]))
        else:
            others.append(term)
    for rest, members in groups.items():
        # a log x + b log y = a log(x y**(b/a)), for whole b/a: the smallest number divides most of the others.
        unit = min((number for number, _ in members), key=abs)
        inside = [arg ** (number / unit) for number, arg in members if _is_short(number / unit)]
        others += [number * rest * log(arg) for number, arg in members if not _is_short(number / unit)]
        others.append(unit * rest * log(Mul(*inside)))
    return Add(*others)


def _is_short(exponent: Rational) -> bool:
    return bool(exponent.is_Integer and abs(exponent) <= MAX_LOG_POWER)


def _each_extremum(expr: Expr) -> Expr:
    return expr.replace(lambda node: isinstance(node, Max | Min), _outward)


def _outward(node: Expr) -> Expr:
    """Common numbers before `min` or `max`; a common minus changes the one into the other."""
    number = _content(node.args)
    if all(arg.could_extract_minus_sign() or arg == 0 for arg in node.args):
        return -number * {Max: Min, Min: Max}[node.func](*(-arg / number for arg in node.args))
    return number * node.func(*(arg / number for arg in node.args))


def _content(args: Sequence[Expr]) -> Rational:
    """The largest number by which every argument can be divided."""
    contents = [arg.as_content_primitive()[0] for arg in args if arg != 0]
    top = reduce(math.gcd, (abs(int(content.p)) for content in contents), 0)
    return Rational(top or 1, reduce(math.lcm, (int(content.q) for content in contents), 1))


def _inward(expr: Expr) -> Expr:
    """Numbers before `min` and `max` go to their arguments; a negative one changes the one into the other."""

    def is_scaled(node: Expr) -> bool:
        return bool(
            node.is_Mul and node.args[0].is_Rational and any(isinstance(a, Max | Min) for a in node.args)
        )

    def spread(node: Expr) -> Expr:
        number, rest = node.as_coeff_Mul()
        factors = list(Mul.make_args(rest))
        i = next(i for i, each in enumerate(factors) if isinstance(each, Max | Min))
        inner = factors.pop(i)
        func = inner.func if number > 0 else {Max: Min, Min: Max}[inner.func]
        return Mul(*factors, func(*(number * arg for arg in inner.args)))

    return expr.replace(is_scaled, spread)


def _count(tree: ast.expr) -> int:
    counted = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Name)
    return sum(isinstance(node, counted) for node in ast.walk(tree))
