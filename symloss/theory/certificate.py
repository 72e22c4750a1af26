"""What a certificate is: verdicts about a loss, each with its argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sympy import Expr

from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.theory.functions.constants import as_float
from symloss.theory.sentences import sentence, summary
from symloss.theory.values import Value, latex_of, text_of

__all__ = ["PROVED", "REFUTED", "UNKNOWN", "Certificate", "Finding", "proved", "refuted", "unknown"]

PROVED, REFUTED, UNKNOWN = "proved", "refuted", "unknown"


@dataclass(frozen=True)
class Finding:
    """One verdict.

    Attributes:
        verdict: `"proved"`, `"refuted"` or `"unknown"`.
        value: the formula, loss or statistic that goes with it, or None.
        numeric: its float, or None.
        reason: the argument, the counterexample, or why it stays open.
        witness: of a refutation, the counterexample as plain data.
    """

    verdict: str
    value: Value | None = None
    numeric: float | None = None
    reason: str = ""
    witness: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """`value` as it is printed, `""` for none."""
        return text_of(self.value)

    @property
    def latex(self) -> str:
        """`value` for math mode, `""` where it is no single formula."""
        return latex_of(self.value)

    def to_dict(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "value": self.text,
            "numeric": self.numeric,
            "reason": self.reason,
            "latex": self.latex,
        }


@dataclass(frozen=True)
class Certificate:
    """The findings about one loss; see `symloss.analyze`."""

    loss: Loss
    classes: int | None
    findings: Mapping[str, Finding]
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "findings", MappingProxyType(dict(self.findings)))

    @property
    def kind(self) -> str:
        """The kind of the loss."""
        return self.loss.kind

    def __reduce__(self) -> tuple[Any, ...]:
        return Certificate, (self.loss, self.classes, dict(self.findings), self.weight)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: loss, kind, classes, weights if any, and each finding as plain data."""
        weight = {} if self.weight is None else {"weight": list(self.weight)}
        findings = {key: finding.to_dict() for key, finding in self.findings.items()}
        return {
            "loss": str(self.loss),
            "kind": self.kind,
            "classes": self.classes,
            **weight,
            "findings": findings,
        }

    def sentence(self, key: str) -> str:
        """One finding in plain words.

        Raises:
            DomainError: for a key that this kind of loss does not have.
        """
        if key not in self.findings:
            raise DomainError(f"no finding {key!r} about a {self.kind} loss: {', '.join(self.findings)}")
        return sentence(key, self)

    def summary(self) -> str:
        """What matters to whoever trains with it, in one sentence, of a margin loss or a constant; else `""`."""
        return summary(self)


def proved(reason: str, value: Value | None = None, numeric: float | None = None) -> Finding:
    """A finding that holds, by the argument in `reason`."""
    return _finding(PROVED, reason, value, numeric, {})


def refuted(
    reason: str, witness: Mapping[str, Any], value: Value | None = None, numeric: float | None = None
) -> Finding:
    """A finding that fails, with its counterexample in words and as data."""
    return _finding(REFUTED, reason, value, numeric, witness)


def unknown(reason: str, value: Value | None = None, numeric: float | None = None) -> Finding:
    """A finding that stays open."""
    return _finding(UNKNOWN, reason, value, numeric, {})


def _finding(
    verdict: str, reason: str, value: Value | None, numeric: float | None, witness: Mapping[str, Any]
) -> Finding:
    if numeric is None and isinstance(value, Expr) and not value.free_symbols:
        numeric = as_float(value)
    # JSON has no infinity; the value says it.
    if numeric is not None and not math.isfinite(numeric):
        numeric = None
    return Finding(verdict, value, numeric, reason, dict(witness))
