"""A figure as SVG inside a page: described, of the page's colours, and without an identifier that another has."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from symloss.report.style import BLACK, COLOURS, GREY, PALE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["VARIABLES", "Drawing", "inline_svg"]

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NAMES = ("blue", "vermilion", "green", "purple", "orange", "sky")
VARIABLES: dict[str, str] = {
    **dict(zip((colour.lower() for colour in COLOURS), _NAMES, strict=False)),
    BLACK.lower(): "ink", "#000000": "ink", GREY.lower(): "grey", "#b0b0b0": "grid", "#ffffff": "paper",
    **{colour.lower(): f"{name}-pale" for name, colour in PALE.items()},
}  # fmt: skip
"""Which variable of the page stands for a colour of a figure, so that it is read on dark paper too."""

_REM, _SINGLE, _LEAST = 6 / 72, 42.0, 36.0
"""Rem a point; the width in rem beyond which a figure is wide, and the least that a wide one shrinks to."""
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


@dataclass(frozen=True)
class Drawing:
    """A figure as markup that we wrote; a `wide` one is moved on a phone rather than squeezed."""

    svg: Markup
    wide: bool


def inline_svg(figure: Figure, name: str, alternative: str) -> Drawing:
    """The figure as one `svg` element.

    Args:
        figure: what to draw.
        name: put before every identifier in it; no two figures of a page may have one.
        alternative: read out in its place.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Outlines for text: nothing depends on the fonts of the reader, and no text is cut.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        # No date and no version: the same run gives the same page, byte for byte.
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    root = ET.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            # Its style holds for the whole page: it stands on the element below instead.
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _renamed(element, name)
    width = float(str(root.get("width")).removesuffix("pt"))
    wide = width * _REM > _SINGLE
    # The viewBox stays, so the picture scales with the page.
    for attribute in ("width", "height"):
        root.attrib.pop(attribute, None)
    root.attrib |= {
        "role": "img", "aria-labelledby": f"{name}-alternative", "fill": "currentColor",
        "style": f"max-width: {width * _REM:.1f}rem; {f'min-width: {_LEAST}rem; ' if wide else ''}"
        "stroke-linejoin: round; stroke-linecap: butt",
    }  # fmt: skip
    described = ET.Element(f"{{{_SVG}}}title", {"id": f"{name}-alternative"})
    described.text = alternative
    root.insert(0, described)
    # matplotlib escapes what it writes, and ElementTree has written it anew.
    return Drawing(Markup(ET.tostring(root, encoding="unicode")), wide)


def _renamed(element: ET.Element, name: str) -> None:
    for key, value in element.attrib.items():
        if key == "id":
            # Identifiers hold for the whole page: clip paths and markers of one figure would be used by the next.
            value = f"{name}-{value}"
        elif key in ("href", f"{{{_LINK}}}href") and value.startswith("#"):
            value = f"#{name}-{value[1:]}"
        else:
            value = _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", value)
        if key in ("style", "fill", "stroke"):
            value = _COLOUR.sub(_variable, value)
        element.attrib[key] = value


def _variable(found: re.Match[str]) -> str:
    name = VARIABLES.get(found[0].lower())
    return f"var(--{name})" if name else found[0]
