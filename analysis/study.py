"""What the studies share: options, cells that are computed once, and the files they end in."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

__all__ = ["FIGURES", "Study"]

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "figures"


def code() -> str:
    """Digest of the package and the studies as they are now: cells of other code are not taken over."""
    sources = sorted([*ROOT.glob("symloss/**/*.py"), *ROOT.glob("analysis/*.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


@dataclass
class Study:
    """A study while it runs.

    Finished cells are appended to `NAME.partial.jsonl` beside the figure as they finish, and not computed
    again by a run of the same code with the same settings; `finish` moves them to `NAME.json`.

    Attributes:
        name: stem of the script, the figure and the data.
        settings: what every cell depends on, JSON-ready; cells of other settings are not taken over.
        out: folder of the figure and the data.
        quick: whether this is the short form.
        asked: the options that it was asked with, but for where its files go.
        deadline: on the clock of `time.monotonic`, after which no further cell is begun.
    """

    name: str
    settings: Mapping[str, Any]
    out: Path
    quick: bool
    cells: dict[str, Any] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    deadline: float = math.inf

    @classmethod
    def start(
        cls,
        name: str,
        question: str | None,
        arguments: Sequence[str] | None,
        settings: Callable[[bool], Mapping[str, Any]],
    ) -> Study:
        """Reads `--quick` and `--out`, and the cells that an earlier run finished."""
        options = _parser(name, question).parse_args(arguments)
        return cls._opened(name, {**settings(options.quick), "code": code()}, options, arguments)

    @classmethod
    def lasting(
        cls,
        name: str,
        question: str | None,
        arguments: Sequence[str] | None,
        sizes: Callable[[argparse.ArgumentParser], object],
        settings: Callable[[argparse.Namespace], Mapping[str, Any]],
    ) -> tuple[Study, argparse.Namespace]:
        """A study of hours, done in several goes: cells of older code are taken over where the settings agree.

        Besides `--quick` and `--out` it has `--minutes`, and the options that `sizes` adds; its `NAME.json` may be
        written before it is finished, and holds every cell.
        """
        parser = _parser(name, question)
        parser.add_argument(
            "--minutes",
            type=float,
            default=math.inf,
            help="begin nothing after so many; what is finished is kept",
        )
        sizes(parser)
        options = parser.parse_args(arguments)
        study = cls._opened(name, settings(options), options, arguments)
        study.deadline = time.monotonic() + 60 * options.minutes
        return study, options

    @classmethod
    def _opened(
        cls,
        name: str,
        settings: Mapping[str, Any],
        options: argparse.Namespace,
        arguments: Sequence[str] | None,
    ) -> Study:
        torch.set_num_threads(1)
        # Through JSON, so that settings compare equal to those read back.
        study = cls(name, json.loads(json.dumps(settings)), options.out, options.quick)
        asked = list(arguments or ())
        if "--out" in asked:
            place = asked.index("--out")
            del asked[place : place + 2]
        study.asked = tuple(asked)
        study.out.mkdir(parents=True, exist_ok=True)
        study._read()
        return study

    @classmethod
    def cells_of(cls, name: str, settings: Mapping[str, Any], out: Path) -> dict[str, Any]:
        """The cells that another study has finished so far with these settings."""
        other = cls(name, json.loads(json.dumps(settings)), out, False)
        other._read()
        return other.cells

    @property
    def in_time(self) -> bool:
        """Whether another cell may be begun."""
        return time.monotonic() < self.deadline

    @property
    def command(self) -> str:
        """What makes the figure again."""
        return " ".join([f"python -m analysis.{self.name}", *self.asked])

    @property
    def _partial(self) -> Path:
        return self.out / f"{self.name}.partial.jsonl"

    def _read(self) -> None:
        whole = self.out / f"{self.name}.json"
        if whole.exists():
            data = json.loads(whole.read_text())
            if data.get("settings") == self.settings:
                self.cells.update(data["cells"])
        if self._partial.exists():
            for line in self._partial.read_text().splitlines():
                try:
                    cell = json.loads(line)
                except json.JSONDecodeError:  # the line that was being written when the run was killed
                    continue
                if cell["settings"] == self.settings:
                    self.cells[cell["key"]] = cell["value"]

    def cell(self, key: str, compute: Callable[..., Any], *arguments: Any) -> Any:
        """The JSON-ready result `compute(*arguments)` of one cell, unless an earlier run finished it."""
        if key not in self.cells:
            # Through JSON, so that a fresh result and one read back are the same.
            line = json.dumps({"key": key, "settings": self.settings, "value": compute(*arguments)})
            with self._partial.open("a") as file:
                file.write(line + "\n")
            self.cells[key] = json.loads(line)["value"]
            print(f"{len(self.cells):5}  {key}", flush=True)
        return self.cells[key]

    def finish(self, answers: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
        """Writes `NAME.png` and `NAME.json`, prints the answers, and returns what the JSON holds."""
        data = self.save(answers, figure)
        print(json.dumps(answers, indent=1))
        return data

    def save(self, answers: Mapping[str, Any], figure: Figure) -> dict[str, Any]:
        """Writes `NAME.png` and `NAME.json` as far as the study has come, and returns what the JSON holds."""
        data = {"command": self.command, "settings": self.settings, "answers": answers}
        figure.savefig(self.out / f"{self.name}.png", dpi=130)
        temporary = self.out / f"{self.name}.json.new"
        # A line for each cell: 1,000 cells stay readable, and a change shows as the cells that changed.
        cells = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.cells.items())
        temporary.write_text(json.dumps(data, indent=1)[:-2] + f',\n "cells": {{\n{cells}\n }}\n}}\n')
        os.replace(temporary, self.out / f"{self.name}.json")
        self._partial.unlink(missing_ok=True)
        return {**data, "cells": self.cells}


def _parser(name: str, question: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m analysis.{name}",
        description=question,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a small form, for the tests")
    parser.add_argument("--out", type=Path, default=FIGURES, help="where figure and data go")
    return parser
