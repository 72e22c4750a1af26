"""Which of its candidates should a search pick? Two rules on the same stored candidates.

Of every stored search (`analysis.selection_tasks`: ten task seeds of digits with 40 % label noise, and others) all
candidates that it trained are judged again as a search judges now: four blocks for each, the race up to twelve,
finalists with their own learning rate and steps, twelve final blocks. Nothing of that sees a test row.

(a) The pick that the search made then, at one standard error of eight training seeds, against the pick of the
    final blocks: the paired difference over the task seeds. By the stored metrics on clean test rows, all at the rate
    and steps of the ordinary loss; and each as its rule trains it, the second with a rate and steps of its own.
(b) The pick against the loss of the zoo that the same blocks choose, each as the finals trained it, on ten training
    seeds measured on the clean test rows.
Beside them the regret: the best candidate is chosen on one half of the task seeds' clean scores per candidate, two
training seeds, and it and the pick are measured on the other.

It reads the test rows of every candidate: a study of the rule, never a tuning of it.

    python -m analysis.selection            # figures/selection.json and .png; resumable
    python -m analysis.selection --only digits
    python -m analysis.selection --quick    # one small search, stored here
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

import symloss as sl
from analysis.selection_tasks import TASKS, VAL_SIZE
from symloss.compare.statistics import detectable_difference, paired_t
from symloss.expr.trees import weighted_from
from symloss.runs import executor
from symloss.search.loop import finals, sweep
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.evidence import RACE_BLOCKS, pick
from symloss.search.loop.field import Field
from symloss.search.loop.stages import Stages
from symloss.search.loop.training import RATES, Trainer, Training
from symloss.search.loop.workers import Workers
from symloss.search.record.memory import Memory
from symloss.search.settings import Blocks, preset
from symloss.tasks import SupervisedTask, Task

ROOT = Path(__file__).parent.parent
BLOCKS = 12
TEST_SEEDS = 10


def judge(task: Task, formulas: list[str], seed: int) -> dict[str, Any]:
    """The formulas and the zoo as a search judges its candidates: the picks, and test scores of both.

    Args:
        task: with its split, noise and test rows.
        formulas: of the candidates, by number.
        seed: of the blocks.
    """
    settings = preset("quick", blocks={"val_size": VAL_SIZE.get(task.name)})
    sign = -1.0 if task.measure.greater_is_better else 1.0
    with executor("serial") as place:
        stages = Stages(settings, seed, Workers((task,), Memory({}), place, settings.chunk))
        base = sweep.base_candidate(task)
        (stages.settled,) = stages.trainer.own("settle", [base], base=(1.0,), rates=RATES)
        candidates = [_candidate(task, i, text) for i, text in enumerate(formulas)]
        zoo = sweep.zoo_candidates(task, len(candidates))
        field = Field([sign])
        for each in candidates:
            each.formula = each.weighted.formula
        sweep.train_sweep(stages, zoo, RACE_BLOCKS)
        stages.train(candidates, list(range(RACE_BLOCKS)))
        field.add([*candidates, *zoo])
        for block in range(RACE_BLOCKS, BLOCKS):
            racing = [
                field.candidates[i] for i in field.evidence.candidates if not field.evidence.out_of_race(i)
            ]
            stages.train(racing, [block])
            field.changed()
        ordinary = sweep.ordinary_number(task, zoo)
        always = [] if ordinary is None else [ordinary]
        numbers = finals.finalists(field, settings.blocks.finalists, always)
        ordinary_formula = "" if ordinary is None else field.candidates[ordinary].formula
        evolved = [i for i in range(len(candidates)) if candidates[i].formula != ordinary_formula]
        if not set(evolved) & set(numbers):
            # No candidate overlaps the best loss with a name: the first question is asked of the best all the same.
            alive = sorted(set(evolved) & set(field.evidence.candidates), key=field.evidence.mean)
            numbers += [i for i in alive if i not in numbers][: settings.blocks.finalists]
        rows = [field.candidates[i] for i in numbers]
        own = dict(zip(numbers, stages.trainer.own("rates", rows, base=stages.settled.rates), strict=True))
        held = finals.hold_finals(stages, rows, own, ordinary)
        evidence = held.evidence([sign], [1.0])
        means = {i: evidence.mean(i) for i in evidence.candidates}
        sizes = {i: float(field.candidates[i].complexity) for i in means}
        ours = {i: mean for i, mean in means.items() if i < len(candidates)}
        named = {i: mean for i, mean in means.items() if i >= len(candidates)}
        picked = {
            "candidates": pick({**ours, **{i: means[i] for i in always if i in means}}, sizes, ordinary),
            "all": pick(means, sizes, ordinary),
            "zoo": min(named, key=lambda i: (named[i], i)),
        }
        tests = {}
        for number in sorted(set(picked.values())):
            found = own[number]
            trainings = [
                Training(
                    field.candidates[number], None, found.rates, tuple((s,) for s in found.steps), start=i
                )
                for i in range(TEST_SEEDS)
            ]
            curves = stages.trainer.curves("test", trainings, test=True)
            tests[str(number)] = [by_task[0][-1] for by_task in curves]
    return {
        "picked": picked, "tests": tests, "finalists": len(numbers),
        "formulas": {str(i): field.candidates[i].name or field.candidates[i].formula for i in numbers},
        "own": {str(i): [own[i].rates[0], own[i].steps[0]] for i in numbers},
        "means": {str(i): sign * mean for i, mean in means.items()},
    }  # fmt: skip


def before(task: SupervisedTask, stored: dict[str, Any]) -> list[float]:
    """The pick that the search made then, at the rate and steps that it was trained with."""
    (row,) = [entry for entry in stored["candidates"] if entry["number"] == stored["picked"]]
    rate = stored["learning_rate"] / task.settings.learning_rate
    return tested(task, row["formula"], rate, stored["steps"], stored["seed"], TEST_SEEDS)


def tested(task: SupervisedTask, formula: str, rate: float, steps: int, seed: int, tests: int) -> list[float]:
    """The metric on the clean test rows over training seeds, at this multiple of the task's rate."""
    tree = weighted_from(sl.parse(formula, kind=task.kind))
    one = Candidate(0, 0, 0, tree.program, tree, fixed=True, as_given=True)
    with executor("serial") as place:
        trainer = Trainer(Workers((task,), Memory({}), place, 8), seed, Blocks())
        asked = [Training(one, None, (rate,), ((steps,),), start=i) for i in range(tests)]
        curves = list(trainer.curves("test", asked, test=True))
    return [_known(curve[0][-1], task) for curve in curves]


