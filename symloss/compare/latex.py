"""A comparison as a booktabs table for LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symloss.text import escape, number, signed

if TYPE_CHECKING:
    from symloss.compare.comparison import Comparison, Row

__all__ = ["latex_table"]


def latex_table(comparison: Comparison) -> str:
    r"""The rows between `\begin{tabular}` and `\end{tabular}`: paste it in, with `\usepackage{booktabs}`.

    Verdicts that rest on Holm's correction are marked by a star.
    """
    several = len({row.task for row in comparison.rows}) > 1
    shares = len({row.fraction for row in comparison.rows}) > 1
    heads = [*(["task"] if several else []), *(["rows"] if shares else []), "loss", "treatment"]
    heads += [escape(comparison.metric), "difference (95\\,\\%)", "$p$", "verdict"]
    lines = [_line(row, several, shares) for row in comparison.rows]
    body = [
        line if not (i and _breaks(comparison.rows, i)) else f"\\midrule\n{line}"
        for i, line in enumerate(lines)
    ]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * (len(heads) - 4)}rrrl}}",
            r"\toprule",
            " & ".join(heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _breaks(rows: tuple[Row, ...], i: int) -> bool:
    return (rows[i].task, rows[i].fraction) != (rows[i - 1].task, rows[i - 1].fraction)


def _line(row: Row, several: bool, shares: bool) -> str:
    cells = [*([escape(row.task)] if several else []), *([rf"{100 * row.fraction:g}\,\%"] if shares else [])]
    difference = "--"
    if row.difference is not None:
        difference = f"${signed(row.difference)}$"
        if row.difference_interval is not None:
            low, high = row.difference_interval
            difference = f"${signed(row.difference)}$ [${low:.3g}$, ${high:.3g}$]"
    p = row.p if row.p_corrected is None else row.p_corrected
    star = r"$^\star$" if row.primary else ""
    said = row.verdict + (
        f", explained by the {row.explained_by}" if row.explained_by == "learning rate" else ""
    )
    said += f", explained by {row.explained_by}" if row.explained_by == "early stopping" else ""
    cells += [
        escape(row.name), row.treatment, number(row.mean).replace("-", "--"), difference,
        "--" if p is None else f"{p:.2g}", f"{said}{star}",
    ]  # fmt: skip
    return " & ".join(cells) + r" \\"
