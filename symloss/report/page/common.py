"""What the reports of all verbs have in common: how a run was made, what it cost, what it rests on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symloss.errors import SymlossError
from symloss.expr import KINDS, Loss
from symloss.report.live import duration
from symloss.report.page.document import Facts, Items, Listing, Section, Shown, Words
from symloss.report.page.references import bibtex
from symloss.report.summary import describe
from symloss.runs import Origin
from symloss.zoo import parse

if TYPE_CHECKING:
    from symloss.theory import Certificate

__all__ = [
    "Made", "certificate_blocks", "citation_section", "notes_section", "parsed", "reproduce_section",
    "seconds_of", "task_facts",
]  # fmt: skip


@dataclass(frozen=True)
class Made:
    """How a run was made.

    Attributes:
        path: its folder as it was named, or None.
        origin: the words that began it, and the versions.
        settings: what else fixes its outcome.
    """

    path: Path | None = None
    origin: Origin = field(default_factory=Origin)
    settings: Mapping[str, Any] = field(default_factory=dict)


def task_facts(task: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the data, of each of several tasks."""
    facts = []
    for each in task.get("tasks", [task]):
        try:
            line, *remarks = describe(each).splitlines()
        except (KeyError, TypeError, AttributeError):  # a record that says less than a task does
            line, remarks = str(each.get("name", "")), []
        facts.append(("task", line))
        facts += [("", remark.strip()) for remark in remarks]
    return facts


def reproduce_section(made: Made, seeds: str, cost: str) -> Section:
    """The exact command, versions, seeds and cost."""
    blocks: list[Any] = []
    if made.origin.command:
        blocks.append(
            Listing(f"symloss {shlex.join(made.origin.command)}", "the command that began this run")
        )
    else:
        said = "This run was begun from Python, or before runs kept their command; its settings stand below."
        blocks.append(Words(said))
    if made.path is not None and (made.path / "config.toml").is_file():
        # Quoted: the line is copied into a shell, and a folder may be called anything.
        written = shlex.quote(str(made.path / "config.toml"))
        blocks.append(
            Listing(f"symloss discover --config {written}", "the same from the settings that the run wrote")
        )
    if made.path is not None:
        folder = shlex.quote(str(made.path))
        blocks.append(Listing(f"symloss verify {folder}", "works every printed number out again"))
    versions = ", ".join(f"{name} {each}" for name, each in made.origin.versions.items())
    facts = [
        ("seeds", seeds),
        ("cost", cost),
        ("versions", versions or "not kept"),
        ("machine", made.origin.machine),
    ]
    blocks.append(Facts(tuple((name, each) for name, each in facts if each)))
    if made.settings:
        blocks.append(Facts(tuple(_flat(made.settings)), folded="All settings"))
    return Section("How to reproduce it", tuple(blocks))


def _flat(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (
            name.replace("_", " "),
            ", ".join(f"{key.replace('_', ' ')} {_shown(each)}" for key, each in value.items())
            if isinstance(value, Mapping)
            else _shown(value),
        )
        for name, value in settings.items()
    ]


def _shown(value: Any) -> str:
    # Before numbers, as True is an int.
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(_shown, value)) or "none"
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def notes_section(notes: Iterable[str]) -> Section:
    """Remarks that a reader should see."""
    lines = tuple(notes)
    return Section("Notes", (Items(lines),) if lines else ())


def citation_section(keys: Iterable[str]) -> Section:
    """BibTeX of the methods that were used and the losses that are named."""
    said = "The methods that this run used, and the losses that it names:"
    return Section("How to cite it", (Words(said), Listing(bibtex(keys), "BibTeX")))


def certificate_blocks(loss: Loss, certificate: Certificate | None) -> list[Any]:
    """The formula, and what is proved of it, in plain words."""
    blocks: list[Any] = [Shown(loss)]
    if certificate is None:
        return blocks
    said: dict[str, list[str]] = {"proved": [], "refuted": [], "unknown": []}
    for key, finding in certificate.findings.items():
        text = certificate.sentence(key)
        said[finding.verdict].append(text if finding.verdict == "unknown" else f"It {text}.")
    where = (
        f" with {certificate.classes} classes" if certificate.classes and KINDS[loss.kind].exclusive else ""
    )
    leads = {
        "proved": f"Proved{where}:",
        "refuted": "Refuted, each by a counterexample:",
        "unknown": "Open:",
    }
    return [*blocks, *(Items(tuple(texts), leads[verdict]) for verdict, texts in said.items() if texts)]


def parsed(formula: str, kind: str) -> Loss | None:
    """A formula of a record as a loss; None where it cannot be read, as of a network."""
    try:
        return parse(formula, kind=kind)
    except SymlossError:
        return None


def seconds_of(values: Iterable[float]) -> str:
    """A sum of seconds, as people read it."""
    return duration(sum(values))
