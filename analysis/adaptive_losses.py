"""Does a loss that adapts while training beat the same loss fixed, a learned rate, and the tuned ordinary loss?

First where the answer is known: on Wu's noisy quadratic (`analysis.noisy_quadratic`) the learning-rate-only control
must meet the greedy rate, and rates learned with a horizon of 1 or 10 steps come out too small. Then AdaLFL's network
and its symbolic form (`barron` on regressions, `smooth-ace` on classes) through `symloss.adapt`, one replicate a cell,
each on a split of its own (Fashion-MNIST: a disjoint pool of images): diabetes, communities and california with targets
scaled to [0, 1] as published, and digits, with mlp-2x64; mnist-5k and fashion-mnist with lenet5.

Hypotheses, written before the study was run, each a paired t test over the replicates by data set and loss, with Holm's
correction over all of them: adapting beats *replayed* (adaptivity), *scale only* (shape), *fixed*, *learning rate only*
and *ordinary tuned*. At equal steps; at equal wall-clock the adapting loss has as many fewer steps as its step is
dearer (processor time, measured), against the ordinary loss tuned at all of them. Tuning and offline initialisation are
not counted: they are outside of the training that is compared.

Further: the same at the scale that offline initialisation ends with, as published (`--keep-scale`), where
`symloss.adapt` takes it out and chooses a learning rate as for the ordinary loss; how often training diverges, or ends
no better than it began, against the learning rate; and whether losses learned with longer horizons imply larger
learning rates, beside the best fixed rate (perceptron alone; unrolled).

California, communities and the images are read from the folder `SYMLOSS_DATA`; what is not there is said to be absent.

    SYMLOSS_DATA=... python -m analysis.adaptive_losses --minutes 30   # figures/adaptive_losses.json, .png; resumable
    python -m analysis.adaptive_losses --quick
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import symloss as sl
from analysis.adaptive_answers import PUBLISHED, answers, printed
from analysis.adaptive_figure import draw
from analysis.adaptive_training import compare_cost, divergence, fixed_rate, with_horizon
from analysis.noisy_quadratic import HORIZONS, measure
from analysis.study import ROOT, Study
from symloss.compare.adapt import ETAS
from symloss.compare.adapt_work import ADAPTIVE, Piece, do, loss_record
from symloss.compare.statistics import overlap_of
from symloss.compare.work import Replicate
from symloss.errors import DomainError, TaskError
from symloss.meta.adaptable import NEURAL, RATE_ONLY, adaptable
from symloss.tasks import SupervisedTask, replicate, replicates_of

__all__ = ["IMAGES", "SYMBOLIC", "TABLES", "jobs", "main", "task_of"]

TABLES, IMAGES = ("diabetes", "communities", "california", "digits"), ("mnist-5k", "fashion-mnist")
"""Cheap ones first."""
SCALED = ("diabetes", "communities", "california")
"""Regressions, their targets scaled to [0, 1] by the training rows."""
SYMBOLIC = {"regression": "barron", "classification": "smooth-ace"}
POOLS = 10
"""Of Fashion-MNIST's images, disjoint; the official test images are common to all."""
FURTHER = ("diabetes", "digits")
"""What divergence and horizons are measured on."""
INITIAL = {True: 2500, False: 250}
"""Steps of offline initialisation, of a network and of a formula, as `symloss.adapt` has them."""
HORIZON_SEEDS = 3
OUTER = 300
"""Meta-steps of a loss that is learned with a horizon."""


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller."""
    parser.add_argument(
        "--seeds", type=int, default=10, help="replicates of the tables; 10 or more for verdicts"
    )
    parser.add_argument(
        "--image-seeds", type=int, default=5, help=f"replicates of the images, at most {POOLS}"
    )
    parser.add_argument("--steps", type=int, default=500, help="of a training")
    parser.add_argument("--tasks", default=",".join((*TABLES, *IMAGES)), help="separated by commas")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "adaptive_losses", help="where runs are kept"
    )


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    return {"steps": 20 if options.quick else options.steps, "quick": options.quick, "scale": "tuned"}


def task_of(name: str, seed: int) -> SupervisedTask:
    """The data of a replicate, with its model.

    Raises:
        TaskError: when its data are not here.
    """
    scale = "minmax" if name in SCALED else None
    model = "lenet5" if name in IMAGES else "mlp-2x64"
    if name != "fashion-mnist":
        return sl.load_task(name, seed=seed, model=model, target_scale=scale)
    found = replicate(sl.load_task(name, model=model), "pools", seed, POOLS, 0)
    assert isinstance(found, SupervisedTask)
    return found


def losses_of(name: str) -> tuple[str, str]:
    """The network and the formula that adapt on a data set."""
    return NEURAL, SYMBOLIC["regression" if name in SCALED else "classification"]


def jobs(names: Sequence[str], seeds: int, image_seeds: int) -> Iterator[tuple[str, str, str, int]]:
    """What is to be done, in its order: kind of cell, data set, loss, replicate.

    Whole data sets, the tables first; divergence and horizons before the images, which cost most of the time.
    """
    for group, count in ((TABLES, seeds), (IMAGES, image_seeds)):
        for name in (name for name in group if name in names):
            for loss in losses_of(name):
                yield from (("adapt", name, loss, seed) for seed in range(count))
                yield "cost", name, loss, 0
                yield from (("equal time", name, loss, seed) for seed in range(count))
        if group is TABLES:
            for name in (name for name in group if name in names):
                for loss in losses_of(name):
                    yield from ((PUBLISHED, name, loss, seed) for seed in range(count))
            further = [name for name in FURTHER if name in names]
            yield from (("divergence", name, "all", seed) for name in further for seed in range(count))
            for name in further:
                some = range(min(count, HORIZON_SEEDS))
                yield from (("rate", name, "ordinary", seed) for seed in some)
                for loss in (RATE_ONLY, NEURAL):
                    for horizon in HORIZONS:
                        yield from ((f"horizon {horizon}", name, loss, seed) for seed in some)


def initial_steps(loss: str, quick: bool) -> int:
    """Of offline initialisation."""
    return 20 if quick else INITIAL[loss in (NEURAL, RATE_ONLY)]


def rates_of(quick: bool) -> tuple[float, ...]:
    """Meta learning rates to choose from."""
    return ETAS[-1:] if quick else ETAS


def adapted(
    runs: Path, name: str, loss: str, seed: int, steps: int, quick: bool, keep_scale: bool
) -> dict[str, Any]:
    """One replicate of `symloss.adapt`; stopped in the middle, it goes on in its folder."""
    task = task_of(name, seed)
    folder = runs / f"{name}-{loss}-{seed}-{steps}{'-published' if keep_scale else ''}"
    if (folder / "run.sqlite").exists():
        found = sl.resume(folder, task)
    else:
        found = sl.adapt(
            task, loss, seeds=1, seed=seed, steps=steps, etas=rates_of(quick), model=None, out=folder,
            initial_steps=initial_steps(loss, quick), keep_scale=keep_scale,
        )  # fmt: skip
    if found.status != "finished":
        raise SystemExit(f"{folder} was stopped; the same command goes on with it")
    pools = name == "fashion-mnist"
    return {
        "rows": {row.name: {"test": row.mean, "diverged": row.note} for row in found.rows},
        "moved": found.moved, "moved_shape": found.moved_shape,
        "chosen": {key: values[0] for key, values in found.settings["chosen"].items()},
        "path": [step.to_dict() for step in found.trajectory], "metric": task.metric,
        "overlap": 0.0 if pools else overlap_of(task.test_size, len(task.train) + len(task.val)),
        "learning rate": task.settings.learning_rate,
    }  # fmt: skip


def in_equal_time(name: str, loss: str, seed: int, steps: int, ratio: float, quick: bool) -> dict[str, Any]:
    """The adapting loss on the same replicate, with as many fewer steps as it costs more."""
    fewer = max(1, round(steps / ratio))
    task = task_of(name, seed).with_settings(steps=fewer)
    record = loss_record(NEURAL if loss == NEURAL else adaptable(loss, task.kind, task.classes))
    where = Replicate(0, replicates_of(task, 1), 0, 1)
    piece = Piece(
        where, "adapting", record, rates_of(quick), initial_steps(loss, quick), "validation", (), seed
    )
    row = do((task,), piece)["rows"][ADAPTIVE]
    return {"test": row["test"], "diverged": row["diverged"], "steps": fewer}


def compute(study: Study, runs: Path, kind: str, name: str, loss: str, seed: int) -> dict[str, Any]:
    """One cell, or why there is none: offline initialisation may diverge, which must not end the study."""
    try:
        return _computed(study, runs, kind, name, loss, seed)
    except DomainError as error:
        return {"failed": str(error)}


def _computed(study: Study, runs: Path, kind: str, name: str, loss: str, seed: int) -> dict[str, Any]:
    steps, quick = int(study.settings["steps"]), study.quick
    if kind in ("adapt", PUBLISHED):
        return adapted(runs, name, loss, seed, steps, quick, kind == PUBLISHED)
    if kind == "cost":
        return compare_cost(task_of(name, seed), loss, 10 if quick else 30)
    if kind == "equal time":
        ratio = study.cells[f"cost/{name}/{loss}/0"]["ratio"]
        return in_equal_time(name, loss, seed, steps, ratio, quick)
    task = task_of(name, seed).with_settings(steps=steps)
    if kind == "divergence":
        return divergence(task, losses_of(name), seed, partial(initial_steps, quick=quick))
    if kind == "rate":
        return fixed_rate(task, seed)
    return with_horizon(task, loss, int(kind.split()[1]), OUTER, seed)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("adaptive_losses", __doc__, arguments, sizes, settings)
    names = ["diabetes"] if options.quick else options.tasks.split(",")
    unknown = [name for name in names if name not in (*TABLES, *IMAGES)]
    if unknown:
        raise DomainError(
            f"no task {', '.join(unknown)} here: expected some of {', '.join((*TABLES, *IMAGES))}"
        )
    if not 0 <= options.image_seeds <= POOLS:
        raise DomainError(f"--image-seeds {options.image_seeds}: expected 0 to {POOLS}")
    asked = list(jobs(names, options.seeds, options.image_seeds))
    if options.quick:
        asked = [("adapt", "diabetes", "barron", 0)]
    absent = {name: why for name in names if (why := missing_data(name))}
    if study.in_time:
        small = (200, 100, (1,))
        study.cell("quadratic", measure, *(small if options.quick else (1000, 400, HORIZONS)))
    runs = options.out / "runs" if options.quick else options.runs
    for job in asked:
        if job[1] not in absent and study.in_time:
            study.cell("/".join(map(str, job)), compute, study, runs, *job)
    found = answers(study.cells, asked, absent)
    print(printed(found))
    return study.save(found, draw(study.cells, found))


def missing_data(name: str) -> str:
    """Why a task cannot be loaded, or `""`."""
    try:
        task_of(name, 0)
    except TaskError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
