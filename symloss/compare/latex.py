"""A comparison, or a transfer, as a booktabs table for LaTeX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symloss.text import escape, number, signed

if TYPE_CHECKING:
    from symloss.compare.comparison import Comparison, Row
    from symloss.compare.transferred import Transfer, TransferRow

__all__ = ["latex_table", "transfer_latex"]


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
    return _table(heads, f"{'l' * (len(heads) - 4)}rrrl", body)


def transfer_latex(transfer: Transfer) -> str:
    r"""The cells between `\begin{tabular}` and `\end{tabular}`: paste it in, with `\usepackage{booktabs}`.

    Verdicts that rest on Holm's correction are marked by a star, findings that broke by a dagger with their names.
    """
    heads = ["where", "loss", escape(transfer.metric), r"difference (95\,\%)", "$p$", "verdict"]
    body = []
    for i, row in enumerate(transfer.rows):
        starts = i and row.cell != transfer.rows[i - 1].cell
        new = not i or starts
        broken = rf"$^\dagger$ {escape(', '.join(row.broken))}" if row.broken else ""
        cells = [escape(row.place) if new else "", escape(row.name), *_numbers(row)]
        body.append((r"\midrule" + "\n" if starts else "") + " & ".join(cells) + broken + r" \\")
    return _table(heads, "llrrrl", body)


def _table(heads: list[str], columns: str, body: list[str]) -> str:
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
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
    return " & ".join([*cells, escape(row.name), row.treatment, *_numbers(row)]) + r" \\"


def _numbers(row: Row | TransferRow) -> list[str]:
    """Mean, difference with its interval, p, and verdict."""
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
    return [
        number(row.mean).replace("-", "--"), difference, "--" if p is None else f"{p:.2g}", f"{said}{star}",
    ]  # fmt: skip
