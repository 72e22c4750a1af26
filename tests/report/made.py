"""Tables made by hand, for reports, and names that would be markup if anybody let them."""

from __future__ import annotations

from typing import Any

from symloss.compare import (
    Adaptation,
    AdaptationRow,
    Comparison,
    Cost,
    FewShot,
    Row,
    SeedScores,
    Step,
    Transfer,
    TransferRow,
)
from symloss.meta.fewshot import settings_for

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script><svg onload=alert(1)>",
    "{{ 7*7 }}{% raw %}",
    r"\end{document} $a$ $ % _ # & ^ ~ \input{x}",
    "&lt;b&gt; \u202e \x1b[31m é",
)

_ROW: dict[str, Any] = {
    "role": "", "loss": "y", "task": "wine", "metric": "accuracy", "fraction": 1.0, "mean": 0.9,
    "interval": (0.88, 0.92), "difference": 0.02, "difference_interval": (0.01, 0.03), "p": 0.01, "p_corrected": None,
    "effect": 1.0, "detectable": 0.01, "explained_by": None, "learning_rate": 0.01, "steps": 100, "at_edge": 0,
    "scores": (0.9,), "metrics": {}, "area": None, "steps_to_target": None, "chosen": {}, "cost": Cost(1.0, 100),
}  # fmt: skip
_NOTHING = {"difference": None, "difference_interval": None, "p": None}
_CURVE = ((0, 0.3, 0.2, 0.4), (10, 0.8, 0.7, 0.9), (20, 0.9, 0.88, 0.92))


def comparison() -> Comparison:
    """Two losses, one of them named to be markup, with curves."""
    seen = {"curve": _CURVE, "target": 0.85, "reached": ((10, 0.25), (20, 0.5))}
    base = Row(
        name="ce", treatment="tuned", verdict="baseline", **{**_ROW, **_NOTHING, **seen, "role": "ordinary"}
    )
    other = {**_ROW, **seen, "p_corrected": 0.02}
    rows = [Row(name=name, treatment="tuned", verdict="better", **other) for name in ("gce", HOSTILE[4])]
    return Comparison(
        None, {"name": HOSTILE[0], "kind": "classification"}, "accuracy", 0, 3, 10, 0.01, (base, *rows)
    )


def transfer() -> Transfer:
    """One loss in one cell."""
    cell = {"model": "linear", "classes": 3}
    base = TransferRow(
        name="ce", treatment="tuned", verdict="baseline", **{**_ROW, **_NOTHING, **cell, "role": "ordinary"}
    )
    row = TransferRow(
        name=HOSTILE[1], treatment="tuned", verdict="better", **{**_ROW, **cell, "p_corrected": 0.01}
    )
    return Transfer(None, {"name": "wine"}, "accuracy", 0, 3, 10, 0.01, (base, row))


def adaptation() -> Adaptation:
    """Two ways to train, and a path of three steps."""
    known: dict[str, Any] = {
        "mean": 0.9, "interval": (0.88, 0.92), "difference": -0.02, "difference_interval": (-0.03, -0.01), "p": 0.01,
        "diverged": 0, "scores": (0.9,), "seconds": 1.5,
    }  # fmt: skip
    rows = (
        AdaptationRow(name="adaptive", verdict="baseline", p_corrected=None, **{**known, **_NOTHING}),
        AdaptationRow(name="replayed", verdict="worse", p_corrected=0.02, **known),
    )
    path = tuple(
        Step(
            i * 10,
            0.5 + 0.1 * i,
            0.8,
            0.22,
            1.0 + i,
            {"a": 1.0},
            2.0,
            f"{1 + i}.25*y*abs(log(p))",
            ("attractor",),
        )
        for i in range(3)
    )
    return Adaptation(
        None, {"name": "digits", "kind": "classification"}, "accuracy", HOSTILE[2], 0, 1, {}, rows, 0.5, 0.1, (path,),
        {"adaptivity": "yes: better than its path replayed on another start"}, (HOSTILE[3],),
    )  # fmt: skip


def few_shot(method: str = "maml", seeds: int = 2) -> FewShot:
    """Trainings of four test tasks each, before and after two inner steps."""
    task = {
        "name": HOSTILE[0], "kind": "classification", "inputs": [1, 28, 28], "notes": [HOSTILE[3]],
        "classes": {"train": 9, "val": 5, "test": 5}, "instances": {"train": 90, "val": 50, "test": 50},
    }  # fmt: skip
    tasks = tuple((0.2, 0.5 + 0.1 * i, 0.6 + 0.1 * i) for i in range(4))
    found = tuple(
        SeedScores(
            seed, 40, ((0, 0.2), (20, 0.5), (40, 0.6 + 0.1 * seed)), tasks, tasks, HOSTILE[5], HOSTILE[2]
        )
        for seed in range(seeds)
    )
    return FewShot(None, "stopped", task, settings_for("classification", (1, 28, 28), method), 0, found)
