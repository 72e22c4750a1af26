"""Whether a loss has the property of a grammar, by its certificate, which knows nothing about grammars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sympy import Integer, Rational

from symloss.errors import SymlossError
from symloss.expr import C, Loss, Y, at_one, at_zero
from symloss.search.propose.inside.theorem import Inside

if TYPE_CHECKING:
    from symloss.theory import Finding

__all__ = ["Verdict", "verdict_of", "verdicts_of"]

Verdict = tuple[str, str]
"""`"proved"`, `"refuted"` or `"unknown"`, and why."""


def verdicts_of(loss: Loss, inside: Inside, classes: int | None) -> dict[str, Verdict]:
    """By finding, what the certificate says of what the theorem claims.

    That a loss leads to `(1 - xi) q + xi/C` is asked of the loss with the smoothing taken back: is that one proper?

    Args:
        loss: the formula.
        inside: the grammar.
        classes: what `C` is; every number of them unless given.
    """
    try:
        found = {key: _claimed(key, each) for key, each in _findings(loss, inside.findings, classes).items()}
        if inside.xi:
            proper = _findings(_sharpened(loss, inside.xi, classes), ("proper",), classes)["proper"]
            found["posterior map"] = proper.verdict, f"without its smoothing: {proper.reason}"
    except SymlossError as error:
        return dict.fromkeys(inside.findings, ("unknown", str(error)))
    return found


def verdict_of(loss: Loss, inside: Inside, classes: int | None) -> str:
    """The weakest of these verdicts."""
    verdicts = [verdict for verdict, _ in verdicts_of(loss, inside, classes).values()]
    return next((word for word in ("refuted", "unknown") if word in verdicts), "proved")


def _findings(loss: Loss, keys: Sequence[str], classes: int | None) -> Mapping[str, Finding]:
    from symloss.theory import analyze  # takes a second to import

    findings = analyze(loss, classes, only=keys).findings
    return {key: findings[key] for key in keys}


def _sharpened(loss: Loss, xi: float, classes: int | None) -> Loss:
    """`M0 + (M1 - M0) (y - xi/C)/(1 - xi)`: what the loss is as a function of its smoothed label."""
    expr = loss.value_expr if classes is None else loss.at_classes(classes)
    one, zero = at_one(expr).expr, at_zero(expr).expr
    # xi as the decimal that the user typed: the double nearest to 0.1 would leave terms of order 1e-17.
    strength, number = Rational(repr(xi)), C if classes is None else Integer(classes)
    return Loss(zero + (one - zero) * (Y - strength / number) / (1 - strength), loss.kind)


def _claimed(key: str, found: Finding) -> Verdict:
    # The certificate proves that it knows the limit; the theorem claims that this is the mean.
    if key == "converges_to" and found.verdict == "proved" and found.text != "mean":
        return "refuted", f"its constant minimiser is {found.text}"
    return found.verdict, found.reason
