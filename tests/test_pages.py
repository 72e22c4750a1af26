"""Every page for readers: its Python runs, its command lines can be typed, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from symloss.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "analysis").glob("*.md"),
                 *(ROOT / "figures").glob("*.md")]
)  # fmt: skip
GENERATED = ("docs/api.md", "docs/zoo/")
WRITTEN = [page for page in PAGES if not page.startswith(GENERATED)]
ELSEWHERE = {"README.md", "docs/extending.md"}
"""Pages whose Python has tests of its own."""
OPTIONAL = {"lightning", "transformers"}


def blocks(page: str, language: str) -> list[str]:
    """The code of a language on a page; `""` for that of none."""
    found: list[tuple[str, str]] = re.findall(
        r"^```(\w*)\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.S | re.M
    )
    return [text for name, text in found if name == language]


@pytest.mark.parametrize(
    "page", [page for page in WRITTEN if page not in ELSEWHERE and blocks(page, "python")]
)
def test_python_runs_as_printed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if page == "CONTRIBUTING.md":
        pytest.skip("its code is to be put into files")
    names: dict[str, Any] = {"__name__": "page"}
    for number, text in enumerate(blocks(page, "python"), 1):
        with warnings.catch_warnings():
            if any(f"import {other}" in text or f"from {other}" in text for other in OPTIONAL):
                warnings.simplefilter("ignore")  # that of somebody else's package is theirs
            try:
                exec(compile(text, f"{page}, block {number}", "exec"), names)
            except ModuleNotFoundError as error:
                if error.name not in OPTIONAL:
                    raise


def commands(page: str) -> list[list[str]]:
    """The command lines of a page, in words."""
    lines = [line for block in blocks(page, "") for line in block.splitlines() if line.startswith("symloss ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.mark.parametrize("page", [page for page in WRITTEN if commands(page)])
def test_commands_can_be_typed(page: str) -> None:
    verbs = get_command(app).commands  # type: ignore[attr-defined]
    for verb, *arguments in commands(page):
        if verb.startswith("--") or "--help" in arguments or verb == "VERB":
            continue
        if "--config" in arguments:  # a file that is not there
            del arguments[(i := arguments.index("--config")) : i + 2]
        verbs[verb].make_context(verb, arguments)


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text("utf-8")):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_no_page_speaks_of_folders_that_a_clone_does_not_have() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    for page in WRITTEN:
        text = (ROOT / page).read_text("utf-8")
        assert "/work/" not in text, page
        for name in re.findall(r"`((?:symloss|tests|analysis|docs|figures)/[\w./-]+\.\w+)`", text):
            assert name in tracked or (ROOT / name).exists(), f"{page}: {name}"
