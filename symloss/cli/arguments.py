"""What users type for a loss, a list of losses, a row of a run, and shared options."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symloss.errors import DomainError, ParseError, RunError

if TYPE_CHECKING:
    from symloss.expr import Loss, Registry
    from symloss.search import FrontRow

__all__ = [
    "Json", "Kind", "KindOption", "LossArgument", "SetOption", "is_run", "read_loss", "read_row",
    "split_top_level",
]  # fmt: skip


class Kind(StrEnum):
    """The kinds of loss, as `symloss.expr.KINDS` has them: help is shown before SymPy is loaded."""

    classification = "classification"
    multilabel = "multilabel"
    regression = "regression"
    margin = "margin"


LossArgument = Annotated[
    str,
    typer.Argument(
        metavar="LOSS",
        help="A formula in y and p (`-y*log(p)`, `ce + 0.1*brier`) or m, a zoo name (`ace`) or a row of a run (`a#2`).",
    ),
]
KindOption = Annotated[
    Kind | None,
    typer.Option(help="What the loss is for; a bare formula is a classification loss.", show_default=False),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Value of a named coefficient, as phi1=1.5; repeatable."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*\Z")


def read_loss(
    text: str,
    kind: str | None = None,
    values: Iterable[str] | None = None,
    registry: Registry | None = None,
) -> Loss:
    """The loss that a user means.

    Args:
        text: a formula, a zoo name, or `RUN#ROW`.
        kind: of a formula; of a zoo name where two kinds have it.
        values: `name=value` for named coefficients.
        registry: the operators that a formula may use, where they are not the default ones.

    Raises:
        SymlossError: with what was expected, for anything else.

    >>> str(read_loss("ace", values=["phi1=1.5"])), str(read_loss(" -y*log(p)"))
    ('y*abs(log(1.5*p))', '-y*log(p)')
    """
    from symloss.expr.symbols import SYMBOLS
    from symloss.zoo import named, names, parse

    text = text.strip()
    if not text:
        raise DomainError("the formula or name is empty: expected a loss, as -y*log(p), ce or runs/a#1")
    coefficients = _coefficients(values or ())
    # `#` is no character of the grammar, so a row of a run is told from a formula without a try.
    if "#" in text:
        loss = read_row(text).loss
        if kind and kind != loss.kind:
            raise DomainError(f"{text} is a {loss.kind} loss, not a {kind} loss; leave --kind out")
        return loss.with_coefficients(**coefficients)
    if text in names():
        return named(text, kind, **coefficients)
    try:
        return parse(text, kind=kind or "classification", coefficients=coefficients, registry=registry)
    except ParseError as error:
        # A formula first: a folder named `y` must not hide the symbol.
        if is_run(text):
            from symloss.runs import verb_of

            verb_of(text)  # says of another folder that it is no run
            raise RunError(f"{text} is a run; name one of its rows, as {text}#1") from None
        if _NAME.match(text) and text not in SYMBOLS:
            return named(text, kind)  # says which name is near
        # A mistyped path parses as a quotient of names: `runs/noisy` deserves another message than `unknown name`.
        if "/" in text and not any(mark in text for mark in "(*+ "):
            raise RunError(f"{text!r} is neither a run folder nor a formula: {error}") from None
        raise


def read_row(text: str) -> FrontRow:
    """The row that `RUN#ROW` names, rows counted from 1 as in `front.csv`.

    Raises:
        RunError: for no run there, or no such row.
    """
    from symloss.search import open_row

    return open_row(text)[0]


def is_run(text: str) -> bool:
    """Whether the text names a folder rather than a loss."""
    # An empty path would be the folder one is in.
    return bool(text.strip()) and Path(text).is_dir()


def _coefficients(values: Iterable[str]) -> dict[str, float]:
    coefficients: dict[str, float] = {}
    for item in (part for value in values for part in value.split(",")):
        name, equals, number = (word.strip() for word in item.partition("="))
        try:
            coefficients[name] = float(number)
        except ValueError:
            equals = ""
        if not equals or not name.isidentifier() or not math.isfinite(coefficients[name]):
            raise DomainError(f"--set {item.strip()}: expected NAME=NUMBER, as --set phi1=1.5")
    return coefficients


def split_top_level(text: str) -> list[str]:
    """The items of a list, split at the commas outside brackets.

    >>> split_top_level("ce, max(y, p),ace")
    ['ce', 'max(y, p)', 'ace']
    """
    items, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            items.append("")
        else:
            items[-1] += character
    return [item.strip() for item in items if item.strip()]
