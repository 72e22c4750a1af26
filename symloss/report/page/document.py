"""What a report says, before it is a page: headings, words, tables, formulas, pictures. Nothing of HTML or LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symloss.expr import Loss

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table as Printed

__all__ = [
    "Block", "Cell", "Column", "Document", "Facts", "Items", "Listing", "Picture", "Row", "Section", "Shown", "Table",
    "Words", "table_of",
]  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell: text, or a formula.

    Attributes:
        text: what is read; of a formula the same as plain text.
        loss: the formula, if it is one.
        value: by what it is sorted, where that is a number.
        note: stands behind a formula: its name.
    """

    text: str
    loss: Loss | None = None
    value: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its head, and whether numbers stand in it, to the right."""

    head: str
    number: bool = False


@dataclass(frozen=True)
class Row:
    """A row, and whether it stands out; `ends` where a group of rows ends with it."""

    cells: tuple[Cell, ...]
    strong: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it shows, in a sentence.
        columns, rows: its content; the column `head` says what a row is about.
        note: what a reader must know to read it, or `""`.
        sortable: whether a reader may put its rows in another order.
        folded: what it is called where it is opened only when asked for, or `""`.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    head: int = 0
    note: str = ""
    sortable: bool = True
    folded: str = ""


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Items:
    """A list; `lead` stands before it."""

    items: tuple[str, ...]
    lead: str = ""


@dataclass(frozen=True)
class Facts:
    """Facts of one thing, by name; `folded` as of a table."""

    facts: tuple[tuple[str, str], ...]
    folded: str = ""


@dataclass(frozen=True)
class Listing:
    """Text that is copied: a command, BibTeX."""

    text: str
    what: str = ""


@dataclass(frozen=True)
class Shown:
    """A formula on a line of its own, and its text to copy."""

    loss: Loss


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: of its file, where it has one.
        title: what is seen, in a sentence.
        alternative: the same for who does not see it, with its numbers.
        draw: makes it; a picture that cannot be drawn is left out.
    """

    name: str
    title: str
    alternative: str
    draw: Callable[[], Figure]


Block = Words | Items | Facts | Table | Listing | Shown | Picture


@dataclass(frozen=True)
class Section:
    """A part under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: its heading.
        lead: what came out, in a sentence or two.
        sections: its parts; those without content are left out.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]


def table_of(
    printed: Printed, caption: str, losses: Sequence[Loss | None] = (), *, head: int = 0, folded: str = ""
) -> Table:
    """A table of the terminal as one of a report: the same cells, the bold rows strong.

    Args:
        printed: the table.
        caption: what it shows.
        losses: row by row, the formula that stands in its last column.
        head: the column that says what a row is about.
        folded: see `Table`.
    """
    columns = tuple(Column(str(column.header), column.justify == "right") for column in printed.columns)
    texts = [[str(cell) for cell in column.cells] for column in printed.columns]
    rows = []
    for i, row in enumerate(printed.rows):
        # Numbers are read back from what is printed, so that a column sorts as it looks.
        cells = [Cell(text[i], value=_number(text[i])) for text in texts]
        if losses and losses[i] is not None:
            cells[-1] = Cell(cells[-1].text, losses[i])
        rows.append(Row(tuple(cells), str(row.style or "") == "bold", row.end_section))
    return Table(caption, columns, tuple(rows), head, str(printed.caption or ""), folded=folded)


def _number(text: str) -> float | None:
    try:
        return float(text.strip().rstrip("%").replace(",", ""))
    except ValueError:
        return None
