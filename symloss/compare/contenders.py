"""The losses of a comparison, read from names, formulas and rows of runs, with the versions that tuning may choose."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from symloss.errors import DomainError, RunError, SymlossError
from symloss.expr import Loss
from symloss.expr import parse as parse_grammar
from symloss.expr.symbols import SYMBOLS
from symloss.expr.trees import Weighted, weighted_from
from symloss.meta import NeuralLoss
from symloss.runs import RunStore, verb_of
from symloss.search import FrontRow, Result, open_row
from symloss.search.loop.candidate import NEURAL, Graph
from symloss.search.loop.sweep import base_name, settings_of
from symloss.tasks import Task
from symloss.zoo import Entry, entry, named, names, parse

__all__ = [
    "BEST_ZOO",
    "ROLES",
    "Contender",
    "Origin",
    "Variant",
    "contender_of_row",
    "contenders_of",
    "loss_of_row",
]

BEST_ZOO = "best-zoo"
"""What is typed for the loss of the zoo that does best on the blocks of each split, tuned."""
ROLES = ("ordinary", "best zoo", "discovered", "")
"""What a contender is; `ordinary` rows are the baseline, those without a role are the user's own losses."""

_WITH_VALUES = re.compile(r"([A-Za-z][\w-]*)\(([^()]*=[^()]*)\)\Z", re.ASCII)


@dataclass(frozen=True)
class Variant:
    """A loss at one choice of its own parameters.

    Attributes:
        name: as `gce(q=0.7)`.
        loss: the formula, or a network.
    """

    name: str
    loss: Loss | NeuralLoss

    @property
    def text(self) -> str:
        """The formula, or `neural`."""
        return NEURAL if isinstance(self.loss, NeuralLoss) else str(self.loss)

    @cached_property
    def graph(self) -> Graph:
        """The loss as it is trained: tokens and edges of a tree, or layers and weights of a network."""
        if isinstance(self.loss, NeuralLoss):
            return (NEURAL, *map(str, self.loss.hidden)), (self.loss.factor, *self.loss.weights)
        program, edges = self.weighted.graph()
        return program.tokens, edges

    @cached_property
    def weighted(self) -> Weighted:
        """A formula as a tree.

        Raises:
            DomainError: for one that no tree says.
        """
        assert isinstance(self.loss, Loss)
        return weighted_from(self.loss)

    def record(self) -> list[Any]:
        """JSON-ready data."""
        return [self.name, self.loss.to_dict() if isinstance(self.loss, NeuralLoss) else str(self.loss)]

    @classmethod
    def from_record(cls, data: Any, kind: str) -> Variant:
        """The variant that `record` wrote."""
        name, loss = data
        network = isinstance(loss, Mapping)
        return cls(str(name), NeuralLoss.from_dict(loss) if network else parse_grammar(loss, kind=kind))


@dataclass(frozen=True)
class Origin:
    """Where a discovered loss comes from.

    Attributes:
        run: the folder.
        tasks: names of the tasks that it was searched on.
        sources: where their data came from.
        seconds: what the search took, rejected candidates included.
        candidates: how many it considered.
        classes: of those tasks; None for regression, or where it is not known.
    """

    run: str
    tasks: tuple[str, ...]
    sources: tuple[str, ...]
    seconds: float
    candidates: int
    classes: int | None = None


