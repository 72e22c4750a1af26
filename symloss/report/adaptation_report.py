"""An adaptation for the terminal and as a picture: its table, its claims, and the path that the loss took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from symloss.report.style import BLACK, BLUE, GREY, VERMILION, figure, legend_outside, plain
from symloss.report.tables import new_table
from symloss.text import number, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symloss.compare import Adaptation, Step

__all__ = ["adaptation_sentences", "adaptation_table", "path_table", "plot_adaptation"]

_PANELS = {
    "attractor": "attractor p*",
    "label_smoothing": "implied label smoothing",
    "implicit_learning_rate": "implicit learning rate",
    "sharpness": "sharpness",
}
"""What is drawn against the training step, where it is defined, beside the validation curve."""
_WIDTH, _LEAST = 3.2, 0.02
"""Inches of a panel; the smallest range that an axis shows."""


def adaptation_table(found: Adaptation) -> Table:
    """One row a way to train; the rows that claims rest on are bold."""
    metric = found.metric
    numbers = (f"test {metric}", "difference", "p", "seconds")
    table = new_table(
        "row",
        f"test {metric}",
        "difference",
        "95 % interval",
        "p",
        "against adaptive",
        "seconds",
        numbers=numbers,
    )
    for row in found.rows:
        low, high = row.difference_interval or (None, None)
        # Corrected for the family of claims where the row belongs to it (Holm).
        p = row.p if row.p_corrected is None else row.p_corrected
        said = f"{row.verdict} ({row.diverged} diverged)" if row.diverged else row.verdict
        table.add_row(
            Text(row.name), number(row.mean), "" if row.difference is None else signed(row.difference),
            "" if low is None or high is None else f"{signed(low)} to {signed(high)}",
            "" if p is None else f"{p:.2g}", Text(said), f"{row.seconds:.2f}",
            style="bold" if row.p_corrected is not None else None,
        )  # fmt: skip
    return table


def path_table(found: Adaptation) -> Table:
    """The path of the first replicate, step by step; columns that nothing is known of are left out."""
    known = [name for name in _PANELS if any(getattr(step, name) is not None for step in found.trajectory)]
    heads = ["step", f"validation {found.metric}", *(_PANELS[name] for name in known)]
    formulas = any(step.formula for step in found.trajectory)
    table = new_table(*heads, *(["loss"] if formulas else []), numbers=heads)
    for step in found.trajectory:
        table.add_row(
            str(step.step), number(step.validation), *(number(getattr(step, name)) for name in known),
            *([Text(step.formula or "")] if formulas else []),
        )  # fmt: skip
    return table


def adaptation_sentences(found: Adaptation) -> list[str]:
    """What the table says, in plain sentences."""
    said = []
    if found.moved is not None and found.moved_shape is not None:
        said.append(
            f"The loss moved: its gradient changed by {found.moved:.1%} of itself online, with its scale taken out by "
            f"{found.moved_shape:.1%}."
        )
    titles = {
        "adaptivity": "Does adapting help?",
        "shape": "Is it the shape, not a schedule of the learning rate?",
    }
    said += [f"{titles.get(claim, claim)} {answer}." for claim, answer in found.claims.items()]
    return said


def plot_adaptation(found: Adaptation) -> Figure:
    """The path against the training step: validation, attractor, label smoothing, implicit rate, sharpness.

    Thick: the first replicate; thin: the others; grey: one standard deviation over all about their mean.
    """
    known = [name for name in _PANELS if any(getattr(step, name) is not None for step in found.trajectory)]
    panels = {"validation": f"validation {plain(found.metric)}", **{name: _PANELS[name] for name in known}}
    fig, axes = figure(panels=len(panels), height=3.4)
    fig.set_figwidth(max(6.2, _WIDTH * len(panels)))
    for ax, (name, label) in zip(axes, panels.items(), strict=True):
        _panel(ax, found.trajectories, name)
        ax.set_title(label, fontsize=10)
        ax.set_xlabel("training step")
        low, high = ax.get_ylim()
        if high - low < _LEAST:  # a constant, but for rounding
            ax.set_ylim((low + high - _LEAST) / 2, (low + high + _LEAST) / 2)
    if "implicit_learning_rate" in panels:
        ax = axes[list(panels).index("implicit_learning_rate")]
        ax.axhline(1.0, color=GREY, lw=1, ls=":", label="the ordinary loss")
    legend_outside(fig, axes)
    last = found.trajectory[-1] if found.trajectory else None
    end = f"; after {last.step} steps {_short(last.formula)}" if last and last.formula else ""
    fig.suptitle(plain(f"{_short(found.loss)}{end}"), fontsize=9)
    return fig


def _panel(ax: Axes, paths: Sequence[Sequence[Step]], name: str) -> None:
    curves = []
    for i, path in enumerate(paths):
        points = [(step.step, getattr(step, name)) for step in path if getattr(step, name) is not None]
        if not points:
            continue
        xs, ys = zip(*points, strict=True)
        curves.append(dict(points))
        first = i == 0
        ax.plot(
            xs, ys, color=VERMILION if first else BLUE, lw=2.0 if first else 0.7, alpha=1.0 if first else 0.5,
            marker="o" if first else None, ms=3, zorder=3 if first else 2,
            label="first replicate" if first else "others" if i == 1 else None,
        )  # fmt: skip
    # A replicate that diverged ends earlier: beyond that the spread would be over fewer, and would jump.
    steps = [step for step in (curves[0] if curves else {}) if all(step in curve for curve in curves)]
    if len(curves) > 2 and steps:
        columns = [[curve[step] for curve in curves] for step in steps]
        means = [sum(column) / len(column) for column in columns]
        spreads = [
            (sum((value - mean) ** 2 for value in column) / (len(column) - 1)) ** 0.5
            for column, mean in zip(columns, means, strict=True)
        ]
        low, high = ([m + sign * s for m, s in zip(means, spreads, strict=True)] for sign in (-1, 1))
        ax.fill_between(
            steps, low, high, color=BLACK, alpha=0.12, lw=0, label="one standard deviation", zorder=1
        )


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
