"""The operators of the grammar: all that is known of one stands in its row.

Every table elsewhere is made from these rows, or is keyed by them and falls back to an operator's definition. A
new operator is one row here, with a SymPy class before it if it is not SymPy's own.
"""

from __future__ import annotations

from typing import Any

from sympy import (
    Abs,
    Add,
    Expr,
    Integer,
    Interval,
    Max,
    Min,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    atan,
    cos,
    cosh,
    exp,
    log,
    oo,
    pi,
    sign,
    sin,
    sinh,
    sqrt,
    tanh,
)

from symloss.expr.arrays import ArrayModule
from symloss.expr.functions import RealFunction
from symloss.expr.operator import Operator, Partials

__all__ = ["BY_HEAD", "GUARD", "OPERATORS", "plog", "psqrt", "sigmoid", "softplus"]

GUARD = Rational(1, 10**7)
"""The floor of the protected operators; the constant of the EvoMAL release (arXiv 2209.08907)."""
_FLOOR = float(GUARD)


class plog(RealFunction):
    """Protected logarithm `log(max(|x|, 1e-7))`; its derivative is `1/x` outside the guard, 0 inside."""

    at_infinities = (S.Infinity, S.Infinity, S.Infinity)

    @staticmethod
    def plain(x: Expr) -> Expr:
        return log(Max(Abs(x), GUARD))

    # Not through `plain`, whose derivative SymPy writes with Heaviside and DiracDelta.
    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return Piecewise((1 / x, Abs(x) > GUARD), (Integer(0), True))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\log_{{\varepsilon}}{power}\left|{printer._print(self.args[0])}\right|"


class psqrt(RealFunction):
    """Protected square root `sqrt(max(|x|, 1e-7))`; its derivative is 0 inside the guard."""

    at_infinities = (S.Infinity, S.Infinity, S.Infinity)
    positive = True

    @staticmethod
    def plain(x: Expr) -> Expr:
        return sqrt(Max(Abs(x), GUARD))

    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return Piecewise((x / (2 * Abs(x) * sqrt(Abs(x))), Abs(x) > GUARD), (Integer(0), True))

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        root = rf"\sqrt{{\left|{printer._print(self.args[0])}\right|_{{\varepsilon}}}}"
        return root if exp is None else rf"\left({root}\right)^{{{exp}}}"


class sigmoid(RealFunction):
    """`1 / (1 + exp(-x))`."""

    at_infinities = (S.One, S.Zero, S.NaN)
    positive = True
    tex = r"\sigma"

    @staticmethod
    def plain(x: Expr) -> Expr:
        return 1 / (1 + exp(-x))

    def fdiff(self, argindex: int = 1) -> Expr:
        # sigma' = sigma (1 - sigma), in terms of the node itself: higher derivatives stay polynomials in it.
        return self * (1 - self)


class softplus(RealFunction):
    """`log(1 + exp(x))`, whose derivative is the sigmoid."""

    at_infinities = (S.Infinity, S.Zero, S.NaN)
    positive = True

    @staticmethod
    def plain(x: Expr) -> Expr:
        return log(1 + exp(x))

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])


def _no_curvature(xp: ArrayModule, v: Any, a: Any) -> Partials:
    return (None,)


def _no_curvatures(xp: ArrayModule, v: Any, a: Any, b: Any) -> Partials:
    return None, None, None


def _shares(xp: ArrayModule, low: Any, high: Any) -> tuple[Any, Any]:
    """The shares of two in the lesser: 1 and 0, and a half each on ties, as torch's minimum has its gradient."""
    # 1, 1/2 or 0 by arithmetic: comparisons take torch several times as long.
    first = (xp.sign(high - low) + 1) / 2
    return first, 1 - first


def _outside(xp: ArrayModule, a: Any, value: Any) -> Any:
    """`value` where the guard of a protected operator does not act, 0 where it does."""
    return xp.where(xp.abs(a) > _FLOOR, value, 0.0)


