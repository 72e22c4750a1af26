"""Where the command line prints: tables for people, JSON for programs, files for both."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

from symloss.errors import RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "PIPE_WIDTH",
    "console",
    "print_json",
    "progress_console",
    "say",
    "show",
    "write_figure",
    "write_text",
]

_PICTURES = ("png", "svg", "pdf")
PIPE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe: a formula is not cut to 80."""


def console() -> Console:
    """A console on the present standard output."""
    # A terminal tells its own width; rich would assume 80 for a pipe.
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def progress_console(as_json: bool, quiet: bool) -> Console:
    """Where a long verb shows how far it is: JSON has standard output to itself."""
    if quiet:
        return Console(quiet=True)
    # Standard output must parse as one JSON document.
    return Console(stderr=True, highlight=False) if as_json else console()


def show(*things: RenderableType) -> None:
    """Print tables."""
    target = console()
    for thing in things:
        target.print(thing)


def say(text: str = "") -> None:
    """Print one line unchanged, however long."""
    # Not through rich, which would wrap a formula and read [brackets] as markup.
    sys.stdout.write(text + "\n")


def print_json(data: Any) -> None:
    """Print data as JSON that any program reads: a number that is not finite becomes null."""
    say(json.dumps(_plain(data), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, float) and not (data == data and abs(data) != float("inf")):
        return None
    return data


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all, and say so.

    Raises:
        RunError: when it cannot be written.
    """
    from symloss.report.files import write_file

    say(f"wrote {write_file(path, text.encode())}")


def write_figure(path: Path, figure: Figure) -> None:
    """Write a picture in the format of the file's suffix, and say so.

    Raises:
        RunError: for a suffix that is no picture's, or when it cannot be written.
    """
    from symloss.report.files import image, write_file

    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in _PICTURES:
        raise RunError(f"{path}: no picture format {path.suffix!r}; use .{', .'.join(_PICTURES)}")
    say(f"wrote {write_file(path, image(figure, suffix))}")
