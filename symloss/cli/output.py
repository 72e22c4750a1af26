"""Where the command line prints: tables for people, JSON for programs, files for both."""

from __future__ import annotations

import io
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from symloss.errors import RunError

__all__ = ["PIPE_WIDTH", "console", "print_json", "say", "show", "write_figure", "write_text"]

PIPE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe: a formula is not cut to 80."""


def console() -> Console:
    """A console on the present standard output."""
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False)


def show(*things: RenderableType) -> None:
    """Print tables."""
    target = console()
    for thing in things:
        target.print(thing)


def say(text: str = "") -> None:
    """Print one line as it stands, however long."""
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
    _write(path, text.encode())


def write_figure(path: Path, figure: Any) -> None:
    """Write a picture in the format of the file's suffix, and say so.

    Raises:
        RunError: for a suffix that is no picture's, or when it cannot be written.
    """
    formats = figure.canvas.get_supported_filetypes()
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in formats:
        raise RunError(f"{path}: no picture format {path.suffix!r}; use .png, .svg or .pdf")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, dpi=150)
    _write(path, buffer.getvalue())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    say(f"wrote {path}")
