"""From the folder of a run to its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from symloss.errors import DomainError, RunError
from symloss.report.files import write_file
from symloss.report.page.adaptation import adaptation_document
from symloss.report.page.common import Made
from symloss.report.page.comparison import comparison_document, transfer_document
from symloss.report.page.document import Document
from symloss.report.page.few_shot import few_shot_document
from symloss.report.page.html import as_html
from symloss.report.page.search import search_document
from symloss.report.page.tex import as_tex
from symloss.runs import RunStore

__all__ = ["FORMATS", "document_of", "write_report"]

FORMATS = ("html", "tex")
_DOCUMENTS: dict[str, Callable[[Any, Made], Document]] = {
    "Result": search_document,
    "Comparison": comparison_document,
    "Transfer": transfer_document,
    "Adaptation": adaptation_document,
    "FewShot": few_shot_document,
}
"""By what `open_run` returns; a new verb adds its row."""


def document_of(found: Any, made: Made | None = None) -> Document:
    """The report of what a verb returned.

    Raises:
        DomainError: for anything that no verb returns.
    """
    # By name: importing the classes would load torch for every command that only prints.
    make = _DOCUMENTS.get(type(found).__name__)
    if make is None:
        raise DomainError(f"no report is written of {type(found).__name__}: expected a run")
    return make(found, made or Made())


def write_report(path: str | Path, format: str = "html", out: str | Path | None = None) -> list[Path]:
    """Writes the report of a run.

    Args:
        path: folder of the run.
        format: `"html"`, one file that needs nothing else; `"tex"`, a document with its pictures and references beside.
        out: the file; `report.html` in the run's folder unless given.

    Returns:
        the files written.

    Raises:
        RunError: when there is no run, it is damaged, or the file cannot be written.
        DomainError: for another format.
    """
    if format not in FORMATS:
        raise DomainError(f"unknown format {format!r}: expected one of {', '.join(FORMATS)}")
    from symloss.compare import open_run  # loads torch

    folder = Path(path)
    run = open_run(folder)
    with RunStore.open(folder) as store:
        made = Made(folder, store.origin, store.config.get("settings", {}))
    target = Path(out) if out is not None else folder / f"report.{format}"
    if not target.parent.is_dir():
        raise RunError(f"cannot write {target}: there is no folder {target.parent}")
    document = document_of(run, made)
    if format == "html":
        return [write_file(target, as_html(document).encode())]
    text, included = as_tex(document, target.stem)
    files = [write_file(target.parent / name, content) for name, content in included.items()]
    return [write_file(target, text.encode()), *files]
