"""A search driven from outside, step by step: ask for proposals, tell losses, finish."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from symloss.errors import RunError
from symloss.expr import Loss
from symloss.runs import RunStore
from symloss.search.discover import plan
from symloss.search.loop.engine import Engine
from symloss.search.loop.workers import Progress, place_for
from symloss.search.propose.inside import TypedLoss
from symloss.search.propose.outside import Outside, Received
from symloss.search.record.memory import Memory
from symloss.search.record.reading import read_result
from symloss.search.record.result import Evaluation, Result
from symloss.tasks import Task

__all__ = ["Search"]

_NOT_TOLD = ("seed_losses", "max_evaluations", "patience")


class Search:
    """A search that is led from outside. Use as a context manager, or `finish` it.

    Before the first generation the zoo and a few random losses are trained, as in `discover`; every `tell` is one
    generation: gate, dynamics classes, scale, a block of its own on which the best so far are scored again. What
    was told stands in the run, which `resume` ends and `verify` works out again without asking anybody.

    Args:
        task: one, or several of one kind.
        seed, out, workers, executor, device, on_progress, settings: see `discover`; how many losses are told, and
            which, is up to you: there are no seed losses, limits or patience.

    >>> from symloss.tasks import load_task
    >>> task = load_task("wine", model="linear").with_settings(steps=10)
    >>> quick = {"headroom": False, "zoo": False, "settle": False, "final": 2}
    >>> with Search(task, blocks=quick, tuning={"tidy": False}, screening={"sample": 0}) as search:
    ...     [outcome] = search.tell(["-y*log(p)"])
    ...     best = search.finish().best
    >>> outcome.outcome, str(best)
    ('trained', '-y*log(p)')
    """

    def __init__(
        self,
        task: Task | Sequence[Task],
        *,
        seed: int = 0,
        out: str | Path | None = None,
        workers: int = 1,
        executor: str = "serial",
        device: str = "auto",
        on_progress: Progress | None = None,
        **settings: Any,
    ) -> None:
        for name in _NOT_TOLD:
            if settings.get(name):
                raise RunError(f"{name} says nothing of a search that is told its losses: leave it out")
        config, tasks, chosen = plan(
            task, seed=seed, device=device, executor=executor, proposer="tells", **settings
        )
        self._asked: dict[str, str] = {}
        self._stack = ExitStack()
        place = self._stack.enter_context(place_for(tasks, executor, workers))
        self._store: Memory | RunStore = Memory(config) if out is None else RunStore.create(out, config)
        self._stack.callback(self._store.__exit__, None, None, None)
        self._engine = Engine(tasks, chosen, config["seed"], self._store, place, (), on_progress, proves=True)
        try:
            self._engine.begin()
        # Ctrl-C too: workers and the lock on the folder must not outlive a search that never began.
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ask(self, n: int = 10) -> list[Loss]:
        """What the method would propose next, with unit coefficients where it tunes them.

        Asking changes nothing that is recorded; what is told need not be what was asked for.
        """
        proposer, kind = self._engine.proposer, self._engine.tasks[0].kind
        assert isinstance(proposer, Outside)
        proposals = proposer.breeder.propose(len(self._engine.generations), n)
        # Elites are on record already, and need not be told again.
        losses = [proposal.loss for proposal in proposals if proposal.source is None]
        asked = [(loss.to_loss(kind), loss) for loss in losses]
        # Inside a theorem a loss is told by its derivation, which is not read off its formula.
        self._asked.update({str(one): loss.to_text() for one, loss in asked if isinstance(loss, TypedLoss)})
        return [one for one, _ in asked]

    def tell(self, losses: Sequence[Loss | str], *, tune: bool = False) -> tuple[Evaluation, ...]:
        """Gates, trains and records losses from anywhere; what became of each, in their order.

        Args:
            losses: formulas, or names of the zoo; what is neither is an outcome with its reason.
            tune: whether their coefficients are tuned first.

        Raises:
            RunError: after `finish`.
        """
        engine, proposer = self._engine, self._engine.proposer
        assert isinstance(proposer, Outside)
        if self._store.status != "running":
            raise RunError(f"this search is {self._store.status}: begin another")
        texts = tuple(self._asked.get(str(each), str(each)) for each in losses)
        if not texts:
            return ()
        # Before the generation runs: a process that dies in it leaves a run that `resume` ends with these losses.
        proposer.remember(len(engine.generations), Received(texts, tune=tune))
        told = {candidate.number for candidate in engine.generation(len(texts))}
        return tuple(entry for entry in engine.ledger.evaluations if entry.number in told)

    @property
    def result(self) -> Result:
        """The search as far as it has come."""
        return read_result(self._store)

    def finish(self) -> Result:
        """Holds the finals and ends the search."""
        if self._store.status == "running":
            self._engine.end("finished")
        return self.result
