"""Losses applied unchanged elsewhere: other tasks, models, sizes, label noise and corrupted inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.cells import Cells, cells_of
from symloss.compare.compare import MODEL, counted, shares
from symloss.compare.contenders import BEST_ZOO, Contender, contender_of_row, contenders_of
from symloss.compare.latex import transfer_latex
from symloss.compare.protocol import as_json
from symloss.compare.reading import transfer_from
from symloss.compare.running import TableVerb, begun, checked_seed
from symloss.compare.transferred import Transfer
from symloss.errors import DomainError, RunError
from symloss.expr import Loss
from symloss.search import Result, open_run
from symloss.search.loop.workers import Progress
from symloss.search.prepare import check_same, prepare
from symloss.tasks import Task, load_task, read_corruption
from symloss.tasks.train.models import ModelFactory

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = ["TRANSFER", "transfer"]

_FILES = ("transfer.csv", "transfer.tex")
_ROWS = ("pick", "front")

Source = str | Path | Result | Loss


def transfer(
    run: Source | Sequence[Source],
    to: Task | str | Sequence[Task | str],
    models: Sequence[str | ModelFactory] | None = None,
    *,
    rows: str = "pick",
    label_noise: float | Sequence[float] | None = None,
    fractions: Sequence[float] | None = None,
    corruptions: Sequence[str] = (),
    seeds: int = 3,
    splits: int = 10,
    tune: bool = True,
    seed: int = 0,
    metric: str | Metric | Callable[..., float] | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Transfer:
    """Does a loss hold where it was not searched?

    Every loss stands, formula unchanged, in every cell of a matrix - task, model, label noise, share of the rows, test
    inputs - beside the ordinary loss of that cell, both tuned there alike: see `compare` for splits, tuning and
    tests. Holm's correction runs over all losses and cells; cells that share rows are dependent, which it allows for.
    What was proved of a loss at the number of classes of its search is asked again at those of the cells.

    Args:
        run: a search, its folder, or `"runs/a#2"` for one of its rows; a formula, or a name of the zoo at its
            defaults, as `"gce(q=0.5)"`; `"best-zoo"`, chosen in each cell; or several of these. A network
            is used as its run kept it.
        to: tasks of one kind, or their names.
        models: names or functions, each with every task; those of the tasks unless given. A model that does not suit
            one of several tasks leaves that cell out, with a note.
        rows: of a whole run, its `"pick"`, or its `"front"`: each row more makes the others harder to tell apart.
        label_noise: of training and validation labels, or several.
        fractions: shares of the training and validation rows; all of them unless given.
        corruptions: of test inputs, beside clean ones: `gaussian`, `missing` or `blur`, with a severity as
            `"gaussian:0.5"`; see `tasks.corruptions`. Models are trained and tuned on clean inputs.
        seeds, splits, tune, seed, metric, out, workers, executor, device, on_progress: see `compare`.

    Returns:
        rows, verdicts, certificates and notes. After Ctrl-C, with the status `"interrupted"`, those of the splits
        that are finished.

    Raises:
        SymlossError: for losses of another kind than the tasks, a run without a pick, unknown names, or numbers out
            of range.

    >>> from symloss.tasks import load_task
    >>> wine = load_task("wine", model="linear").with_settings(steps=10)
    >>> found = transfer("brier", wine, corruptions=["missing:0.3"], seeds=1, splits=2, tune=False)
    >>> [(row.name, row.inputs, row.verdict) for row in found.rows][2:]  # doctest: +NORMALIZE_WHITESPACE
    [('ce', 'missing:0.3', 'baseline'), ('brier', 'missing:0.3', 'too few splits to tell')]
    """
    asked = [to] if isinstance(to, Task | str) else list(to)
    given = [load_task(each) if isinstance(each, str) else each for each in asked]
    if models is not None and not list(models):
        raise DomainError("no models: name at least one, or leave them out")
    noises = [label_noise] if isinstance(label_noise, int | float) else label_noise
    cells, remarks = cells_of(given, models, noises)
    tasks = prepare(cells, MODEL if models is None else None, metric, device, executor)
    kinds = [str(read_corruption(text)) for text in corruptions]
    remarks += _unsuited(kinds, tasks)
    settings = {
        "seeds": counted("seeds", seeds), "splits": counted("splits", splits), "tune": bool(tune),
        "fractions": shares(fractions, tasks), "corruptions": list(dict.fromkeys(kinds)),
        "models": None if models is None else [each if isinstance(each, str) else None for each in models],
        "label_noise": None if noises is None else [float(each) for each in noises],
        "metric": metric if isinstance(metric, str) else None,
    }  # fmt: skip
    number = checked_seed(seed)
    contenders = _unchanged(run, tasks[0], rows, tune)
    config = {
        "verb": "transfer", "seed": number, "settings": settings, "device": tasks[0].device.type, "remarks": remarks,
        "task": {
            "name": ",".join(dict.fromkeys(task.name for task in tasks)), "kind": tasks[0].kind,
            "tasks": [as_json(task.describe()) for task in tasks],
        },
        "losses": [each.record() for each in contenders],
    }  # fmt: skip

    return TRANSFER.carry_out(begun(config, out), tasks, executor, workers, on_progress)


def _same_cells(
    config: Mapping[str, Any],
    task: Task | Sequence[Task] | None,
    models: Sequence[str | ModelFactory] | None,
    device: str,
    executor: str,
) -> tuple[Task, ...]:
    """The tasks of the cells of a run, made again.

    Raises:
        TaskError: when they cannot be, or are others.
    """
    if task is None:
        return check_same(config, None, device, executor)
    settings = config["settings"]
    known = settings["models"] if models is None else models
    if known is not None and None in known:
        raise RunError("a model of this run was a function: give its models again")
    cells, _ = cells_of([task] if isinstance(task, Task) else list(task), known, settings["label_noise"])
    # On the CPU, as only descriptions are compared here; `check_same` moves them to the device.
    cells = list(prepare(cells, MODEL if known is None else None, settings["metric"], "cpu", "serial"))
    return check_same(config, cells, device, executor)


def _files_of(found: Transfer) -> dict[str, str]:
    """The text files of a transfer, by name."""
    return dict(zip(_FILES, (found.to_csv(), transfer_latex(found)), strict=True)) if found.rows else {}


TRANSFER = TableVerb("transfer", "transfer", Cells, Cells.transfer, transfer_from, _files_of, _same_cells)


def _unsuited(corruptions: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    """Remarks on corruptions that some tasks do not take.

    Raises:
        DomainError: for one that none takes.
    """
    remarks = []
    for text in corruptions:
        why = {task.name: read_corruption(text).unsuited(task) for task in tasks}
        if all(why.values()):
            raise DomainError(f"corruption {text}: {next(iter(why.values()))}; leave it out")
        remarks += [f"left out, {text}: {each}" for each in why.values() if each]
    return remarks


def _unchanged(run: Source | Sequence[Source], task: Task, rows: str, tune: bool) -> list[Contender]:
    """The losses, the ordinary one first; none has versions that tuning may choose from but the best of the zoo."""
    if rows not in _ROWS:
        raise DomainError(f"rows {rows!r}: expected one of {', '.join(_ROWS)}")
    asked = list(run) if isinstance(run, Sequence) and not isinstance(run, str) else [run]
    given: list[str | Loss | Contender] = []
    for each in asked:
        given += _rows_of(each, rows, task) if _is_run(each) else [each]  # type: ignore[list-item, arg-type]
    contenders = contenders_of(given, task)
    for one in contenders:
        if one.tuned_only and not tune:
            raise DomainError(f"{BEST_ZOO} is chosen by tuning: leave one of the two out")
    if len(contenders) == 1:
        raise DomainError(
            f"{contenders[0].name} is the ordinary loss of {task.name}: name another to compare with it"
        )
    # Unchanged: a named loss keeps its defaults, where `compare` would tune its parameters.
    return [one if one.tuned_only else replace(one, variants=one.variants[:1]) for one in contenders]


def _is_run(source: Source) -> bool:
    if isinstance(source, Result | Path):
        return True
    return isinstance(source, str) and "#" not in source and Path(source.strip()).is_dir()


def _rows_of(source: str | Path | Result, rows: str, task: Task) -> list[Contender]:
    if isinstance(source, Result):
        result, called = source, str(source.path or source.task.get("name"))
    else:
        called = str(source).strip().rstrip("/")
        if "#" in called:
            return list(contenders_of([called], task))[1:]
        result = open_run(called)
    # Where nothing survived, `picked` raises with a message; of an empty front it is asked below for that.
    chosen = (result.picked,) if rows == "pick" else result.front
    if not chosen:
        assert result.picked  # says that there is none
    return [contender_of_row(row, result, f"{called}#{row.row}", task) for row in chosen]
