"""Learn to learn from a few instances: `sl.fewshot`, and its runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from symloss.compare.compare import counted
from symloss.compare.contenders import loss_of_row
from symloss.compare.few_shot.record import Record
from symloss.compare.few_shot.result import FewShot, SeedScores
from symloss.compare.protocol import as_json
from symloss.compare.running import begun, checked_seed
from symloss.errors import DomainError, RunError, TaskError
from symloss.expr import Loss
from symloss.meta import LearnedLoss
from symloss.meta.adaptable import adaptable, learned_to_dict
from symloss.meta.fewshot import FewShotModel, FewShotSettings, Learner, State, Training, settings_for
from symloss.runs import RunStore
from symloss.search import open_row
from symloss.search.loop.workers import Progress
from symloss.search.prepare import unusable
from symloss.search.record.memory import Memory
from symloss.tasks.episodes import EpisodeSource, load_episodes

__all__ = ["FEWSHOT", "FewShotVerb", "few_shot_files", "fewshot", "source_of"]

VERB = "fewshot"
"""What the record of a run says that it is."""


def fewshot(
    task: str | EpisodeSource,
    method: str = "npbml",
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int | None = None,
    parts: Iterable[str] | None = None,
    loss: str | Loss | LearnedLoss | None = None,
    steps: int | None = None,
    pretrain_steps: int | None = None,
    seeds: int = 1,
    seed: int = 0,
    classes: int | None = None,
    data: str | Path | None = None,
    image_size: int | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    on_progress: Progress | None = None,
    **options: Any,
) -> FewShot:
    r"""Meta-trains a learner on tasks of training classes, and tests it on tasks of classes that it never saw.

    A task is learned by a few steps `theta' = theta - alpha P grad M(support, query inputs; theta)`; all of it is
    meta-learned by the gradient, through those steps, of the ordinary loss on the task's queries. The weights with the
    best validation are tested on 600 tasks, the same for every method and seed.

    Args:
        task: `"sinusoid"`, `"glyphs"`, `"omniglot"`, `"cifar-fs"`, ... (`sl.tasks.episodes.episode_names()`), or a
            source of one's own.
        method: `"maml"` (Finn et al., 2017: the initialisation), `"npbml"` (Raymond et al., 2024: initialisation,
            preconditioner, loss, regulariser and modulation), or `"centroid"` (nothing adapts: nearest class mean of
            pretrained features, the control).
        ways, shots, queries: classes of a task, and rows of each: to learn from, to be judged on.
        parts: what is meta-learned: some of `init`, `rate` (inner learning rates), `optimiser` (warp layers), `loss`
            (inductive and transductive), `regulariser`, `film`.
        loss: a formula, a name of the zoo or `"runs/a#1"` whose coefficients the part `loss` learns, in place of
            networks and of the ordinary loss; with `film` they are modulated for each task.
        steps, pretrain_steps: meta-steps, and steps of pretraining before them.
        seeds, seed: trainings, and the first of their seeds.
        classes: use so many training classes only.
        data, image_size: where the data are, and how large the images; see `load_episodes`.
        out: folder of the run, kept as it goes; in memory unless given.
        device: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        on_progress: told of a stage, how much of it is done, and of how much.
        options: see `symloss.meta.fewshot.settings_for`: `encoder`, `adapted`, `head`, `statistics`, `rates`, `warp`,
            `terms`, `scores`, `film_on`, `inner_rate`, `inner_steps`, `test_steps`, `momentum`, `weight_decay`,
            `first_order`, `checkpointed`, `meta_batch`, `meta_rate`, `final_rate`, `every`, `validation_tasks`,
            `together`, `pretrain_batch`, `pretrain_rate`, `test_tasks`, `train_tasks`.

    Returns:
        scores by task and seed, history, and the learned models. After Ctrl-C, with the status `"interrupted"`, those
        of the seeds that are finished.

    Raises:
        SymlossError: for a task that does not exist, episodes that it does not have, or options that do not fit; before
            anything is trained.

    References:
        Finn et al., Model-agnostic meta-learning, 2017 (arXiv 1703.03400); Raymond et al., Meta-learning neural
        procedural biases, 2024 (arXiv 2406.07983). Where the release of the latter differs from the paper, this is
        the paper's: warp layers after every block, L1 as L1, a transductive network of its own, a head whose vector
        gets its meta-gradient.

    >>> found = fewshot("sinusoid", "maml", shots=5, steps=2, test_tasks=4, validation_tasks=2)
    >>> found.metric, len(found.scores), [step for step, _ in found.history]
    ('mse', 4, [0, 1, 2])
    """
    recipe = None
    if isinstance(task, str):
        recipe = {"name": task, "data": None if data is None else str(data), "image_size": image_size}
    elif data is not None or image_size is not None:
        raise DomainError("data and image_size are for a task that has a name: leave them out")
    source = _source(task, recipe, classes)
    if loss is not None:
        options["formula"], options["formula_scale"] = _formula(loss, source.kind, ways)
    settings = settings_for(
        source.kind, source.input_shape, method, ways=ways, shots=shots, queries=queries, parts=parts,
        meta_steps=steps, pretrain_steps=pretrain_steps, **options,
    )  # fmt: skip
    count, first = counted("seeds", seeds), checked_seed(seed)
    placed = _device(device)
    Training(source, settings, first, placed).learner.start(
        first
    )  # what does not fit is said before a folder is made
    described = {
        **source.describe(),
        "fingerprint": source.fingerprint,
        "recipe": recipe,
        "training_classes": classes,
    }
    config = {
        "verb": VERB, "seed": first, "seeds": count, "settings": settings.to_dict(), "task": as_json(described),
        "device": placed.type,
    }  # fmt: skip
    return FEWSHOT.carry_out(begun(config, out), source, placed, on_progress)


def source_of(config: Mapping[str, Any], task: Any = None) -> EpisodeSource:
    """The source of a run's episodes, made again.

    Raises:
        TaskError: when it must be given and is not, or is another.
    """
    recipe, classes = config["task"]["recipe"], config["task"]["training_classes"]
    if task is None and recipe is None:
        raise TaskError("the episodes came from code: give the source again, as task=")
    source = _source(str(recipe["name"]) if task is None else task, recipe, classes)
    if source.fingerprint != config["task"]["fingerprint"]:
        raise TaskError(f"{source.name} is not the task of this run: its data are others")
    return source


@dataclass(frozen=True)
class FewShotVerb:
    """What the verbs about runs do with a run of few-shot learning; as `AdaptVerb`.

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

    def one(self, task: Any, models: Any = None) -> Any:
        """The one source that was given again.

        Raises:
            DomainError: for several, or models.
        """
        if models is not None:
            raise DomainError("models are of a transfer, and the run is few-shot learning: leave them out")
        if isinstance(task, Sequence) and not isinstance(task, str):
            raise DomainError(f"a few-shot learner has one source of tasks, got {len(task)}")
        return task

    def open(self, path: str | Path) -> FewShot:
        """As it is on disk, finished or as far as it came; nothing is trained."""
        with RunStore.open(path) as store:
            return _found(self.config(store), store)

    def resume(
        self,
        path: str | Path,
        task: Any,
        models: Any,
        *,
        workers: int,
        executor: str,
        device: str,
        on_progress: Progress | None,
    ) -> FewShot:
        """Goes on with a run that was interrupted or killed, from its last state to the same end."""
        if workers > 1 or executor != "serial":
            raise DomainError("few-shot training has one worker: leave workers and executor out")
        with RunStore.open(path) as reading:
            config = self.config(reading)
            source = source_of(config, self.one(task, models))
            placed = _device(str(config["device"]) if device == "auto" else device)
        return self.carry_out(partial(RunStore.open, path, write=True), source, placed, on_progress)

    def carry_out(
        self,
        opened: Callable[[], Memory | RunStore],
        source: EpisodeSource,
        device: torch.device,
        on_progress: Progress | None,
    ) -> FewShot:
        """Does what is not done yet, and writes down the scores and their files; also after Ctrl-C."""
        with opened() as store:
            config = store.config
            try:
                for seed in seeds_of(config):
                    record = Record(store, seed)
                    if record.scores is None:
                        training = Training(
                            source, FewShotSettings.from_dict(config["settings"]), seed, device
                        )
                        _train(training, record, _named(on_progress, seed, config))
                stopped = any(each.stopped for each in _found(config, store).seeds)
                status = "stopped" if stopped else "finished"
            except KeyboardInterrupt:
                status = "interrupted"
            store.status = status
            found = _found(config, store)
            for file, text in few_shot_files(found).items():
                store.write_text(file, text)
        return found


