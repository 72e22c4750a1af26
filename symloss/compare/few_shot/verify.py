"""Whether a run of few-shot learning is true: its trainings done again, from data and seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from symloss.compare.few_shot.record import Record
from symloss.compare.few_shot.result import SeedScores
from symloss.compare.few_shot.run import FEWSHOT, few_shot_files, judged, seeds_of, source_of
from symloss.meta.fewshot import FewShotSettings, Training
from symloss.runs import RunStore
from symloss.search import Check
from symloss.search.prepare import unusable
from symloss.search.record.verify import TOLERANCE

__all__ = ["verify_few_shot"]


def verify_few_shot(path: str | Path, task: Any = None) -> tuple[Check, ...]:
    """Trains every finished seed again, which takes as long as the run, and compares scores, weights and files.

    Args:
        path: the run's folder; it is only read.
        task: where the episodes came from code, their source again.

    Raises:
        RunError: when the run cannot be read.
        TaskError: when its task cannot be made again, or its data are others.
    """
    found = FEWSHOT.open(path)
    checks = [_file(Path(path), name, text) for name, text in few_shot_files(found).items()]
    with RunStore.open(path) as store:
        config = FEWSHOT.config(store)
        source = source_of(config, task)
        device = str(config["device"])
        placed = torch.device("cpu" if unusable(device) else device)
        for seed in seeds_of(config):
            record = Record(store, seed)
            known = record.scores
            if known is None:
                continue
            training = Training(source, FewShotSettings.from_dict(config["settings"]), seed, placed)
            scores, weights = judged(training, training.run(training.begin(), lambda state: None))
            kept = record.weights
            same = all(
                torch.allclose(kept[name], each, rtol=1e-4, atol=1e-6) for name, each in weights.items()
            )
            equal = all(torch.equal(kept[name], each) for name, each in weights.items())
            told = "the same bit for bit" if equal else "the same but for rounding" if same else "others"
            checks += _compared(f"seed {seed}", known, scores)
            checks.append(Check(f"seed {seed}", "weights", f"{len(kept)} tensors", told, same))
    return tuple(checks)


def _compared(where: str, printed: SeedScores, again: SeedScores) -> Iterator[Check]:
    last, now = printed.history[-1:], again.history[-1:]
    for what, one, other in (
        ("steps validated", float(len(printed.history)), float(len(again.history))),
        ("best step", float(printed.best_step), float(again.best_step)),
        ("last validation", last[0][1] if last else math.nan, now[0][1] if now else math.nan),
        ("test, before adaptation", printed.before, again.before),
        ("test, mean", printed.mean, again.mean),
    ):
        holds = math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-12)
        yield Check(where, what, f"{one:.6g}", f"{other:.6g}", holds)
    same = sum(
        math.isclose(a, b, rel_tol=TOLERANCE) for a, b in zip(printed.scores, again.scores, strict=False)
    )
    count = len(printed.scores)
    yield Check(where, "test, tasks", f"{count} scores", f"{same} agree", same == count == len(again.scores))


def _file(path: Path, name: str, expected: str) -> Check:
    try:
        text = (path / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return Check(name, "content", "", "", False, f"cannot be read: {error}")
    note = "" if text == expected else "differs from the run's record"
    return Check(name, "content", f"{len(text)} bytes", f"{len(expected)} bytes", text == expected, note)
