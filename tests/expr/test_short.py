"""Short numbers: a reader sees few digits, and the loss stays within rounding of the first."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symloss.expr import parse
from symloss.expr.short import shortened

LONG = [
    ("classification", "-0.0603*(tanh(1.501)**2/((2.212*p - 1.383*y)**2 + 1))**2.286"),
    ("classification", "0.05804*(1.3 - 1.2*log(0.85*p) - p)*exp(1.8*(0.92 + 1.4*y)*log(1.5*p) + 4.3)"),
    ("classification", "(-0.92390444*p - 1.0005284*y)*log(p)"),
    ("classification", "y*(1.2345678 - p**0.123456)/3"),
    ("regression", "0.826704*(y/sqrt(min(0.91*psqrt(0.95*p), 0.95)**2 + 1) - p)**2"),
    ("regression", "1.0005*abs(1.2*(1.3*(y - 1.1*p)))"),
]


def significant(text: str) -> list[int]:
    """Digits of each number of a formula, without zeros at either end."""
    numbers = re.findall(r"(?<![\w.])\d+\.?\d*(?:e-?\d+)?", text)
    return [len(number.split("e")[0].replace(".", "").strip("0")) for number in numbers]


@pytest.mark.parametrize(("kind", "formula"), LONG)
def test_numbers_are_short_and_the_loss_is_near(kind: str, formula: str) -> None:
    loss = parse(formula, kind=kind)
    short = shortened(loss)
    assert max(significant(str(short)), default=0) <= 4
    assert str(short.simplify()) == str(short), "it is shown as it is"
    p, y = np.linspace(0.05, 0.95, 10), np.tile([0.0, 1.0], 5)
    before, after = loss.lambdify("numpy")(y, p), short.lambdify("numpy")(y, p)
    np.testing.assert_allclose(after, before, rtol=3e-3, atol=1e-3)


def test_two_digits_when_two_are_asked_for() -> None:
    assert str(shortened(parse("-1.2345*y*log(0.9876*p)"), 2)) == "-1.2*y*log(0.99*p)"


def test_whole_exponents_whole_numbers_and_short_formulas_stay() -> None:
    for formula in ("(y - p)**2", "-y*log(p)", "1.234*y*(1 - p)**64", "1234*y*p"):
        assert shortened(parse(formula)) == parse(formula)


def test_named_coefficients_keep_their_values() -> None:
    short = shortened(parse("a*1.23456*y*p", coefficients={"a": 0.123456}))
    assert short.coefficients == {"a": 0.123456}
    assert "1.235" in short.formula


def test_on_hard_labels_the_plainest_form_is_what_is_shortened() -> None:
    loss = parse("min(1.25234*y, 1.25312*y**2)*-log(p)")
    assert str(shortened(loss, hard_labels=True)) == "-1.252*y*log(p)"
