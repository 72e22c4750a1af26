"""Accept and reject side by side; whatever the text, nothing but `ParseError` and bounded work."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Abs, Expr, Max, Min, Rational, cosh, exp, log, preorder_traversal, sign, sqrt

import symloss as sl
from symloss.errors import DomainError, ParseError
from symloss.expr import OPERATORS, PI, C, P, W, Y, plog, psqrt, sigmoid, softplus
from symloss.expr.parser import MAX_NODES, parse_expression

ACCEPTED = [
    ("y*log(p)", Y * log(P)),
    (" - y * log( p ) ", -Y * log(P)),
    ("-y**2", -(Y**2)),
    ("2**-1", Rational(1, 2)),
    ("y**p**2", Y ** (P**2)),
    ("1.3", Rational(13, 10)),
    ("1e-3", Rational(1, 1000)),
    (".5", Rational(1, 2)),
    ("0.1 + 0.2", Rational(3, 10)),
    ("y - -p", Y + P),
    ("abs(y - p)", Abs(Y - P)),
    ("sign(y)", sign(Y)),
    ("square(p)", P**2),
    ("sqrt(p)", sqrt(P)),
    ("min(y, p)", Min(Y, P)),
    ("max(y, p)", Max(Y, P)),
    ("aq(y, p)", Y / sqrt(1 + P**2)),
    ("relu(p)", Max(0, P)),
    ("plog(p)", plog(P)),
    ("psqrt(p)", psqrt(P)),
    ("sigmoid(p)", sigmoid(P)),
    ("softplus(p)", softplus(P)),
    ("log(cosh(y - p))", log(cosh(Y - P))),
    ("exp(p)/C", exp(P) / C),
    ("pi*w*p", PI * W * P),
    ("y\n+\tp", Y + P),
]


@pytest.mark.parametrize(("text", "expr"), ACCEPTED)
def test_accepts(text: str, expr: object) -> None:
    assert parse_expression(text) == expr


# text, position of the offence, what the message says
REJECTED = [
    ("", 0, "the formula is empty"),
    ("f - y", 0, "unknown name 'f'.*the prediction is p"),
    ("y*ln(p)", 2, "the natural logarithm is log"),
    ("y*lgo(p)", 2, "did you mean log"),
    ("log(p", 5, r"a bracket is not closed; expected '\)'"),
    ("p)", 1, r"unexpected '\)'"),
    ("2p", 1, "write a\\*b for a product"),
    ("y^p", 1, r"a power is written a\*\*b"),
    ("|p|", 0, r"an absolute value is written abs\(x\)"),
    ("y=p", 1, "without an equals sign"),
    ("p//2", 0, "'//' is not an operator"),
    ("p +", 3, "the formula ends too early"),
    ("* p", 0, r"unexpected '\*'"),
    ("log", 0, r"'log' is a function; expected log\(...\)"),
    ("log(p, y)", 0, "log got 2 arguments; expected 1 argument"),
    ("max(p)", 0, "max got 1 argument; expected 2 arguments"),
    ("p(y)", 0, "'p' is not a function"),
    ("y·p", 1, "is not ASCII"),
    ("1/0", 0, "is not a real number"),
    ("y*log(-1)", 2, "is not a real number"),
    ("1/(p - p)", 0, "division by zero"),
    ("p**65", 0, "exponent 65 is too large; expected magnitude of at most 64"),
    ("9**9**9", 0, "too large"),
    ("(((9**64)**64)**64)**64", 2, "too large"),
    ("1e400", 0, "out of range"),
    ("exp(1000)", 0, "out of range"),
    ("y*" * 2000 + "p*" * 50 + "y", 0, "bytes; expected at most 4096"),
    ("+".join(["p"] * (MAX_NODES // 2 + 1)), 512, "too large; expected at most 512 nodes"),
    ("(" * 65 + "p" + ")" * 65, 64, "nested too deeply"),
    ("__import__('os').system('id')", 11, "unexpected character"),
    ("().__class__", 2, "unexpected"),
    ("(lambda: p)()", 1, "unknown name 'lambda'|unexpected"),
    ("[p for p in y]", 0, "only round brackets group"),
    ("sin(*p)", 4, "not part of a formula"),
    ("1j", 1, "unexpected 'j'"),
    ("True", 0, "unknown name 'True'"),
]


@pytest.mark.parametrize(("text", "position", "message"), REJECTED)
def test_rejects(text: str, position: int, message: str) -> None:
    with pytest.raises(ParseError, match=message) as caught:
        parse_expression(text)
    assert caught.value.position == position
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"p", None, 3, ["p"]])
def test_rejects_what_is_no_text(text: object) -> None:
    with pytest.raises(ParseError, match="a formula is text"):
        parse_expression(text)  # type: ignore[arg-type]


def test_coefficients() -> None:
    loss = sl.parse("a*abs(log(b*p))*y + phi3", coefficients={"a": 1, "b": 1.3})
    assert dict(loss.coefficients) == {"a": 1.0, "b": 1.3, "phi3": 1.0}
    for name, message in [("p", "taken"), ("log", "taken"), ("a b", "no name"), ("é", "no name")]:
        with pytest.raises(ParseError, match=message):
            sl.parse("p", coefficients={name: 1.0})
    with pytest.raises(ParseError, match="expected a finite number"):
        sl.parse("a*p", coefficients={"a": float("inf")})
    with pytest.raises(ParseError, match="is not in the formula"):
        sl.parse("p", coefficients={"a": 1.0})
    with pytest.raises(DomainError, match="unknown kind 'ranking'"):
        sl.parse("p", kind="ranking")


_WORDS = [
    *(name for name, each in OPERATORS.items() if not each.infix),
    *"ypCw()+-*/,.",
    "**",
    "pi",
    "phi0",
    "1",
    "0",
    "64",
    "1e9",
    "0.5",
    " ",
    "os",
    "_",
    "'",
    "9",
]


def _outcome(text: str) -> Expr | ParseError:
    try:
        return parse_expression(text)
    except ParseError as error:
        return error


@settings(max_examples=400)
@given(st.lists(st.sampled_from(_WORDS), max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_a_formula_or_a_parse_error(text: str) -> None:
    outcome = _outcome(text)
    if isinstance(outcome, ParseError):
        assert 0 <= outcome.position <= max(len(text), 1)
    else:
        assert sum(1 for _ in preorder_traversal(outcome)) <= 8 * MAX_NODES


BOMBS = [
    "**".join(["9"] * 30),
    "(" * 60 + "p" + "**64)" * 60,
    "(" * 60 + "(p+y)" + "**2)" * 60,
    "max(" * 60 + "p" + ",y)" * 60,
    "exp(" * 60 + "1" + ")" * 60,
    "square(" * 60 + "1.0000001" + ")" * 60,
    "*".join(f"(p+{i})" for i in range(120)),
    "+".join(f"sin(p*{i})" for i in range(60)),
    "1/" * 200 + "p",
    "-" * 4000 + "p",
    "1e300*" * 100 + "1e300",
    "abs(" * 50 + "y-p" + ")" * 50,
]


@pytest.mark.parametrize("text", BOMBS)
def test_bombs_are_bounded(text: str) -> None:
    """Every one ends with a formula or a `ParseError`; the suite's clock is the witness that it ends."""
    assert isinstance(_outcome(text), Expr | ParseError)
