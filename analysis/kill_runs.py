"""SIGKILL at random moments of a search: does `resume` end with the front of the run never killed?

Every killed run must end with the same `front.csv`, byte for byte, and no piece of work that was finished
before the kill may be paid for again: the record of a piece holds the seconds that it took, so one computed
twice would be recorded with other seconds.

    python -m analysis.kill_runs --kills 20

Writes `figures/kill_runs.json`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from symloss.runs import RunStore
from symloss.search import resume

FIGURE = Path(__file__).parent.parent / "figures" / "kill_runs.json"
SEARCH: dict[str, Any] = {
    "population": 10, "generations": 4, "tuning": {"steps": 5}, "screening": {"sample": 2}, "chunk": 2,
    "blocks": {"sweep": 2, "strangers": 2, "final": 2, "finalists": 3},
}  # fmt: skip

_DRIVER = """
import json, sys
from symloss import discover, load_task
if __name__ == "__main__":
    task = load_task("diabetes", model="mlp-1x16").with_settings(steps=30)
    discover(task, out=sys.argv[1], **json.loads(sys.argv[2]))
"""


@dataclass(frozen=True)
class Kill:
    """One killed run.

    Attributes:
        workers: that it had.
        seconds: after which it was killed, from its first finished piece of work on.
        finished: pieces of work that its store held then.
        pieces: of the whole run.
        same_front: whether the resumed run's front is that of the run never killed, byte for byte.
        paid_twice: finished pieces that were computed again.
    """

    workers: int
    seconds: float
    finished: int
    pieces: int
    same_front: bool
    paid_twice: int


def start(folder: Path, workers: int = 1, **search: Any) -> subprocess.Popen[bytes]:
    """A search in a process of its own, once it has finished its first piece of work."""
    script = folder.parent / "driver.py"
    script.write_text(_DRIVER)
    options = {**SEARCH, **search, "workers": workers, "executor": "process" if workers > 1 else "serial"}
    process = subprocess.Popen([sys.executable, str(script), str(folder), json.dumps(options)])
    while not _begun(folder):
        if process.poll() is not None:
            raise SystemExit(f"the search ended with exit code {process.returncode} before it began")
        time.sleep(0.01)
    return process


def _begun(folder: Path) -> bool:
    if not (folder / "run.sqlite").exists():
        return False
    with RunStore.open(folder) as store:
        return bool(store.all("work"))


def kill_and_resume(
    folder: Path, moment: Callable[[], object], front: bytes, workers: int = 1
) -> Kill | None:
    """Kills a search when `moment` returns and goes on with it; None when it had ended by then."""
    process = start(folder, workers)
    clock = time.perf_counter()
    moment()
    process.kill()
    seconds = time.perf_counter() - clock
    process.wait()
    with RunStore.open(folder) as store:
        if store.status != "running":
            return None
        before = dict(store.all("work"))
    resume(folder)
    with RunStore.open(folder) as store:
        after = dict(store.all("work"))
    again = sum(after[key] != answer for key, answer in before.items())
    same = (folder / "front.csv").read_bytes() == front
    return Kill(workers, round(seconds, 3), len(before), len(after), same, again)


def main() -> None:
    """Kills at random moments, half of them with two worker processes, and writes what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    kills = parser.parse_args().kills
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as root:
        durations = {}
        for workers in (1, 2):
            began = start(Path(root) / f"whole-{workers}", workers)
            clock = time.perf_counter()
            began.wait()
            durations[workers] = time.perf_counter() - clock
        front = (Path(root) / "whole-1" / "front.csv").read_bytes()
        done: list[Kill] = []
        tries = 0
        while len(done) < kills:
            workers = 1 + len(done) % 2
            folder = Path(root) / f"run-{tries}"
            tries += 1
            moment = partial(time.sleep, draw.uniform(0, durations[workers]))
            kill = kill_and_resume(folder, moment, front, workers)
            if kill is not None:
                done.append(kill)
                print(kill, flush=True)
    summary = {
        "kills": len(done),
        "same_front": sum(kill.same_front for kill in done),
        "finished_pieces": sum(kill.finished for kill in done),
        "paid_twice": sum(kill.paid_twice for kill in done),
        "seconds_unkilled": {str(workers): round(value, 1) for workers, value in durations.items()},
        "runs": [asdict(kill) for kill in done],
    }
    FIGURE.write_text(json.dumps(summary, indent=1) + "\n")
    print({key: value for key, value in summary.items() if key != "runs"})


if __name__ == "__main__":
    main()
