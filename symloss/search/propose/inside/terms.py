"""Functions of p taken apart, term by term, by the rules of a grammar.

`read` knows the form that a theorem gives a loss; here its convex function, increasing function or tree becomes a
derivation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import (
    Add,
    Expr,
    Integer,
    Mul,
    Poly,
    Rational,
    cancel,
    cos,
    diff,
    exp,
    expand_mul,
    factor,
    log,
    sin,
    sqrt,
    tanh,
)

from symloss.expr import P
from symloss.expr.canonical import canonicalise
from symloss.expr.operators import softplus
from symloss.search.propose.inside.rules import Rule
from symloss.search.propose.inside.theorem import Inside
from symloss.search.propose.inside.typed import exact_of

__all__ = ["Apart", "Reader", "Taken", "bare", "times", "vanishes"]

_ONE, _ZERO = Integer(1), Integer(0)
Exact = tuple[str, tuple[Expr, ...]]
"""A rule by name, with exact numbers: what multiplies it, then its own."""
Taken = list[Exact]
"""A derivation in prefix order."""


class Apart(Exception):
    """The function is not one that the reader can take apart."""


@dataclass(frozen=True)
class Reader:
    """Takes functions of p apart by the rules of a grammar."""

    inside: Inside

    def convex(self, f: Expr) -> tuple[Expr, Taken]:
        """A convex function up to a line: what multiplies it, and its derivation with 1 there."""
        terms = [
            (coefficient, kernel)
            for kernel, coefficient in _kernels(f).items()
            # Of a line a p + b, `f'(p)(p - y) - f(p) = -a y - b`: training cannot see it.
            if not (kernel == 1 and _degree(coefficient) <= 1)
        ]
        parts = [part for coefficient, kernel in terms for part in self._convex_terms(coefficient, kernel)]
        return self._joined(parts, "sum")

    def _convex_terms(self, coefficient: Expr, kernel: Expr) -> list[tuple[Expr, Taken]]:
        if kernel == 1:
            powers = Poly(coefficient, P).all_coeffs()[::-1]
            if any(not c.is_nonnegative for c in powers[2:]):
                raise Apart(f"{coefficient} is not a sum of convex powers")
            return [
                self._weighted(c, "square") if n == 2 else self._weighted(c, "power", Integer(n - 1))
                for n, c in enumerate(powers)
                if n >= 2 and c != 0
            ]
        if isinstance(kernel, log):
            inner, slope = kernel.args[0], diff(kernel.args[0], P)
            if inner == P and not (coefficient / P).has(P):
                # The rule's own -p is a line.
                return [self._weighted(coefficient / P, "entropy")]
            # P stands for no constant ratio: it fails the test for p in the next line.
            ratio = (coefficient / (1 - P)).cancel() if coefficient.is_polynomial(P) else P
            if expand_mul(inner - 1 + P) == 0 and not ratio.has(P):
                return [self._weighted(ratio, "co-entropy")]
            if not slope.has(P) and slope.is_positive and not coefficient.has(P):
                # log(s p + k) = log(p + k/s) + log s, whose last term is a constant.
                return [self._weighted(-coefficient, "log", (inner - slope * P) / slope)]
        if coefficient.has(P):
            # `p**n p**k` is the one power `p**(n + k)`.
            if _is_power(kernel, P):
                return self._convex_terms(
                    _ONE * (coefficient / P ** _degree(coefficient)), P ** (kernel.exp + _degree(coefficient))
                )
            raise Apart(f"it does not know {coefficient * kernel}")
        if _is_power(kernel, P):
            k = kernel.exp
            if (k - 1).is_positive:
                return [self._weighted(coefficient, "power", k - 1)]
            return [self._weighted(-coefficient, "root", k)]
        if _is_power(kernel, 1 - P):
            return [self._weighted(coefficient, "co-power", kernel.exp - 1)]
        if kernel.is_Pow and kernel.exp == Rational(1, 2):
            # sqrt(a p^2 + b p + c) = sqrt(a) sqrt((p + b/(2a))^2 + c/a - (b/(2a))^2); a positive last term is checked
            # by its span.
            c, b, a = _quadratic(kernel.base)
            return [self._weighted(coefficient * sqrt(a), "hyperbola", c / a - (b / a / 2) ** 2, -b / a / 2)]
        if isinstance(kernel, exp | softplus):
            inner = expand_mul(kernel.args[0])
            # 9: anything but a line.
            line = _degree(inner) if inner.is_polynomial(P) else 9
            slope = diff(inner, P)
            if isinstance(kernel, softplus) and line == 1:
                # slope p + k = slope (p - b) with b = -k/slope.
                return [self._weighted(coefficient, "softplus", slope, -(inner - slope * P) / slope)]
            if isinstance(kernel, exp) and line == 1 and inner.subs(P, 0) == 0:
                return [self._weighted(coefficient, "exp" if slope.is_positive else "decay", abs(slope))]
            if isinstance(kernel, exp):
                weight, taken = self.convex(inner)
                # `convex` reads up to a line, which an exponential does not forgive: exp(f + a p) is another
                # function.
                if vanishes(inner - weight * self._value(taken), self.inside.kind.name):
                    _, outer = self._weighted(coefficient, "exp-of")
                    return [(coefficient, [("exp-of", outer[0][1]), *times(weight, taken)])]
        raise Apart(f"it does not know {coefficient * kernel}")

    def _value(self, taken: Taken) -> Expr:
        """The expression of a derived convex function."""
        steps = [(self.inside.rules[name], numbers) for name, numbers in taken]
        root = Rule(
            "value", self.inside.theorem.roots[0].gives, "u", "", self.inside.theorem.roots[0].takes, ("u",)
        )
        return exact_of(self.inside, [(root, (_ONE,)), *steps])

    def increasing(self, g: Expr) -> tuple[Expr, Taken]:
        """An increasing function that is 0 at 0."""
        parts, rest = self._rising_parts(g, steep=False)
        if rest != 0:
            raise Apart(f"it is {rest} at 0")
        return self._joined(parts, "sum-up")

    def rising(self, d: Expr) -> tuple[Expr, Taken]:
        """A function that rises on (0, 1), up to a constant."""
        try:
            parts, _ = self._rising_parts(d, steep=True)
        except Apart:
            # As a polynomial in 1 - p, whose powers fall.
            if not d.is_polynomial(P):
                raise
            powers = Poly(d.subs(P, 1 - P), P).all_coeffs()[::-1]
            parts = [
                self._weighted(-c, "co-power-rise", Integer(n)) for n, c in enumerate(powers) if n and c != 0
            ]
        flat = all(self.inside.rules[part[1][0][0]].gives.__name__ == "Increasing" for part in parts)
        return self._joined(parts, "sum-up" if flat else "sum-rise")

    def _rising_parts(self, d: Expr, *, steep: bool) -> tuple[list[tuple[Expr, Taken]], Expr]:
        """The terms of an increasing function, and the constant that they leave: `exp(u) - 1`, say, needs a -1."""
        parts: list[tuple[Expr, Taken]] = []
        rest = _ZERO
        if steep and log(P) in (kernels := _kernels(d)):
            # Multiplied out, (1 - p)**2 log(p) is three terms.
            of_log = factor(kernels[log(P)])
            d = expand_mul(d - kernels[log(P)] * log(P)) + of_log * log(P)
        for term in Add.make_args(d):
            coefficient, kernel = term.as_coeff_Mul()
            if term.is_number:
                rest += term
            elif kernel == log(P) and steep:
                parts.append(self._weighted(coefficient, "log-rise"))
            elif _is_power(kernel, P) and kernel.exp.is_negative and steep:
                parts.append(self._weighted(-coefficient, "pole", -kernel.exp))
            elif steep and (k := _focus(kernel)) is not None:
                parts.append(self._weighted(coefficient, "focus", k))
            elif steep and _is_power(kernel, 1 - P):
                parts.append(self._weighted(-coefficient, "co-power-rise", kernel.exp))
            elif isinstance(kernel, exp):
                parts.append(self._around(coefficient, "exp-up", kernel.args[0]))
                # exp(u) = (exp(u) - 1) + 1.
                rest += coefficient
            else:
                parts.append(self._increasing_term(coefficient, kernel))
        return parts, rest

    def _increasing_term(self, coefficient: Expr, kernel: Expr) -> tuple[Expr, Taken]:
        if kernel == P:
            return self._weighted(coefficient, "p")
        if _is_power(kernel, P) and kernel.exp.is_positive:
            return self._weighted(coefficient, "power-up", kernel.exp)
        if isinstance(kernel, log):
            return self._around(coefficient, "log-up", kernel.args[0] - 1)
        if isinstance(kernel, tanh):
            return self._around(coefficient, "tanh-up", kernel.args[0])
        if kernel.is_Mul:
            top, bottom = kernel.as_numer_denom()
            if bottom != 1 and expand_mul(bottom - top - 1) == 0:
                return self._around(coefficient, "ratio-up", top)
            # A product of increasing functions that are 0 at 0 rises, as both factors are positive inside.
            first, *others = kernel.args
            a, left = self.increasing(first)
            b, right = self.increasing(Mul(*others))
            _, head = self._weighted(coefficient, "product-up")
            return coefficient * a * b, [*head, *left, *right]
        raise Apart(f"it does not know {coefficient * kernel}")

    def _around(self, coefficient: Expr, name: str, inner: Expr) -> tuple[Expr, Taken]:
        _, head = self._weighted(coefficient, name)
        weight, taken = self.increasing(inner)
        return coefficient, [*head, *times(weight, taken)]

    def tree(self, expr: Expr) -> Taken:
        """Any function that is continuous on [0, 1], by its operators."""
        coefficient, kernel = expr.as_coeff_Mul()
        if coefficient.is_negative:
            # x - 2 x: there are no negative numbers.
            return self._of("tree-difference", _ONE, self.tree(-expr), self.tree(-2 * expr))
        if kernel.is_number:
            return self._of("tree-1", coefficient * kernel)
        if kernel.is_Add:
            up = [term for term in kernel.args if not term.could_extract_minus_sign()]
            down = [-term for term in kernel.args if term.could_extract_minus_sign()]
            if up and down:
                return self._of("tree-difference", coefficient, self.tree(Add(*up)), self.tree(Add(*down)))
            if down:
                return (
                    self.tree(coefficient * -1 * Add(*down, evaluate=False))
                    if coefficient != 1
                    else self._of("tree-difference", _ONE, self.tree(Add(*down)), self.tree(2 * Add(*down)))
                )
            return self._of("tree-sum", coefficient, self.tree(up[0]), self.tree(Add(*up[1:])))
        if kernel == P:
            return self._of("tree-p", coefficient)
        if kernel.is_Pow:
            for base, name in ((P, "tree-power"), (1 - P, "tree-co-power")):
                if kernel.base == base and kernel.exp.is_positive:
                    return self._of(name, coefficient, more=(kernel.exp,))
            if kernel.exp == 2:
                inner = self.tree(kernel.base)
                return self._of("tree-square", coefficient * inner[0][1][0] ** 2, bare(inner))
        if kernel.is_Mul:
            first, *others = kernel.args
            left, right = self.tree(first), self.tree(Mul(*others))
            weight = left[0][1][0] * right[0][1][0]
            return self._of("tree-product", coefficient * weight, bare(left), bare(right))
        if isinstance(kernel, exp | tanh | sin | cos):
            return self._of(f"tree-{kernel.func.__name__}", coefficient, self.tree(kernel.args[0]))
        raise Apart(f"it does not know {expr}")

    def _of(self, name: str, weight: Expr, *inner: Taken, more: tuple[Expr, ...] = ()) -> Taken:
        _, head = self._weighted(weight, name, *more)
        return [(name, (weight, *head[0][1][1:])), *(step for taken in inner for step in taken)]

    def _weighted(self, weight: Expr, name: str, *own: Expr) -> tuple[Expr, Taken]:
        """A rule with its numbers; raises unless all lie within their spans and the weight is positive."""
        rule = self.inside.rules.get(name)
        if rule is None:
            raise Apart(f"this grammar has no rule {name!r}, which it needs")
        values = (weight, *own)
        if not all(value.is_real and value.is_number for value in values):
            raise Apart(f"{', '.join(map(str, values))}: expected numbers")
        # Convexity and monotonicity survive sums and positive multiples only.
        if not weight.is_positive:
            raise Apart(f"the sign of {weight} times {rule.value} is the wrong one")
        for span, value in zip(rule.spans[1:], own, strict=True):
            if not span.holds(float(value)):
                raise Apart(f"{value} is no number for {rule.value}")
        return weight, [(name, (_ONE, *own))]

    def _joined(self, parts: Sequence[tuple[Expr, Taken]], name: str) -> tuple[Expr, Taken]:
        if not parts:
            raise Apart("nothing of it depends on p in the way that the theorem needs")
        if len(parts) == 1:
            return parts[0]
        # Sums of the grammar have two terms.
        first, second = self._joined(parts[:1], name), self._joined(parts[1:], name)
        _, head = self._weighted(_ONE, name)
        return _ONE, [*head, *times(*first), *times(*second)]


def times(weight: Expr, taken: Taken) -> Taken:
    """The derivation with this number as the multiplier of its root."""
    (name, (_, *own)), *rest = taken
    return [(name, (weight, *own)), *rest]


def bare(taken: Taken) -> Taken:
    """The derivation with 1 as the multiplier of its root."""
    return times(_ONE, taken)


def vanishes(expr: Expr, kind: str) -> bool:
    """Whether algebra shows that a function is 0 everywhere."""
    return bool(expand_mul(expr) == 0 or canonicalise(expr, kind) == 0)


def _kernels(f: Expr) -> dict[Expr, Expr]:
    """The terms of a function grouped by their non-polynomial factor (the kernel), with polynomial coefficients."""
    found: dict[Expr, Expr] = {}
    for term in Add.make_args(f):
        polynomial = [each for each in Mul.make_args(term) if each.is_polynomial(P)]
        kernel = Mul(*(each for each in Mul.make_args(term) if not each.is_polynomial(P)))
        found[kernel] = expand_mul(found.get(kernel, _ZERO) + Mul(*polynomial))
    # SymPy may leave Q/sqrt(Q), which is a hyperbola only once it is sqrt(Q).
    for kernel in [each for each in found if each.is_Pow and each.exp == Rational(-1, 2)]:
        ratio = cancel(found[kernel] / kernel.base)
        if ratio.is_polynomial(P):  # Q/sqrt(Q)
            found[1 / kernel] = expand_mul(found.get(1 / kernel, _ZERO) + ratio)
            del found[kernel]
    return {kernel: coefficient for kernel, coefficient in found.items() if coefficient != 0}


def _degree(coefficient: Expr) -> int:
    return int(Poly(coefficient, P).degree()) if coefficient != 0 else 0


def _is_power(kernel: Expr, base: Expr) -> bool:
    return bool(kernel.is_Pow and kernel.base == base and kernel.exp.is_number)


def _focus(kernel: Expr) -> Expr | None:
    """`k` where the kernel is `(1 - p)**k log(p)`."""
    rest = kernel / log(P)
    if rest in (1 - P, P - 1):
        return _ONE
    # (p - 1)**k with even k is how SymPy may write (1 - p)**k.
    even = rest.is_Pow and rest.exp.is_even and rest.base == P - 1
    return rest.exp if even or _is_power(rest, 1 - P) else None


def _quadratic(expr: Expr) -> tuple[Expr, Expr, Expr]:
    """The coefficients of a quadratic with a positive leading one, from the constant up."""
    if not expr.is_polynomial(P) or _degree(expr) != 2:
        raise Apart(f"it does not know the root of {expr}")
    a, b, c = Poly(expr, P).all_coeffs()
    return c, b, a
