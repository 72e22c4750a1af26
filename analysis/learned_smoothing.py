"""How often do learned losses smooth labels, how strongly, and is it the smoothing that they gain by?

A loss whose attractor `p*` lies below 1 drives the probability of the target there, as label smoothing of strength
`xi = (1 - p*) C/(C-1)` does; it counts from `xi = 0.01` on. Of independent picks of EvoMAL, TaylorGLO, random search
and *raw* trees (random search whose coefficients stay 1), on three tasks, clean and with 40 % label noise, each on a
split and with a search of its own: the share of certificates that prove it, those that stay open counted apart. Beside
it the share among all trees that the gate lets through, and among the candidates that the same searches trained.

Causally: the smoothing of a pick is knocked out and the model trained again from the same starts. *Clipped*: an
instance whose target is beyond `p*` counts for nothing, so the loss never pushes back. *Continued*: beyond `p*` it has
the gradient of cross-entropy, so it pulls on to 1 as cross-entropy does. Below `p*` both pull as the pick does, so that
nothing else of it is changed, which no other formula could. Pick and knock-outs get the best of three learning rates
about the pick's own by validation. What the pick gains over them on clean test rows is what its smoothing is worth.

Hypothesis, written before the study was run: EvoMAL's picks on clean labels smooth more often than the candidates
that their searches trained, so that smoothing is what was selected. The thesis says that losses do it "often".

Budget: the searches of `analysis.method_table`, whose picks on digits and wine are taken over where its
`--evaluations` were the same; each of the others takes 10 to 40 seconds of CPU, its certificates 1 to 5, a knock-out
about 20.

    python -m analysis.learned_smoothing --minutes 20   # figures/learned_smoothing.json and .png; resumable
    python -m analysis.learned_smoothing --quick
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

import symloss as sl
from analysis.certificate_rates import evolved
from analysis.method_search import row_of, sample, search
from analysis.smoothing_answers import answers, draw, printed
from analysis.study import Study, code
from symloss.runs import derive
from symloss.search.loop.sweep import base_candidate
from symloss.tasks import SupervisedTask

MODEL = "mlp-2x64"
TASKS = ("digits", "wine", "keel:vowel")
NOISES = (0.0, 0.4)
ARMS = ("evomal", "random", "taylorglo", "raw")
LEAST = 0.01
"""The smallest `xi` that counts as smoothing."""
CANDIDATES = 4
"""Trained candidates of a search that get a certificate, drawn at random."""
TREES = 100
"""Trees that the gate lets through."""
CONTROL = {"formula": "y*abs(log(1.3*p))", "p*": 1 / 1.3, "rate": 3.0, "steps": 200}
"""ACE, whose attractor is known: what the knock-outs must do to a loss that smooths."""
STARTS, RATES = 3, (1 / 3, 1.0, 3.0)
KNOCKED = ("clipped", "continued")
QUICK_STEPS = 20


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller: seeds first, methods never."""
    parser.add_argument(
        "--seeds", type=int, default=5, help="independent picks of each method, task and noise"
    )
    parser.add_argument("--tasks", default=",".join(TASKS), help="separated by commas")
    parser.add_argument("--evaluations", type=int, default=40, help="as in analysis.method_table")


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    return {"evaluations": 2 if options.quick else options.evaluations, "quick": options.quick}


def smoothing(formula: str, classes: int) -> dict[str, Any]:
    """What the certificate says: `yes` with `p*` and `xi`, `no`, or `unknown` with the reason."""
    findings = sl.analyze(sl.parse(formula), classes, ("attractor", "label_smoothing")).findings
    found, strength = findings["attractor"], findings["label_smoothing"]
    if strength.verdict == "unknown" or strength.numeric is None:
        return {"smooths": "unknown", "reason": found.reason}
    xi = strength.numeric
    return {"smooths": "yes" if xi >= LEAST else "no", "xi": xi, "p*": 1 - xi * (classes - 1) / classes}


def task_of(name: str, noise: float, seed: int, quick: bool) -> SupervisedTask:
    """The split and the noise of a seed."""
    task = sl.load_task(name, label_noise=noise, seed=seed, model=MODEL)
    return task.with_settings(steps=QUICK_STEPS) if quick else task


