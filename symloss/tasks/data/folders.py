"""Where data files are kept."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_folder"]


def data_folder(data: str | Path | None = None) -> Path:
    """The folder of data files: the one given, else `$SYMLOSS_DATA`, else `~/.cache/symloss`."""
    chosen = data or os.environ.get("SYMLOSS_DATA") or Path("~/.cache/symloss")
    return Path(chosen).expanduser()
