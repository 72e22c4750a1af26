"""What the studies share: options, cells that are computed once, and the files they end in."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
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
    """

    name: str
    settings: Mapping[str, Any]
    out: Path
    quick: bool
    cells: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        name: str,
        question: str | None,
        arguments: Sequence[str] | None,
        settings: Callable[[bool], Mapping[str, Any]],
    ) -> Study:
        """Reads `--quick` and `--out`, and the cells that an earlier run finished."""
        parser = argparse.ArgumentParser(
            prog=f"python -m analysis.{name}",
            description=question,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--quick", action="store_true", help="a small form, for the tests")
        parser.add_argument("--out", type=Path, default=FIGURES, help="where figure and data go")
        options = parser.parse_args(arguments)
        torch.set_num_threads(1)
        # Through JSON, so that settings compare equal to those read back.
        chosen = json.loads(json.dumps({**settings(options.quick), "code": code()}))
        study = cls(name, chosen, options.out, options.quick)
        study.out.mkdir(parents=True, exist_ok=True)
        study._read()
        return study

    @property
    def command(self) -> str:
        """What makes the figure again."""
        return f"python -m analysis.{self.name}" + (" --quick" if self.quick else "")

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
        data = {"command": self.command, "settings": self.settings, "answers": answers}
        figure.savefig(self.out / f"{self.name}.png", dpi=130)
        temporary = self.out / f"{self.name}.json.new"
        # A line for each cell: 1,000 cells stay readable, and a change shows as the cells that changed.
        cells = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in self.cells.items())
        temporary.write_text(json.dumps(data, indent=1)[:-2] + f',\n "cells": {{\n{cells}\n }}\n}}\n')
        os.replace(temporary, self.out / f"{self.name}.json")
        self._partial.unlink(missing_ok=True)
        print(json.dumps(answers, indent=1))
        return {**data, "cells": self.cells}
