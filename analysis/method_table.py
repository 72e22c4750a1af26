"""Methods of search beside the losses that anybody has, on eight data sets.

Rows: the task's loss as it is, and tuned; the best loss of the zoo, chosen by blocks, tuned; random trees; evolution
whose selection sees shuffled fitnesses; GP-LFL; ML3; TaylorGLO; mixtures of losses with a name; EvoMAL. A search seed
draws split, search and starts anew. The generations of every searching row spend the same number of optimiser steps
(`analysis.method_search`); every row gets its learning rate and number of steps by the same procedure on blocks,
networks too; its loss is then trained from `REPORTS` fresh starts and measured on test rows once.

Hypothesis, written before the study was run: on the tables, EvoMAL's pick scores better on test rows than the best
loss of the zoo, tuned, and better than the pick of random search at equal steps. Two tests a table over search seeds
(the t test corrected for the overlap of the splits), Holm's correction over all of them; the rest is exploratory. The
thesis puts EvoMAL first, symbolic on a par with neural (ML3), and the largest gain on California.

Tables: mlp-2x64, three search seeds. Images (mnist-5k, and Fashion-MNIST with 10,000 images to train): searched with
mlp-2x64 on one seed, reported with lenet5 too, whose learning rate is chosen anew; with one search the test rows are
what is resampled, which says nothing of another search. Budget: `--evaluations` trainings of the task's 500 steps a
search, tuning of coefficients included: some 35 candidates, in generations of ten, where `symloss discover` has 250;
three finalists beside the front and six final blocks. Measured on a busy machine, CPU seconds of a search on Diabetes:
TaylorGLO 13, GP-LFL 21, random 23, EvoMAL 36, ML3 51; the zoo 39 on California and 62 on digits. So a search seed of
the six tables takes about 25 minutes.

California and Communities are read from the folder `SYMLOSS_DATA`; a task whose data are absent is said to be.

    SYMLOSS_DATA=... python -m analysis.method_table --minutes 40   # figures/method_table.json and .png; resumable
    python -m analysis.method_table --quick
"""

from __future__ import annotations

import argparse
import base64
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import symloss as sl
from analysis.method_answers import answers, draw, printed
from analysis.method_search import best_named, candidate_of, graph_of, row_of, sample, search, zoo
from analysis.study import Study, code
from symloss.compare.work import Piece, Replicate, Trial, do, unpacked
from symloss.errors import DomainError, TaskError
from symloss.runs import derive, executor
from symloss.search.loop.sweep import base_candidate
from symloss.search.loop.training import Trainer
from symloss.search.loop.workers import Workers
from symloss.search.record.memory import Memory
from symloss.search.settings import Blocks
from symloss.tasks import SupervisedTask, thinned

MODEL, SECOND = "mlp-2x64", "lenet5"
TABLES = ("diabetes", "boston", "california", "communities", "wine", "digits")
IMAGES = ("mnist-5k", "fashion-mnist")
SEARCHES = ("evomal", "random", "taylorglo", "mixture", "gplfl", "shuffled", "ml3")
"""In the order in which they are run: what the hypothesis is about first."""
REPORTS, IMAGE_REPORTS = 5, 3
FASHION = 10_000
"""Images to train with: the official training part is cut into 54,000 to train and 6,000 to validate."""
QUICK_STEPS = 20
SAMPLE = 12
"""Formulas of trained candidates that are kept of a search, for `analysis.learned_smoothing`."""


def sizes(parser: argparse.ArgumentParser) -> None:
    """What can be made smaller: seeds first, methods never."""
    parser.add_argument("--seeds", type=int, default=3, help="search seeds of the tables; images have one")
    parser.add_argument("--tasks", default=",".join((*TABLES, *IMAGES)), help="separated by commas")
    parser.add_argument(
        "--evaluations", type=int, default=40, help="what a search may spend, in trainings of 500 steps"
    )


def settings(options: argparse.Namespace) -> Mapping[str, Any]:
    """What every cell depends on."""
    return {"evaluations": 2 if options.quick else options.evaluations, "quick": options.quick}


def task_of(name: str, seed: int) -> SupervisedTask:
    """The split of a search seed.

    Raises:
        TaskError: when its data are not here.
    """
    task = sl.load_task(name, seed=seed, model=MODEL)
    if name == "fashion-mnist":
        thin = thinned(task, FASHION / len(task.train), derive(seed, "images"))
        assert isinstance(thin, SupervisedTask)
        return thin
    return task


def jobs(names: Sequence[str], seeds: int) -> Iterator[tuple[int, str]]:
    """Seed and task, whole seeds of the tables first."""
    for seed in range(seeds):
        yield from ((seed, name) for name in names if name not in IMAGES)
    yield from ((0, name) for name in names if name in IMAGES)