def _aq_first(xp: ArrayModule, v: Any, a: Any, b: Any) -> Partials:
    # v = a r with r = (1 + b**2)**(-1/2), dr/db = -b r**3: so dv/db = -a b r**3 = -v b r**2.
    r = xp.rsqrt(1 + b * b)
    return r, -v * b * r * r


def _aq_second(xp: ArrayModule, v: Any, a: Any, b: Any) -> Partials:
    # d2v/db2 = a (3 b**2 r**5 - r**3) = a (2 b**2 - 1) r**5.
    r = xp.rsqrt(1 + b * b)
    return None, -b * r**3, a * (2 * b * b - 1) * r**5


def _sigmoid_second(xp: ArrayModule, v: Any, a: Any) -> Partials:
    rest = xp.sigmoid(-a)
    return (v * rest * (rest - v),)


def _pow_second(xp: ArrayModule, v: Any, a: Any, b: Any) -> Partials:
    mixed = xp.pow(a, b - 1) * (1 + b * xp.log(a))
    return b * (b - 1) * xp.pow(a, b - 2), mixed, v * xp.log(a) ** 2


def _protected(function: str) -> dict[str, str]:
    """The source of a protected operator in every language."""
    floored = {
        "torch": f"torch.{function}(torch.clamp(torch.abs(x), min={_FLOOR}))",
        "numpy": f"np.{function}(np.maximum(np.abs(x), {_FLOOR}))",
        "math": f"math.{function}(max(abs(x), {_FLOOR}))",
        "mpmath": f"mpmath.{function}(max(abs(x), mpmath.mpf({GUARD.p}) / {GUARD.q}))",
    }
    said = f'    """{function}(max(|x|, {_FLOOR})); no gradient inside the guard."""\n'
    return {
        language: f"def p{function}(x):\n{said * (language == 'torch')}    return {source}\n"
        for language, source in floored.items()
    }


_POSITIVE, _NONNEGATIVE = Interval.open(0, oo), Interval(0, oo)

