"""Verdicts that a review by brute force found wrong; each formula names the step of an argument that did not hold."""

from __future__ import annotations

import pytest

import symloss as sl
from symloss.theory import analyze

WRONG = [
    # D(x) - D(1-x) touches 0 at 0.2: (0.2, 0.8) and (0.8, 0.2) are both least, under every posterior.
    ("y*(p - 0.2)**2*(p - 0.8)**2*(2 - p)", "classification", 2, {"classification_calibrated": "unknown"}),
    # The same at the corners, (0, 1) and (1, 0).
    ("y*p**2*(1 - p)**2*(2 - p)", "classification", 2, {"classification_calibrated": "unknown"}),
    # D' vanishes at 1/2, and M0 holds two classes in a tie there.
    (
        "y*((p - 0.5)**2 - (p - 0.5)**3) + 50*p**2*(p - 0.5)**2",
        "classification",
        3,
        {"classification_calibrated": "unknown"},
    ),
    # What has a period was taken to end where the period does.
    ("-y*cos(p)", "regression", None, {"redescending": "refuted"}),
    # A pull that ends at every fixed target, and grows as the target moves away.
    (
        "y**2*log(1 + (y - p)**2)",
        "regression",
        None,
        {"redescending": "proved", "bounded_influence": "refuted"},
    ),
    # On p < 0 the loss is real as well, and has no bound there.
    ("p + y**2/p", "regression", None, {"converges_to": "unknown"}),
    ("log(p) + y/p", "regression", None, {"converges_to": "proved"}),
]


@pytest.mark.parametrize(("text", "kind", "classes", "expected"), WRONG)
def test_verdicts_that_were_wrong(
    text: str, kind: str, classes: int | None, expected: dict[str, str]
) -> None:
    findings = analyze(sl.parse(text, kind=kind), classes, list(expected)).findings
    assert {key: finding.verdict for key, finding in findings.items()} == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2*(exp(19.96 - p*(y + 1)) - cos(cos(sin(p))))", "ngl(alpha=19.96)"),  # ran into the clock
        ("3*y*sqrt(1000000 + log(1000*p)**2)", "smooth-ace(phi1=1000, delta=1000)"),  # a sum of squares
    ],
)
def test_known_with_large_coefficients(text: str, value: str) -> None:
    finding = analyze(sl.parse(text), 3, ["known_as"], patience=None).findings["known_as"]
    assert (finding.verdict, finding.text) == ("proved", value)


def test_a_prediction_at_which_a_loss_has_no_value_refutes_nothing() -> None:
    loss = sl.parse("log(p) + y/p", kind="regression")
    finding = analyze(loss, only=["bounded_influence"]).findings["bounded_influence"]
    assert finding.verdict == "refuted"
    assert finding.witness["p"] > 0
