"""Formulas in a variable and its exponentials as rational functions, in which they can be compared and solved."""

from __future__ import annotations

from collections import Counter
from math import lcm, prod

from sympy import (
    Add,
    Dummy,
    Expr,
    Integer,
    Mul,
    Poly,
    Pow,
    Rational,
    Symbol,
    cancel,
    cosh,
    exp,
    expand,
    factor_list,
    fraction,
    log,
    sinh,
    tanh,
    together,
)
from sympy.polys.polyerrors import PolynomialError

from symloss.expr import elementary
from symloss.expr.canonical import MAX_TERMS, count_terms
from symloss.theory.functions.work import spend

__all__ = ["U", "exponential_form", "exponential_limit", "exponential_roots", "reduced", "vanishes_in"]

U = Symbol("_u", positive=True)
"""`exp(x/q)` of the variable `x`."""
_MAX_DEGREE = 64
_MAX_RATE = 24
"""Of the numbers in the exponent of a constant: polynomials take `exp(499/25)` for the 499th power of a variable."""
_MAX_OPERATIONS = 300
_MAX_MONOMIALS = 1500
"""That a polynomial may have by its degrees: the greatest common divisor of larger ones takes minutes."""
_PRICE = 20
"""Steps for each operation of a formula that polynomial algebra rewrites, as in `algebra`."""


def exponential_form(expr: Expr, variable: Symbol) -> tuple[Expr, int] | None:
    """`expr` with `U**k` for `exp(k x/q)`, and `q`; None where an exponential is of anything else.

    Sigmoids, hyperbolic functions and `softplus` are written out, and `log(1 + U**-k)` is `log(1 + U**k) - k x/q`, so
    that a margin and its mirror image have one generator: `softplus(x) - softplus(-x)` becomes `x`.

    >>> x = Symbol("x", real=True)
    >>> exponential_form(log(1 + exp(x)) - log(1 + exp(-x)), x)
    (x, 1)
    """
    plain = elementary(expr)
    if plain.count_ops() > _MAX_OPERATIONS:
        return None
    spend(plain.count_ops())
    # exp(a log(c x)) is (c x)**a to SymPy, which takes c**a apart: without end where both have many digits.
    if any(head.args[0].has(log) for head in plain.atoms(tanh, sinh, cosh)):
        return None
    plain = plain.replace(tanh, lambda a: 1 - 2 / (exp(2 * a) + 1))
    plain = plain.replace(sinh, lambda a: (exp(a) - exp(-a)) / 2).replace(
        cosh, lambda a: (exp(a) + exp(-a)) / 2
    )
    # exp(a x + b) = U**(a q) exp(b) with U = exp(x/q), q the common denominator of all rates: whole powers of one
    # generator.
    rates: dict[Expr, tuple[Rational, Expr]] = {}
    for node in plain.atoms(exp):
        exponent = expand(node.args[0])
        rate = exponent.coeff(variable)
        rest = expand(exponent - rate * variable)
        if not rate.is_Rational or rest.has(variable):
            return None
        rates[node] = rate, rest
    q = lcm(*(int(rate.q) for rate, _ in rates.values()), 1)
    if any(abs(rate * q) > _MAX_DEGREE for rate, _ in rates.values()):
        return None
    written = plain.xreplace({node: U ** (rate * q) * exp(rest) for node, (rate, rest) in rates.items()})
    unit = variable / q
    found = written.replace(log, lambda argument: _logarithm(argument, unit))
    return (expand(found) if count_terms(found) <= MAX_TERMS else found), q


def _logarithm(argument: Expr, unit: Expr) -> Expr:
    """`log` of a fraction as that of its positive parts, powers of `U` taken out."""
    parts = reduced(argument)
    if parts is None:
        return log(argument)
    top, bottom = parts
    # log(a/b) = log a - log b, and log(U**k r) = k x/q + log r, hold over the reals for positive parts alone.
    if not top.is_positive or not bottom.is_positive:
        return log(argument)
    return _of_positive(top, unit) - _of_positive(bottom, unit)


def _of_positive(part: Expr, unit: Expr) -> Expr:
    poly = Poly(part, U) if part.is_polynomial(U) and part.has(U) else None
    if poly is None:
        return log(part)
    low = min(monomial[0] for monomial in poly.monoms())
    # The lowest power is drawn out, so that 1 + U and 1 + 1/U leave the same logarithm.
    rest = cancel(part / U**low)
    return low * unit + log(rest)


def reduced(form: Expr) -> tuple[Expr, Expr] | None:
    """Numerator and denominator of a form in `U`, cancelled; None where that is too large.

    >>> reduced((U**2 - 1) / (U + 1))
    (_u - 1, 1)
    """
    parts = _over_one_denominator(form)
    if parts is None:
        return None
    try:
        return fraction(cancel(parts[0] / parts[1]))
    except PolynomialError:
        return None


