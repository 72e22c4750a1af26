"""Numbers as people write them: common factors drawn out, squares undone, nothing lost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import symloss as sl
from symloss.expr.layout import decimal, excess

WRITTEN = [
    ("-0.9602*(1.042*y + 0.9622*p)*log(p)", "-0.9602*(0.9622*p + 1.042*y)*log(p)"),
    ("8.237*aq(abs(y), 1.155*p)", "8.237*abs(y)/sqrt((1.155*p)**2 + 1)"),
    ("1647.4*abs(y)/sqrt(53361*p**2 + 40000)", "8.237*abs(y)/sqrt((1.155*p)**2 + 1)"),
    ("1.002*aq(y, 1.092*aq(y, p))", "1.002*y/sqrt(1 + (1.092*y)**2/(p**2 + 1))"),
    ("1.2345*(p - y)", "1.2345*(p - y)"),
    ("1.001*(1.001*p + 1.001*y)", "1.002001*(p + y)"),
    ("2.5*p + 2.5*y", "2.5*(p + y)"),
    ("-(p + y)*log(p)", "-(p + y)*log(p)"),
    ("2*(p + 3*y)", "2*p + 6*y"),
    ("0.9185*(1.044*p - 1.043*y)**2", "0.9185*(1.044*p - 1.043*y)**2"),
    ("p/3 + y/7", "p/3 + y/7"),
    ("0.0000001*p + 2500000*y", "1e-7*p + 2500000*y"),
    ("0.12345678*p + 0.87654321*y", "0.12345678*p + 0.87654321*y"),
]


@pytest.mark.parametrize(("text", "written"), WRITTEN)
def test_written_as_people_do_and_read_back(text: str, written: str) -> None:
    loss = sl.parse(text, kind="regression")
    assert str(loss) == written
    assert sl.parse(written, kind="regression") == loss


def test_small_numbers_in_latex() -> None:
    loss = sl.parse("max((p - y)**2, 1e-7) + 0.0000025*p", kind="regression")
    assert r"10^{-7}" in loss.latex()
    assert r"2.5 \cdot 10^{-6}" in loss.latex()


_FOUR = st.integers(1000, 9999).map(lambda n: Fraction(n, 1000))


@given(_FOUR, _FOUR, _FOUR)
def test_products_of_four_digits_are_written_with_four(outer: Fraction, a: Fraction, b: Fraction) -> None:
    """Whatever was multiplied out, there is a way back without more digits than it came with."""
    assume(a != b)
    numbers = [str(decimal(number)) for number in (outer, a, b)]
    loss = sl.parse("{}*({}*p + {}*y)*log(p)".format(*numbers))
    written = str(loss)
    found = [Fraction(part) for part in written.replace("(", "*").replace(")", "").replace(" + ", "*").split("*")
             if part[:1].isdigit()]  # fmt: skip
    assert max(map(excess, found), default=0) == 0
    assert sl.parse(written) == loss


def test_decimals() -> None:
    assert decimal(Fraction(1, 3)) is None
    assert [decimal(Fraction(text)) for text in ("-12.5", "0.0001", "0.00001", "12000")] == [
        "-12.5", "0.0001", "1e-5", "12000",
    ]  # fmt: skip
