"""The nearest known name, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["suggestion"]


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to type instead of an unknown name: the nearest one, or all of them.

    >>> suggestion("diabets", ["diabetes", "digits"])
    'did you mean diabetes?'
    """
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
