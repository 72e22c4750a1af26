"""What all figures share: colours that every eye can tell apart, sizes, and the formula as a title."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from symloss.expr import KINDS, Loss, coefficient, to_latex

# Matplotlib takes longer to import than the rest of this room: it is loaded when the first figure is made.
if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "PALE",
    "VERMILION",
    "figure",
    "legend_outside",
    "plain",
    "title",
]

# Okabe and Ito, Color universal design, 2008. Curves differ in line style as well.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
BLACK, GREY = "#222222", "#888888"
PALE = {"blue": "#DCEAF5", "vermilion": "#FCE5D6", "grey": "#F0F0F0"}
"""Behind text in the colour."""
COLOURS = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9", BLACK)

_PANEL, _HEIGHT = 6.2, 4.3
_LARGEST, _SMALLEST = 13.0, 8.0


def figure(panels: int = 1, height: float = _HEIGHT, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with `panels` axes side by side in each of `rows`, free of pyplot and of any global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result = Figure(
        figsize=(_PANEL * (1 if panels == 1 else 0.8 * panels), height * rows), layout="constrained"
    )
    FigureCanvasAgg(result)
    axes = [result.add_subplot(rows, panels, i + 1) for i in range(rows * panels)]
    for ax in axes:
        ax.grid(alpha=0.25, linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    return result, axes


def legend_outside(fig: Figure, axes: list[Axes]) -> None:
    """One legend for all `axes`, below them: it covers no curve whatever the formula does."""
    entries = {
        label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    # matplotlib neither wraps a legend nor says beforehand how wide it will be: the most columns that fit, by
    # trial.
    for columns in range(len(entries), 0, -1):
        legend = fig.legend(
            list(entries.values()), list(entries), loc="outside lower center", ncols=columns, frameon=False,
            fontsize=9,
        )  # fmt: skip
        if columns == 1 or legend.get_window_extent().width <= fig.bbox.width:
            return
        legend.remove()


def plain(text: str) -> str:
    """Text of a run as it stands: a dollar sign begins no formula, and what the font has no sign for is a `?`.

    >>> plain("cost in $ and \\x1b")
    'cost in \\\\$ and ?'
    """
    from matplotlib.font_manager import findfont, get_font

    # A sign that is missing in the font is a warning and an empty box in matplotlib.
    font = get_font(findfont("DejaVu Sans"))
    known = "".join(
        c if c == "\n" or (c.isprintable() and font.get_char_index(ord(c))) else "?" for c in text
    )
    return known.replace("$", r"\$")


def title(fig: Figure, loss: Loss, prefix: str = "") -> None:
    """The formula above the figure: as mathematics where mathtext can set it, as plain text where not."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    signature = KINDS[loss.kind].signature
    formula = f"{prefix}${signature} = {loss.latex(symbolic=True)}$"
    values = ", ".join(
        f"{to_latex(coefficient(name))} = {value:g}" for name, value in loss.coefficients.items()
    )
    room = fig.get_figwidth() * 72 * 0.96
    # On one line if the values of the coefficients fit there, else on two.
    for lines in ([f"{formula}    (${values}$)"], [formula, f"${values}$"]) if values else ([formula],):
        try:
            # Widths at 10 points; they scale with the size.
            laid = [MathTextParser("path").parse(line, 72, FontProperties(size=10)) for line in lines]
        except ValueError:
            break
        size = min(_LARGEST, 10 * room / max(line.width for line in laid))
        if size >= _SMALLEST:
            fig.suptitle("\n".join(lines), fontsize=size)
            return
    lines = textwrap.wrap(plain(f"{prefix}{signature} = {loss}"), 95)
    shown = [*lines[:3], "..."] if len(lines) > 3 else lines
    fig.suptitle("\n".join(shown), fontsize=8, family="monospace")