def compute(name: str, seed: int, arm: str, evaluations: int, quick: bool) -> dict[str, Any]:
    """One search, what it picked, and the test scores of that."""
    task = task_of(name, seed)
    if quick:
        task = task.with_settings(steps=QUICK_STEPS)
    if arm == "zoo":
        found = zoo(task, seed, quick=quick)
        ordinary = "mse" if task.kind == "regression" else "ce"
        # No finalist where it diverged on a final block at every rate: a row without this seed.
        named = {row.name: row for row in found.result.finalists}
        rows = {"tuned": named[ordinary]} if ordinary in named else {}
        rows["zoo"] = best_named(found)
    else:
        try:
            found = search(task, arm, seed, evaluations * task.settings.steps, quick=quick)
            rows = {arm: found.result.picked}
        except sl.SymlossError as error:
            # Every candidate diverged: an answer of this method, not the end of the table.
            return {"rows": {}, "failed": str(error), "code": code()}
    said = {label: {**row_of(found, row), "graph": graph_of(found, row)} for label, row in rows.items()}
    if "tuned" in said:
        usual = {**said["tuned"], "rate": 1.0, "steps": task.settings.steps}
        said = {"as is": usual, **said}
    base = base_candidate(task).weighted.formula
    for label, row in said.items():
        row["ordinary"] = row["formula"] == base
        row["reported"] = {MODEL: reported(task, row, seed, name in IMAGES, 2 if quick else REPORTS)}
        if name in IMAGES:
            row["reported"][SECOND] = on_second(task, row, seed, tuned=label != "as is")
        del row["graph"]
    return {
        "rows": said, "test_rows": task.test_size, "other_rows": len(task.train) + len(task.val),
        "metric": task.metric, "greater_is_better": task.measure.greater_is_better,
        "classes": task.classes, "sample": sample(found, SAMPLE, seed), **found.record(), "code": code(),
    }  # fmt: skip


def reported(
    task: SupervisedTask, row: Mapping[str, Any], seed: int, images: bool, starts: int
) -> dict[str, Any]:
    """The test metric from fresh starts; of images, how many of the starts had each test row right, packed."""
    starts = min(starts, IMAGE_REPORTS) if images else starts
    tokens, edges = row["graph"]
    trials = tuple(
        Trial(tokens, edges, False, row["rate"], (row["steps"],), None, start=i) for i in range(starts)
    )
    piece = Piece(Replicate(0, "starts", 0, 1), trials, derive(seed, "table"), rows=images)
    found = do((task,), piece)
    scores = {
        "tests": [each["test"][task.metric] for each in found],
        "diverged": sum(bool(each["reason"]) for each in found),
        "rate": row["rate"], "steps": row["steps"],
    }  # fmt: skip
    if images:
        right = sum(unpacked(each["rows"]).astype(np.uint8) for each in found)
        scores["right"] = base64.b64encode(zlib.compress(np.asarray(right, np.uint8).tobytes(), 9)).decode()
    return scores


def on_second(task: SupervisedTask, row: Mapping[str, Any], seed: int, *, tuned: bool) -> dict[str, Any]:
    """With the other model, at the best of three learning rates and six numbers of steps on one block."""
    other = task.with_model(SECOND)
    if tuned:
        one = candidate_of(row["graph"], task.kind)
        with executor("serial") as place:
            trainer = Trainer(Workers((other,), Memory({}), place, 8), seed, Blocks())
            (own,) = trainer.own(SECOND, [one], base=(1.0,), rates=(0.3, 1.0, 3.0), trials=1)
        row = {**row, "rate": own.rates[0], "steps": own.steps[0]}
    return reported(other, row, seed, images=True, starts=IMAGE_REPORTS)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Does what has not been done, as long as there is time, and writes figure and data."""
    study, options = Study.lasting("method_table", __doc__, arguments, sizes, settings)
    names = ["wine"] if options.quick else options.tasks.split(",")
    unknown = [name for name in names if name not in (*TABLES, *IMAGES)]
    if unknown:
        raise DomainError(
            f"no task {', '.join(unknown)} here: expected some of {', '.join((*TABLES, *IMAGES))}"
        )
    asked = list(jobs(names, 1 if options.quick else options.seeds))
    absent = {name: why for name in names if (why := missing_data(name))}
    for seed, name in asked:
        for arm in ("zoo", *SEARCHES):
            if name not in absent and study.in_time:
                size = study.settings["evaluations"]
                study.cell(f"{seed}/{name}/{arm}", compute, name, seed, arm, size, options.quick)
        if f"{seed}/{name}/zoo" in study.cells:
            study.save(answers(study.cells, asked, absent), draw(study.cells))
    found = answers(study.cells, asked, absent)
    print(printed(found))
    return study.save(found, draw(study.cells))


def missing_data(name: str) -> str:
    """Why a task cannot be loaded, or `""`."""
    try:
        task_of(name, 0)
    except TaskError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main(sys.argv[1:])
