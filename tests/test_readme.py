"""The README's Python runs as printed, and its first screen is one."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_python_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        blocks = re.findall(r"```python\n(.*?)```", README, flags=re.S)
        exec(compile("\n".join(blocks), "README.md", "exec"), {"__name__": "readme"})
    lines = said.getvalue().splitlines()
    assert lines[0].startswith("drives the target's probability to 0.77, as label smoothing")
    assert lines[1] == "-0.1102*(9*y + 1/C)*log(p)"
    assert lines[2] == "smooths labels implicitly, with strength 0.5"
    assert lines[3] == "lsr(xi=0.5)"
    assert "p" in lines[4]
    compared = [f"{name} {how}" for name in ("huber", "runs/first#1") for how in ("as is", "normalised")]
    assert lines[5:] == ["mse as is baseline", *(f"{each} too few splits to tell" for each in compared)]


def test_what_is_said_of_the_output_is_the_output() -> None:
    """The comments behind the prints of the first screen, as `test_python_runs_as_printed` has them."""
    for said in (
        "# drives the target's probability to 0.77",
        "# -0.1102*(9*y + 1/C)*log(p)",
        "# lsr(xi=0.5)",
    ):
        assert said in README


def test_first_screen() -> None:
    screen = README.splitlines()[:30]
    assert any(line.startswith("![") for line in screen)
    assert "make demo" in "\n".join(screen)
    assert "make test" in "\n".join(screen)
    assert "print(result.best)" in "\n".join(screen)
