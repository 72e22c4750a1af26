"""Findings with C free hold at every number of classes that is tried, values included."""

from __future__ import annotations

import math
import re

import pytest

import symloss as sl
from symloss.expr import P
from symloss.theory import Certificate, Finding, analyze

FORMULAS = [
    *(str(sl.named(name)) for name in sl.names("classification")),
    "-(0.8*y + 0.2/C)*log(p)",
    "y*abs(log(3*p))",  # the kink lies at 1/3: trainable from C = 4 on
    "3*y/p - 2*log(p)",
    "y/p**2",
    "-y*log(p) + (y - p)**2/C",
    "-log(1.2 - C*p/10)",  # defined for at most ten classes
    "p/C - y*log(p)",
    "y*(1 - p)/C",
    "C*abs(y - p)",
    "(1 - y)*p**2 - y*log(p)",
    "y*max(0.3 - p, 0.2*(p - 0.3))",
    "(p - 1/4)**3*y + 2*(1 - y)*p",
]
NUMBERS = (2, 3, 40)


def _certificates(formula: str) -> tuple[Certificate, dict[int, Certificate]]:
    loss = sl.parse(formula)
    return analyze(loss), {classes: analyze(loss, classes) for classes in NUMBERS}


def _smallest(finding: Finding) -> int:
    found = re.findall(r"every C >= (\d+)", finding.reason)
    return max(map(int, found), default=2)


def _value(text: str, classes: int) -> float:
    return float(sl.parse(re.sub(r"\bq\b", "p", text)).at_classes(classes).subs(P, 0.3))


@pytest.mark.parametrize("formula", FORMULAS)
def test_what_holds_for_every_number_holds_at_each(formula: str) -> None:
    free, each = _certificates(formula)
    for key, finding in free.findings.items():
        if finding.verdict == "refuted":
            assert key == "label_smoothing" or finding.reason.startswith("at C = 10")
            continue
        if finding.verdict != "proved":
            continue
        for classes, certificate in each.items():
            there = certificate.findings[key]
            if classes < _smallest(finding):
                continue
            assert there.verdict != "refuted", (key, classes, there.reason)
            if there.numeric is not None and there.verdict == "proved" and key != "symmetric_noise_robust":
                stated = finding.numeric if finding.numeric is not None else finding.text
                if stated not in ("", None):
                    value = stated if isinstance(stated, float) else _value(stated, classes)
                    assert value == pytest.approx(there.numeric, rel=1e-8, abs=1e-9), (key, classes)
            if key == "classification_calibrated" and finding.text and there.text:
                assert _value(finding.text, classes) == pytest.approx(_value(there.text, classes))


@pytest.mark.parametrize("name", sl.names("classification"))
def test_the_zoo_is_decided_but_for_attractors_without_formula(name: str) -> None:
    open_for = {
        key for key, f in analyze(sl.named(name)).findings.items() if f.verdict == "unknown"
    }  # fmt: skip
    allowed = {
        "ngl": {"attractor", "label_smoothing"},
        "taylorglo": {"attractor", "label_smoothing", "known_as"},
    }
    assert open_for == allowed.get(name, set())


def test_trainable_from_a_number_of_classes_on() -> None:
    finding = analyze(sl.parse("y*abs(log(3*p))")).findings["trainable_at_start"]
    assert finding.verdict == "proved"
    assert "every C >= 4" in finding.reason
    assert analyze(sl.parse("y*abs(log(3*p))"), 2).findings["trainable_at_start"].verdict == "refuted"


def test_slopes_that_vanish_at_a_number_of_classes_are_seen() -> None:
    # D' = -(p - 1/4)**2: nothing is pulled at C = 4.
    loss = sl.parse("-y*(p - 1/4)**3/3")
    finding = analyze(loss).findings["trainable_at_start"]
    assert finding.verdict == "proved"
    assert "every C >= 5" in finding.reason
    assert analyze(loss, 4).findings["trainable_at_start"].verdict == "refuted"


@pytest.mark.parametrize(
    ("formula", "key", "value"),
    [
        ("y/p - log(p)", "attractor", "1/sqrt(C)"),
        ("y/p - log(p)", "label_smoothing", "(-sqrt(C) + C)/(C - 1)"),
        ("-(0.9*y + 0.1/C)*log(p)", "classification_calibrated", "(9*C*q + 1)/(10*C)"),
        ("y*(1 - p**0.5)", "classification_calibrated", "q**2"),
        ("abs(y - p)", "symmetric_noise_robust", "2*(C - 1)"),
        ("abs(y - p)/C", "bounded_above", "2/C"),
        ("(y - p)**2", "bounded_above", "2"),
    ],
)
def test_values_with_the_number_of_classes_free(formula: str, key: str, value: str) -> None:
    assert analyze(sl.parse(formula)).findings[key].text == value


def test_bounds_with_a_formula_in_c_are_least_values() -> None:
    finding = analyze(sl.named("baikal")).findings["bounded_below"]
    loss = 2.0 - 3 * math.log((1 - 0.5) / 3) - math.log(0.5)  # C = 4, p* = 1/2
    assert _value(finding.text, 4) == pytest.approx(loss)


def test_ties_at_a_number_of_classes_above_the_sample_are_seen() -> None:
    # D' vanishes at 1/20: of twenty classes all are in a tie there, under every posterior.
    loss = sl.parse("50*p**2 - y*(p - 1/20)**3")
    assert analyze(loss, 20).findings["classification_calibrated"].verdict == "refuted"
    assert analyze(loss).findings["classification_calibrated"].verdict != "proved"


def test_rests_on_the_way_of_many_classes_are_seen() -> None:
    # T' vanishes at 1/20, where twenty classes start and more of them arrive.
    loss = sl.parse("-y*(p - 1/20)**3")
    assert analyze(loss, 20).findings["attractor"].verdict != "proved"
    assert analyze(loss, 25).findings["attractor"].verdict != "proved"
    assert analyze(loss).findings["attractor"].verdict != "proved"
