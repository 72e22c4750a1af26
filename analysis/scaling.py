"""What a search is made of, piece by piece: which part binds first as workers are added.

Measures, on one machine: the pieces of a real search and what they weigh on the wire; how many candidates a
second the gate and the fingerprint look at; how many answers a second the store makes durable; how many empty
pieces a second each executor hands out and takes back; and how long the driver itself is busy for each
candidate, in a search of a large population whose workers answer at once. The bounds follow: see
`analysis/SCALING.md`.

    python -m analysis.scaling

Writes `figures/scaling.json`.
"""

from __future__ import annotations

import json
import pickle
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from typing import Any

from symloss import discover, load_task
from symloss.runs import RunStore, executor, generator
from symloss.search import SearchSettings
from symloss.search.loop import workers
from symloss.search.loop.work import Piece, do
from symloss.search.propose.gp import Rates, initial_program
from symloss.search.screen.fingerprint import fingerprint
from symloss.search.screen.gate import gate

FIGURE = Path(__file__).parent.parent / "figures" / "scaling.json"
TASKS = ("diabetes", "digits", "mnist-5k")


def rate(count: int, work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """How many a second, by processor time unless another clock is given."""
    start = clock()
    work()
    return round(count / (clock() - start))


def screening() -> dict[str, float]:
    """Candidates a second through gate and fingerprint, every tree through both."""
    grammar = SearchSettings().grammar
    programs = [initial_program(grammar, Rates(), seed) for seed in range(2000)]
    found = {}
    for kind, classes in (("classification", 10), ("classification", 100), ("regression", None)):

        def look(kind: str = kind, classes: int | None = classes) -> None:
            for program in programs:
                gate(program, kind, classes)
                fingerprint(program, kind, classes)

        found[f"{kind} {classes or ''}".strip()] = rate(len(programs), look)
    return found


def pieces(name: str, root: Path) -> dict[str, Any]:
    """The pieces of two generations of the quick preset, and what the driver does besides: processor time."""
    task = load_task(name)
    spent: list[float] = []

    def timed(piece: Piece) -> Any:
        start = time.process_time()
        try:
            return do(piece)
        finally:
            spent.append(time.process_time() - start)

    workers.do = timed
    start = time.process_time()
    try:
        result = discover(task, out=root / name, generations=2)
    finally:
        workers.do = do
    total = time.process_time() - start
    spent.sort()
    with RunStore.open(root / name) as store:
        answers = [len(json.dumps(answer)) for _, answer in store.all("work")]
    return {
        "candidates": len(result.evaluations), "pieces": len(spent),
        "seconds_a_candidate": round(sum(spent) / len(result.evaluations), 3),
        "seconds_a_piece": {"median": round(spent[len(spent) // 2], 3), "longest": round(spent[-1], 3)},
        "share_of_the_driver": round(1 - sum(spent) / total, 3),
        "bytes_of_the_task": len(pickle.dumps(task)), "bytes_of_an_answer": max(answers),
    }  # fmt: skip


def chunking(size: int = 8) -> dict[str, float]:
    """Processor seconds a candidate, tuned or trained in one piece of so many and in pieces of one."""
    task, grammar = load_task("diabetes"), SearchSettings().grammar
    drawn = (initial_program(grammar, Rates(), seed) for seed in count())
    programs = islice((each for each in drawn if gate(each, task.kind, None).passed), size)
    graphs = tuple((p.tokens, (1.0,) * (p.size - 1)) for p in programs)
    found = {}
    options: dict[str, Any]
    for what in ("tune", "train"):
        for chunk in (size, 1):
            start = time.process_time()
            for i in range(0, size, chunk):
                some = graphs[i : i + chunk]
                if what == "tune":
                    options = {"steps": 100, "eta": 1e-3, "block": None, "rates": [1.0]}
                else:
                    each = {"blocks": None, "starts": 0, "stops": [[task.settings.steps]], "rates": [1.0]}
                    options = {name: [value] * len(some) for name, value in each.items()}
                do(Piece(what, (task,), some, 0, options))
            found[f"{what} in {chunk}"] = round((time.process_time() - start) / size, 3)
    return found


def durable_answers(root: Path) -> float:
    """Answers a second that the store makes durable, one transaction each."""
    answer = [{"values": [0.5], "reason": "", "seconds": 0.1}] * 8
    with RunStore.create(root / "store", {}) as store:

        def put() -> None:
            for i in range(500):
                store.put("work", i, answer)

        return rate(500, put, time.perf_counter)


def dispatched(name: str) -> float:
    """Empty pieces a second, with two workers."""
    with executor(name, 2) as place:
        list(place.map_ordered(abs, range(100)))
        return rate(1000, lambda: list(place.map_ordered(abs, range(1000))), time.perf_counter)


def instant(piece: Piece) -> list[dict[str, Any]]:
    """Made-up answers, at once."""
    draw = generator(piece.seed, piece.key)
    if piece.what == "tune":
        return [
            {"edges": draw.normal(1, 0.1, len(edges)).tolist(), "reason": "", "seconds": 0.0}
            for _, edges in piece.graphs
        ]
    return [
        {
            "values": [draw.uniform(0.4, 2, len(looks)).tolist() for looks in stops],
            "reason": "",
            "seconds": 0.0,
        }
        for stops in piece.options["stops"]
    ]


def driver(root: Path, population: int = 500) -> dict[str, float]:
    """Processor seconds of the driver for each candidate, its workers answering at once."""
    workers.do = instant
    start = time.process_time()
    try:
        result = discover(
            load_task("diabetes"), out=root / "driver", population=population, generations=3,
            screening={"sample": 0}, blocks={"settle": False, "zoo": False, "headroom": False},
        )  # fmt: skip
    finally:
        workers.do = do
    return {
        "population": population, "candidates": len(result.evaluations),
        "milliseconds_a_candidate": round(1000 * (time.process_time() - start) / len(result.evaluations), 2),
    }  # fmt: skip


def main() -> None:
    """Measures everything and writes it down."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        summary = {
            "screened_a_second": screening(),
            "pieces": {name: pieces(name, root) for name in TASKS},
            "seconds_a_candidate_by_chunk": chunking(),
            "durable_answers_a_second": durable_answers(root),
            "empty_pieces_a_second": {
                name: dispatched(name)
                for name in ("process", "ray")
                if name == "process" or find_spec("ray") is not None
            },
            "driver": driver(root),
        }
    FIGURE.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
