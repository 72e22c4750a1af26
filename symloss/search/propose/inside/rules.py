"""The rules of the typed grammars as data: what each makes from what, and why the result has the property of its sort.

A rule is written in the formulas of this package. `p` is the prediction, `y` the target, `a` and `b` are numbers of the
rule, `u` and `v` what stands in it; of a convex function `du` is the derivative and `eu` the loss that it makes. Every
number enters through a link (`e**c`, a sigmoid) that keeps it where the argument holds, and what stands in a rule is
multiplied by a positive number of its own, unless the rule takes it bare: so a member stays one while it is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["POSITIVE", "REAL", "RULES", "UNIT", "Rule", "Sort", "Span"]


class Sort(type):
    """A type of DEAP's typed primitives.

    DEAP draws the type of a crossover from a set of them, and the order of a set follows from hashes: Python's own of a
    class differs from process to process, and a run that goes on would breed other children.
    """

    def __hash__(cls) -> int:
        return sum(ord(letter) * 31**i for i, letter in enumerate(cls.__name__))


class Loss(metaclass=Sort):
    """`M(y, p)` as a whole."""


class Convex(metaclass=Sort):
    """Strictly convex on the open domain, continuous on the closed one."""


class Rising(metaclass=Sort):
    """`d' > 0` on (0, 1); at 0 it may be minus infinity."""


class Increasing(Rising):
    """`g' > 0` on (0, 1), continuous on [0, 1], and 0 at 0: so it is positive inside, and may be multiplied."""


class Tree(metaclass=Sort):
    """Continuous on [0, 1]; smooth inside, unless the theorem lets a kink in."""


@dataclass(frozen=True)
class Span:
    """Where a number may be: the image of the real line under a link.

    Attributes:
        name: of the link.
        start: the number before anything is learned.
        of: from a real number `c` to the number.
        back: the other way.
        low, high: what it is kept between when it is rounded.
    """

    name: str
    start: float
    of: Callable[[float], float] = field(compare=False)
    back: Callable[[float], float] = field(compare=False)
    low: float = -math.inf
    high: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a number may be this one."""
        return self.low <= value <= self.high

    def rounded(self, value: float, digits: int) -> float:
        """The number to so many significant digits, inside still."""
        return min(max(float(f"{value:.{digits}g}"), self.low), self.high)


def positive(start: float) -> Span:
    """Numbers above 0."""
    # The lower end only keeps rounding from reaching 0; tuning works on the logarithm and cannot.
    return Span("exp", start, math.exp, math.log, low=1e-9)


POSITIVE = positive(1.0)
# As above: 0.99999 to four digits would be 1, where `p**a` is a line and no longer strictly convex.
UNIT = Span("sigmoid", 0.5, lambda c: 1 / (1 + math.exp(-c)), lambda x: math.log(x / (1 - x)), 1e-3, 1 - 1e-3)
REAL = Span("identity", 0.0, float, float)


@dataclass(frozen=True)
class Rule:
    """A production.

    Attributes:
        name: of the rule.
        gives: its sort.
        value: the formula.
        why: the argument that it is of its sort, where those that stand in it are of theirs.
        takes: the sorts of what stands in it.
        bare: those of them that are not multiplied by a number: it would say nothing new.
        numbers: its own, and where they may be.
        slope: of a convex function, its derivative.
        entry: the loss `f'(p)(p - y) - f(p)` in a shorter form, up to a function of `y` alone.
        on_simplex: the same up to a multiple of `p` as well, where the `p` of an instance add up to 1.
        steep: whether it is infinite, or has an infinite slope, at an end: no bounded loss has it.
        kink: whether it has a kink.
        line: whether it holds on all of the real line; else on [0, 1].
        unit: whether it is used on [0, 1].
    """

    name: str
    gives: Sort
    value: str
    why: str
    takes: Mapping[str, Sort] = field(default_factory=dict, hash=False)
    bare: tuple[str, ...] = ()
    numbers: Mapping[str, Span] = field(default_factory=dict, hash=False)
    slope: str = ""
    entry: str = ""
    on_simplex: str = ""
    steep: bool = False
    kink: bool = False
    line: bool = False
    unit: bool = True

    @property
    def spans(self) -> tuple[Span, ...]:
        """Of the number that multiplies it where it stands, then of its own."""
        return (POSITIVE, *self.numbers.values())