_ROWS = (
    Operator(
        "add", 2, lambda a, b: a + b, head=Add, symbol="+",
        value=lambda xp, a, b: a + b,
        first=lambda xp, v, a, b: (1.0, 1.0),
        second=_no_curvatures,
    ),
    Operator(
        "sub", 2, lambda a, b: a - b, symbol="-",
        value=lambda xp, a, b: a - b,
        first=lambda xp, v, a, b: (1.0, -1.0),
        second=_no_curvatures,
    ),
    Operator(
        "mul", 2, lambda a, b: a * b, head=Mul, symbol="*",
        value=lambda xp, a, b: a * b,
        first=lambda xp, v, a, b: (b, a),
        second=lambda xp, v, a, b: (None, 1.0, None),
    ),
    Operator(
        "div", 2, lambda a, b: a / b, symbol="/",
        value=lambda xp, a, b: a / b,
        # By the value v, which is there already: d(a/b)/db = -a/b**2 = -v/b.
        first=lambda xp, v, a, b: (1 / b, -v / b),
        second=lambda xp, v, a, b: (None, -1 / (b * b), 2 * v / (b * b)),
    ),
    Operator(
        "pow", 2, lambda a, b: a**b, head=Pow, symbol="**",
        value=lambda xp, a, b: xp.pow(a, b),
        first=lambda xp, v, a, b: (b * xp.pow(a, b - 1), v * xp.log(a)),
        second=_pow_second,
    ),
    Operator(
        "neg", 1, lambda a: -a, symbol="-", parity=-1, degree=1,
        value=lambda xp, a: -a,
        first=lambda xp, v, a: (-1.0,),
        second=_no_curvature,
    ),
    Operator(
        "aq", 2, lambda a, b: a / sqrt(1 + b**2),
        value=lambda xp, a, b: a * xp.rsqrt(1 + b * b),
        first=_aq_first,
        second=_aq_second,
    ),
    Operator(
        "min", 2, Min, head=Min, code={"torch": "torch.minimum", "numpy": "np.minimum", "math": "min", "mpmath": "min"},
        value=lambda xp, a, b: xp.minimum(a, b),
        first=lambda xp, v, a, b: _shares(xp, a, b),
        second=_no_curvatures,
    ),
    Operator(
        "max", 2, Max, head=Max, code={"torch": "torch.maximum", "numpy": "np.maximum", "math": "max", "mpmath": "max"},
        value=lambda xp, a, b: xp.maximum(a, b),
        first=lambda xp, v, a, b: _shares(xp, b, a),
        second=_no_curvatures,
    ),
    Operator(
        "abs", 1, Abs, head=Abs, parity=1, degree=1, range=_NONNEGATIVE, code={"math": "abs", "mpmath": "abs"},
        value=lambda xp, a: xp.abs(a),
        first=lambda xp, v, a: (xp.sign(a),),
        second=_no_curvature,
    ),
    Operator(
        "sign", 1, sign, head=sign, parity=-1, degree=0, range=Interval(-1, 1),
        code={"math": "def sign(x):\n    return float((x > 0) - (x < 0))\n"},
        value=lambda xp, a: xp.sign(a),
        first=lambda xp, v, a: (None,),
        second=_no_curvature,
    ),
    Operator(
        "square", 1, lambda a: a**2, parity=1, degree=2, range=_NONNEGATIVE,
        value=lambda xp, a: xp.square(a),
        first=lambda xp, v, a: (2 * a,),
        second=lambda xp, v, a: (2.0,),
    ),
    Operator(
        "log", 1, log, head=log, domain=_POSITIVE, zero=S.One, increasing=True,
        value=lambda xp, a: xp.log(a),
        first=lambda xp, v, a: (1 / a,),
        second=lambda xp, v, a: (-1 / (a * a),),
    ),
    Operator(
        "exp", 1, exp, head=exp, range=_POSITIVE, increasing=True,
        value=lambda xp, a: xp.exp(a),
        first=lambda xp, v, a: (v,),
        second=lambda xp, v, a: (v,),
    ),
    Operator(
        "sqrt", 1, sqrt, domain=_NONNEGATIVE, range=_NONNEGATIVE, increasing=True,
        value=lambda xp, a: xp.sqrt(a),
        first=lambda xp, v, a: (0.5 / v,),
        second=lambda xp, v, a: (-0.25 / v**3,),
    ),
    Operator(
        "tanh", 1, tanh, head=tanh, parity=-1, range=Interval.open(-1, 1), zero=S.Zero, increasing=True,
        value=lambda xp, a: xp.tanh(a),
        first=lambda xp, v, a: (1 - v * v,),
        second=lambda xp, v, a: (-2 * v * (1 - v * v),),
    ),
    Operator(
        "atan", 1, atan, head=atan, parity=-1, range=Interval.open(-pi / 2, pi / 2), zero=S.Zero, increasing=True,
        code={"numpy": "np.arctan"},
        value=lambda xp, a: xp.atan(a),
        first=lambda xp, v, a: (1 / (1 + a * a),),
        second=lambda xp, v, a: (-2 * a / (1 + a * a) ** 2,),
    ),
    Operator(
        "sin", 1, sin, head=sin, parity=-1, range=Interval(-1, 1),
        value=lambda xp, a: xp.sin(a),
        first=lambda xp, v, a: (xp.cos(a),),
        second=lambda xp, v, a: (-v,),
    ),
    Operator(
        "cos", 1, cos, head=cos, parity=1, range=Interval(-1, 1),
        value=lambda xp, a: xp.cos(a),
        first=lambda xp, v, a: (-xp.sin(a),),
        second=lambda xp, v, a: (-v,),
    ),
    Operator(
        "sinh", 1, sinh, head=sinh, parity=-1, zero=S.Zero, increasing=True,
        value=lambda xp, a: xp.sinh(a),
        first=lambda xp, v, a: (xp.cosh(a),),
        second=lambda xp, v, a: (v,),
    ),
    Operator(
        "cosh", 1, cosh, head=cosh, parity=1, range=Interval(1, oo),
        value=lambda xp, a: xp.cosh(a),
        first=lambda xp, v, a: (xp.sinh(a),),
        second=lambda xp, v, a: (v,),
    ),
    Operator(
        "sigmoid", 1, sigmoid, head=sigmoid, range=Interval.open(0, 1), increasing=True,
        code={
            # sigma(x) = exp(-log(1 + e^-x)) = e^min(x, 0)/(1 + e^-|x|): neither overflows.
            "numpy": "def sigmoid(x):\n    return np.exp(-np.logaddexp(0, np.negative(x)))\n",
            "math": "def sigmoid(x):\n    return math.exp(min(x, 0.0)) / (1 + math.exp(-abs(x)))\n",
            "mpmath": "def sigmoid(x):\n    return 1 / (1 + mpmath.exp(-x))\n",
        },
        value=lambda xp, a: xp.sigmoid(a),
        # 1 - sigma(a) = sigma(-a), without the cancellation that 1 - sigma(a) has for large a.
        first=lambda xp, v, a: (v * xp.sigmoid(-a),),
        second=_sigmoid_second,
    ),
    Operator(
        "softplus", 1, softplus, head=softplus, range=_POSITIVE, increasing=True,
        code={
            "torch": "def softplus(x):\n"
            '    """log(1 + exp(x)), exact at both ends."""\n'
            "    return torch.clamp(x, min=0) + torch.log1p(torch.exp(-torch.abs(x)))\n",
            "numpy": "def softplus(x):\n    return np.logaddexp(0, x)\n",
            "math": "def softplus(x):\n    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))\n",
            "mpmath": "def softplus(x):\n    return mpmath.log1p(mpmath.exp(x))\n",
        },
        value=lambda xp, a: xp.softplus(a),
        first=lambda xp, v, a: (xp.sigmoid(a),),
        # As of the sigmoid, whose first derivative it is.
        second=lambda xp, v, a: (xp.sigmoid(a) * xp.sigmoid(-a),),
    ),
    Operator(
        "relu", 1, lambda a: Max(a, 0), degree=1, range=_NONNEGATIVE,
        value=lambda xp, a: xp.relu(a),
        first=lambda xp, v, a: (xp.positive(a),),
        second=_no_curvature,
    ),
    Operator(
        "plog", 1, plog, head=plog, parity=1, range=Interval(log(GUARD), oo), code=_protected("log"),
        value=lambda xp, a: xp.log(xp.floored(xp.abs(a), _FLOOR)),
        # sign(a)/|a| = 1/a outside the guard, 0 inside, and never a division by 0.
        first=lambda xp, v, a: (xp.direction(a, _FLOOR) / xp.floored(xp.abs(a), _FLOOR),),
        second=lambda xp, v, a: (_outside(xp, a, -1 / (a * a)),),
    ),
    Operator(
        "psqrt", 1, psqrt, head=psqrt, parity=1, range=Interval(sqrt(GUARD), oo), code=_protected("sqrt"),
        value=lambda xp, a: xp.sqrt(xp.floored(xp.abs(a), _FLOOR)),
        first=lambda xp, v, a: (xp.direction(a, _FLOOR) / v * 0.5,),
        second=lambda xp, v, a: (_outside(xp, a, -0.25 / v**3),),
    ),
)  # fmt: skip

OPERATORS: dict[str, Operator] = {row.name: row for row in _ROWS}
"""Every built-in operator by name; trees speak of infix ones by name too (`add`, `mul`)."""

BY_HEAD: dict[Any, Operator] = {row.head: row for row in _ROWS if row.head is not None}
"""The operator that a SymPy node is."""
