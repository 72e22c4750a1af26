"""Formulas in which the zoo's losses stand by name."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.errors import DomainError, ParseError
from symloss.expr import KINDS
from symloss.expr import parse as parse_grammar

SUMS = [
    ("classification", "ce + 0.1*brier", "-y*log(p) + 0.1*(y - p)**2"),
    ("classification", "ce", "-y*log(p)"),
    ("classification", "-0.5*ce", "0.5*y*log(p)"),
    ("classification", "max(ce, mae)", "max(-y*log(p), abs(y - p))"),
    ("classification", "ace*2", "2*y*abs(log(1.3*p))"),
    ("classification", "p - sparse-lsr", "p - sparse_lsr"),
    ("regression", "mse + log-cosh", "(y - p)**2 + log(cosh(y - p))"),
    ("regression", "0.5*mae", "0.5*abs(y - p)"),
    ("multilabel", "bce+focal-bce", "focal_bce + bce"),
    ("margin", "logistic + 0.1*squared-hinge", "log(1 + exp(-m)) + 0.1*max(1 - m, 0)**2"),
    ("margin", "sigmoid + sigmoid(m)", "sigmoid(-m) + sigmoid(m)"),
]


@pytest.mark.parametrize(("kind", "text", "formula"), SUMS)
def test_names_stand_for_losses(kind: str, text: str, formula: str) -> None:
    loss = sl.parse(text, kind=kind)
    assert loss == sl.parse(formula, kind=kind)
    assert sl.parse(str(loss), kind=kind) == loss == parse_grammar(str(loss), kind=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_alone_is_the_loss_itself(kind: str) -> None:
    for name in sl.names(kind):
        assert sl.parse(name, kind=kind).to_dict() == sl.named(name, kind).to_dict()
        assert sl.parse(f"1*{name}", kind=kind) == sl.named(name, kind)


def test_what_a_name_means_first() -> None:
    """Symbols, then declared coefficients, then functions, then the zoo."""
    assert sl.parse("ce*y", coefficients={"ce": 2.0}) == sl.parse("2*y")
    assert sl.parse("0*y + sparse-lsr", coefficients={"sparse": 3.0}) == sl.parse("3 - lsr")
    assert sl.parse("ace", coefficients={"phi1": 1.5}) == sl.named("ace", phi1=1.5)


REFUSED = [
    ("ce + 0.1*brierr", "classification", "position 9: unknown name 'brierr'.*did you mean brier"),
    ("ce(p)", "classification", "position 0: 'ce' is not a function"),
    ("ce + mse", "classification", "position 5: 'mse' is a regression loss.*give the kind 'regression'"),
    ("mse", "classification", "position 0: 'mse' is a regression loss"),
    ("1 + log-cosh", "classification", "position 4: 'log-cosh' is a regression loss"),
    ("ce", "ranking", "unknown kind 'ranking'"),
]


@pytest.mark.parametrize(("text", "kind", "message"), REFUSED)
def test_refused(text: str, kind: str, message: str) -> None:
    with pytest.raises((ParseError, DomainError), match=message):
        sl.parse(text, kind=kind)


def test_a_long_sum_of_names_is_limited() -> None:
    with pytest.raises(ParseError, match="too large"):
        sl.parse("+".join(f"{i}*taylorglo" for i in range(2, 40)))


def test_what_is_stored_knows_no_names() -> None:
    with pytest.raises(ParseError, match="unknown name 'ce'"):
        parse_grammar("ce")
    with pytest.raises(ParseError, match="unknown name 'ce'"):
        sl.Loss.from_dict({"formula": "ce", "kind": "classification", "coefficients": {}})