_HALF, _TWO = {"a": positive(0.5)}, {"a": positive(2.0)}
"""Exponents begin where the rule is not another one in disguise."""
_A, _AB = {"a": POSITIVE}, {"a": POSITIVE, "b": UNIT}
_U, _UV = "u", ("u", "v")
_LINE = {"a": POSITIVE, "b": REAL}

_CONVEX = (
    Rule("square", Convex, "p**2", "f'' = 2", slope="2*p", entry="(y - p)**2", line=True),
    Rule("power", Convex, "p**(1 + a)", "f'' = a (1 + a) p**(a - 1)", numbers=_HALF,
         slope="(1 + a)*p**a", entry="(a*p - (1 + a)*y)*p**a"),
    Rule("entropy", Convex, "p*log(p) - p", "f'' = 1/p", slope="log(p)", entry="p - y*log(p)",
         on_simplex="-(y*log(p))", steep=True),
    Rule("root", Convex, "-(p**a)", "f'' = a (1 - a) p**(a - 2), a < 1", numbers={"a": UNIT},
         slope="-(a*p**(a - 1))", entry="(1 - a)*p**a + a*y*p**(a - 1)", steep=True),
    Rule("log", Convex, "-log(p + a)", "f'' = 1/(p + a)**2", numbers=_A, slope="-(1/(p + a))",
         entry="log(p + a) + (y - p)/(p + a)"),
    Rule("exp", Convex, "exp(a*p)", "f'' = a**2 f", numbers=_A, slope="a*exp(a*p)",
         entry="(a*(p - y) - 1)*exp(a*p)", line=True),
    Rule("decay", Convex, "exp(-(a*p))", "f'' = a**2 f", numbers=_A, slope="-(a*exp(-(a*p)))",
         entry="(a*(y - p) - 1)*exp(-(a*p))", line=True),
    Rule("hyperbola", Convex, "sqrt((p - b)**2 + a)", "f'' = a/f**3", numbers=_AB,
         slope="(p - b)/sqrt((p - b)**2 + a)", entry="((p - b)*(b - y) - a)/sqrt((p - b)**2 + a)"),
    # Once more, with its centre anywhere on the real line: for targets that are no probabilities.
    Rule("hyperbola", Convex, "sqrt((p - b)**2 + a)", "f'' = a/f**3", numbers=_LINE,
         slope="(p - b)/sqrt((p - b)**2 + a)", entry="((p - b)*(b - y) - a)/sqrt((p - b)**2 + a)",
         line=True, unit=False),
    Rule("softplus", Convex, "softplus(a*(p - b))", "f'' = a**2 s (1 - s), s = sigmoid(a (p - b))", numbers=_AB,
         slope="a*sigmoid(a*(p - b))"),
    Rule("softplus", Convex, "softplus(a*(p - b))", "f'' = a**2 s (1 - s), s = sigmoid(a (p - b))", numbers=_LINE,
         slope="a*sigmoid(a*(p - b))", line=True, unit=False),
    Rule("co-power", Convex, "(1 - p)**(1 + a)", "f'' = a (1 + a) (1 - p)**(a - 1)", numbers=_HALF,
         slope="-((1 + a)*(1 - p)**a)", entry="((1 + a)*y - a*p - 1)*(1 - p)**a"),
    Rule("co-entropy", Convex, "(1 - p)*log(1 - p) + p", "f'' = 1/(1 - p)", slope="-log(1 - p)",
         entry="(y - 1)*log(1 - p) - p", on_simplex="(y - 1)*log(1 - p)", steep=True),
    Rule("sum", Convex, "u + v", "f'' = u'' + v''", {"u": Convex, "v": Convex}, slope="du + dv", entry="eu + ev",
         line=True),
    Rule("exp-of", Convex, "exp(u)", "exp rises and is convex", {"u": Convex}, slope="du*exp(u)",
         entry="((p - y)*du - 1)*exp(u)", line=True),
    # log(exp(u) + exp(v)), which overflows.
    Rule("log-sum", Convex, "softplus(u - v) + v", "log(exp(u) + exp(v)) rises in both and is convex",
         {"u": Convex, "v": Convex}, slope="sigmoid(u - v)*(du - dv) + dv", line=True),
)  # fmt: skip

