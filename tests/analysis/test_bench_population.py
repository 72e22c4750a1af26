"""Every case of the benchmark runs; times are no test."""

from __future__ import annotations

import pytest

from analysis import bench_population


def test_every_case_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    bench_population.main(["--tasks", "wine", "--steps", "5", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("wine") and line.endswith("s each") for line in lines)
    assert "15 members" in lines[4]
