"""MathML says the formula: a reader of it, written here, brings every loss back."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import assume, given, settings

from symloss import parse
from symloss.errors import SymlossError
from symloss.expr.mathml import _written, to_mathml
from symloss.zoo.entries import ENTRIES
from tests.strategies import formulas

_SIGNS = {"\u2061": "", "\u2062": "*", "\u00b7": "*"}
_GREEK = {
    "φ": "phi",
    "γ": "gamma",
    "ξ": "xi",
    "δ": "delta",
    "ε": "epsilon",
    "α": "alpha",
    "β": "beta",
    "τ": "tau",
}


def read(node: ET.Element) -> str:
    """The formula in our own grammar, every group in brackets."""
    parts = [read(child) for child in node]
    match node.tag:
        case "mi" | "mn" | "mo":
            text = (node.text or "").replace("\u2212", "-")
            return "exp(1)" if text == "e" else _SIGNS.get(text, _GREEK.get(text, text))
        case "mspace":
            return ""
        case "mfrac":
            return f"(({parts[0]})/({parts[1]}))"
        case "msup":
            return f"(({parts[0]})**({parts[1]}))"
        case "msub":
            return "".join(parts)
        case "msqrt":
            return f"sqrt({''.join(parts)})"
        case "mroot":
            return f"(({parts[0]})**(1/({parts[1]})))"
    if parts[0] == parts[-1] == "|":
        return f"abs({''.join(parts[1:-1])})"
    if len(parts) == 3 and parts[1] == "" and parts[0].isalpha():
        first, *rest = _arguments("".join(map(read, node[2][1:-1])))
        for each in rest:  # ours take two arguments
            first = f"{parts[0]}({first}, {each})"
        return first if rest else f"{parts[0]}({first})"
    return "".join(parts) if parts[0] == "(" else f"({''.join(parts)})"


def _arguments(text: str) -> list[str]:
    """What stands between the commas that no bracket holds."""
    found, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            found.append("")
        else:
            found[-1] += sign
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.name}-{entry.kind}")
def test_every_loss_of_the_zoo_is_read_back(entry):
    assert parse(read(ET.fromstring(entry.loss.mathml())), entry.kind) == entry.loss
    symbolic = read(ET.fromstring(entry.loss.mathml(symbolic=True)))
    assert parse(symbolic, entry.kind, entry.defaults) == entry.loss


@settings(max_examples=40)
@given(formulas(5))
def test_any_formula_is_read_back(text):
    try:
        loss = parse(text, "regression")
    except SymlossError:
        assume(False)
    found = parse(read(ET.fromstring(to_mathml(loss.value_expr))), "regression")
    assert found == loss or (found.value_expr - loss.value_expr).simplify() == 0


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("y - p", "y−p"),
        ("max(0, y - p)", "max\u2061(y−p,0)"),
        ("-y*log(p)", "−y\u2062log\u2061(p)"),
        ("1.2e-9*y", "1.2·10−9\u2062y"),
        ("2*1.3*y*0 + 2**0.3*y", "20.3\u2062y"),
    ],
)
def test_it_reads_as_people_write(formula, expected):
    assert "".join(ET.fromstring(parse(formula, "regression").mathml()).itertext()) == expected


def test_brackets_grow_for_fractions_alone():
    assert parse("(y - p)**2", "regression").mathml().count("stretchy") == 2
    assert "stretchy" not in parse("(y - p/3)**2", "regression").mathml()


def test_nothing_but_a_formula_gets_through():
    from xml.dom.minidom import parseString

    assert _written(parseString("<mi>&lt;script&gt;</mi>").documentElement) == "<mi>&lt;script&gt;</mi>"
    with pytest.raises(ValueError, match="script"):
        _written(parseString("<mrow><script/></mrow>").documentElement)