FEWSHOT = FewShotVerb()


def seeds_of(config: Mapping[str, Any]) -> list[int]:
    """The seeds of a run."""
    return [int(config["seed"]) + i for i in range(int(config["seeds"]))]


def few_shot_files(found: FewShot) -> dict[str, str]:
    """The text files of a run, by name."""
    return {"tasks.csv": found.to_csv()} if found.seeds else {}


def judged(
    training: Training, state: State, watch: Progress | None = None
) -> tuple[SeedScores, dict[str, torch.Tensor]]:
    """The scores of a training that is over, and its weights."""
    tests = training.settings.tests
    phi = {name: each.cpu() for name, each in training.phi(state.best).items()}
    table = training.judge(state.best, "test", tests.tasks, watch)
    train = training.judge(state.best, "train", tests.train_tasks, watch) if tests.train_tasks else None
    formula = FewShotModel(training.learner, phi).formula
    scores = SeedScores(
        training.seed, state.best_step, state.history, _rows(table), () if train is None else _rows(train),
        None if formula is None else str(formula), state.stopped,
    )  # fmt: skip
    return scores, phi


def _train(training: Training, record: Record, watch: Progress | None) -> None:
    kept = record.state
    state = training.begin() if kept is None else kept.to(training.device)
    state = training.run(state, record.keep, watch)
    record.finish(*judged(training, state, watch))


