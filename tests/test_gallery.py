"""Every figure stands in the gallery, with the command that made it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FIGURES = Path(__file__).parent.parent / "figures"
TEXT = (FIGURES / "README.md").read_text("utf-8")
PICTURES = sorted(path for path in FIGURES.iterdir() if path.suffix in (".png", ".svg", ".pdf"))


def test_nothing_is_missing_and_nothing_is_left_over() -> None:
    shown = re.findall(r"^!\[.+\]\((\S+)\)$", TEXT, flags=re.M)
    assert sorted(shown) == [path.name for path in PICTURES], "figures/README.md: a section for each picture"
    alone = {path.name for path in FIGURES.glob("*.json")} - {f"{path.stem}.json" for path in PICTURES}
    assert set(re.findall(r"\]\((\w+\.json)\)", TEXT)) == alone, "and a line for each file of numbers"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_a_picture_has_its_sentence_and_its_command(picture: Path) -> None:
    section = TEXT.split(f"## {picture.stem}\n", 1)[1].split("\n## ", 1)[0]
    alternative, sentence, command = section.strip().split("\n\n")
    assert alternative == f"![{sentence}]({picture.name})"
    assert sentence.endswith(".")
    numbers = picture.with_suffix(".json")
    if numbers.exists():
        made = json.loads(numbers.read_text("utf-8"))["command"]
        assert command == f"`{made}`"
