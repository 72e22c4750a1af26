"""Nested searches: a loss is searched anew inside each split and share of the rows, so that no test row leaks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symloss.compare.contenders import Contender, Variant
from symloss.compare.work import Replicate
from symloss.errors import DomainError
from symloss.runs import Executor, derive
from symloss.search import SearchSettings
from symloss.search.discover import plan
from symloss.search.loop.engine import Engine
from symloss.search.prepare import given_losses
from symloss.search.record.memory import Memory, Store
from symloss.tasks import Task

__all__ = ["Found", "Searched", "find_loss"]

_OF_A_RUN = (
    "metric",
    "device",
    "executor",
    "workers",
    "out",
    "seed",
    "time_limit",
    "propose",
    "registry",
    "model",
)
"""What `discover` takes besides, and the comparison decides: rows, place, seeds. By the clock nothing may end, as the
same comparison gives the same table."""


class Searched:
    """A loss that a method of search finds, inside each split and share of the rows of a comparison.

    The search sees the training and validation rows of the split, at that share of the rows; its pick is then treated
    as every other loss. Against it, a row of a finished run shows what a loss is worth that was searched elsewhere.

    Args:
        method: see `discover`.
        settings: any other argument of `discover` that fixes how losses are found, as `preset`, `population`,
            `generations`, `blocks={"final": 4}`.

    Raises:
        DomainError: for a setting that the comparison decides.

    >>> Searched("mixture", population=8, generations=3)
    Searched('mixture', population=8, generations=3)
    """

    def __init__(self, method: str = "evomal", **settings: Any) -> None:
        for name in settings:
            if name in _OF_A_RUN:
                raise DomainError(f"{name}: the comparison decides it for its searches; leave it out")
        self.method, self.settings = method, settings

    def __repr__(self) -> str:
        given = "".join(f", {name}={value!r}" for name, value in self.settings.items())
        return f"Searched({self.method!r}{given})"

    def contender(self, tasks: Sequence[Task]) -> Contender:
        """It as one of the losses of a comparison.

        Args:
            tasks: that losses are compared on.

        Raises:
            SymlossError: for an unknown method or setting, or one that does not suit the tasks.
        """
        given = {**self.settings, "method": self.method}
        if given.get("seed_losses"):
            given["seed_losses"] = tuple(map(str, given["seed_losses"]))
        # For its checks and defaults; the seed of each search comes from the comparison.
        _, _, chosen = plan(tasks, seed=0, **given)
        # The model is that of the tasks; as a record has it, lists for tuples.
        settings = json.loads(json.dumps(replace(chosen, model=None).to_dict()))
        return Contender(f"searched by {self.method}", "discovered", (), search=settings)


@dataclass(frozen=True)
class Found:
    """What a search found in one split.

    Attributes:
        variant: its pick; the ordinary loss where no candidate survived.
        seconds: of all its trainings and tunings, rejected candidates included.
        candidates: how many it considered.
        survived: whether there was a pick.
    """

    variant: Variant
    seconds: float
    candidates: int
    survived: bool

    def record(self) -> list[Any]:
        """JSON-ready data."""
        return [self.variant.record(), self.seconds, self.candidates, self.survived]

    @classmethod
    def from_record(cls, data: Any, kind: str) -> Found:
        """What `record` wrote."""
        variant, seconds, candidates, survived = data
        return cls(Variant.from_record(variant, kind), float(seconds), int(candidates), bool(survived))


class _Nested(Memory):
    """The memory of one nested search: its work is stored with the comparison's, the rest follows from that."""

    def __init__(self, store: Store, scope: str) -> None:
        super().__init__({})
        self._store, self._scope, self.seconds = store, scope, dict[str, float]()

    def get(self, kind: str, key: int | str) -> Any:
        if kind != "work":
            return super().get(kind, key)
        return self._known(key, self._store.get(kind, f"{self._scope} {key}"))

    def put_many(self, kind: str, items: Iterable[tuple[int | str, Any]]) -> None:
        if kind != "work":
            super().put_many(kind, items)
            return
        self._store.put_many(
            kind, [(f"{self._scope} {key}", self._known(key, answer)) for key, answer in items]
        )

    def _known(self, key: int | str, answer: Any) -> Any:
        if isinstance(answer, list):
            # By key: work that is asked for twice was done once.
            self.seconds[str(key)] = math.fsum(each["seconds"] for each in answer)
        return answer


def find_loss(
    contender: Contender,
    where: Replicate,
    tasks: Sequence[Task],
    seed: int,
    store: Store,
    place: Executor,
    watch: Callable[[], object],
) -> Found:
    """Searches inside one replicate, or says again what was found there.

    Args:
        contender: with settings of a search.
        where: the rows; those that test are not looked at.
        tasks, seed: of the comparison.
        store: of the comparison, which remembers every answer.
        place: where the work is done.
        watch: called after each generation.
    """
    scope = f"{where.task} {where.fraction} {where.number} of {where.count}, {contender.name}"
    known = store.get("searched", scope)
    if known is not None:
        return Found.from_record(known, tasks[where.task].kind)
    assert contender.search is not None
    task = where.of(tasks, seed)
    settings = SearchSettings.from_dict(contender.search)
    nested = _Nested(store, scope)
    given = given_losses(settings, [task])
    # By the number of the split alone: shares of the rows, and methods, begin from one seed.
    engine = Engine([task], settings, derive(seed, "search", where.number), nested, place, given)
    engine.run(lambda generation: watch())
    pick = _pick(engine)
    # A method that finds nothing leaves its user with the ordinary loss.
    variant = pick or Variant(str(task.base_loss()), task.base_loss())
    found = Found(
        variant, math.fsum(nested.seconds.values()), len(engine.ledger.evaluations), pick is not None
    )
    store.put("searched", scope, found.record())
    # Through its record, so that a run that goes on compares the very same formula.
    return Found.from_record(found.record(), task.kind)


def _pick(engine: Engine) -> Variant | None:
    row = next((row for row in engine.ledger.front if row.picked), None)
    if row is None:
        return None
    if row.written is not None:
        return Variant(str(row.written), row.written)
    assert engine.ledger.network is not None  # the search keeps that of its front
    return Variant(row.text, engine.ledger.network.loss)
