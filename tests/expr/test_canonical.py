"""Pairs that must agree, pairs that must not, and a form that is its own."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import symloss as sl
from symloss.errors import ParseError
from symloss.expr import KINDS, agrees, canonical, canonicalise
from symloss.expr.parser import parse_expression
from tests.strategies import formulas

AGREE = [
    ("regression", "(y - p)**2", "p**2 - 2*p*y + y**2"),
    ("regression", "(y - p)**2", "square(p - y)"),
    ("regression", "abs(y - p)", "abs(p - y)"),
    ("regression", "abs(2*y - 2*p)", "2*abs(y - p)"),
    ("regression", "min(y, p)", "-max(-y, -p)"),
    ("regression", "max(2*y, 2*p)", "2*max(p, y)"),
    ("regression", "sign(y - p)", "-sign(p - y)"),
    ("regression", "plog(y - p)", "plog(p - y)"),
    ("regression", "psqrt(abs(p))", "psqrt(-p)"),
    ("regression", "exp(y + p)", "exp(y)*exp(p)"),
    ("regression", "y/(1 + p) + p/(1 + p)", "(y + p)/(1 + p)"),
    ("regression", "tanh(y)*p", "p*tanh(y)"),
    ("classification", "log(1.3*p)*y", "y*(log(13/10) + log(p))"),
    ("classification", "log(2.6*p)", "log(1.3*p) + log(2)"),
    ("classification", "log(p**2)", "2*log(p)"),
    ("classification", "log(p/C)", "log(p) - log(C)"),
    ("classification", "abs(p)*y", "p*y"),
    ("classification", "y*abs(1 - p)", "y*(1 - p)"),
    ("classification", "abs(p - 1)", "1 - p"),
    ("classification", "-y*log(p)", "y*log(1/p)"),
    ("multilabel", "-(1 - y)*log(1 - p)", "(y - 1)*log(1 - p)"),
]
DIFFER = [
    ("classification", "y*log(p)", "y**2*log(p)"),
    ("classification", "plog(p)", "log(p)"),
    ("classification", "psqrt(p)", "sqrt(p)"),
    ("classification", "y*log(p)", "-y*log(p)"),
    ("classification", "abs(log(1.3*p))", "log(1.3*p)"),
    ("classification", "log(1 - p)", "log(1 + p)"),
    ("regression", "log(p**2)", "2*log(p)"),
    ("regression", "sqrt(p**2)", "p"),
    ("regression", "abs(p)*y", "p*y"),
    ("regression", "min(y, p)", "max(y, p)"),
    ("regression", "y/p", "p/y"),
    ("regression", "sign(y - p)", "sign(p - y)"),
    ("regression", "aq(y, p)", "aq(p, y)"),
]


@pytest.mark.parametrize(("kind", "a", "b"), AGREE)
def test_equal_losses_have_one_form(kind: str, a: str, b: str) -> None:
    left, right = sl.parse(a, kind=kind), sl.parse(b, kind=kind)
    assert left == right
    assert hash(left) == hash(right)


@pytest.mark.parametrize(("kind", "a", "b"), DIFFER)
def test_different_losses_have_different_forms(kind: str, a: str, b: str) -> None:
    assert sl.parse(a, kind=kind) != sl.parse(b, kind=kind)


@given(formulas(), st.sampled_from(sorted(KINDS)))
def test_the_form_is_its_own_and_keeps_the_value(text: str, kind: str) -> None:
    try:
        loss = sl.parse(text, kind=kind)
    except ParseError:
        assume(False)
    canonical = canonicalise(loss.value_expr, kind)
    assert canonicalise(canonical, kind) == canonical
    assert canonical == loss.value_expr or agrees(canonical, loss.value_expr, kind)


def test_agrees_is_shown_to_fail() -> None:
    a, b = sl.parse("p**2").expr, sl.parse("p**2 + 1/1000000000000").expr
    assert agrees(a, a, "regression")
    assert not agrees(a, b, "regression")


@pytest.mark.parametrize("text", ["p", "y - p", "2*p*y", "exp(p) - y", "tanh(p)", "p**2"])
def test_an_argument_and_its_negative_have_one_orientation(text: str) -> None:
    expr = parse_expression(text)
    assert canonical._oriented(expr) == canonical._oriented(-expr)


def test_a_number_stays_under_a_root_that_would_be_factored_for_ever() -> None:
    """SymPy writes `7886.7**0.97739` by factoring powers as large as the exponent's denominator."""
    expr = sl.parse("y*(7886.7*p + 7886.7)**0.97739").expr
    assert canonicalise(expr, "classification") == expr
    assert agrees(sl.parse("sqrt(4*p + 4)*y").expr, sl.parse("2*sqrt(p + 1)*y").expr, "classification")


UNDEFINED = [
    ("classification", "max(sqrt(-1 - p), y)"),
    ("classification", "relu(sqrt(-1 - p))"),
    ("classification", "min(log(-1 - p), p)"),
    ("classification", "y*sqrt(-1 - p)"),
    ("classification", "y*log(-p)"),
    ("classification", "y*sqrt(-p)"),
    ("classification", "y*max(p, sqrt(log(p)))"),
    ("classification", "psqrt(log(-1 - p))"),
    ("regression", "p + log(-1 - p**2)"),
]


@pytest.mark.parametrize(("kind", "text"), UNDEFINED)
def test_what_has_no_value_equals_itself_alone(kind: str, text: str) -> None:
    loss = sl.parse(text, kind=kind)
    assert loss.canonical == loss.value_expr
    assert loss == sl.parse(text, kind=kind)
    assert loss.simplify().complexity <= loss.complexity
    for other, its in UNDEFINED:
        assert (loss == sl.parse(its, kind=other)) == ((kind, text) == (other, its))


def test_what_has_a_value_somewhere_keeps_its_form() -> None:
    assert sl.parse("sqrt(y - p)*2") == sl.parse("sqrt(4*y - 4*p)")


def test_an_extremum_of_what_is_not_real_is_refused_in_one_line() -> None:
    with pytest.raises(ParseError, match="has no real value"):
        sl.parse("max(sqrt(-1 - y**2), p)", kind="regression")
