"""What the verbs that train have in common: where work is done, how an option is declared, where a run goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from symloss.cli.arguments import split_top_level
from symloss.errors import DomainError

__all__ = ["MODELS", "Device", "Executor", "TargetScale", "free_folder", "items_of", "option", "place_of"]


# Not from `tasks.MODELS`: help imports no torch.
MODELS = (
    "linear, mlp or mlp-DEPTHxWIDTH; for images lenet5, alexnet, vgg16, allcnn-c, squeezenet, resnet18, "
    "preresnet-DEPTH, wideresnet-DEPTH-WIDTH or pyramidnet-DEPTH-ALPHA."
)


class Executor(StrEnum):
    """Where the work is done."""

    serial = "serial"
    process = "process"
    ray = "ray"


class Device(StrEnum):
    """What computes."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class TargetScale(StrEnum):
    """How the target of a regression is scaled, by its training rows."""

    standard = "standard"
    minmax = "minmax"
    none = "none"


def option(help: str, panel: str, *names: str, metavar: str | None = None, least: float | None = None) -> Any:
    """An option with its help, in a panel of it."""
    return typer.Option(
        *names, help=help, rich_help_panel=panel, metavar=metavar, min=least, show_default=False
    )


def items_of(option: str, text: str | None) -> tuple[str, ...]:
    """The items of a list that an option was given, which must have some."""
    items = tuple(split_top_level(text or ""))
    if text is not None and not items:
        raise DomainError(f"{option} {text!r}: nothing is named; leave the option out")
    return items


def place_of(executor: Executor, workers: int, address: str | None, gpus: float) -> str:
    """What `runs.executor` calls it; several workers are processes unless something else was asked for."""
    if executor is Executor.ray or address or gpus:
        return f"ray:{address or ''}?gpus={gpus}"
    return Executor.process if workers > 1 and executor is Executor.serial else executor


def free_folder(parts: Sequence[str]) -> Path:
    """`runs/PART-PART-...`, or the first of its successors `-2`, `-3` that does not exist."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(parts))
    folder, number = Path("runs") / stem, 2
    while folder.exists():
        folder, number = Path("runs") / f"{stem}-{number}", number + 1
    return folder