@dataclass(frozen=True)
class Contender:
    """A loss that is compared.

    Attributes:
        name: as it is printed.
        role: one of `ROLES`.
        variants: what its own parameters may be; the first is the loss as it is.
        origin: of a row of a run.
        search: settings of the search that finds it inside each split, see `searched.Searched`; no variants then.
    """

    name: str
    role: str
    variants: tuple[Variant, ...]
    origin: Origin | None = None
    search: Mapping[str, Any] | None = None

    @property
    def tuned_only(self) -> bool:
        """Whether it has no version that is not chosen: the best of the zoo."""
        return self.role == "best zoo"

    @property
    def loss(self) -> Loss | NeuralLoss:
        """The loss as it is."""
        return self.variants[0].loss

    def record(self) -> dict[str, Any]:
        """JSON-ready data: formulas written out, so that they keep their meaning when the zoo grows."""
        origin = None if self.origin is None else vars(self.origin)
        return {
            "name": self.name, "role": self.role, "origin": origin,
            "variants": [each.record() for each in self.variants],
            **({} if self.search is None else {"search": dict(self.search)}),
        }  # fmt: skip

    @classmethod
    def from_record(cls, data: Mapping[str, Any], kind: str) -> Contender:
        """The contender that `record` wrote.

        Raises:
            RunError: for data that it does not write.
        """
        try:
            variants = tuple(Variant.from_record(each, kind) for each in data["variants"])
            found = data["origin"]
            origin = None
            if found is not None:
                origin = Origin(
                    str(found["run"]), tuple(map(str, found["tasks"])), tuple(map(str, found["sources"])),
                    float(found["seconds"]), int(found["candidates"]), found.get("classes"),
                )  # fmt: skip
            return cls(str(data["name"]), str(data["role"]), variants, origin, data.get("search"))
        except (KeyError, TypeError, ValueError, SymlossError) as error:
            raise RunError(f"the losses of the comparison cannot be read: {error}") from None


def contenders_of(
    losses: Sequence[str | Loss | Contender] | Mapping[str, str | Loss | Contender], task: Task
) -> list[Contender]:
    """The losses that are compared, the ordinary one of the task first, whether it was named or not.

    Args:
        losses: each a name of the zoo, perhaps with values, as `gce(q=0.7)` (without, tuning chooses among its
            defaults and the values that the zoo suggests); a formula of the task's kind, names of the zoo in it; a
            row of a run, `RUN#ROW`, perhaps a network; `"best-zoo"`; or a `Loss`. A mapping names them.
        task: what they are for.

    Raises:
        SymlossError: for no loss, one of another kind, or what is none of these.

    >>> from symloss.tasks import load_task
    >>> [each.name for each in contenders_of(["gce", "focal(gamma=1)", "-y*log(p)"], load_task("wine"))]
    ['ce', 'gce', 'focal(gamma=1)']
    """
    if isinstance(losses, str):
        raise DomainError(f"losses are {losses!r}: expected a list, as [{losses!r}]")
    asked: list[tuple[str | None, str | Loss | Contender]]
    asked = list(losses.items()) if isinstance(losses, Mapping) else [(None, each) for each in losses]
    if not asked:
        raise DomainError("no losses: expected at least one, as focal or 'y*abs(log(1.3*p))'")
    ordinary = base_name(task) or str(task.base_loss())
    contenders = [Contender(ordinary, "ordinary", (Variant(ordinary, task.base_loss()),))]
    for label, item in asked:
        one = _contender(item, task)
        _trainable(one)
        # A discovered loss stays, even if it is the ordinary one: that the search found nothing better is a result.
        if one.role == "" and len(one.variants) == 1 and one.loss == task.base_loss():
            continue  # the baseline, by whatever name
        contenders.append(one if label is None else replace(one, name=label))
    called = [each.name for each in contenders]
    for name in called:
        if called.count(name) > 1:
            raise DomainError(f"{name} is named twice: leave one out")
    return contenders


