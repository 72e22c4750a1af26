"""Known answers from the literature and from hand calculation (`cases.json`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symloss import parse
from symloss.theory import Finding, analyze

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases.json").read_text())


def agrees(key: str, finding: Finding, expected: str | float) -> bool:
    """A verdict, a value's name, or a number with verdict proved."""
    if isinstance(expected, float | int):
        close = finding.numeric is not None and finding.numeric == pytest.approx(expected, rel=1e-6)
        return finding.verdict == "proved" and bool(close)
    if expected in ("proved", "refuted"):
        return finding.verdict == expected
    value = finding.text.partition("(")[0] if key == "known_as" else finding.text
    return finding.verdict == "proved" and value == expected


@pytest.mark.parametrize(
    ("kind", "case"),
    [(kind, case) for kind in ("classification", "regression") for case in CASES[kind]],
    ids=lambda v: v if isinstance(v, str) else v["loss"],
)
def test_known_answers(kind: str, case: dict[str, Any]) -> None:
    certificate = analyze(parse(case["loss"], kind=kind), case.get("classes"))
    for key, expected in case["findings"].items():
        finding = certificate.findings[key]
        assert agrees(key, finding, expected), f"{key}: {finding}, expected {expected}"
