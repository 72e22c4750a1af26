"""The README's Python runs as printed; its commands exist."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
ROOT = Path(__file__).parent.parent


def _blocks(language: str) -> list[str]:
    blocks: list[tuple[str, str]] = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.S)
    return [text for name, text in blocks if name == language]


@pytest.mark.slow
def test_python_runs_as_printed() -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile("\n".join(_blocks("python")), "README.md", "exec"), {"__name__": "readme"})
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("drives the target's probability to 0.77, as label smoothing")
    formulas, few_shot = [*lines[:4], *lines[7:]], lines[4:7]
    assert len(lines) == 9
    assert all("p" in line for line in formulas)
    assert few_shot[1].count(",") == 5
    assert few_shot[2].startswith("['encoder.0.bias'")


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "analysis/README.md", "analysis/SCALING.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text()):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), flags=re.M)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, link


def test_verbs_that_it_names_exist() -> None:
    from typer.main import get_command

    from symloss.cli import app

    verbs = set(get_command(app).commands)  # type: ignore[attr-defined]
    named = {
        line.split()[1] for block in _blocks("") for line in block.splitlines() if line.startswith("symloss ")
    }
    assert named <= verbs
    assert len(named) >= 8


def test_first_screen() -> None:
    screen = README.splitlines()[:30]
    assert any(line.startswith("![") for line in screen)
    assert "make demo" in "\n".join(screen)
    assert "make test" in "\n".join(screen)