def picked(
    name: str,
    noise: float,
    seed: int,
    arm: str,
    evaluations: int,
    quick: bool,
    known: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The pick of one search, or of the same search of `analysis.method_table`, with certificates."""
    task = task_of(name, noise, seed, quick)
    if known is None:
        found = search(task, arm, seed, evaluations * task.settings.steps, quick=quick)
        row, candidates, cpu = (
            row_of(found, found.result.picked),
            sample(found, CANDIDATES, seed),
            found.seconds,
        )
    else:
        row, candidates, cpu = known["rows"][arm], known["sample"][:CANDIDATES], 0.0
    classes = task.classes or 0
    return {
        **{key: row[key] for key in ("loss", "formula", "rate", "steps", "complexity")}, "classes": classes,
        "ordinary": row["formula"] == base_candidate(task).weighted.formula, **smoothing(row["formula"], classes),
        "candidates": [smoothing(each, classes) for each in candidates], "cpu": round(cpu, 2),
        "test_rows": task.test_size, "other_rows": len(task.train) + len(task.val), "code": code(),
    }  # fmt: skip


def gated(classes: int, trees: int) -> list[dict[str, Any]]:
    """Certificates of random trees that the gate lets through, coefficients drawn about 1."""
    found = itertools.islice(evolved("classification", classes), trees)
    return [smoothing(str(loss), classes) for _, _, loss in found]


def instance_loss(formula: str, version: str, limit: float) -> Callable[[Tensor, Tensor], Tensor]:
    """A pick, or what is left of it where its target's probability is beyond `limit`.

    Args:
        formula: the pick.
        version: `pick`, `clipped` or `continued`.
        limit: `p*`.
    """
    rows = sl.parse(formula).to_torch(reduction="none")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        values: Tensor = rows(outputs, targets)
        if version == "pick":
            return values.mean()
        with torch.no_grad():
            beyond = outputs.softmax(1).gather(1, targets[:, None])[:, 0] >= limit
        rest = F.cross_entropy(outputs, targets, reduction="none") if version == "continued" else 0 * values
        return torch.where(beyond, rest, values).mean()

    return loss


def knocked_out(name: str, noise: float, seed: int, pick: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """By version the clean test metrics over the starts, and the mean probability of the training labels."""
    task, rates = task_of(name, noise, seed, quick), (1.0,) if quick else RATES
    found: dict[str, Any] = {}
    for version in ("pick", *KNOCKED):
        fit = partial(_fit, task, instance_loss(pick["formula"], version, pick["p*"]), pick["steps"])
        scores = {
            factor: task.evaluate(fit(pick["rate"] * factor, derive(seed, "rate", 0)))[task.metric]
            for factor in rates
        }
        best = max(rates, key=lambda factor: (scores[factor], factor == 1.0))
        models = [fit(pick["rate"] * best, derive(seed, "knock", i)) for i in range(1 if quick else STARTS)]
        tests = [task.evaluate(model, "test", [task.metric, "nll", "ece"]) for model in models]
        with torch.no_grad():
            shares = [
                model(task.train.X).softmax(1).gather(1, task.train.y[:, None]).mean() for model in models
            ]
        found[version] = {
            "rate": pick["rate"] * best, "confidence": statistics.fmean(map(float, shares)),
            **{key: [test[key] for test in tests] for key in tests[0]},
        }  # fmt: skip
    return found


def _fit(
    task: SupervisedTask, loss: Callable[[Tensor, Tensor], Tensor], steps: int, rate: float, seed: int
) -> torch.nn.Module:
    settled = task.with_settings(steps=steps, learning_rate=task.settings.learning_rate * rate)
    return settled.fit(loss, seed=seed)


def jobs(names: Sequence[str], seeds: int, noises: Sequence[float]) -> Iterator[tuple[int, float, str]]:
    """Seed, noise and task, seed by seed."""
    yield from itertools.product(range(seeds), noises, names)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("learned_smoothing", __doc__, arguments, sizes, settings)
    quick, size = options.quick, study.settings["evaluations"]
    names = ["digits"] if quick else options.tasks.split(",")
    known = Study.cells_of("method_table", study.settings, options.out)
    asked = list(jobs(names, 1 if quick else options.seeds, NOISES[:1] if quick else NOISES))
    if study.in_time:
        study.cell("control/digits", knocked_out, "digits", 0.0, 0, CONTROL, quick)
    for classes in dict.fromkeys(task_of(name, 0.0, 0, quick).classes or 0 for name in names):
        if study.in_time:
            study.cell(f"gate/{classes}", gated, classes, 2 if quick else TREES)
    for seed, noise, name in asked:
        for arm in ARMS:
            place = f"{noise:g}/{name}/{seed}/{arm}"
            if study.in_time:
                stored = None if noise else known.get(f"{seed}/{name}/{arm}")
                pick = study.cell(f"pick/{place}", picked, name, noise, seed, arm, size, quick, stored)
                if pick["smooths"] == "yes":
                    study.cell(f"knock/{place}", knocked_out, name, noise, seed, pick, quick)
        if any(key.startswith("pick/") for key in study.cells):
            study.save(answers(study.cells, asked, ARMS), draw(study.cells, ARMS))
    found = answers(study.cells, asked, ARMS)
    print(printed(found))
    return study.save(found, draw(study.cells, ARMS))


if __name__ == "__main__":
    main(sys.argv[1:])
