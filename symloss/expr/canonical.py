"""One form for all spellings of a formula.

Two formulas with one canonical form are equal where both are defined; two with different forms may still be
equal (the question is undecidable), so the form errs towards *different*. All work is bounded by counted
size, never by the clock: results must be reproducible on any machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import gcd

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Max,
    Min,
    Mul,
    Pow,
    Rational,
    Symbol,
    cancel,
    default_sort_key,
    exp,
    expand,
    expand_log,
    log,
    primerange,
    together,
)
from sympy.core.exprtools import factor_terms
from sympy.polys.polyerrors import PolynomialError

from symloss.expr.domain import Domain
from symloss.expr.kinds import KINDS
from symloss.expr.operators import BY_HEAD
from symloss.expr.reduce import Undefined, defined, reduced
from symloss.expr.roots import is_taken_apart

__all__ = ["MAX_TERMS", "bounded", "canonicalise", "count_terms", "is_small"]

MAX_TERMS = 400
"""Terms that an expansion may produce; one that would produce more is not carried out."""
MAX_DEGREE = 12
"""Largest exponent up to which rational functions are brought to one fraction."""
MAX_ROOT = 100
"""Largest denominator in the exponent of a sum; beyond it the formula is neither expanded nor made one fraction."""
# What SymPy's polynomials treat as independent variables; the cost of a gcd grows steeply with their number.
MAX_GENERATORS = 6
MAX_PASSES = 4
"""How often the rules of the domain are tried again after the algebra."""


def canonicalise(expr: Expr, kind: str) -> Expr:
    """The canonical form of `expr` as a loss of `kind`; idempotent.

    Where a part of it has no value anywhere, that is the formula as it stands: it equals itself alone.

    >>> from symloss.expr import P, Y
    >>> canonicalise((Y - P) ** 2, "regression") == canonicalise(P**2 - 2 * P * Y + Y**2, "regression")
    True
    """
    known = KINDS[kind].known
    domain = Domain(kind)
    try:
        start = defined(expr, known, domain)
    except Undefined:
        return expr
    # The domain's rules first: they see that y*(1 - p) >= 0, of which expansion leaves y - p*y.
    normal = _normal(reduced(start, domain), {})
    for _ in range(MAX_PASSES):
        # What was multiplied out may show a sign that was hidden.
        shorter = reduced(normal, domain)
        if shorter == normal:
            break
        normal = _normal(shorter, {})
    # Back to symbols without assumptions, or the form would equal no formula that a user writes.
    return normal.xreplace({new: old for old, new in known.items()})


def _normal(expr: Expr, seen: dict[Expr, Expr]) -> Expr:
    # Memoised by subexpression: formulas share parts, and SymPy's trees are really graphs.
    if not expr.args:
        return expr
    if expr not in seen:
        args = [_normal(arg, seen) for arg in expr.args]
        seen[expr] = _RULES.get(expr.func, _rebuilt)(expr.func, args)
    return seen[expr]


def _rebuilt(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    return func(*args)


def _arithmetic(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    """Sums, products and powers: expanded, and over one denominator where that is cheap."""
    expr = func(*args)
    if expr.is_Pow and expr.base.is_Add and expr.exp.is_Rational and not expr.exp.is_Integer:
        # sqrt(4*p + 4) and 2*sqrt(p + 1) are one function.
        content, primitive = expr.base.as_content_primitive()
        if is_taken_apart(content, expr.exp):
            expr = content**expr.exp * primitive**expr.exp
    if count_terms(expr) > MAX_TERMS or _has_fine_root(expr):
        return expr
    expr = _split_numeric_logs(_expanded(expr))
    # Only with a denominator: `cancel` of a polynomial has nothing to do, and costs a conversion to its own form and
    # back.
    if any(power.exp.is_negative for power in expr.atoms(Pow)) and is_small(expr):
        try:
            return bounded(_one_fraction, expr)
        except (PolynomialError, NotImplementedError):
            return expr
    return expr


def _has_fine_root(expr: Expr) -> bool:
    """Whether a sum stands under an exponent such as 2.1915, whose numbers SymPy factors when it expands or divides."""
    return any(
        power.base.is_Add and power.exp.is_Rational and power.exp.q > MAX_ROOT for power in expr.atoms(Pow)
    )


def _one_fraction(expr: Expr) -> Expr:
    numerator, denominator = cancel(together(expr)).as_numer_denom()
    return _expanded(numerator) / _expanded(denominator)


def _expanded(expr: Expr) -> Expr:
    return expand(expr) if count_terms(expr) <= MAX_TERMS else expr


def count_terms(expr: Expr) -> int:
    """An upper bound of the number of terms after expansion."""
    if isinstance(expr, Add):
        return sum(count_terms(arg) for arg in expr.args)
    if isinstance(expr, Mul):
        # Capped as it grows: the product of many long sums would be an integer of thousands of digits.
        return reduce(lambda a, b: min(a * b, MAX_TERMS + 1), (count_terms(arg) for arg in expr.args), 1)
    if isinstance(expr, Pow) and expr.exp.is_Integer and expr.exp > 0:
        terms = count_terms(expr.base)
        # A bound by n**k; (n + k - 1 choose k) would be sharp. The cap at 64 keeps the power itself short.
        return 1 if terms == 1 else int(min(terms ** min(int(expr.exp), 64), MAX_TERMS + 1))
    if isinstance(expr, Pow):
        return count_terms(expr.base)
    return 1


def bounded(step: Callable[[Expr], Expr], expr: Expr) -> Expr:
    """`step(expr)`, a step of SymPy's polynomials, with exponentials of large degree standing as symbols.

    To them `exp(-1111*x/2500)` is the 1111th power of a generator, of which they may never come back.
    """
    powers = [power for power in expr.atoms(Pow, exp) if _degree(power) > MAX_DEGREE]
    # The outermost first: what stands inside one of them goes with it.
    powers.sort(key=lambda power: (-power.count_ops(), default_sort_key(power)))
    names = {power: Symbol(f"_power{i}", real=True) for i, power in enumerate(powers)}
    back = {name: power for power, name in names.items()}
    return step(expr.xreplace(names)).xreplace(back)


def _degree(power: Expr) -> int:
    """The largest numerator in an exponent: what becomes the degree of a generator."""
    exponent = power.exp if isinstance(power, Pow) else power.args[0]
    if exponent.is_Integer:
        return 0  # whole powers are counted by `is_small`
    # In lowest terms x**(p/q) is the p-th power of the generator x**(1/q).
    return max((abs(int(number.p)) for number in exponent.atoms(Rational)), default=0)


def is_small(expr: Expr) -> bool:
    degrees = [abs(power.exp) for power in expr.atoms(Pow) if power.exp.is_Rational]
    if max(degrees, default=0) > MAX_DEGREE or expr.count_ops() > MAX_TERMS:
        return False
    generators = {power.base for power in expr.atoms(Pow)} | set(expr.atoms(Symbol))
    return len(generators | _functions(expr)) <= MAX_GENERATORS


def _functions(expr: Expr) -> set[Expr]:
    return {node for node in expr.args if node.is_Function} | {
        inner for arg in expr.args if not arg.is_Function for inner in _functions(arg)
    }


def _logarithm(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    # log(2p + 4) = log 2 + log(p + 2): the common number comes out, and `expand_log` splits the product. Without
    # `force` it splits only what the assumptions make positive, so the identity holds on the domain.
    argument = factor_terms(args[0])
    return _split_numeric_logs(expand_log(log(argument)))


def _split_numeric_logs(expr: Expr) -> Expr:
    """`log` of a rational over its small primes, so that log(2.6) and log(1.3) + log(2) meet."""

    def split(node: Expr) -> Expr:
        value = node.args[0]
        # log(p/q) = log p - log q, and each over its primes; of a prime above 100 the logarithm stays whole.
        return _log_of_integer(value.p) - _log_of_integer(value.q)

    return expr.replace(
        lambda node: isinstance(node, log) and node.args[0].is_Rational and node.args[0].is_positive, split
    )


_PRIMES = tuple(primerange(100))


def _log_of_integer(n: int) -> Expr:
    result: Expr = Integer(0)
    for prime in _PRIMES:
        count = 0
        while n % prime == 0:
            n, count = n // prime, count + 1
        result += count * log(Integer(prime))
    return result + (log(Integer(n)) if n > 1 else 0)


def _oriented(expr: Expr) -> Expr:
    """`expr` or `-expr`, the same one for both."""
    if not expr.is_Add:
        return -expr if expr.as_coeff_Mul()[0].is_negative else expr
    # SymPy's sort key goes by names and structure, never by hashes: the same choice in every process.
    return min(expr, _expanded(-expr), key=lambda e: e.sort_key())


def _absolute(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    # |c x| = c |x|, c > 0 rational: `as_content_primitive` gives a content that is never negative.
    content, primitive = args[0].as_content_primitive()
    result = content * Abs(primitive)
    # Unevaluated: SymPy has an orientation of its own for |a - b|, which it would restore.
    return result.replace(
        lambda node: isinstance(node, Abs), lambda node: Abs(_oriented(node.args[0]), evaluate=False)
    )


def _odd(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    oriented = _oriented(args[0])
    return func(oriented) if oriented == args[0] else -func(oriented)


def _even(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    # f(|x|) = f(x) = f(-x) for even f.
    return func(_oriented(args[0].args[0] if isinstance(args[0], Abs) else args[0]))


def _maximum(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    """`max` with the arguments' common positive factor outside; `min(a, b)` is `-max(-a, -b)`."""
    if func is Min:
        return _expanded(-_maximum(Max, [_expanded(-arg) for arg in args]))
    # max(c a, c b) = c max(a, b) for c > 0; the content of a set of rationals is gcd(numerators)/lcm(denominators).
    contents = [arg.as_content_primitive()[0] for arg in args if arg != 0]
    numerator = reduce(gcd, (abs(int(c.p)) for c in contents), 0)
    denominator = reduce(lambda a, b: a * b // gcd(a, b), (int(c.q) for c in contents), 1)
    if not numerator:
        return Max(*args)
    content = Rational(numerator, denominator)
    return content * Max(*[_expanded(arg / content) for arg in args])


def _exponential(func: Callable[..., Expr], args: list[Expr]) -> Expr:
    # Expanding the argument first lets `expand` split e^(a + b) into e^a e^b, the one form for both spellings.
    return _expanded(exp(_expanded(args[0])))


_RULES: dict[object, Callable[..., Expr]] = {
    Add: _arithmetic,
    Mul: _arithmetic,
    Pow: _arithmetic,
    exp: _exponential,
    log: _logarithm,
    Abs: _absolute,
    Max: _maximum,
    Min: _maximum,
}
# Right of `|` wins: Abs is even by its row, and has a rule of its own above.
_RULES = {head: _odd if row.parity < 0 else _even for head, row in BY_HEAD.items() if row.parity} | _RULES
