"""Does adapting a loss during training pay off? The adapting loss next to controls that could explain its gain."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.adapt_table import table_of
from symloss.compare.adapt_work import PARTS, Piece, do, fits, loss_record
from symloss.compare.adaptation import Adaptation, adaptation_from
from symloss.compare.compare import MODEL, counted
from symloss.compare.contenders import contender_of_row
from symloss.compare.protocol import as_json
from symloss.compare.running import Opened, begun, checked_seed
from symloss.compare.work import Replicate
from symloss.errors import DomainError, RunError
from symloss.expr import Loss
from symloss.meta import LearnedLoss, NeuralLoss
from symloss.meta.adapt_training import META_ROWS, differentiable
from symloss.meta.adaptable import NEURAL, adaptable, formula_at, learned_from_dict, learned_to_dict
from symloss.meta.learned_loss import single, unpacked
from symloss.numbers import as_real, as_whole
from symloss.runs import RunStore, answers, derive
from symloss.search import open_row
from symloss.search.loop.workers import Progress, place_for
from symloss.search.prepare import check_same, prepare
from symloss.search.record.memory import Memory
from symloss.tasks import SupervisedTask, Task, replicates_of

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = ["ADAPT", "ETAS", "AdaptVerb", "adapt", "loss_at"]

VERB = "adapt"
"""What the record of a run says that it is."""
ETAS = (1e-4, 1e-3, 1e-2)
"""Meta learning rates to choose from."""
INITIAL_STEPS = {True: 2500, False: 250}
"""Of offline initialisation: of a network as AdaLFL has it, of a formula as EvoMAL tunes its coefficients."""
LOOKS = 10
"""Times that the path is measured after its start."""


def adapt(
    task: Task,
    loss: str | Loss | LearnedLoss = NEURAL,
    *,
    steps: int | None = None,
    seeds: int = 10,
    etas: Sequence[float] = ETAS,
    initial_steps: int | None = None,
    meta_rows: str = META_ROWS[0],
    keep_scale: bool = False,
    seed: int = 0,
    model: str | None = MODEL,
    metric: str | Metric | Callable[..., float] | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Adaptation:
    """Trains with a loss that adapts online, and with everything that could explain what it gains.

    In each of `seeds` replicates the data are split anew. The loss is initialised offline and its scale taken out: the
    null-epoch gradient becomes that of the ordinary loss, times a learning rate that is chosen as the ordinary loss's
    is. Then every step of the model is followed by one of the loss (`AdaptiveLoss`), whose rate is chosen of `etas` by
    the validation rows. Beside it:

    - `fixed`: the same loss, initialised as it was, held fixed;
    - `learning rate only`: the ordinary loss times a number, learned by the same two algorithms;
    - `replayed`: the path of coefficients that adaptation took from one start, on another start, without adapting;
    - `scale only`: the ordinary loss times the implicit learning rate along that path;
    - `frozen mean`: the mean of that path; `offline ML3`: its network, offline (beside a neural loss);
    - `ordinary`, `ordinary tuned` (learning rate and steps), `tuned cosine`, and `ordinary tuned on all rows`: trained
      on the validation rows as well, as adaptation uses their labels.

    That adapting helps is claimed only where it beats `replayed`, that the loss's shape matters only where it beats
    `scale only`: two paired tests over the replicates, with Holm's correction; every other row is exploratory.

    Args:
        task: with data, a model and gradients.
        loss: `"neural"`, a formula or a name of the zoo, `"runs/a#1"`, a `Loss` or a `LearnedLoss`; see `AdaptiveLoss`.
        steps: of each training; the task's own unless given.
        seeds: replicates; below 10 there is no verdict.
        etas: meta learning rates to choose from; one is not tuned.
        initial_steps: of offline initialisation; 2,500 for a network, 250 for a formula unless given.
        meta_rows: `"validation"`, or `"training"`: where the meta batches come from.
        keep_scale: train at the scale that offline initialisation ends with, as published. It suits one step from a
            fresh start, which bears more than a training with momentum does.
        seed: of splits, starts and batches.
        model, metric, out, workers, executor, device, on_progress: see `compare`.

    Returns:
        rows, claims, how far the loss moved, and its path. After Ctrl-C, with the status `"interrupted"`, those of the
        replicates that are finished.

    Raises:
        SymlossError: for a task without gradients or validation rows, a loss of another kind, or numbers out of range.

    References:
        Raymond et al., Online loss function learning, 2023 (arXiv 2301.13247), whose controls are `fixed`,
        `learning rate only`, `ordinary` and `offline ML3`.

    >>> from symloss.tasks import load_task
    >>> found = adapt(load_task("wine", model="linear"), "ace", steps=20, seeds=1, etas=[0.01], initial_steps=2)
    >>> found.row("replayed").verdict, [step.step for step in found.trajectory[-2:]]
    ('too few splits to tell', [18, 20])
    """
    (placed,) = prepare(task, model, metric, device, executor)
    supervised = differentiable(placed)
    if steps is not None:
        supervised = supervised.with_settings(steps=counted("steps", steps))
    name, record = _loss_of(loss, supervised)
    if meta_rows not in META_ROWS:
        raise DomainError(f"meta_rows {meta_rows!r}: expected {' or '.join(META_ROWS)}")
    started = INITIAL_STEPS[name == NEURAL] if initial_steps is None else as_whole(initial_steps)
    if started is None or started < 0:
        raise DomainError(f"initial_steps {initial_steps!r}: expected a whole number of at least 0")
    settings = {
        "seeds": counted("seeds", seeds), "etas": _rates(etas), "initial_steps": started, "meta_rows": meta_rows,
        "keep_scale": bool(keep_scale), "steps": supervised.settings.steps,
        "model": model, "metric": metric if isinstance(metric, str) else None,
    }  # fmt: skip
    config = {
        "verb": VERB, "seed": checked_seed(seed), "settings": settings, "task": as_json(supervised.describe()),
        "device": supervised.device.type, "loss": name, "record": record,
        "how": replicates_of(supervised, int(seeds)),
    }  # fmt: skip
    return ADAPT.carry_out(begun(config, out), supervised, executor, workers, on_progress)


def loss_at(path: str | Path, step: int, replicate: int = 0) -> NeuralLoss | Loss:
    """The loss of a run as it was after a number of steps: a network, or a formula.

    Args:
        path: folder of the run.
        step: one at which the path was measured.
        replicate: of the run, from 0.

    Raises:
        RunError: when there is no such run, step or replicate.
    """
    with RunStore.open(path) as store:
        config = ADAPT.config(store)
        known_one = 0 <= replicate < int(config["settings"]["seeds"])
        answer = store.get("work", pieces_of(config)[replicate]["adapting"].key) if known_one else None
    if answer is None:
        raise RunError(f"{path} has no replicate {replicate} that is finished")
    known = {int(each["step"]): each["phi"] for each in answer["path"]}
    if step not in known:
        raise RunError(f"{path} has no step {step}: expected one of {', '.join(map(str, known))}")
    loss = learned_of(config, replicate)
    if isinstance(loss, NeuralLoss):
        return loss.with_weights(single(known[step]))
    import torch

    formula = formula_at(loss, unpacked(torch.tensor(known[step], dtype=torch.float64), loss.coefficients))
    assert formula is not None
    return formula


def task_of(config: Mapping[str, Any], task: Task | None, device: str, executor: str) -> SupervisedTask:
    """The task of a run, made again, with the steps of the run."""
    steps = int(config["settings"]["steps"])
    if task is not None:
        # Before the comparison with the record, which has the steps of the run.
        task = task.with_settings(steps=steps)
    (again,) = check_same(config, task, device, executor)
    return differentiable(again).with_settings(steps=steps)


def learned_of(config: Mapping[str, Any], replicate: int) -> LearnedLoss:
    """The adapting loss of a replicate, as it begins."""
    record = json.loads(config["record"])
    if record == NEURAL:
        task = config["task"]
        # Drawn anew from its seed: the record needs no weights.
        seed = derive(int(config["seed"]), "network", replicate)
        return adaptable(NEURAL, str(task["kind"]), task["classes"], seed=seed)
    return learned_from_dict(record)


def pieces_of(config: Mapping[str, Any]) -> list[dict[str, Piece]]:
    """The work of a run: by replicate, by part."""
    settings = config["settings"]
    steps = int(settings["steps"])
    # A set: of few steps some looks fall together.
    looks = tuple(sorted({round(i * steps / LOOKS) for i in range(LOOKS + 1)}))
    parts = [part for part in PARTS if part != "ml3" or config["loss"] == NEURAL]
    return [
        {
            part: Piece(
                Replicate(0, str(config["how"]), number, int(settings["seeds"])), part, str(config["record"]),
                tuple(settings["etas"]), int(settings["initial_steps"]), str(settings["meta_rows"]), looks,
                # Runs from before there was this option kept the scale.
                int(config["seed"]), bool(settings.get("keep_scale", True)),
            )
            for part in parts
        }
        for number in range(int(settings["seeds"]))
    ]  # fmt: skip


def table(config: Mapping[str, Any], task: SupervisedTask, store: Memory | RunStore) -> Adaptation:
    """The table of the replicates that are finished, from what is remembered."""
    found = []
    for parts in pieces_of(config):
        known = {part: store.get("work", piece.key) for part, piece in parts.items()}
        # A prefix of the replicates, so that an interrupted table is the one that fewer seeds would have given.
        if not all(fits(parts[part], answer) for part, answer in known.items()):
            break
        found.append(known)
    learned = [learned_of(config, number) for number in range(len(found))]
    return table_of(
        task,
        str(config["loss"]),
        learned,
        str(config["how"]),
        found,
        int(config["seed"]),
        config["settings"],
        config["task"],
    )  # fmt: skip


def adaptation_files(found: Adaptation) -> dict[str, str]:
    """The text files of an adaptation, by name."""
    return {"path.csv": found.to_csv()} if found.rows else {}


@dataclass(frozen=True)
class AdaptVerb:
    """What the verbs about runs do with an adaptation; as `TableVerb`.

    Attributes:
        name: what users type, and what the record of a run says that it is.
    """

    name: str = VERB

    def config(self, store: RunStore) -> Mapping[str, Any]:
        """What a run was made with.

        Raises:
            RunError: when another verb made it.
        """
        made = store.config.get("verb", "discover")
        if made != self.name:
            raise RunError(f"{store.path} is a run of 'symloss {made}', not of 'symloss {self.name}'")
        return store.config

    def one(self, task: Task | Sequence[Task] | None, models: Any = None) -> Task | None:
        """The one task that was given again.

        Raises:
            DomainError: for several, or models, which are those of the task.
        """
        if models is not None:
            raise DomainError("models are of a transfer, and the run is an adaptation: leave them out")
        if task is None or isinstance(task, Task):
            return task
        if len(task) != 1:
            raise DomainError(f"a loss adapts on one task, got {len(task)}")
        return task[0]

    def open(self, path: str | Path) -> Adaptation:
        """As it is on disk, finished or as far as it came; nothing is trained."""
        with RunStore.open(path) as store:
            self.config(store)
            return adaptation_from(store.get(self.name, "table"), store.path, store.status)

    def resume(
        self,
        path: str | Path,
        task: Task | Sequence[Task] | None,
        models: Any,
        *,
        workers: int,
        executor: str,
        device: str,
        on_progress: Progress | None,
    ) -> Adaptation:
        """Goes on with a run that was interrupted or killed: nothing that was finished is trained again."""
        with RunStore.open(path) as reading:
            again = task_of(self.config(reading), self.one(task, models), device, executor)
        return self.carry_out(partial(RunStore.open, path, write=True), again, executor, workers, on_progress)

    def carry_out(
        self, opened: Opened, task: SupervisedTask, executor: str, workers: int, on_progress: Progress | None
    ) -> Adaptation:
        """Does what is not done yet, and writes down the table and its files; also after Ctrl-C."""
        with place_for([task], executor, workers) as place, opened() as store:
            asked = [piece for parts in pieces_of(store.config) for piece in parts.values()]
            watch = partial(store.log.stages(on_progress), "training")
            try:
                for _ in answers(asked, partial(do, (task,)), fits, store, place, watch):
                    pass
                status = "finished"
            except KeyboardInterrupt:
                status = "interrupted"
            found = replace(table(store.config, task, store), path=store.path, status=status)
            store.put(self.name, "table", found.to_dict())
            for file, text in adaptation_files(found).items():
                store.write_text(file, text)
            store.status = status
            store.log("%s: %s", self.name, status)
        return found


ADAPT = AdaptVerb()


def _loss_of(loss: str | Loss | LearnedLoss, task: SupervisedTask) -> tuple[str, str]:
    """What a loss is called, and its record."""
    if isinstance(loss, str) and loss == NEURAL:
        return NEURAL, loss_record(NEURAL)
    if isinstance(loss, str) and "#" in loss:
        row, result = open_row(loss)
        loss = contender_of_row(row, result, loss, task).loss
    made = adaptable(loss, task.kind, task.classes)
    formula = formula_at(made, made.coefficients)
    learned_to_dict(made)  # refuses a class of the user's own, which no record could bring back
    return (NEURAL if formula is None else str(formula)), loss_record(made)


def _rates(etas: Sequence[float]) -> list[float]:
    rates = [as_real(eta) for eta in etas]
    if not rates or any(eta is None or not eta > 0 for eta in rates):
        raise DomainError(f"etas {list(etas)!r}: expected rates above 0, as 1e-4,1e-3")
    return [eta for eta in dict.fromkeys(rates) if eta is not None]
