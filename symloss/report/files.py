"""The files that a finished run leaves for its reader."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from symloss.errors import RunError, SymlossError
from symloss.report.adaptation_report import plot_adaptation
from symloss.report.comparison_figures import (
    plot_comparison,
    plot_convergence,
    plot_ranking,
    plot_sample_efficiency,
)
from symloss.report.export import export
from symloss.report.few_shot_report import plot_few_shot
from symloss.report.loss_figures import plot_gradient, plot_loss
from symloss.report.run_figures import plot_front, plot_history
from symloss.report.tables import losses_tex
from symloss.report.transfer_report import plot_transfer
from symloss.report.tree_figure import plot_tree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.compare import Adaptation, Comparison, FewShot, Transfer
    from symloss.search import Result

__all__ = [
    "image", "write_adaptation_files", "write_comparison_files", "write_few_shot_files", "write_file",
    "write_run_files", "write_transfer_files",
]  # fmt: skip

_DPI = 150


def write_run_files(result: Result) -> list[Path]:
    """Write `losses.tex`, the pictures and the picked loss as Python beside the run's `front.csv`.

    A picture that the loss does not allow (an infinite one, or one without a formula) is left out.

    Returns:
        all files of the run that a person reads.

    Raises:
        RunError: when the folder cannot be written.
    """
    if result.path is None or not result.front:
        return []
    classes = int(result.task.get("classes") or 10)
    drawings: dict[str, Callable[[], Figure]] = {
        "front.png": lambda: plot_front(result),
        "history.png": lambda: plot_history(result),
    }
    texts = {"losses.tex": losses_tex(result)}
    if not result.picked.neural:
        best = result.best
        drawings |= {
            "loss.png": lambda: plot_loss(best, classes),
            "gradient.png": lambda: plot_gradient(best, classes),
            "tree.png": lambda: plot_tree(best),
        }
        texts["loss.py"] = export(best, "python")
    written = _there(result.path, "front.csv", "front.json", "neural.json", "config.toml")
    for name, text in texts.items():
        written.append(write_file(result.path / name, text.encode()))
    for name, draw in drawings.items():
        try:
            content = image(draw(), "png")
        except SymlossError:
            # Left out, not failed: the run is finished, and a picture must not take its other files with it.
            continue
        written.append(write_file(result.path / name, content))
    return written


def write_comparison_files(comparison: Comparison) -> list[Path]:
    """Write the figures of a comparison beside its `comparison.csv` and `comparison.tex`.

    Returns:
        all files of the run that a person reads.

    Raises:
        RunError: when the folder cannot be written.
    """
    path = comparison.path
    if path is None or not comparison.rows:
        return []
    drawings: dict[str, Callable[[], Figure]] = {}
    if any(row.difference is not None for row in comparison.rows):
        drawings["comparison.png"] = lambda: plot_comparison(comparison)
    if len({row.fraction for row in comparison.rows}) > 1:
        drawings["sample_efficiency.png"] = lambda: plot_sample_efficiency(comparison)
    tasks = list(dict.fromkeys(row.task for row in comparison.rows if row.curve))
    for task in tasks:
        drawings[_named("convergence", task, tasks)] = partial(plot_convergence, comparison, task)
    for key, ranking in comparison.rankings.items():
        drawings[_named("ranks", key, comparison.rankings)] = partial(plot_ranking, ranking)
    written = _there(path, "comparison.csv", "comparison.tex")
    return written + [write_file(path / name, image(draw(), "png")) for name, draw in drawings.items()]


def _named(stem: str, which: str, among: Collection[str]) -> str:
    """The file of one of several pictures, `stem.png` where it is the only one."""
    return f"{stem}.png" if len(among) == 1 else f"{stem}-{re.sub(r'[^A-Za-z0-9.-]+', '-', which)}.png"


def write_transfer_files(transfer: Transfer) -> list[Path]:
    """Write the figure of a transfer beside its `transfer.csv` and `transfer.tex`.

    Returns:
        all files of the run that a person reads.

    Raises:
        RunError: when the folder cannot be written.
    """
    path = transfer.path
    if path is None or not transfer.rows:
        return []
    return [
        *_there(path, "transfer.csv", "transfer.tex"),
        write_file(path / "transfer.png", image(plot_transfer(transfer), "png")),
    ]


def write_adaptation_files(adaptation: Adaptation) -> list[Path]:
    """Write the figure of an adaptation's path beside its `path.csv`.

    Returns:
        all files of the run that a person reads.

    Raises:
        RunError: when the folder cannot be written.
    """
    path = adaptation.path
    if path is None or not adaptation.rows:
        return []
    return [
        *_there(path, "path.csv"),
        write_file(path / "path.png", image(plot_adaptation(adaptation), "png")),
    ]


def write_few_shot_files(found: FewShot) -> list[Path]:
    """Write the figure of few-shot learning beside its `tasks.csv`.

    Returns:
        all files of the run that a person reads.

    Raises:
        RunError: when the folder cannot be written.
    """
    path = found.path
    if path is None or not found.history:
        return []
    return [
        *_there(path, "tasks.csv"),
        write_file(path / "fewshot.png", image(plot_few_shot(found), "png")),
    ]


def _there(folder: Path, *names: str) -> list[Path]:
    """Those of the files that there are."""
    return [file for file in map(folder.joinpath, names) if file.is_file()]


def image(figure: Figure, format: str) -> bytes:
    """The picture in one of the formats that matplotlib writes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format, dpi=_DPI)
    return buffer.getvalue()


def write_file(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all.

    Raises:
        RunError: when it cannot be written.
    """
    # In the same folder, as a file can be renamed in one step within a file system only.
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        if part.is_file():
            part.unlink()
        raise RunError(f"cannot write {path}: {error.strerror}") from None
    return path