def _found(config: Mapping[str, Any], store: Memory | RunStore) -> FewShot:
    """What the records say."""
    settings = FewShotSettings.from_dict(config["settings"])
    task = config["task"]
    learner = Learner(settings, str(task["kind"]), tuple(map(int, task["inputs"])))
    records = [Record(store, seed) for seed in seeds_of(config)]
    known = [(record, record.scores) for record in records]
    done = [(record, scores) for record, scores in known if scores is not None]
    going = next((record.history for record, scores in known if scores is None), ())
    return FewShot(
        store.path, store.status, task, settings, int(config["seed"]), tuple(scores for _, scores in done), going,
        tuple(FewShotModel(learner, record.weights) for record, _ in done),
    )  # fmt: skip


def _source(
    task: str | EpisodeSource, recipe: Mapping[str, Any] | None, classes: int | None
) -> EpisodeSource:
    if isinstance(task, str):
        assert recipe is not None
        source = load_episodes(task, recipe["data"], image_size=recipe["image_size"])
    else:
        source = task
    return source if classes is None else source.with_classes(counted("classes", classes))


def _formula(loss: str | Loss | LearnedLoss, kind: str, ways: int) -> tuple[dict[str, Any], float]:
    """The record of a loss whose coefficients are learned, and what makes its first gradient the ordinary one's."""
    if isinstance(loss, str) and "#" in loss:
        row, result = open_row(loss)
        loss = loss_of_row(row, result, loss)
    made = adaptable(loss, kind, ways)
    if kind == "regression":
        outputs, targets = (
            torch.zeros(99),
            torch.distributions.Normal(0.0, 1.0).icdf(torch.arange(1, 100) / 100),
        )
        ordinary = (-2 * targets / len(targets)).norm()
    else:
        outputs, targets = torch.zeros(ways, ways), torch.arange(ways)
        ordinary = (1 / ways - torch.eye(ways)).norm() / ways
    slope = made.output_gradient(made.coefficients, outputs, targets).norm()
    scale = float(ordinary / slope)
    if not math.isfinite(scale):
        raise DomainError(
            f"{loss}: its gradient at the start of training is 0 or not finite, so no task can be learned"
        )
    return learned_to_dict(made), scale


def _device(name: str) -> torch.device:
    chosen = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else str(name)
    problem = unusable(chosen)
    if problem:
        raise TaskError(f"the device {chosen!r} cannot be used here ({problem}): choose another, as cpu")
    return torch.device(chosen)


def _named(watch: Progress | None, seed: int, config: Mapping[str, Any]) -> Progress | None:
    if watch is None or int(config["seeds"]) == 1:
        return watch

    def told(stage: str, done: int, total: int) -> object:
        return watch(f"seed {seed}, {stage}", done, total)

    return told


def _rows(table: torch.Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())
