"""What SymPy can take apart it does, and the rest is told beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

import symloss as sl
from symloss.errors import ParseError
from symloss.expr.roots import is_taken_apart


@pytest.mark.parametrize("formula", ["(7886.7*p)**0.97739*y", "7886.7**0.97739*p*y"])
def test_numbers_that_would_never_come_back_are_told(formula: str) -> None:
    with pytest.raises(ParseError, match=r"under the exponent .* has too many digits; expected fewer digits"):
        sl.parse(formula)


@given(
    st.integers(1, 10**7),
    st.integers(0, 7),
    st.integers(1, 30 * 10**5),
    st.sampled_from([2, 7, 100, 2000, 10**5]),
)
def test_what_is_taken_apart_keeps_its_value(p: int, digits: int, share: int, q: int) -> None:
    number, exponent = Rational(p, 10**digits), Rational(share * q // 10**5, q * 10)
    if is_taken_apart(number, exponent):
        power = number**exponent
        assert all(max(abs(n.p), n.q).bit_length() < 2**13 for n in power.atoms(Rational))
        assert float(power.evalf(30)) == pytest.approx(float(number) ** float(exponent))
