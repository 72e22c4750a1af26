"""Version and date stand in three places, and are the same there."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_version_and_date_are_said_alike() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    version = setup["metadata"]["version"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\n" in citation
    date = re.search(r"^date-released: (\S+)$", citation, flags=re.M)
    assert date is not None
    latest = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.M)
    assert latest is not None
    assert latest[1] == f"{version} ({date[1]})"
