"""What a hard label makes of a formula: `M(1, p)`, and `M(0, p)` or its limit `y -> 0+` over the reals.

Where every part of the formula is finite at `y = 0`, `M(0, p)` is its value there. A formula with `1/y` in it is never
evaluated at 0, where SymPy's answer depends on the order of the factors: its limit is read off an expansion, whose work
is counted. SymPy's own `limit` is not used: its work has no bound, and it goes through complex values, as of
`y*sqrt(-1 - y)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sympy import Expr, I, Integer, Pow, Rational, log, nan, oo, zoo

from symloss.errors import DomainError
from symloss.expr.expansion import Expansion
from symloss.expr.ranges import sign_inside
from symloss.expr.series import Cancelled, Open, Unreal, is_nothing
from symloss.expr.symbols import UNIT, P, Y

__all__ = ["HardValue", "UnknownLimit", "at_one", "at_zero"]

_ORDERS = (1, 3, 6)
"""Terms kept of an expansion; more are tried where leading terms cancel."""
_PROBES = tuple(Rational(k, 64) for k in (1, 5, 13, 21, 31, 33, 43, 51, 59, 63))
_BACK = {unit: symbol for symbol, unit in UNIT.items()}
_ZERO = UNIT[Y]


class UnknownLimit(DomainError):
    """The value at a hard label is not settled; the loss may have one."""


@dataclass(frozen=True)
class HardValue:
    """A formula at a hard label, on `0 < p < 1`.

    Attributes:
        expr: its value, a formula without `y`.
        positive: formulas that must not be negative for it to be real, where that is open (it hangs on
            coefficients, or on `p` in a way that interval arithmetic does not settle).
        nonzero: formulas that are divided by, or of which a leading part is taken, and are not seen to keep a sign.
        is_limit: whether it is the limit `y -> 0+`, the formula not being finite part by part at `y = 0`.
    """

    expr: Expr
    positive: frozenset[Expr] = frozenset()
    nonzero: frozenset[Expr] = frozenset()
    is_limit: bool = False


@lru_cache(maxsize=1024)
def at_zero(formula: Expr) -> HardValue:
    """`M(0, p)`: the value at `y = 0` where finite, else the limit `y -> 0+`.

    Raises:
        DomainError: where it is infinite, or not a real number.
        UnknownLimit: where it is not settled.

    >>> from symloss.expr import parse
    >>> at_zero(parse("y*softplus(1/y) + y*log(y*p) + abs(y - p)").expr).expr
    p + 1
    """
    try:
        expr = _in_unit(formula)
        # The value first: `sign(y)*p` is 0 at a label of 0, though its limit is p.
        limit = _at(expr, 0) or _limit(expr)
    except Unreal as error:
        raise DomainError(
            f"expected a formula with a real value at y = 0, got {formula}: for small y > 0, {error}"
        ) from None
    except Open as error:
        raise UnknownLimit(
            f"expected a formula with a value at y = 0, got {formula}, whose limit y -> 0+ is not known ({error}); "
            "multiply the part that is undefined by y"
        ) from None
    if limit is None:
        raise DomainError(
            f"expected a formula that is finite at y = 0, got {formula}, which is infinite there for every "
            "class but the target; write y*abs(log(p)) for abs(log(y*p)), or use the protected plog"
        )
    return _checked(formula, limit, 0)


@lru_cache(maxsize=1024)
def at_one(formula: Expr) -> HardValue:
    """`M(1, p)`.

    Raises:
        DomainError: where it is not finite, or not a real number.
        UnknownLimit: where that is not settled.

    >>> from symloss.expr import parse
    >>> at_one(parse("y*abs(log(p)) + (1 - y)*p").expr).expr
    Abs(log(p))
    """
    try:
        limit = _at(_in_unit(formula), 1)
    except Unreal as error:
        raise DomainError(f"expected a formula with a real value at y = 1, got {formula}: {error}") from None
    except Open as error:
        raise UnknownLimit(f"the value of {formula} at y = 1 is not known: {error}") from None
    if limit is None:
        raise DomainError(
            f"expected a formula that is finite at y = 1, got {formula}, which is not; "
            "use the protected plog for a logarithm that vanishes there"
        )
    return _checked(formula, limit, 1)


def _in_unit(formula: Expr) -> Expr:
    """The formula with what is known of entries."""
    try:
        expr = formula.xreplace(UNIT)
    except ValueError as error:  # SymPy's Max and Min refuse what they see is not real
        raise Unreal(formula, str(error)) from None
    if expr.has(I):  # SymPy has taken the root of a negative number
        raise Unreal(formula, "it has the root of a negative number")
    return expr


def _checked(formula: Expr, found: HardValue, label: int) -> HardValue:
    """`found` in the symbols of formulas, unless it is seen not to be real somewhere."""
    for part in found.positive | found.nonzero:
        if part.free_symbols <= {UNIT[P]}:
            for probe in _PROBES:
                near = part.xreplace({UNIT[P]: probe}).evalf(20)
                # Probing only ever refutes. A part that passes stays in `positive` or `nonzero`, and whoever uses the
                # value must mind it.
                if (part in found.positive and near < -1e-12) or near == 0:
                    raise DomainError(
                        f"expected a formula with a real value at y = {label}, got {formula}: it has none at "
                        f"p = {float(probe):g}, where {part.xreplace(_BACK)} is "
                        + (
                            "0 under a division or log"
                            if near == 0
                            else "negative under a root, power or log"
                        )
                    )
    return HardValue(
        found.expr.xreplace(_BACK),
        frozenset(part.xreplace(_BACK) for part in found.positive),
        frozenset(part.xreplace(_BACK) for part in found.nonzero),
        found.is_limit,
    )


def _at(expr: Expr, label: int) -> HardValue | None:
    """The value at `y = label`, or None where a part of it is not finite.

    Raises:
        Unreal: where a part is not real.
        Open: where it is not settled whether a part vanishes.
    """
    seen: dict[Expr, Expr | None] = {_ZERO: Integer(label)}
    positive: set[Expr] = set()
    nonzero: set[Expr] = set()

    def of(node: Expr) -> Expr | None:
        if node not in seen:
            seen[node] = step(node) if node.args else node
        return seen[node]

    def step(node: Expr) -> Expr | None:
        # One part without a value leaves the whole without: SymPy would fold 0*f(zoo) to 0 for any f that does not know
        # its value there.
        args = [found for arg in node.args if (found := of(arg)) is not None]
        if len(args) < len(node.args):
            return None
        if isinstance(node, log | Pow):
            inner, exponent = args[0], Integer(0) if isinstance(node, log) else args[1]
            if (isinstance(node, log) or sign_inside(exponent) != 1) and is_nothing(inner):
                # 0 under a log or a division for every y: no limit can help. With y in it the limit may exist, as of
                # y*log(y).
                if _ZERO not in node.free_symbols:
                    raise Unreal(node.xreplace(_BACK), f"{node.args[0].xreplace(_BACK)} is 0")
                return None
            if _ZERO in node.free_symbols and sign_inside(inner) is None and sign_inside(exponent) != 1:
                nonzero.add(inner)
            if isinstance(node, log) or not exponent.is_Integer:
                demand_positive(node, inner)
        value = node.func(*args)
        return None if value.has(nan, zoo, oo, -oo) else value

    def demand_positive(node: Expr, inner: Expr) -> None:
        direction = sign_inside(inner)
        if direction == -1:
            raise Unreal(node.xreplace(_BACK), f"{node.args[0].xreplace(_BACK)} is negative")
        # A part without y is the formula's own domain in p and is not a matter of the label.
        if direction is None and _ZERO in node.free_symbols:
            positive.add(inner)

    value = of(expr)
    return None if value is None else HardValue(value, frozenset(positive), frozenset(nonzero))


def _limit(expr: Expr) -> HardValue | None:
    """The limit `y -> 0+`, or None where it is infinite.

    Raises:
        Unreal: where a part is not real for small `y`.
        Open: where it is not settled.
    """
    problem = Cancelled("leading terms cancel")
    # One term settles a limit unless leading terms cancel, and products cost the square of the order.
    for order in _ORDERS:
        expansion = Expansion(_ZERO, order)
        try:
            series = expansion.of(expr)
            if series.terms and expansion.direction(series.terms[0].monomial) > 0:
                return None
            _, constant, _ = expansion.split(series)
        except Cancelled as error:
            # More terms do not help a part that is only known to be bounded.
            if expansion.oscillates:
                raise Open("it oscillates, or a sign is open") from None
            problem = error
        else:
            return HardValue(
                constant, frozenset(expansion.positive), frozenset(expansion.nonzero), is_limit=True
            )
    raise problem
