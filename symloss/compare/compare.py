"""Fair comparison of losses: nested splits, tuning at equal budget, controls, and paired tests over splits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.compare.comparison import Comparison
from symloss.compare.contenders import Contender, contenders_of
from symloss.compare.latex import latex_table
from symloss.compare.protocol import Protocol, described
from symloss.compare.reading import comparison_from
from symloss.compare.running import TableVerb, begun, checked_seed
from symloss.compare.searched import Searched
from symloss.errors import DomainError, SymlossError
from symloss.expr import Loss
from symloss.numbers import as_real, as_whole
from symloss.search.loop.workers import Progress
from symloss.search.prepare import check_same, prepare
from symloss.tasks import Task, replicates_of

if TYPE_CHECKING:
    from symloss.tasks import Metric

__all__ = ["COMPARE", "MODEL", "compare"]

MODEL = "mlp-2x64"
"""In place of the tables' larger perceptron, as in `discover`."""
_FILES = ("comparison.csv", "comparison.tex")

Losses = Sequence[str | Loss | Searched] | Mapping[str, str | Loss | Searched]


def compare(
    task: Task | Sequence[Task],
    losses: Losses,
    *,
    seeds: int = 3,
    splits: int = 10,
    tune: bool = True,
    fractions: Sequence[float] | None = None,
    seed: int = 0,
    model: str | None = MODEL,
    metric: str | Metric | Callable[..., float] | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    executor: str = "serial",
    device: str = "auto",
    on_progress: Progress | None = None,
) -> Comparison:
    """Is a loss better than the ordinary one, and is it the shape of the loss that makes it so?

    The data are split anew `splits` times, each time with test rows, label noise and outliers of its own (where
    rows suffice, into disjoint pools with common test rows). Within a split, blocks of its other rows choose a
    learning rate, a number of steps and the loss's own parameters, as many configurations for every loss; then
    `seeds` models are trained from starts that chose nothing, and each is measured on the test rows once. Seeds are
    averaged; the splits are the units of a paired t test against the ordinary loss, corrected for their overlap. Each
    loss is trained as it is, divided by its null-epoch gradient scale, and tuned; what it gains as it is and loses when
    both are tuned is said to be explained by the learning rate (or by early stopping). The same arguments give the same
    table, bit for bit on one machine, whatever `workers` and `executor` are.

    Args:
        task: one, or several of one kind: then Holm's correction runs over rows and tasks, and ranks are compared.
        losses: names of the zoo (`"gce"`, `"gce(q=0.5)"`), formulas, rows of runs (`"runs/a#1"`), `"best-zoo"`,
            `Loss`es, or `Searched(method)` for what a search finds inside each split; a mapping names them. The
            ordinary loss joins by itself.
        seeds: trainings that are averaged within a split, at least 1.
        splits: at least 1; below 10 there is no verdict.
        tune: whether losses are tuned; else they are compared as they are and with their scale taken out.
        fractions: shares of the training and validation rows, for sample efficiency; all of them unless given.
        seed: of the splits, the blocks and the starts.
        model: in place of the tables' default perceptron; None for that one.
        metric: what to compare by, unless it is the task's own.
        out: folder of the run, which `resume` goes on with; kept in memory unless given.
        workers, executor, device, on_progress: see `discover`.

    Returns:
        rows, verdicts and notes. After Ctrl-C, with the status `"interrupted"`, those of the splits that are
        finished.

    Raises:
        SymlossError: for losses of different kinds, unknown names, or numbers out of range.

    References:
        Nadeau, Bengio, Inference for the generalization error, 2003; Demsar, Statistical comparisons of classifiers
        over multiple data sets, 2006; Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.

    >>> from symloss.tasks import load_task
    >>> task = load_task("wine", model="linear").with_settings(steps=10)
    >>> found = compare(task, ["brier"], seeds=1, splits=2, tune=False)
    >>> [(row.name, row.treatment, row.verdict) for row in found.rows][1:]
    [('brier', 'as is', 'too few splits to tell'), ('brier', 'normalised', 'too few splits to tell')]
    """
    tasks = prepare(task, model, metric, device, executor)
    settings = {
        "seeds": counted("seeds", seeds), "splits": counted("splits", splits), "tune": bool(tune),
        "fractions": shares(fractions, tasks), "model": model, "metric": metric if isinstance(metric, str) else None,
    }  # fmt: skip
    number = checked_seed(seed)
    contenders = contenders_of(_with_searches(losses, tasks), tasks[0])
    config = {
        "verb": "compare", "seed": number, "settings": settings, "task": described(tasks),
        "device": tasks[0].device.type, "losses": [each.record() for each in contenders],
    }  # fmt: skip

    return COMPARE.carry_out(begun(config, out), tasks, executor, workers, on_progress)


def _with_searches(
    losses: Losses, tasks: Sequence[Task]
) -> Sequence[str | Loss | Contender] | Mapping[str, str | Loss | Contender]:
    def made(each: str | Loss | Searched) -> str | Loss | Contender:
        return each.contender(tasks) if isinstance(each, Searched) else each

    if isinstance(losses, Mapping):
        return {name: made(each) for name, each in losses.items()}
    return losses if isinstance(losses, str) else [made(each) for each in losses]


def _files_of(found: Comparison) -> dict[str, str]:
    """The text files of a comparison, by name."""
    return dict(zip(_FILES, (found.to_csv(), latex_table(found)), strict=True)) if found.rows else {}


def _same_tasks(
    config: Mapping[str, Any], task: Task | Sequence[Task] | None, models: Any, device: str, executor: str
) -> tuple[Task, ...]:
    """The tasks of a comparison, made again.

    Raises:
        SymlossError: when they cannot be, or are others; for models, which are those of the tasks.
    """
    if models is not None:
        raise DomainError("models are of a transfer, and the run is a comparison: leave them out")
    return check_same(config, task, device, executor)


COMPARE = TableVerb(
    "compare", "comparison", Protocol, Protocol.comparison, comparison_from, _files_of, _same_tasks
)


def counted(name: str, value: int) -> int:
    """A whole number of at least 1.

    Raises:
        SymlossError: for anything else.
    """
    number = as_whole(value)
    if number is None or number < 1:
        raise SymlossError(f"{name} {value!r}: expected a whole number of at least 1")
    return number


def shares(fractions: Sequence[float] | None, tasks: Sequence[Task]) -> list[float]:
    """The shares of the rows, ascending.

    Raises:
        SymlossError: for what is none, or a task whose rows cannot be drawn.
    """
    if fractions is None:
        return [1.0]
    shares = [as_real(value) for value in fractions]
    if not shares or any(value is None or not 0 < value <= 1 for value in shares):
        raise SymlossError(
            f"fractions {list(fractions)}: expected shares above 0 and at most 1, as 0.1,0.5,1"
        )
    for task in tasks:
        if replicates_of(task, 1) == "starts":
            raise SymlossError(
                f"fractions: the rows of {task.name} cannot be drawn, as its parts were given; leave them out"
            )
    # Ascending, each once: the largest is the table's hypothesis, see `Protocol._drafts`.
    return sorted({float(value) for value in shares if value is not None})
