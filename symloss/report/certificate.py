"""A certificate and a derivation as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from symloss.expr import KINDS
from symloss.report.tables import escape, rows_table

if TYPE_CHECKING:
    from symloss.theory import Certificate, Finding

__all__ = ["certificate_table", "certificate_tex"]


def certificate_table(certificate: Certificate, reasons: bool = False) -> Table:
    """Each finding with its verdict, its value, one plain sentence and, if asked for, its argument."""
    columns = ("finding", "verdict", "value", "in words", *(("because",) if reasons else ()))
    table = rows_table(columns, ())
    styles = {"proved": "green", "refuted": "yellow", "unknown": "dim"}
    for key, finding in certificate.findings.items():
        verdict = Text(finding.verdict, style=styles[finding.verdict])
        cells = [Text(_value(finding)), Text(certificate.sentence(key))]
        table.add_row(key, verdict, *cells, *([Text(finding.reason)] if reasons else []))
    return table


def _value(finding: Finding) -> str:
    # A value without LaTeX is a name; its number is then no value of it.
    if finding.numeric is None or (finding.text and not finding.latex):
        return finding.text
    shown = f"{finding.numeric:.6g}"
    return shown if finding.text in ("", shown) else f"{finding.text} = {shown}"


def certificate_tex(certificate: Certificate) -> str:
    """The findings as a LaTeX tabular (packages amsmath and booktabs), to paste into a paper."""
    lines = [
        rf"{escape(key.replace('_', ' '))} & {finding.verdict} & "
        rf"{f'${finding.latex}$' if finding.latex else escape(_value(finding))} \\"
        for key, finding in certificate.findings.items()
    ]
    return "\n".join(
        [
            rf"% {KINDS[certificate.kind].signature} = {certificate.loss.latex()}",
            r"\begin{tabular}{lll}",
            r"\toprule",
            r"finding & verdict & value \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )
