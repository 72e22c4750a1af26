"""Formulas made to mislead a certificate: verdicts that were wrong once, or that only luck would get right."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.theory import analyze

HOSTILE = [
    # M1 - M0 falls, but is stationary at 1/3, where three classes tie under every posterior.
    ("50*p**2 - y*(p - 1/3)**3", "classification", 3, {"classification_calibrated": "refuted"}),
    ("50*p**2 - y*(p - 1/3)**3", "classification", 2, {"classification_calibrated": "proved"}),
    # A value of its own at one point, which no piece shows.
    (
        "-y*log(p) - 10*y*(1 - sign(p - 0.37)**2)",
        "classification",
        3,
        {"bounded_below": "unknown", "proper": "unknown", "convex_in_p": "unknown", "attractor": "unknown"},
    ),
    (
        "(y - p)**2 - 10*(1 - sign(y - p - 1.01)**2)",
        "regression",
        None,
        {"minimum_at_target": "unknown", "convex": "unknown"},
    ),
    # A sign whose value where it vanishes lies between those beside it is no such point.
    ("-y*p + 0.1*y*sign(0.4 - p)", "classification", 3, {"bounded_below": "proved"}),
    # A step leaves the derivative as it is, and moves the minimum of the mean.
    ("abs(y - p) + 5*sign(y - p)", "regression", None, {"converges_to": "unknown"}),
    ("(y - p)**2 + 3*sign(y - p - 1)", "regression", None, {"converges_to": "unknown"}),
    ("-y*log(p) - (1 - y)*log(1 - p) + 0.3*y*sign(p - 0.4)", "multilabel", None, {"proper": "unknown"}),
    # A limit y -> 0+ that depends on p.
    ("y**(p - 1/2)", "classification", 3, {"target_only": "unknown"}),
]


@pytest.mark.parametrize(("text", "kind", "classes", "expected"), HOSTILE)
def test_hostile_formulas(text: str, kind: str, classes: int | None, expected: dict[str, str]) -> None:
    findings = analyze(sl.parse(text, kind=kind), classes).findings
    assert {key: findings[key].verdict for key in expected} == expected