_INCREASING = (
    Rule("p", Increasing, "p", "1"),
    # Of a power of log(1 + u) or exp(u) - 1 single precision makes 0 below 6e-8, and an infinite slope: only p has one.
    Rule("power-up", Increasing, "p**a", "a p**(a - 1)", numbers=_HALF),
    Rule("bend-up", Increasing, "p*(2 - p)", "2 (1 - p)"),
    Rule("sum-up", Increasing, "u + v", "u' + v'", {"u": Increasing, "v": Increasing}),
    Rule("product-up", Increasing, "u*v", "u' v + u v', and u, v > 0", {"u": Increasing, "v": Increasing}, bare=_UV),
    Rule("log-up", Increasing, "log(1 + u)", "u'/(1 + u)", {"u": Increasing}),
    Rule("exp-up", Increasing, "exp(u) - 1", "exp(u) u'", {"u": Increasing}),
    Rule("tanh-up", Increasing, "tanh(u)", "(1 - tanh(u)**2) u'", {"u": Increasing}),
    Rule("ratio-up", Increasing, "u/(1 + u)", "u'/(1 + u)**2", {"u": Increasing}),
)  # fmt: skip

_RISING = (
    Rule("co-power-rise", Rising, "1 - (1 - p)**a", "a (1 - p)**(a - 1)", numbers=_TWO),
    Rule("log-rise", Rising, "log(p)", "1/p", steep=True),
    Rule("pole", Rising, "-(1/p**a)", "a p**(-a - 1)", numbers=_A, steep=True),
    Rule("focus", Rising, "(1 - p)**a*log(p)", "(1 - p)**a/p - a (1 - p)**(a - 1) log(p), both positive", numbers=_TWO,
         steep=True),
    Rule("sum-rise", Rising, "u + v", "u' + v'", {"u": Rising, "v": Rising}),
)  # fmt: skip

_TREE = (
    Rule("tree-p", Tree, "p", "continuous"),
    Rule("tree-1", Tree, "1", "constant"),
    Rule("tree-power", Tree, "p**a", "continuous, as a > 0", numbers=_HALF),
    Rule("tree-co-power", Tree, "(1 - p)**a", "continuous, as a > 0", numbers=_TWO),
    Rule("tree-sum", Tree, "u + v", "continuous", {"u": Tree, "v": Tree}),
    Rule("tree-difference", Tree, "u - v", "continuous", {"u": Tree, "v": Tree}),
    Rule("tree-product", Tree, "u*v", "continuous", {"u": Tree, "v": Tree}, bare=_UV),
    Rule("tree-square", Tree, "u**2", "continuous", {"u": Tree}, bare=(_U,)),
    Rule("tree-tanh", Tree, "tanh(u)", "continuous", {"u": Tree}),
    Rule("tree-exp", Tree, "exp(u)", "continuous", {"u": Tree}),
    Rule("tree-sin", Tree, "sin(u)", "continuous", {"u": Tree}),
    Rule("tree-cos", Tree, "cos(u)", "continuous", {"u": Tree}),
    Rule("tree-log", Tree, "log(1 + u**2)", "the argument is at least 1", {"u": Tree}),
    Rule("tree-hyperbola", Tree, "sqrt(1 + u**2)", "the argument is at least 1", {"u": Tree}),
    Rule("tree-ratio", Tree, "u/(1 + v**2)", "the divisor is at least 1", {"u": Tree, "v": Tree}),
    Rule("tree-abs", Tree, "abs(u)", "continuous", {"u": Tree}, bare=(_U,), kink=True),
    Rule("tree-min", Tree, "min(u, v)", "continuous", {"u": Tree, "v": Tree}, kink=True),
    Rule("tree-max", Tree, "max(u, v)", "continuous", {"u": Tree, "v": Tree}, kink=True),
)  # fmt: skip

RULES: tuple[Rule, ...] = (*_CONVEX, *_INCREASING, *_RISING, *_TREE)
"""Every rule but those that make the loss itself, which stand with the theorems."""