def _known(value: float | None, task: SupervisedTask) -> float:
    """Of a model that diverged, the score of one that has learned nothing."""
    if value is not None:
        return value
    return 1.0 if task.classes is None else 1 / task.classes


def _candidate(task: Task, number: int, text: str) -> Candidate:
    loss = weighted_from(sl.parse(text, kind=task.kind))
    return Candidate(number, 0, number, loss.program, loss, fixed=True, as_given=True)


def compare(task: SupervisedTask, stored: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
    """What one task seed says of both rules; differences are gains in the metric, in points of accuracy."""
    sign = 1.0 if stored["greater_is_better"] else -1.0
    unit = 100.0 if stored["metric"] == "accuracy" else 1.0
    tests = {each["number"]: [_known(one, task) for one in each["tests"]] for each in stored["candidates"]}
    numbers = [each["number"] for each in stored["candidates"]]
    new, old = judged["picked"]["candidates"], stored["picked"]
    # The ordinary loss of the zoo is a candidate of the search as well, under a number of its own.
    chosen = numbers[new] if new < len(numbers) else numbers[0]
    best = {i: max(numbers, key=lambda n: sign * tests[n][i]) for i in (0, 1)}

    def regret(number: int) -> float:
        """Of a pick, over both halves: the best by one training seed, measured on the other."""
        return statistics.fmean(unit * sign * (tests[best[i]][1 - i] - tests[number][1 - i]) for i in (0, 1))

    own, zoo, whole = (judged["tests"][str(judged["picked"][key])] for key in ("candidates", "zoo", "all"))
    own, zoo, whole = ([_known(one, task) for one in each] for each in (own, zoo, whole))
    return {
        "task": stored["task"], "seed": stored["seed"], "metric": stored["metric"],
        "overlap": task.test_size / task.pool.size if task.pool else 0.0,
        "old": statistics.fmean(tests[old]), "new": statistics.fmean(tests[chosen]),
        "gain": unit * sign * (statistics.fmean(tests[chosen]) - statistics.fmean(tests[old])),
        "gain_as_trained": unit * sign * (statistics.fmean(own) - statistics.fmean(judged["before"])),
        "regret_old": regret(old), "regret_new": regret(chosen),
        "zoo": statistics.fmean(zoo), "pick": statistics.fmean(whole),
        "over_zoo": unit * sign * (statistics.fmean(whole) - statistics.fmean(zoo)),
        "zoo_formula": judged["formulas"][str(judged["picked"]["zoo"])],
        "pick_formula": judged["formulas"][str(judged["picked"]["all"])],
    }  # fmt: skip


def summary(rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The mean of a difference over the task seeds, its 95 % interval, and what could have been told.

    The task seeds split one data set, so the t test is corrected for their overlap (`compare.statistics.paired_t`).
    """
    values = [row[key] for row in rows]
    overlap = rows[0]["overlap"]
    found = paired_t(values, overlap)
    spread = statistics.stdev(values) if len(values) > 1 else math.nan
    return {
        "n": len(values),
        "mean": found.mean,
        "interval": list(found.interval()),
        "detectable": detectable_difference(spread, len(values), overlap),
    }


SHOWN = {
    "gain": "new rule minus old\n(shared rate)",
    "gain_as_trained": "new rule minus old\n(as each trains)",
    "over_zoo": "pick minus\nbest of the zoo",
}


def draw(rows: list[dict[str, Any]]) -> Figure:
    """By task the gain of the new rule over the old on the same candidates, and of the pick over the zoo."""
    names = list(dict.fromkeys(row["task"] for row in rows))
    figure = Figure(figsize=(4 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        mine = [row for row in rows if row["task"] == name]
        for x, key in enumerate(SHOWN):
            found = summary(mine, key)
            low, high = found["interval"]
            axes.plot([x] * len(mine), [row[key] for row in mine], "o", color="0.7", markersize=4)
            error = [[found["mean"] - low], [high - found["mean"]]]
            axes.errorbar([x + 0.15], [found["mean"]], yerr=error, fmt="D", color="C0")
        axes.axhline(0, color="0.5", lw=0.8)
        axes.set_xticks(range(len(SHOWN)), list(SHOWN.values()), fontsize=8)
        axes.set_title(f"{name}, {len(mine)} task seeds")
        accuracy = mine[0]["metric"] == "accuracy"
        axes.set_ylabel(
            "points of clean test accuracy" if accuracy else f"clean test {mine[0]['metric']} saved"
        )
    return figure


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Judges what is stored, and writes figure and data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", help="the tasks to judge, separated by commas; what is known of others stays"
    )
    parser.add_argument("--quick", action="store_true", help="a small search that is stored here")
    parser.add_argument("--out", type=Path, default=ROOT / "figures", help="where figure and data go")
    parser.add_argument(
        "--runs", type=Path, default=ROOT / "runs" / "selection", help="what is judged is kept"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    stored = json.loads((ROOT / "figures" / "selection_candidates.json").read_text())
    wanted = options.only.split(",") if options.only else list(TASKS)
    stored = [each for each in stored if each["task"] in wanted]
    if options.quick:
        first = next(each for each in stored if each["task"] == "digits")
        picked = first["candidates"][0]["number"]
        stored = [{**first, "candidates": first["candidates"][:12], "picked": picked}]
    options.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for each in stored:
        kept = options.runs / f"{each['task']}-{each['seed']}{'-quick' if options.quick else ''}-judged.json"
        task = TASKS[each["task"]][1](each["seed"])
        if options.quick:
            task = replace(task, settings=replace(task.settings, steps=40))
        judged = json.loads(kept.read_text()) if kept.exists() else {}
        if "picked" not in judged:
            judged |= judge(task, [candidate["formula"] for candidate in each["candidates"]], each["seed"])
        if "before" not in judged:
            judged["before"] = before(task, each)
        kept.write_text(json.dumps(judged))
        rows.append(compare(task, each, judged))
        print(json.dumps(rows[-1]), flush=True)
    kept_data = options.out / "selection.json"
    if options.only and kept_data.exists():
        rows = [row for row in json.loads(kept_data.read_text())["rows"] if row["task"] not in wanted] + rows
    names = list(dict.fromkeys(row["task"] for row in rows))
    keys = ("gain", "gain_as_trained", "over_zoo", "regret_old", "regret_new")
    found = {
        name: {key: summary([row for row in rows if row["task"] == name], key) for key in keys}
        for name in names
    }  # fmt: skip
    for name, each in found.items():
        for key, value in each.items():
            low, high = value["interval"]
            print(f"{name:14} {key:11} {value['mean']:+.3f} ({low:+.3f} to {high:+.3f}), n = {value['n']}")
    result = {"command": "python -m analysis.selection", "summary": found, "rows": rows}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "selection.json").write_text(json.dumps(result, indent=1))
    draw(rows).savefig(options.out / "selection.png", dpi=120)
    return result


if __name__ == "__main__":
    main(sys.argv[1:])