def _contender(item: str | Loss | Contender, task: Task) -> Contender:
    if isinstance(item, Contender):
        return item
    if isinstance(item, Loss):
        _check_kind(item, task, str(item))
        return Contender(str(item), "", (Variant(str(item), item),))
    if not isinstance(item, str):
        raise DomainError(
            f"{item!r} is no loss: expected a formula, a name of the zoo, or a row of a run as runs/a#1 "
            "(what is searched inside splits can be compared, not transferred)"
        )
    text = item.strip()
    # Names before formulas: a name with a hyphen, as sparse-lsr, would be read as a difference.
    if text == BEST_ZOO:
        return Contender(BEST_ZOO, "best zoo", _zoo(task.kind))
    if "#" in text:
        return _row(text, task)
    if text in names(task.kind):
        return Contender(text, "", _versions(entry(text, task.kind)))
    match = _WITH_VALUES.match(text)
    if match and match[1] in names():
        loss = named(match[1], task.kind, **_values(match[2], text))
        return Contender(text, "", (Variant(text, loss),))
    if text in names():
        raise DomainError(
            f"{text} is a {entry(text).kind} loss, {task.name} is a {task.kind} task: "
            f"expected one of {', '.join(names(task.kind))}, or a formula"
        )
    if not text:
        raise DomainError("a loss has an empty name: expected a formula, a name of the zoo, or runs/a#1")
    if Path(text).is_dir():
        verb_of(text)  # says of another folder that it is no run
        raise RunError(f"{text} is a run; name one of its rows, as {text}#1")
    # One word that is no symbol is a misspelt name, and `named` suggests the right one; `parse` would complain of a
    # symbol.
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", text) and text not in SYMBOLS:
        named(text, task.kind)  # says which name is near
    return Contender(text, "", (Variant(text, parse(text, kind=task.kind)),))


def _row(text: str, task: Task) -> Contender:
    return contender_of_row(*open_row(text), text, task)


def contender_of_row(row: FrontRow, result: Result, name: str, task: Task) -> Contender:
    """A row of a run: its formula, or its network as the run's weights have it.

    Args:
        row: of the front.
        result: the run.
        name: what to call it.
        task: what it is for.

    Raises:
        DomainError: for a loss of another kind, or a network whose weights the run did not keep.
    """
    loss = loss_of_row(row, result, name)
    _check_kind(loss, task, name)
    described = result.task.get("tasks", [result.task])
    origin = Origin(
        run=str(result.path),
        tasks=tuple(str(each.get("name")) for each in described),
        sources=tuple(str(each.get("source")) for each in described),
        seconds=_spent(result),
        candidates=len(result.evaluations),
        classes=row.classes,
    )
    return Contender(name, "discovered", (Variant(name, loss),), origin)


def loss_of_row(row: FrontRow, result: Result, name: str) -> Loss | NeuralLoss:
    """The formula of a row of a run, or its network as the run's weights have it.

    Raises:
        DomainError: for a network whose weights the run did not keep.
    """
    if not row.neural:
        return row.loss
    network = result.network
    if network is None or network.evaluation != row.evaluation:
        raise DomainError(f"{name} is a network, and its run did not keep its weights: distil it")
    return network.loss


def _spent(result: Result) -> float:
    """Seconds of a search with trials at other rates and rejected candidates; in memory only those of its losses."""
    if result.path is None:
        return math.fsum(entry.seconds for entry in result.evaluations)
    with RunStore.open(result.path) as store:
        return math.fsum(each["seconds"] for _, answer in store.all("work") for each in answer)


def _check_kind(loss: Loss | NeuralLoss, task: Task, text: str) -> None:
    if loss.kind != task.kind:
        raise DomainError(
            f"{text} is a {loss.kind} loss, {task.name} is a {task.kind} task: compare losses of one kind"
        )


def _versions(one: Entry) -> tuple[Variant, ...]:
    """A loss of the zoo at its defaults and at the values that its entry suggests."""
    variants = [Variant(one.title(values), one.with_coefficients(**values)) for values in settings_of(one)]
    return tuple(variants)


def _zoo(kind: str) -> tuple[Variant, ...]:
    found = []
    for name in names(kind):
        for each in _versions(entry(name, kind)):
            try:
                assert each.weighted
            except SymlossError:
                continue  # no tree says it
            found.append(each)
    return tuple(found)


def _values(inside: str, text: str) -> dict[str, float]:
    found = {}
    for item in inside.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        try:
            found[name] = float(value)
        except ValueError:
            raise DomainError(
                f"{text}: {item.strip()!r} is no value; expected NAME=NUMBER, as gce(q=0.7)"
            ) from None
    return found


def _trainable(one: Contender) -> None:
    """Whether its formulas can be trained as trees.

    Raises:
        DomainError: for one that no tree says.
    """
    for each in one.variants:
        try:
            assert each.graph
        except DomainError as error:
            raise DomainError(f"{each.name} cannot be trained here: {error}") from None
