"""A picture of certificates: which losses have which property, proved, refuted or open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from symloss.errors import DomainError
from symloss.report.style import BLACK, BLUE, GREY, PALE, VERMILION, figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.theory import Certificate, Finding

__all__ = ["plot_certificates"]

_LOOKS = {
    "proved": ("✓", BLUE, PALE["blue"]),
    "refuted": ("✗", VERMILION, PALE["vermilion"]),
    "unknown": ("?", GREY, PALE["grey"]),
}
"""Sign, its colour and what is behind it: signs differ where colours do not, as in print."""
_LONGEST, _SHORT = 46, 12
"""Characters of a loss, and of what stands in a cell."""
_NAMES = ("known_as", "converges_to")
"""Findings whose value is a name."""
_CELL, _ROW, _HEADS = 0.62, 0.42, 1.55
"""Inches of a column, a row and the heads of the columns."""


def plot_certificates(certificates: Mapping[str, Certificate]) -> Figure:
    """A row a loss, a column a finding: proved, refuted or open, with its number where it has one.

    Args:
        certificates: by what the losses are called; all of one kind.

    Raises:
        DomainError: for none, or losses of several kinds.
    """
    rows = list(certificates.items())
    if not rows:
        raise DomainError("no certificates to draw: name some losses")
    keys = list(rows[0][1].findings)
    # The findings tell the kind: each kind has its own list of them.
    if any(list(each.findings) != keys for _, each in rows):
        raise DomainError("losses of different kinds have different findings: draw them apart")
    fig, (ax,) = figure(height=_HEADS + 0.5 + _ROW * len(rows))
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name, _ in rows]
    fig.set_figwidth(0.3 + 0.075 * max(map(len, names)) + _CELL * len(keys))
    ax.grid(visible=False)
    for y, (_, certificate) in enumerate(rows):
        for x, key in enumerate(keys):
            finding = certificate.findings[key]
            sign, colour, behind = _LOOKS[finding.verdict]
            ax.fill_between([x - 0.47, x + 0.47], y - 0.45, y + 0.45, color=behind, lw=0)
            told = _told(key, finding)
            ax.text(x, y - (0.16 if told else 0), sign, ha="center", va="center", color=colour, fontsize=13)
            if told:
                ax.text(x, y + 0.25, plain(told), ha="center", va="center", color=BLACK, fontsize=6.5)
    heads = [key.replace("_", " ") for key in keys]
    ax.set_xticks(range(len(keys)), heads, rotation=40, ha="left", rotation_mode="anchor", fontsize=8)
    ax.set_yticks(range(len(rows)), list(map(plain, names)), fontsize=8)
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlim(-0.5, len(keys) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    classes = next((each.classes for _, each in rows if each.classes), None)
    where = f", with {classes} classes" if classes else ""
    ax.set_xlabel(f"✓ proved    ✗ refuted by a counterexample    ? open{where}", fontsize=8, color=GREY)
    return fig


def _told(key: str, finding: Finding) -> str:
    """The number or the short name that a proof ends in."""
    if finding.verdict != "proved":
        return ""
    if finding.numeric is not None:
        return f"{finding.numeric:.3g}"
    name = finding.text.partition("(")[0] if key in _NAMES else ""
    return name if len(name) <= _SHORT else ""
