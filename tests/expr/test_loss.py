"""The value object: immutable, hashable, printed exactly, simplified without change."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import Function, Integer, Rational, Symbol

import symloss as sl
from symloss.errors import DomainError, ParseError
from symloss.expr import KINDS, P, Y, agrees
from tests.strategies import formulas


def _parsed(text: str, kind: str) -> sl.Loss:
    try:
        return sl.parse(text, kind=kind)
    except ParseError:
        assume(False)
        raise


@given(formulas(), st.sampled_from(sorted(KINDS)), st.floats(-1e6, 1e6))
def test_text_round_trip(text: str, kind: str, value: float) -> None:
    loss = _parsed(text, kind)
    if "phi0" in loss.coefficients:
        try:
            loss = loss.with_coefficients(phi0=value)
        except DomainError:
            assume(False)
    assert sl.parse(str(loss), kind=kind) == loss
    assert sl.Loss.from_dict(json.loads(json.dumps(loss.to_dict()))) == loss


@given(formulas(leaves=6), st.sampled_from(sorted(KINDS)))
def test_simplify_keeps_the_value_and_does_not_grow(text: str, kind: str) -> None:
    loss = _parsed(text, kind)
    simple = loss.simplify()
    assert simple.complexity <= loss.complexity
    assert simple is not loss
    assert simple.expr == loss.expr or agrees(simple.expr, loss.expr, kind)


SIMPLER = [
    ("y*log(p) + y*log(p)", "2*y*log(p)"),
    ("p*y/p", "y"),
    ("y*p + y*(1 - p)", "y"),
    ("-(-(p))", "p"),
]


@pytest.mark.parametrize(("text", "simple"), SIMPLER)
def test_simplify_finds(text: str, simple: str) -> None:
    found = sl.parse(text).simplify()
    assert found.expr == sl.parse(simple).expr


def test_simplify_keeps_named_coefficients() -> None:
    loss = sl.parse("a*y*log(p) + a*y*log(p)", coefficients={"a": 0.3}).simplify()
    assert dict(loss.coefficients) == {"a": 0.3}
    assert loss.formula == "2*a*y*log(p)"


def test_a_loss_is_immutable_hashable_and_copies() -> None:
    loss = sl.parse("a*y*log(p)", coefficients={"a": -1.0})
    with pytest.raises(dataclasses.FrozenInstanceError, match="kind"):
        loss.kind = "regression"  # type: ignore[misc]
    with pytest.raises(TypeError, match="item assignment"):
        loss.coefficients["a"] = 2.0  # type: ignore[index]
    assert {loss, sl.parse("-y*log(p)")} == {sl.parse("-log(p)*y")}
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert twin == loss
        assert dict(twin.coefficients) == {"a": -1.0}
    assert loss != "y"
    assert loss != sl.parse("-y*log(p)", kind="multilabel")
    assert repr(sl.parse("y*p", kind="regression")) == "parse('p*y', kind='regression')"


def test_coefficients_with_too_many_digits_are_refused_before_they_are_worked_out() -> None:
    with pytest.raises(
        ParseError, match=r"the number 7886\.7 under the exponent 0\.97739 has too many digits"
    ):
        sl.parse("(a*p)**b*y", coefficients={"a": 7886.7, "b": 0.97739})
    assert sl.parse("(a*p)**b*y", coefficients={"a": 1.3, "b": 0.5}) == sl.parse("sqrt(1.3*p)*y")


def test_a_formula_may_stand_on_several_lines() -> None:
    assert sl.parse("y\n  *log(\np)\n") == sl.parse("y*log(p)")


def test_coefficients_in_and_out() -> None:
    loss = sl.parse("phi0*abs(log(phi1*p))*y").with_coefficients(phi1=1.3)
    assert dict(loss.coefficients) == {"phi0": 1.0, "phi1": 1.3}
    assert loss.value_expr == sl.parse("abs(log(1.3*p))*y").expr
    assert loss.at_classes(10) == loss.value_expr
    assert sl.parse("p/C").at_classes(4) == P / 4
    with pytest.raises(DomainError, match="no coefficient 'phi7'"):
        loss.with_coefficients(phi7=1.0)
    for bad in (float("nan"), float("inf"), True, "1"):
        with pytest.raises(DomainError, match="expected a finite number"):
            loss.with_coefficients(phi1=bad)  # type: ignore[arg-type]


def test_values_are_written_exactly() -> None:
    loss = sl.parse("a*y*p", coefficients={"a": 0.1 + 0.2})
    assert str(loss) == "0.30000000000000004*p*y"
    assert loss.value_expr == Rational("0.30000000000000004") * P * Y


def test_constructor_refuses_what_is_no_formula() -> None:
    with pytest.raises(DomainError, match="unknown kind"):
        sl.Loss(P, "ranking")
    with pytest.raises(DomainError, match="no value for the coefficient 'a'"):
        sl.Loss(Symbol("a", real=True) * P)
    with pytest.raises(DomainError, match="is not part of a loss formula"):
        sl.Loss(Function("gamma")(P))
    with pytest.raises(DomainError, match="expected"):
        sl.Loss(P * Integer(10) ** 400)


@pytest.mark.parametrize(
    "data", [None, {}, {"formula": 3}, {"formula": "p", "coefficients": [1]}, {"formula": "__import__('os')"}]
)
def test_from_dict_refuses_what_to_dict_did_not_write(data: object) -> None:
    with pytest.raises(ParseError, match="at position"):
        sl.Loss.from_dict(data)  # type: ignore[arg-type]


def test_complexity_counts_what_is_printed() -> None:
    assert [sl.parse(t).complexity for t in ("p", "y*p", "-y*log(p)", "min(y, p)", "y*abs(log(1.3*p))")] == [
        1, 3, 5, 3, 7,
    ]  # fmt: skip


def test_latex() -> None:
    loss = sl.parse("a*y*log(p)", coefficients={"a": 2.5})
    assert loss.latex() == r"2.5 y \log{\left(p \right)}"
    assert loss.latex(symbolic=True) == r"a y \log{\left(p \right)}"
    assert loss._repr_latex_() == f"${loss.latex()}$"


def test_latex_shows_a_guard_only_where_it_can_act() -> None:
    assert sl.parse("plog(1 + p)").latex() == r"\log{\left(p + 1 \right)}"
    assert (
        sl.parse("psqrt((p - y)**2 + 1)", kind="regression").latex() == r"\sqrt{\left(p - y\right)^{2} + 1}"
    )
    assert "varepsilon" in sl.parse("plog(p)").latex()
    assert "varepsilon" in sl.parse("plog(1 + phi0*p)", coefficients={"phi0": 1}).latex(symbolic=True)
