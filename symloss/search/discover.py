"""The public entry points of the search: start a run, resume one, open one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import RunError
from symloss.expr import DEFAULT_KIND, Loss, Registry
from symloss.numbers import as_whole
from symloss.runs import RunStore, check_free
from symloss.search.loop.engine import Engine
from symloss.search.loop.headroom import Headroom
from symloss.search.loop.workers import Progress, place_for
from symloss.search.prepare import (
    check_exclusive,
    check_gradients,
    check_same,
    check_symbols,
    describe_all,
    given_losses,
    prepare,
    remarks,
)  # fmt: skip
from symloss.search.propose.grammar import Grammar
from symloss.search.propose.outside import Ask, Command
from symloss.search.record.codec import files_of
from symloss.search.record.memory import Memory
from symloss.search.record.reading import read_result
from symloss.search.record.result import FrontRow, Generation, Result
from symloss.search.screen.requirements import Requirements
from symloss.search.settings import SearchSettings, of_method
from symloss.search.settings import preset as settings_of
from symloss.tasks import SupervisedTask, Task
from symloss.zoo import parse

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = ["check_search", "discover", "headroom", "open_row", "open_run", "plan", "resume"]

Watcher = Callable[[Generation], object]
Opening = Callable[[Sequence[Headroom]], object]


def discover(
    task: Task | Sequence[Task],
    method: str = "evomal",
    *,
    seed: int = 0,
    preset: str = "quick",
    population: int | None = None,
    generations: int | None = None,
    out: str | Path | None = None,
    time_limit: float | None = None,
    max_evaluations: int | None = None,
    metric: str | Metric | Callable[..., float] | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    keep_scale: bool | None = None,
    require: Sequence[str] = (),
    seed_losses: Sequence[Loss | str] = (),
    extra_symbols: Sequence[str] = (),
    headroom: bool | None = None,
    inside: str | Sequence[str] = (),
    propose: Ask | str | None = None,
    registry: Registry | None = None,
    on_generation: Watcher | None = None,
    on_progress: Progress | None = None,
    on_headroom: Opening | None = None,
    files: Mapping[str, str] | None = None,
    **settings: Any,
) -> Result:
    """Searches for a closed-form loss.

    First the losses of the zoo and a few random ones are trained over a few blocks, which says what differences
    can be told here. Then trees over `y` and `p` evolve; a gate rejects what cannot learn; coefficients are tuned
    by hypergradients. Each generation is scored on a block of its own, a split with a start and an order, on
    which its parents are scored again. The finalists, losses of the zoo among them, get each its own learning
    rate and number of steps and meet on blocks that decided nothing before; their validation metric there against
    the complexity of the formula makes the front. Test data are not touched. The same arguments give the same
    front, bit for bit on one machine, whatever `workers` and `executor` are; only a time limit may end it
    elsewhere.

    Args:
        task: one, or several of one kind for which one loss is searched (fitness: the mean of their metrics,
            each in units of its noise).
        method: `"evomal"`, `"gplfl"` (coefficients stay 1), `"random"` (no evolution), `"taylorglo"` (CMA-ES over
            the coefficients of a Taylor polynomial), `"mixture"` (CMA-ES over sums of at most three losses of the
            zoo), `"ml3"` (networks, tuned through training); see `METHODS`. A setting that says nothing to it is
            refused.
        seed: of the run, at least 0.
        preset: `"quick"` or `"paper"`; see `PRESETS`.
        population, generations: candidates in each generation, and how many of them.
        out: folder of the run; kept in memory unless given.
        time_limit: seconds, at least 0; the run ends after the generation in which they pass.
        max_evaluations: candidates considered in all.
        metric: what to improve, unless it is the task's own.
        workers: how many at once, of the executors `process` and `ray`; a running cluster decides that itself.
        executor: `"serial"`, `"process"`, `"ray"`, or `"ray:ADDRESS?gpus=SHARE"` for a running cluster and a
            share of a GPU for each piece of work.
        device: `"auto"`, `"cpu"`, `"cuda"` or `"mps"`.
        keep_scale: search the scale of a loss too, a learning rate in disguise.
        require: findings of the certificate that no loss of the front may have refuted.
        seed_losses: losses that the first generation begins with, names of the zoo among them.
        extra_symbols: terminals besides `y p 1 -1`: any of `C pi w`.
        headroom: whether zoo and random losses are trained first; unless said, where the trainer is ours.
        inside: theorems, `"proper"`, `"symmetric"`, `"calibrated"`, `"bounded"`, `"smoothing=XI"`, of regression
            `"mean"`, or several of them: the search is one of losses that have the property by construction, whatever
            their coefficients.
        propose: where formulas come from instead of the method: a command that is run once a generation, or a
            function of what is known of the candidates; see `Command`. What it proposes is stored in the run; it
            is not, and has to be given again to go on.
        on_generation: called with the state of the search after each generation.
        on_progress: called with a stage, how many of its pieces of work are done, and of how many.
        on_headroom: called with the headroom of every task before the first generation.
        registry: what the operators' names mean in this run; that of the process unless given.
        files: texts to keep in the folder of the run, by the name of their file; nothing reads them.
        settings: any other field of `SearchSettings`, a group whole or as a mapping of what to change in it.

    Returns:
        the front with its pick, and every candidate with its outcome. After Ctrl-C, with the status
        `"interrupted"`, what was found so far.

    Raises:
        SymlossError: for options that make no sense, a folder that cannot be written or holds a run, or a command in
            `propose` that is not there or fails in its first call.

    References:
        Raymond et al., Learning symbolic model-agnostic loss functions via meta-learning, 2023 (arXiv
        2209.08907), algorithms 1 and 2; see `PRESETS` for the deviations.
    """
    config, tasks, ask = check_search(
        task, method, seed=seed, preset=preset, population=population, generations=generations, out=out,
        time_limit=time_limit, max_evaluations=max_evaluations, metric=metric, executor=executor, device=device,
        keep_scale=keep_scale, require=require, seed_losses=seed_losses, extra_symbols=extra_symbols,
        headroom=headroom, inside=inside, propose=propose, registry=registry, **settings,
    )  # fmt: skip

    def make() -> Memory | RunStore:
        return Memory(config) if out is None else RunStore.create(out, config, files or {})

    return _run(make, tasks, workers, executor, (on_generation, on_progress, on_headroom), time_limit, ask)


def check_search(
    task: Task | Sequence[Task],
    method: str = "evomal",
    *,
    out: str | Path | None = None,
    time_limit: float | None = None,
    seed_losses: Sequence[Loss | str] = (),
    inside: Sequence[str] = (),
    propose: Ask | str | None = None,
    **settings: Any,
) -> tuple[dict[str, Any], tuple[Task, ...], Ask | None]:
    """Looks whether a search can be begun, and makes nothing.

    Args:
        task, method, out, time_limit, seed_losses, inside, propose, settings: see `discover`.

    Returns:
        what its run is made with, its tasks, and where formulas come from if not from the method.

    Raises:
        SymlossError: as `discover`, but for what only comes to light when it runs.
    """
    if time_limit is not None and not time_limit >= 0:
        raise RunError(f"time limit {time_limit}: expected a number of seconds of at least 0")
    if propose is not None and seed_losses:
        raise RunError("seed losses are for the search's own proposals: let the command print them instead")
    config, tasks, _ = plan(
        task, method=method, inside=inside or None, proposer="method" if propose is None else "command",
        seed_losses=tuple(_written_out(loss, task, settings.get("registry")) for loss in seed_losses) or None,
        **settings,
    )  # fmt: skip
    ask = _asked(propose)
    if out is not None:
        check_free(out)
    return config, tasks, ask


def plan(
    task: Task | Sequence[Task],
    *,
    seed: int,
    preset: str = "quick",
    metric: str | Metric | Callable[..., float] | None = None,
    device: str = "auto",
    executor: str = "serial",
    require: Sequence[str] = (),
    extra_symbols: Sequence[str] = (),
    headroom: bool | None = None,
    registry: Registry | None = None,
    **settings: Any,
) -> tuple[dict[str, Any], tuple[Task, ...], SearchSettings]:
    """What a run is made with: what stands in its record, its tasks and its settings.

    Raises:
        SymlossError: for options that make no sense: an error before any folder is made.
    """
    if registry is not None:
        grammar = settings.get("grammar")
        if isinstance(grammar, Grammar):
            # The registry belongs to the grammar, so that a run has one meaning of its operators.
            settings["grammar"] = replace(grammar, registry=registry)
        elif grammar is None or isinstance(grammar, Mapping):
            settings["grammar"] = {**(grammar or {}), "registry": registry}
    chosen = settings_of(preset, **settings)
    if require:
        chosen = replace(chosen, screening=replace(chosen.screening, require=tuple(require)))
    if extra_symbols:
        chosen = replace(chosen, grammar=replace(chosen.grammar, extra_symbols=tuple(extra_symbols)))
    chosen = of_method(chosen)
    if not chosen.blocks.resample:
        usual = settings_of(preset).blocks
        for name in ("folds", "val_size", "final"):
            if getattr(chosen.blocks, name) != getattr(usual, name):
                raise RunError(f"blocks.{name}: the preset {preset} has no blocks; leave it out")
        if headroom:
            raise RunError(
                f"headroom: the preset {preset} has no blocks to measure it on; see `symloss headroom`"
            )
    number = as_whole(seed)
    if number is None or number < 0:
        raise RunError(f"seed {seed!r}: expected a whole number of at least 0")
    tasks = prepare(task, chosen.model, metric, device, executor)
    if headroom is not None:
        chosen = replace(chosen, blocks=replace(chosen.blocks, headroom=headroom))
    elif not all(isinstance(each, SupervisedTask) for each in tasks):
        # Each training of somebody else's trainer is for its owner to spend.
        chosen = replace(chosen, blocks=replace(chosen.blocks, headroom=False, zoo=False))
    check_exclusive(chosen, tasks[0].kind)
    chosen = replace(chosen, grammar=chosen.grammar.of_kind(tasks[0].kind))
    check_symbols(chosen, tasks)
    check_gradients(chosen, tasks)
    # For its errors: a seed loss that cannot be read is refused before any folder is made.
    given_losses(chosen, tasks)
    config = {
        "seed": number,
        "settings": chosen.to_dict(),
        "task": describe_all(tasks),
        "device": tasks[0].device.type,
        "operators": {name: list(each) for name, each in chosen.registry.definitions.items()},
        "notes": remarks(tasks, chosen),
    }
    # Here, and not at the first loss that is shown: a misspelt finding would come to light after hours.
    Requirements(chosen.screening.require, tasks[0].classes, Memory({})).check(tasks[0].base_loss())
    return config, tasks, chosen


def headroom(
    task: Task | Sequence[Task],
    *,
    seed: int = 0,
    metric: str | Metric | Callable[..., float] | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
    preset: str = "quick",
    **settings: Any,
) -> Headroom | tuple[Headroom, ...]:
    """Can this task tell losses apart? What a search begins with, alone.

    The losses of the zoo, each with its scale taken out and at a learning rate of its own, and a few random losses
    are trained over a few blocks. `noise` is the standard deviation of one paired difference, `detectable` the
    smallest difference that a search planned with these settings can tell with 80 % power, `headroom` what the
    best loss of the zoo gains over the ordinary one in units of the noise: best on odd blocks, measured on even
    ones, and the other way round. Nothing is forbidden by it. `discover` with the same arguments begins with these
    very trainings.

    Args:
        task: one, or several.
        seed, metric, workers, executor, device, on_progress, preset, settings: see `discover`.

    Returns:
        what is known of the task; of several, a tuple.

    Raises:
        SymlossError: for options that make no sense.
    """
    chosen = settings_of(preset, blocks=settings.pop("blocks", None))
    blocks = replace(chosen.blocks, headroom=True, zoo=True, resample=True)
    config, tasks, chosen = plan(
        task, seed=seed, preset=preset, metric=metric, device=device, executor=executor, headroom=True,
        blocks=blocks, **settings,
    )  # fmt: skip
    with place_for(tasks, executor, workers) as place:
        engine = Engine(tasks, chosen, config["seed"], Memory({}), place, (), on_progress)
        engine.settle()
        engine.sweep()
    return engine.headroom[0] if len(tasks) == 1 else tuple(engine.headroom)


def resume(
    path: str | Path,
    task: Task | Sequence[Task] | None = None,
    *,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    propose: Ask | str | None = None,
    on_generation: Watcher | None = None,
    on_progress: Progress | None = None,
    on_headroom: Opening | None = None,
) -> Result:
    """Goes on with a run that was stopped, killed or interrupted, to the end that it would have had.

    Nothing that was finished is computed again. A run that has ended is only read, and its `front.csv` and
    `front.json` written anew where they are not those of its record.

    Args:
        path: folder of the run.
        task: again where it came from arrays or code; its data must be those of the run.
        workers, executor, on_generation, on_progress, on_headroom: see `discover`.
        propose: again where the run's formulas came from a command: a run folder never says which.
        device: another than that of the run, where that one is not available; the end may differ in rounding.

    Raises:
        RunError: when there is no run, it is damaged, or another process writes it.
        TaskError: when the task is needed, or is not that of the run.
    """
    with RunStore.open(path) as reading:
        result = read_result(reading)
        if result.status in ("finished", "max evaluations"):
            _restore_files(Path(path), result)
            return result
        # Read first, opened for writing afterwards: data that do not fit leave the run as it was.
        tasks = check_same(reading.config, task, device, executor)
    again = partial(RunStore.open, path, write=True)
    return _run(again, tasks, workers, executor, (on_generation, on_progress, on_headroom), None, propose)


def open_run(path: str | Path) -> Result:
    """A run as it is on disk, finished or not; nothing is executed.

    Raises:
        RunError: when there is no run, or it is damaged.
    """
    with RunStore.open(path) as store:
        return read_result(store)


def open_row(text: str) -> tuple[FrontRow, Result]:
    """The row of a run that `RUN#ROW` names, rows counted from 1 as in `front.csv`, and its run.

    Raises:
        RunError: for no run there, or no such row.
    """
    folder, _, row = text.partition("#")
    if not row.isascii() or not row.isdigit():
        raise RunError(f"{text!r} names no row: expected RUN#ROW with a row of front.csv, as {folder}#1")
    result = open_run(folder)
    for candidate in result.front:
        if candidate.row == int(row):
            return candidate, result
    have = f"it has rows 1 to {len(result.front)}" if result.front else "its front is empty"
    raise RunError(f"{folder} has no row {row}; {have}")


def _written_out(loss: Loss | str, task: Task | Sequence[Task], registry: Registry | None) -> str:
    """A seed loss as a formula without names of the zoo, so that the run means the same when the zoo changes."""
    if isinstance(loss, Loss):
        return str(loss)
    first = task if isinstance(task, Task) else next(iter(task), None)
    return str(parse(loss, kind=DEFAULT_KIND if first is None else first.kind, registry=registry))


def _asked(propose: Ask | str | None) -> Ask | None:
    """Where formulas come from, if not from the method: a command that is there, or a function."""
    ask = Command(propose) if isinstance(propose, str) else propose
    if isinstance(ask, Command):
        ask.check()
    return ask


def _run(
    opened: Callable[[], Memory | RunStore],
    tasks: Sequence[Task],
    workers: int,
    executor: str,
    watching: tuple[Watcher | None, Progress | None, Opening | None],
    time_limit: float | None,
    propose: Ask | str | None,
) -> Result:
    ask = _asked(propose)
    # The place first: where there is none, no folder is made.
    with place_for(tasks, executor, workers) as place, opened() as store:
        config = store.config
        settings = SearchSettings.from_config(config)
        if propose is not None and settings.proposer != "command":
            raise RunError("the formulas of this run did not come from a command: leave --propose out")
        given = given_losses(settings, tasks)
        on_generation, on_progress, on_headroom = watching
        store.log("discover %s by %s, seed %s", config["task"].get("name"), settings.method, config["seed"])
        progress = store.log.stages(on_progress)
        engine = Engine(
            tasks, settings, int(config["seed"]), store, place, given, progress, on_headroom, ask, proves=True
        )
        try:
            engine.run(on_generation, time_limit)
        except KeyboardInterrupt:
            store.log("interrupted")
            # Interrupted while it is told again, the record still is what it was, and so is its status.
            if not engine.retelling:
                store.status = "interrupted"
            return replace(read_result(store), status="interrupted")
        return read_result(store)


def _restore_files(path: Path, result: Result) -> None:
    for name, text in files_of(result).items():
        try:
            same = (path / name).read_bytes() == text.encode()
        except FileNotFoundError:
            same = False
        # Opened for writing only where it must be: a finished run can be read from a read-only folder.
        if not same:
            with RunStore.open(path, write=True) as store:
                store.write_text(name, text)