def _over_one_denominator(form: Expr) -> tuple[Expr, Expr] | None:
    if form.count_ops() > _MAX_OPERATIONS:
        return None
    spend(_PRICE * form.count_ops())
    top, bottom = fraction(together(form))
    monomials = max(_monomials(top), _monomials(bottom))
    spend(min(monomials, _MAX_MONOMIALS))
    return (top, bottom) if monomials <= _MAX_MONOMIALS else None


def _monomials(part: Expr) -> int:
    """At most how many a polynomial has: by its degree in each of its variables, of which constants may be one."""
    whole = lcm(1, *(int(f.args[0].q) for f in part.atoms(exp) if f.args[0].is_Rational))

    def degrees(node: Expr) -> Counter[Expr]:
        if node.is_Rational:
            return Counter()
        if isinstance(node, exp) and node.args[0].is_Rational:
            return Counter({exp(1): abs(int(node.args[0] * whole))})
        if isinstance(node, Pow) and node.exp.is_Integer:
            return Counter({base: abs(int(node.exp)) * n for base, n in degrees(node.base).items()})
        if isinstance(node, Mul):
            return sum(map(degrees, node.args), Counter[Expr]())
        if isinstance(node, Add):
            most: Counter[Expr] = Counter()
            for arg in node.args:
                most |= degrees(arg)
            return most
        return Counter({node: 1})

    return prod(n + 1 for n in degrees(part).values())


def vanishes_in(expr: Expr, variable: Symbol) -> bool:
    """Whether algebra on exponentials shows that `expr` is 0 for every value of the variable.

    >>> from symloss.expr import sigmoid
    >>> x = Symbol("x", real=True)
    >>> vanishes_in(sigmoid(x) + sigmoid(-x) - 1, x)
    True
    """
    form = exponential_form(expr, variable)
    # Logarithms and x itself are further independent variables to `cancel`: what cancels as a rational function of all
    # of them is 0 for every value, but not the other way round.
    parts = None if form is None else reduced(form[0].xreplace({node: Dummy() for node in _large(form[0])}))
    return parts is not None and bool(parts[0] == 0)


def _large(form: Expr) -> list[Expr]:
    """Constants `exp(a)` that are too large a power for polynomials."""
    constants = [node for node in form.atoms(exp) if not node.free_symbols]
    return [
        node
        for node in constants
        for rate in [term.as_coeff_Mul()[0] for term in Add.make_args(node.args[0])]
        if rate.is_Rational and max(abs(rate.p), rate.q) > _MAX_RATE
    ]


def exponential_limit(expr: Expr, variable: Symbol, side: int) -> Expr | None:
    """The finite limit as the variable goes to `-oo` (`side` -1) or `oo` (1), of a fraction in exponentials alone.

    >>> x = Symbol("x", real=True)
    >>> exponential_limit((1 - 2 * exp(x)) / (3 + exp(x)), x, 1)
    -2
    """
    form = exponential_form(expr, variable)
    if form is None or form[0].has(variable, log):
        return None
    parts = _over_one_denominator(form[0])
    if parts is None or not all(part.is_polynomial(U) for part in parts):
        return None
    top, bottom = parts
    # U -> oo with x -> oo, where the highest powers decide; U -> 0 with x -> -oo, where the lowest do.
    upper, lower = Poly(top, U), Poly(bottom, U)
    if upper.is_zero:
        return Integer(0)

    def lead(poly: Poly) -> tuple[int, Expr]:
        terms = sorted(poly.terms(), key=lambda term: term[0][0])
        (degree,), coefficient = terms[-1 if side > 0 else 0]
        return degree, coefficient

    (a, first), (b, second) = lead(upper), lead(lower)
    if a == b:
        return first / second
    # U**(a - b) -> 0.
    return Integer(0) if (a - b) * side < 0 else None


def exponential_roots(expr: Expr, variable: Symbol) -> list[Expr]:
    """Roots that are logarithms: of the linear and quadratic factors in `U`, where the variable stands nowhere else.

    Every one is an exact root wherever it is real and `expr` defined there; a quadratic factor gives both of its own.

    >>> x = Symbol("x", real=True)
    >>> exponential_roots(exp(x) - 9 * exp(-x), x)
    [log(3)]
    """
    form = exponential_form(expr, variable)
    if form is None or form[0].has(variable, log):
        return []
    parts = _over_one_denominator(form[0])
    if parts is None or not parts[0].is_polynomial(U):
        return []
    found: list[Expr] = []
    try:
        factors = [factor for factor, _ in factor_list(parts[0], U)[1]]
    except PolynomialError:
        return []
    for factor in factors:
        coefficients = Poly(factor, U).all_coeffs()
        if len(coefficients) == 2:
            found.append(-coefficients[1] / coefficients[0])
        elif len(coefficients) == 3:
            a, b, c = coefficients
            root = (b**2 - 4 * a * c) ** Rational(1, 2)
            found += [(-b + sign * root) / (2 * a) for sign in (Integer(1), Integer(-1))]
    # U = exp(x/q) > 0: x = q log U.
    return [form[1] * log(value) for value in found if value.is_positive and not value.has(Add(U))]
