"""What every test shares: one torch thread, Hypothesis without a clock or a database, the command line in a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")
torch.set_num_threads(1)
settings.register_profile(
    "symloss", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("symloss")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the command line is run: an empty folder, unless a file of tests has one of its own."""
    return tmp_path


@pytest.fixture
def run(
    capsys: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """The command line in `folder`, whose modules can be imported: exit code, standard output and error."""
    from symloss.cli import app

    imported = set(sys.modules)

    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            app(list(arguments))
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err  # type: ignore[call-overload]

    yield call
    for name in set(sys.modules) - imported:  # another folder may have a module of the same name
        if str(folder) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
