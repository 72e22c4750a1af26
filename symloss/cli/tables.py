"""Progress and final tables of the verbs that compare, transfer, adapt and learn from few shots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.table import Table

from symloss.cli.group import INTERRUPTED
from symloss.cli.output import print_json, progress_console, say, show, write_figure, write_text

if TYPE_CHECKING:
    from symloss.compare import Adaptation, Comparison, FewShot, Ranking, Transfer
    from symloss.report import LiveStages

__all__ = ["finish", "print_outcome", "resume_table", "watched"]

Found = TypeVar("Found")


def watched(
    described: Sequence[Mapping[str, Any]],
    start: Callable[[LiveStages], Found],
    as_json: bool,
    quiet: bool = False,
) -> Found:
    """What `start` finds under progress bars, after what is said of the tasks, each as `Task.describe` has it."""
    from symloss.report import LiveStages, describe

    place = progress_console(as_json, quiet)
    # Cells of one task share its remarks.
    for line in dict.fromkeys(line for each in described for line in describe(each).splitlines()):
        place.print(line, soft_wrap=True, markup=False)
    with LiveStages(place) as live:
        return start(live)


def resume_table(run: Path, code: str | None, as_json: bool, quiet: bool, **where: Any) -> None:
    """Go on with any run but a search, for `symloss resume`."""
    from symloss.compare import open_run, resume
    from symloss.tasks import load_object

    before = open_run(run)
    task = None if code is None else load_object(code)
    described = before.task.get("tasks", [before.task])

    def start(live: LiveStages) -> Any:
        return resume(run, task, on_progress=live.progress, **where)

    finish(watched(described, start, as_json, quiet), as_json)


def finish(
    found: Comparison | Transfer | Adaptation | FewShot,
    as_json: bool,
    csv: Path | None = None,
    latex: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Write the files of a run, print it, write the files that were asked for, and end, as an interruption if it was.

    Args:
        found: what was found.
        as_json: print JSON alone.
        csv, latex: files for the table of a comparison or a transfer.
        plot: file for the matrix of a transfer, the path of an adaptation, or the course of few-shot learning.
    """
    import symloss.report as report
    from symloss.compare import Adaptation, FewShot, Transfer

    if isinstance(found, Adaptation):
        print_outcome(found, as_json, report.write_adaptation_files(found))
        if plot is not None and found.rows:
            write_figure(plot, report.plot_adaptation(found))
        _leave(found)
        return
    if isinstance(found, FewShot):
        print_outcome(found, as_json, report.write_few_shot_files(found))
        if plot is not None and found.history:
            write_figure(plot, report.plot_few_shot(found))
        _leave(found)
        return
    files = (
        report.write_transfer_files(found)
        if isinstance(found, Transfer)
        else report.write_comparison_files(found)
    )
    print_outcome(found, as_json, files)
    if plot is not None and isinstance(found, Transfer) and found.rows:
        write_figure(plot, report.plot_transfer(found))
    for path, text in ((csv, found.to_csv), (latex, found.to_latex)):
        if path is not None:
            write_text(path, text())
    _leave(found)


def _leave(found: Comparison | Transfer | Adaptation | FewShot) -> None:
    if found.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def print_outcome(
    found: Comparison | Transfer | Adaptation | FewShot, as_json: bool, files: Sequence[Path] = ()
) -> None:
    """The table, what it says in sentences, and what limits it."""
    import symloss.report as report
    from symloss.compare import Adaptation, FewShot, Transfer

    if as_json:
        print_json({**found.to_dict(), "files": [str(file) for file in files]})
        return
    kinds = {Adaptation: "adaptation", Transfer: "transfer", FewShot: "training"}
    what = kinds.get(type(found), "comparison")
    if isinstance(found, FewShot):
        _few_shot(found)
    elif not found.rows:
        say("No split is finished yet.")
    elif isinstance(found, Adaptation):
        _table(report.adaptation_table(found), report.adaptation_sentences(found))
        _table(report.path_table(found), [])
    elif isinstance(found, Transfer):
        _table(report.transfer_table(found), report.transfer_sentences(found))
    else:
        sentences = [*report.comparison_sentences(found), *map(_ranks, found.rankings.items())]
        _table(report.comparison_table(found), sentences)
    if not isinstance(found, Adaptation | FewShot) and found.detectable:
        say(f"Differences of {found.detectable:.2g} {found.metric} are told with 80 % power.")
    for note in found.notes:
        say(f"note: {note}")
    if files:
        say(f"Files in {found.path}: " + ", ".join(file.name for file in files))
    if found.path is not None and found.status in ("running", "interrupted"):
        say(f"The {what} was not over: symloss resume {found.path} goes on with it.")


def _few_shot(found: FewShot) -> None:
    import symloss.report as report

    if found.seeds:
        _table(report.few_shot_table(found), report.few_shot_sentences(found))
        return
    last = f": validation {found.metric} {found.begun[-1][1]:.4g} after {found.begun[-1][0]} meta-steps"
    say(f"No training is finished yet{last if found.begun else ''}.")


def _table(table: Table, sentences: Sequence[str]) -> None:
    show(table)
    for sentence in sentences:
        say(sentence)


def _ranks(entry: tuple[str, Ranking]) -> str:
    treatment, ranking = entry
    ranks = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(ranking.names, ranking.ranks, strict=True))
    return (
        f"mean ranks over {ranking.data_sets} data sets, {treatment}: {ranks}; Friedman p = {ranking.p_value:.2g}, "
        f"critical difference {ranking.critical_difference:.2f}"
    )
