"""A report as a LaTeX document with booktabs tables; pictures and references are files beside it."""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from symloss.errors import SymlossError
from symloss.expr import KINDS
from symloss.report.files import image
from symloss.report.page.document import Cell, Document, Listing, Picture, Table
from symloss.report.tables import broken
from symloss.text import escape

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["as_tex"]

_ROOM, _COLUMN, _SHORT = 108, 2, 24
"""Characters of a footnote-sized line; what a column costs beside its text; the longest text that no line may break."""


class _Tex(str):
    """Text that is LaTeX already."""


def as_tex(document: Document, stem: str) -> tuple[str, dict[str, bytes]]:
    """The document, and the files that it includes, by name: its pictures as PDF and its references.

    Args:
        document: the report.
        stem: with what the names of its files begin.
    """
    included: dict[str, bytes] = {}
    sections = []
    for section in document.sections:
        blocks: list[tuple[str, Any]] = []
        for block in section.blocks:
            kind = type(block).__name__.lower()
            if isinstance(block, Picture):
                name = f"{stem}-{block.name}.pdf"
                try:
                    included[name] = image(block.draw(), "pdf")
                except SymlossError:
                    continue
                blocks.append((kind, (block, _Tex(name))))
            elif isinstance(block, Listing) and block.what == "BibTeX":
                included[f"{stem}.bib"] = f"{block.text}\n".encode()
            else:
                blocks.append((kind, block))
        if blocks:
            sections.append((section.title, blocks))
    text: str = (
        _environment()
        .get_template("report.tex.jinja")
        .render(document=document, sections=sections, bibliography=_Tex(stem))
    )
    return text, included


@lru_cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("symloss.report.page"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        # Jinja's own braces are LaTeX's.
        block_start_string="<%", block_end_string="%>", variable_start_string="<<", variable_end_string=">>",
        comment_start_string="<#", comment_end_string="#>", finalize=_escaped,
    )  # fmt: skip
    environment.filters |= {
        "columns": _columns, "cell": _cell, "verbatim": _verbatim, "formula": _formula,
        "signature": lambda loss: KINDS[loss.kind].signature,
    }  # fmt: skip
    return environment


def _escaped(value: Any) -> Any:
    """Every text is plain text unless we wrote it as LaTeX."""
    return value if isinstance(value, _Tex) else _Tex(_plain(str(value)))


def _plain(text: str) -> str:
    # What the fonts of LaTeX have no sign for would end its run.
    known = "".join(c if (c.isascii() and c.isprintable()) or c in _KNOWN else "?" for c in text)
    return "".join(_KNOWN.get(character, character) for character in escape(known))


_KNOWN = {
    "±": r"$\pm$",
    "…": r"\dots{}",
    "†": r"\dag{}",
    "–": "--",
    "é": r"\'e",
    "ö": r"\"o",
    "ü": r"\"u",
    "ä": r"\"a",
}


def _formula(loss: Any) -> _Tex:
    return _Tex(f"${broken(loss)}$")


def _cell(cell: Cell, strong: bool) -> _Tex:
    if cell.loss is not None:
        name = f" ({_plain(cell.note)})" if cell.note else ""
        return _Tex(f"{_formula(cell.loss)}{name}")
    # A minus sign, not a hyphen, where it begins a number.
    text = re.sub(r"(?<![\w.])-(?=[\d.])", "$-$", _plain(cell.text))
    return _Tex(rf"\textbf{{{text}}}" if strong and text else text)


def _columns(table: Table) -> _Tex:
    """The column types. Short cells keep their line, long ones share what room is left; heads fold over lines."""
    needs = [max([0, *(_width(row.cells[i]) for row in table.rows)]) for i in range(len(table.columns))]
    words = [max([1, *map(len, column.head.split())]) for column in table.columns]
    widths = [max(min(need, _SHORT), word) for need, word in zip(needs, words, strict=True)]
    left = _ROOM - sum(widths) - _COLUMN * len(widths)
    wanting = [i for i, need in enumerate(needs) if need > widths[i]]
    for i in wanting:
        widths[i] += min(needs[i] - widths[i], max(0, left // len(wanting)))
    # Still too wide: every column gives in proportion, and folds.
    scale = min(1.0, _ROOM / (sum(widths) + _COLUMN * len(widths)))
    types = []
    for column, need, width in zip(table.columns, needs, widths, strict=True):
        if need <= width and len(column.head) <= width and scale == 1.0:
            types.append("r" if column.number else "l")
        else:
            side = "raggedleft" if column.number else "raggedright"
            share = scale * (width + 1) / _ROOM
            types.append(rf">{{\{side}\arraybackslash}}p{{{share:.3f}\linewidth}}")
    return _Tex("".join(types))


def _width(cell: Cell) -> int:
    """Characters of a line that a cell takes; a formula, set in mathematics, is shorter than its text."""
    return len(cell.text) if cell.loss is None else round(0.75 * len(cell.text)) + len(cell.note)


def _verbatim(text: str) -> _Tex:
    r"""Text for a `verbatim` environment, which it cannot leave."""
    safe = "".join(c if c == "\n" or (c.isascii() and c.isprintable()) else "?" for c in text)
    lines = [
        part for line in safe.splitlines() for part in textwrap.wrap(line, 96, subsequent_indent="  ") or [""]
    ]
    return _Tex("\n".join(line.replace("\\end{verbatim}", "\\end {verbatim}") for line in lines))
