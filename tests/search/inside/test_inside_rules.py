"""Each rule for itself, against SymPy at 50 digits: derivatives, the losses that convex functions make, and signs."""

from __future__ import annotations

import numpy as np
import pytest
from sympy import Expr, Float, Integer, Rational, Symbol, diff, expand, simplify

from symloss.expr import KINDS, P, Y
from symloss.search.propose.inside.build import Exact, Grown
from symloss.search.propose.inside.rules import (
    POSITIVE,
    REAL,
    RULES,
    UNIT,
    Convex,
    Increasing,
    Rising,
    Rule,
    Sort,
    Tree,
)

POINTS = [Rational(n, 40) for n in (1, 7, 20, 33, 39)]
TIPS = {Convex: "square", Increasing: "p", Rising: "log-rise", Tree: "tree-p"}
NAMED = {rule.name: rule for rule in RULES}


def grown(rule: Rule, kind: str = "multilabel", seed: int = 0) -> Grown[Expr]:
    """A rule of members, its numbers at random."""
    draw = np.random.default_rng(seed)
    numbers: list[Expr] = []

    def grow(one: Rule) -> Grown[Expr]:
        first = len(numbers)
        numbers.extend(
            Rational(f"{span.of(span.back(span.start) + 0.6 * draw.normal()):.3g}") for span in one.spans
        )
        inner = {name: grow(NAMED[TIPS[sort]]) for name, sort in one.takes.items()}  # type: ignore[index]
        return Grown(one, first, inner, algebra, lambda: Y, KINDS[kind])

    algebra = Exact(())
    root = grow(rule)
    algebra.numbers = tuple(numbers)
    return root


def at(expr: Expr, point: Expr, **more: Expr) -> Expr:
    return expr.subs({P: point, **{Symbol(k): v for k, v in more.items()}}).evalf(50)


def points(rule: Rule) -> list[Expr]:
    return POINTS if rule.unit else [*(4 * (point - Rational(1, 2)) for point in POINTS), *POINTS]


@pytest.mark.parametrize("rule", [r for r in RULES if r.gives is Convex], ids=lambda r: f"{r.name}-{r.unit}")
@pytest.mark.parametrize("seed", range(3))
def test_convex_rules(rule: Rule, seed: int) -> None:
    one = grown(rule, seed=seed)
    for point in points(rule):
        assert abs(at(one.slope - diff(one.value, P), point)) < 1e-40
        assert at(diff(one.value, P, 2), point) > 0
    # M = f'(p) (p - y) - f(p), up to a function of y alone; on the simplex up to a multiple of p as well.
    for kind, allowed in (("multilabel", 0), ("classification", 1)):
        entry = grown(rule, kind, seed).entry
        generic = one.slope * (P - Y) - one.value
        rest = [
            diff((entry - generic).subs(Y, label), P) for label in (Integer(0), Integer(1), Rational(1, 3))
        ]
        values = [[at(each, point) for point in points(rule)] for each in rest]
        assert max(abs(v - values[0][0]) for row in values for v in row) < 1e-40
        assert allowed or abs(values[0][0]) < 1e-40


@pytest.mark.parametrize("rule", [r for r in RULES if issubclass(r.gives, Rising)], ids=lambda r: r.name)
@pytest.mark.parametrize("seed", range(3))
def test_rising_rules(rule: Rule, seed: int) -> None:
    one = grown(rule, seed=seed)
    assert all(at(diff(one.value, P), point) > 0 for point in POINTS)
    if rule.gives is Increasing:
        assert one.value.subs(P, 0) == 0
        assert at(one.value, Integer(1)).is_finite
        assert not rule.steep


@pytest.mark.parametrize("rule", [r for r in RULES if r.gives is Tree], ids=lambda r: r.name)
def test_trees_are_continuous_on_the_closed_interval(rule: Rule) -> None:
    value = grown(rule).value
    small = Float("1e-30", 60)
    for end, near in ((Integer(0), small), (Integer(1), 1 - small)):
        assert abs(at(value, end) - at(value, near)) < 1e-3


@pytest.mark.parametrize(
    "rule", [r for r in RULES if r.gives is Convex and not r.steep], ids=lambda r: r.name
)
def test_what_is_not_steep_has_a_bounded_slope(rule: Rule) -> None:
    slope = grown(rule).slope
    assert all(at(slope, end).is_finite for end in (Integer(0), Integer(1)))


def test_steep_rules_are() -> None:
    for rule in RULES:
        if rule.gives is Convex and rule.steep:
            slope = grown(rule).slope
            assert any(not at(slope, end).is_finite for end in (Integer(0), Integer(1))), rule.name


def test_every_rule_on_the_line_is_one_there() -> None:
    for rule in RULES:
        if rule.line:
            value = grown(rule).value
            assert all(at(diff(value, P, 2), Integer(n)) > 0 for n in (-3, 0, 2)), rule.name


@pytest.mark.parametrize("span", [POSITIVE, UNIT, REAL], ids=lambda s: s.name)
def test_links_and_rounding_keep_a_number_where_it_may_be(span: object) -> None:
    for c in (-40.0, -3.0, 0.0, 0.2, 20.0):
        value = span.of(c)  # type: ignore[attr-defined]
        for digits in (1, 2, 4):
            rounded = span.rounded(value, digits)  # type: ignore[attr-defined]
            assert span.holds(rounded)  # type: ignore[attr-defined]
            assert np.isfinite(span.back(rounded))  # type: ignore[attr-defined]
    assert span.of(span.back(0.3)) == pytest.approx(0.3)  # type: ignore[attr-defined]


def test_sorts_have_the_same_order_in_every_process() -> None:
    assert hash(Convex) == sum(ord(letter) * 31**i for i, letter in enumerate("Convex"))
    assert len({hash(sort) for sort in (Convex, Increasing, Rising, Tree)}) == 4
    assert isinstance(Convex, Sort)


def test_a_member_in_words() -> None:
    """The sum of entropy and a square is cross-entropy and the Brier score."""
    two = NAMED["sum"]
    algebra = Exact((Integer(1),) * 3)
    inner = {
        name: Grown(NAMED[rule], place, {}, algebra, lambda: Y, KINDS["classification"])
        for name, rule, place in (("u", "entropy", 1), ("v", "square", 2))
    }
    whole = Grown(two, 0, inner, algebra, lambda: Y, KINDS["classification"])
    assert str(expand(simplify(whole.entry))) == "p**2 - 2*p*y + y**2 - y*log(p)"
