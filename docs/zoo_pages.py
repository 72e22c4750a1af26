"""The page of a loss of the zoo: its entry and its certificate, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from symloss import Certificate
from symloss.theory import Finding
from symloss.zoo import Entry

__all__ = ["zoo_head", "zoo_index", "zoo_page"]

_COLUMNS = {
    "classification": ("attractor", "label_smoothing", "proper", "symmetric_noise_robust"),
    "multilabel": ("trainable_at_start", "proper", "convex_in_p"),
    "regression": ("converges_to", "convex", "bounded_influence"),
    "margin": ("classification_calibrated", "convex", "minimum"),
}
"""Findings that the list of all losses shows."""


def zoo_head(entry: Entry) -> str:
    """What is known of a loss without a proof: formula, coefficients, domain, source, how it is used."""
    # `mae` is a loss of two kinds: where a name alone would be another loss, the kind is said.
    also = f', kind="{entry.kind}"' if _ambiguous(entry) else ""
    option = f" --kind {entry.kind}" if also else ""
    lines = [
        f"# {entry.name}",
        "",
        f"A {entry.kind} loss of {_symbols(entry)}: {entry.domain}.",
        "",
        "```math",
        f"M = {entry.loss.latex(symbolic=True)}",
        "```",
        "",
        f"`{entry.formula}`",
        "",
    ]
    if entry.defaults:
        rows = [
            (
                f"`{name}`",
                _number(value),
                _range(entry, name),
                ", ".join(map(_number, entry.grid.get(name, ()))),
            )
            for name, value in entry.defaults.items()
        ]
        lines += [*_table(("coefficient", "default", "range", "a search also tries"), rows), ""]
    lines += [
        f"Source: {entry.reference}.",
        "",
        "```python",
        "import symloss as sl",
        "",
        f'loss = sl.named("{entry.name}"{also})',
        "criterion = loss.to_torch()",
        "```",
        "",
        f"`symloss analyze {entry.name}{option}`, `symloss plot {entry.name}{option} --what gradient`",
        "",
    ]
    return "\n".join(lines)


def zoo_page(entry: Entry, certificate: Certificate) -> str:
    """The page of a loss: what `zoo_head` says, and every finding with its argument."""
    values = "" if not entry.defaults else " at the default coefficients"
    free = ", for every number of classes" if entry.kind == "classification" else ""
    rows = [
        (f"`{key}`", finding.verdict, _value(finding), _cell(finding.reason))
        for key, finding in certificate.findings.items()
    ]
    lines = [
        f"## Certificate{values}{free}",
        "",
        *_table(("finding", "verdict", "value", "because"), rows),
        "",
        "What the findings mean: [certificates](../../certificates.md).",
    ]
    return f"{zoo_head(entry)}\n" + "\n".join(lines) + "\n"


def zoo_index(certified: Sequence[tuple[Entry, Certificate]]) -> str:
    """The list of all losses, a table a kind."""
    lines = [
        "# The zoo",
        "",
        "Losses with names, each with its source; all pass one suite of tests. Written by `python -m docs.make` from",
        "`symloss/zoo/entries.py` and from what `sl.analyze` says of them at their default coefficients: `yes` or a",
        "value is proved, `no` has a counterexample, `open` is neither.",
        "",
    ]
    for kind, group in groupby(certified, key=lambda each: each[0].kind):
        columns = _COLUMNS.get(kind, ())
        lines += [f"## {kind.capitalize()}", ""]
        rows = [
            (
                f"[{entry.name}]({kind}/{entry.name}.md)",
                f"`{entry.formula}`",
                *(_verdict(certificate, key) for key in columns),
            )
            for entry, certificate in group
        ]
        lines += [*_table(("loss", "formula", *(f"`{key}`" for key in columns)), rows), ""]
    return "\n".join(lines)


def _verdict(certificate: Certificate, key: str) -> str:
    finding = certificate.findings[key]
    if finding.verdict == "proved" and _value(finding):
        return _value(finding)
    return {"proved": "yes", "refuted": "no", "unknown": "open"}[finding.verdict]


def _value(finding: Finding) -> str:
    return f"`{finding.text}`" if finding.text else ""


def _ambiguous(entry: Entry) -> bool:
    from symloss.zoo import entry as first_of

    return first_of(entry.name).kind != entry.kind


def _symbols(entry: Entry) -> str:
    margin = "m" in {str(symbol) for symbol in entry.loss.expr.free_symbols}
    return "the margin `m`" if margin else "target `y` and prediction `p`"


def _range(entry: Entry, name: str) -> str:
    low, high = entry.bounds.get(name, (-math.inf, math.inf))
    if math.isinf(low) and math.isinf(high):
        return "any number"
    return f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    return f"{value:.10g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _cell(text: str) -> str:
    """A text that a cell of a table holds: no bar ends it, no line breaks it, no mark of Markdown is taken for one."""
    for mark in ("\\", "|", "*", "_", "<"):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
