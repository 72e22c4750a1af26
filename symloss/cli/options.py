"""Options that several verbs share: the data, the executor and device, the budget, the folder of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from symloss.cli.arguments import Kind, split_top_level
from symloss.errors import DomainError

__all__ = [
    "BUDGET", "DATA", "HOW", "MODELS", "SEARCH", "WHERE", "Code", "DataFile", "Decimal", "Device", "DeviceOption",
    "Encoding", "Executor", "ExecutorOption", "Generations", "Group", "Imbalance", "LabelNoise", "Metric",
    "Model", "Outliers", "Population", "Quiet", "RayAddress", "RayGpus", "Seeds", "SplitSeed", "Splits", "SplitsSeed",
    "TableCsv", "TableLatex", "Target", "TargetScaleOption", "TaskKind", "Weights", "Workers", "free_folder",
    "items_of", "option", "place_of", "shares_of", "whole_numbers_of",
]  # fmt: skip


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
    """A typer option with its help text, listed in a panel of the verb's help."""
    return typer.Option(
        *names, help=help, rich_help_panel=panel, metavar=metavar, min=least, show_default=False
    )


DATA, WHERE, HOW, SEARCH, BUDGET = "The data", "Where", "The comparison", "The search", "How much"
"""Groups of options in the help of the verbs that train."""

DataFile = Annotated[Path | None, option("A CSV or Parquet file instead.", DATA, "--data", metavar="FILE")]
Metric = Annotated[str | None, option("What to compare by.", DATA, "--metric", metavar="NAME")]
Workers = Annotated[
    int,
    option(
        "How many work at once; what comes out does not depend on it.",
        WHERE,
        "--workers",
        metavar="N",
        least=1,
    ),
]
SplitsSeed = Annotated[int, option("Of splits, blocks and starts.", HOW, "--seed", metavar="S", least=0)]
Target = Annotated[str | None, option("Its column to predict.", DATA, "--target", metavar="COLUMN")]
Group = Annotated[
    str | None, option("Its column whose values no split may divide.", DATA, "--group", metavar="COLUMN")
]
Weights = Annotated[
    str | None,
    option(
        "Its column of instance weights, `w` in formulas.", DATA, "--weight", "--weights", metavar="COLUMN"
    ),
]
Encoding = Annotated[
    str | None, option("Its encoding, as latin-1 [default: utf-8].", DATA, "--encoding", metavar="E")
]
Decimal = Annotated[str | None, option("Its decimal mark, . or a comma.", DATA, "--decimal", metavar="C")]
TaskKind = Annotated[Kind | None, option("Its kind, when the target alone does not say.", DATA, "--kind")]
Code = Annotated[
    str | None, option("A function of yours that makes the task.", DATA, "--task", metavar="MODULE:FUNCTION")
]
Model = Annotated[str | None, option(MODELS, DATA, "--model", metavar="NAME")]
LabelNoise = Annotated[
    float, option("Share of training and validation labels to corrupt.", DATA, "--label-noise", metavar="R")
]
SplitSeed = Annotated[
    int, option("Draws the test rows and the noise.", DATA, "--split-seed", metavar="S", least=0)
]
Imbalance = Annotated[
    float | None, option("Largest class over rarest class.", DATA, "--imbalance", metavar="R")
]
Outliers = Annotated[
    float, option("Share of training and validation targets to shift.", DATA, "--outliers", metavar="R")
]
TargetScaleOption = Annotated[
    TargetScale | None,
    option("How the target of a regression is scaled [default: standard].", DATA, "--target-scale"),
]
Seeds = Annotated[int, option("Trainings averaged within a split.", HOW, "--seeds", metavar="N", least=1)]
Splits = Annotated[
    int, option("Splits of the data; below 10 there is no verdict.", HOW, "--splits", metavar="N", least=1)
]
Population = Annotated[int | None, option("Losses in a generation.", BUDGET, "--population", metavar="N")]
Generations = Annotated[int | None, option("Generations.", BUDGET, "--generations", metavar="N")]
TableCsv = Annotated[Path | None, option("Write the table as CSV.", WHERE, "--csv", metavar="FILE")]
TableLatex = Annotated[Path | None, option("Write the table for LaTeX.", WHERE, "--latex", metavar="FILE")]
ExecutorOption = Annotated[Executor, option("What runs the workers.", WHERE, "--executor")]
RayAddress = Annotated[
    str | None,
    option(
        "A running Ray cluster, HOST:PORT or auto; without one, this machine.",
        WHERE,
        "--ray-address",
        metavar="A",
    ),
]
RayGpus = Annotated[
    float,
    option("Share of a GPU for each piece of work on Ray.", WHERE, "--ray-gpus", metavar="SHARE", least=0),
]
DeviceOption = Annotated[Device, option("What computes.", WHERE, "--device")]
Quiet = Annotated[bool, option("Show no progress, only what it comes to.", WHERE, "--quiet")]


def shares_of(name: str, text: str | None) -> list[float] | None:
    """The numbers of a list that an option was given."""
    if text is None:
        return None
    try:
        return [float(item) for item in items_of(name, text)]
    except ValueError:
        raise DomainError(f"{name} {text}: expected shares with commas between, as 0.1,0.5") from None


def whole_numbers_of(name: str, text: str | None) -> tuple[int, ...] | None:
    """The whole numbers of a list that an option was given."""
    if text is None:
        return None
    try:
        return tuple(int(item) for item in items_of(name, text))
    except ValueError:
        raise DomainError(f"{name} {text}: expected whole numbers with commas between, as 20,20") from None


def items_of(option: str, text: str | None) -> tuple[str, ...]:
    """The items of a list that an option was given, which must have some."""
    items = tuple(split_top_level(text or ""))
    if text is not None and not items:
        raise DomainError(f"{option} {text!r}: nothing is named; leave the option out")
    return items


def place_of(executor: Executor, workers: int, address: str | None, gpus: float) -> str:
    """What `runs.executor` calls it; several workers are processes unless something else was asked for."""
    # An address or a share says Ray even where --executor does not.
    if executor is Executor.ray or address or gpus:
        return f"ray:{address or ''}?gpus={gpus}"
    return Executor.process if workers > 1 and executor is Executor.serial else executor


def free_folder(parts: Sequence[str]) -> Path:
    """`runs/PART-PART-...`, or the first of its successors `-2`, `-3` that does not exist."""
    # Task names hold `:` and `/`, as keel:letter and folder:PATH.
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(parts))
    folder, number = Path("runs") / stem, 2
    while folder.exists():
        folder, number = Path("runs") / f"{stem}-{number}", number + 1
    return folder
