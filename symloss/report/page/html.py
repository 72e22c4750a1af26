"""A report as one HTML file: no network, no script from elsewhere, whatever the texts of a run say."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from symloss.errors import SymlossError
from symloss.expr import KINDS
from symloss.report.page.document import Document, Picture, Section
from symloss.report.page.svg import inline_svg

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["as_html"]


_UNSEEN = dict.fromkeys(
    [*(i for i in range(32) if chr(i) not in "\t\n"), 127, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
"""Characters that show nothing, or turn the order of those around them."""


def as_html(document: Document) -> str:
    """The page. Every text is escaped by the template; formulas and pictures are markup that we wrote."""
    script = _asset("report.js")
    # For the page's content security policy: the browser runs the script of this hash and no other, so nothing
    # that a formula, a name or a note of a run smuggles in can run.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page: str = _environment().get_template("report.html.jinja").render(
        document=document, sections=[(_anchor(i), *drawn) for i, drawn in enumerate(_drawn(document.sections))],
        style=_asset("report.css"), script=script, digest=digest,
    )  # fmt: skip
    return page.translate(_UNSEEN)


def _drawn(sections: tuple[Section, ...]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Sections with content: each block with its kind, pictures in a row together with their drawings."""
    tables = []
    for section in sections:
        blocks: list[tuple[str, Any]] = []
        for block in section.blocks:
            if not isinstance(block, Picture):
                blocks.append((type(block).__name__.lower(), block))
                continue
            try:
                drawing = inline_svg(block.draw(), block.name, block.alternative)
            except SymlossError:
                continue
            if not blocks or blocks[-1][0] != "pictures":
                blocks.append(("pictures", []))
            blocks[-1][1].append((block, drawing))
        if blocks:
            tables.append((section.title, blocks))
    return tables


def _anchor(number: int) -> str:
    return f"part-{number + 1}"


@lru_cache
def _asset(name: str) -> str:
    return files("symloss.report.page").joinpath("templates", name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    # Takes some 50 ms to import, and only reports need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("symloss.report.page"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # Written by `expr.mathml`, which lets nothing but tags of MathML through.
    environment.filters["mathml"] = lambda loss: Markup(loss.mathml())
    environment.filters["arguments"] = lambda loss: KINDS[loss.kind].needs
    # Our own style and script, not escaped. A closing tag inside them, even in a string, would end the element.
    environment.filters["trusted"] = lambda text: Markup(re.sub(r"</(?=script|style)", "<\\/", text))
    return environment
