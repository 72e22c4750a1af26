"""Writes the pages of `docs/` that are generated: one a loss of the zoo, from its entry and its certificate, and the
names of the library, from their docstrings.

    python -m docs.make            # writes them
    python -m docs.make --check    # says which are not up to date, and exits with 1 when one is not
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.api_page import api_page
from docs.zoo_pages import zoo_index, zoo_page
from symloss import analyze
from symloss.zoo.entries import ENTRIES

FOLDER = Path(__file__).parent
ZOO = FOLDER / "zoo"


def pages() -> dict[Path, str]:
    """Every generated page: its path and its text."""
    certified = [(entry, analyze(entry.loss)) for entry in ENTRIES]
    found = {ZOO / entry.kind / f"{entry.name}.md": zoo_page(entry, proof) for entry, proof in certified}
    return {**found, ZOO / "README.md": zoo_index(certified), FOLDER / "api.md": api_page()}


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks the pages; 1 when a check fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, say what is not up to date")
    check = parser.parse_args(arguments).check
    found = pages()
    stale = [path for path, text in found.items() if not path.is_file() or path.read_text("utf-8") != text]
    gone = [path for path in sorted(ZOO.rglob("*.md")) if path not in found]
    for path in [*stale, *gone]:
        print(f"{'not up to date' if check else 'written' if path in found else 'removed'}: {path}")
    if check:
        return 1 if stale or gone else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found[path], "utf-8")
    for path in gone:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
