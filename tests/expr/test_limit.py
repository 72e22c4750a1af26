"""The value of a formula at a hard label: against its values near `y = 0`, by mpmath, at 50 digits and more."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import mpmath as mp
import pytest
import sympy
from hypothesis import given, settings

import symloss as sl
from symloss.errors import DomainError, ParseError
from symloss.expr import OPERATORS, P, UnknownLimit, at_one, at_zero, elementary
from tests.expr.reals import NotReal, value
from tests.strategies import formulas

ARGUMENTS = (
    "1/y",
    "-1/y",
    "y - p",
    "y*log(y)",
    "y",
    "log(y)",
    "p/y",
    "p - y",
    "1/y - log(y)",
    "y*log(y) - p/y",
)
AROUND = ("{}", "y*({})", "({})/y", "log(y)*({})", "exp(-1/y)*({})")
PREDICTIONS = (mp.mpf("0.137"), mp.mpf("0.861"))
NEAR = ((20, 40, 80), (10**30, 10**60, 10**120))
"""Decimal digits of the targets `y` at which a limit is looked for. The smaller ones are for what hangs on `log y`,
or on its logarithm: there sums with `y` lose it, which changes nothing."""


def near_zero(text: str, p: mp.mpf) -> mp.mpf | str | tuple[mp.mpf, mp.mpf]:
    """The limit of a formula `y -> 0+` by its values.

    A number, one with its error, "infinite", "not real" or "open".
    """
    for near in NEAR:
        found: list[mp.mpf | None] = []
        for digits in near:
            with mp.workdps(50 + min(3 * digits, 300)):
                try:
                    found.append(value(text, mp.pi * mp.mpf(10) ** -digits, p))
                except NotReal:
                    found.append(None)
        if None in found or any(map(mp.isnan, found)):
            return "not real" if found == [None] * 3 else "open"
        a, b, c = found
        if abs(c - b) < 1e-12 * (1 + abs(c)):
            return c
        if abs(c) > 1e30:
            return "infinite"
    if mp.isinf(c) or (abs(c) > abs(b) > abs(a) and abs(c - b) > abs(b - a) / 2):
        return "infinite"
    # Terms in 1/log(-log(y)) halve from each value to the next.
    return 2 * c - b, abs(c - b) / 2


def number(expr: sympy.Expr, p: mp.mpf) -> mp.mpf:
    return mp.mpf(sympy.N(elementary(expr).xreplace({P: sympy.Rational(str(p))}), 30))


def answer(text: str) -> str | None:
    """What `at_zero` says of a formula that has no value, None of one that has."""
    try:
        at_zero(sl.parse(text).expr)
    except UnknownLimit:
        return "open"
    except DomainError as error:
        return "infinite" if "infinite" in str(error) else "not real"
    return None


def disagreement(text: str) -> str:
    """How `at_zero` differs from the values near 0, or `""`."""
    said = answer(text)
    if said == "open":
        return ""
    for p in PREDICTIONS:
        expected = near_zero(text, p)
        if said is None:
            found = at_zero(sl.parse(text).expr)
            ours = number(found.expr, p)
            if not found.is_limit:
                with suppress(NotReal):  # as y*(1/y), which is 1 before anything is put in
                    expected = value(text, mp.mpf(0), p)
            if isinstance(expected, tuple):
                agree = abs(ours - expected[0]) < expected[1] + 1e-9
            else:
                agree = not isinstance(expected, str) and abs(ours - expected) < 1e-9 * (1 + abs(ours))
            if not agree:
                return f"at p = {p}: {ours}, not {expected}"
        elif said != expected:
            return f"at p = {p}: {said}, not {expected}"
    return ""


def calls(name: str) -> list[str]:
    """An operator around arguments that are singular at `y = 0`."""
    infix = {"add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**"}
    if OPERATORS[name].arity == 1:
        return [f"-({a})" if name == "neg" else f"{name}({a})" for a in ARGUMENTS]
    pairs = product(ARGUMENTS[:7], repeat=2)
    return [f"({a}){infix[name]}({b})" if name in infix else f"{name}({a}, {b})" for a, b in pairs]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_around_singular_arguments_agrees_with_its_values_near_zero(name: str) -> None:
    around = AROUND if OPERATORS[name].arity == 1 else AROUND[:1]
    texts = [frame.format(call) for call in calls(name) for frame in around]
    wrong = {text: problem for text in texts if (problem := disagreement(text))}
    assert wrong == {}
    oscillates = name in {"sin", "cos"}
    assert oscillates or [text for text in texts if answer(text) == "open"] == []


AT_ZERO = {
    "y*softplus(1/y) + y*(1 - p)": "1",
    "y*(1 - p) + softplus(1/y)*y": "1",
    "psqrt(1/y)*sqrt(y)": "1",  # once half of it
    "psqrt(p/y)*sqrt(y)": "sqrt(p)",
    "y*log(y)": "0",
    "y*log(y*p)": "0",
    "y*abs(log(y*p)) + p": "p",
    "log(y + p)": "log(p)",
    "y/p - log(p)": "-log(p)",
    "tanh(log(y*p))": "-1",
    "sqrt(y)*log(y)**2 + p**2": "p**2",
    "sin(y)/y": "1",
    "plog(y*p)": "plog(0*p)",
    "plog(y*log(y))": "plog(0*p)",
    "max(log(y), p)": "p",
    "sigmoid(1/y)*p": "p",
    "softplus(log(y))*p + p": "p",
    "y*plog(1/y)": "0",
    "sign(y)*p": "0",
    "sign(y)*p + y*log(y)": "p",  # the limit, where the value at 0 is not finite
    "sign(y - p)": "-1",
    "abs(y - p)": "p",
    "((1 + y)**3 - 1)/y": "3",
    "(1 - cos(y))/y**2": "1/2",
    "(sqrt(p + y) - sqrt(p))/y": "1/(2*sqrt(p))",
    "log(1/y + p) + log(y)": "0*p",
    "exp(-1/y)/y**9": "0",
    "softplus(1/y) - 1/y": "0",
    "y*softplus((p - 0.5)/y)": "max(p - 0.5, 0)",
    "y*sin(1/y)": "0",
    "sign(softplus(-1/y))": "1",
    "y**p*log(y)": "0",
    "y*log(phi0*y)": "0",
    "abs(phi0/y + 1)*y": "abs(phi0)",
    "max(C/y, 1)*y": "C",
    "(y*(1 + y))**(p + 1)*y**(-p)/y + 1": "2 + 0*p",  # two constant terms, one of them w0*exp(-log(w0))
    "(y*(1 + y))**(p + 1)*y**(-p)/y - 1": "0*p",
}


@pytest.mark.parametrize(("text", "expected"), AT_ZERO.items())
def test_values_and_limits_at_zero(text: str, expected: str) -> None:
    assert at_zero(sl.parse(text).expr).expr == sl.parse(expected).expr


INFINITE = ["abs(log(y*p))", "log(y)", "1/y", "p/sqrt(y)", "log(y) - 2*log(y)*p", "exp(1/y)", "sinh(1/y)*y"]


@pytest.mark.parametrize("text", INFINITE)
def test_infinite_limits_are_refused(text: str) -> None:
    with pytest.raises(DomainError, match=r"finite at y = 0, got .* write y\*abs\(log\(p\)\)"):
        at_zero(sl.parse(text).expr)


NOT_REAL = {
    "sqrt(y - p)*sqrt(2*y - p)": r"sqrt\(-p \+ y\) is not real there: -p \+ y is negative",
    "log(2*y - p) - log(y - p)": r"log\(-p \+ y\) is not real there: -p \+ y is negative",
    "y*log(log(y))": r"log\(log\(y\)\) is not real there: log\(y\) is negative",
    "sqrt(-p)*sqrt(y + 1) + p": "not real",
    "y*log(y + p - 1/2)": r"none at p = 0\.0156.*, where p - 1/2 is negative",
}


@pytest.mark.parametrize("text", NOT_REAL)
def test_what_is_not_real_is_refused(text: str) -> None:
    with pytest.raises(DomainError, match=f"real value at y = 0, got .*{NOT_REAL[text]}"):
        at_zero(sl.parse(text).expr)


def test_what_has_no_limit_or_none_that_is_found_is_said() -> None:
    for text in ("sin(1/y)", "y**p/sqrt(y)", "tanh(phi0/y + 1)"):
        with pytest.raises(UnknownLimit, match="whose limit y -> 0\\+ is not known"):
            at_zero(sl.parse(text).expr)


def test_at_one_is_taken_part_by_part() -> None:
    assert at_one(sl.parse("y*abs(log(p)) + (1 - y)*p").expr).expr == sl.parse("abs(log(p))").expr
    for text in ("(1 - y)*softplus(1/(1 - y))", "(1 - y)/(1 - y)**2", "log(1 - y)*(1 - y)"):
        with pytest.raises(DomainError, match="finite at y = 1"):
            at_one(sl.parse(text).expr)
    with pytest.raises(DomainError, match="real value at y = 1"):
        at_one(sl.parse("sqrt(p - y)").expr)


@given(formulas())
@settings(max_examples=60)
def test_no_drawn_formula_disagrees_with_its_values_near_zero(text: str) -> None:
    text = text.replace("C", "3").replace("phi0", "1.7")
    try:
        sl.parse(text)
    except (ParseError, DomainError):
        return
    assert disagreement(text) == ""
