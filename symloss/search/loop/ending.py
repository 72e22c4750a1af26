"""The end of a run: finalists get rounder numbers and learning rates of their own, and meet on the final blocks."""

from __future__ import annotations

from collections.abc import Mapping

from symloss.expr import parse
from symloss.search.loop import finals, sweep
from symloss.search.loop.candidate import Candidate
from symloss.search.loop.ledger import Ledger
from symloss.search.loop.stages import Stages
from symloss.search.record.finals import Finals, Own, finals_record

__all__ = ["Ending"]


class Ending:
    """The finals of a run.

    Args:
        stages: that train.
        ledger: of the run.
        generation: the number under which new versions of finalists are recorded.
        ordinary: number of the ordinary loss, if the search has it.
    """

    def __init__(self, stages: Stages, ledger: Ledger, generation: int, ordinary: int | None) -> None:
        self.stages, self.ledger, self.field, self.generation = stages, ledger, ledger.field, generation
        self.ordinary = self._given_ordinary() if ordinary is None else ordinary

    def hold(self) -> tuple[Finals, list[str]]:
        """The finals, and what is to be said of them. The front by them is written."""
        always = [] if self.ordinary is None else [self.ordinary]

        def chosen() -> list[int]:
            return finals.finalists(self.field, self.stages.settings.blocks.finalists, always)

        # Before any number is rounded or block spent: what a requirement refutes may not take a finalist's place.
        self.ledger.enforce(chosen)
        numbers, notes = self._tidy(chosen())
        rows = [self.field.candidates[number] for number in numbers]
        own = self.stages.trainer.own("rates", rows, base=self.stages.settled.rates) if rows else []
        by_number = dict(zip(numbers, own, strict=True))
        held = finals.hold_finals(self.stages, rows, by_number, self.ordinary)
        self.ledger.store.put("front", "finals", finals_record(held))
        self.ledger.show_front(held)
        return held, [*notes, *_said_of_rates(by_number, held.own), *self._said_of_pick()]

    def _tidy(self, numbers: list[int]) -> tuple[list[int], list[str]]:
        """Replaces finalists by versions with fewer or rounder numbers, where these do as well."""
        if not self.stages.settings.tuning.tidy:
            return numbers, []
        numbers = self._write_out(numbers)
        rows = [self.field.candidates[number] for number in numbers]
        # A loss whose coefficients somebody fixed is compared as it was given.
        rows = [row for row in rows if not row.fixed and row.network is None]
        versions = finals.tidied_candidates(rows, len(self.field.candidates), self.generation)
        self.stages.prepare(versions)
        ready = [version for version in versions if version.on_its_way]
        for version in ready:
            self._write(version)
            if reason := self._refused(version):
                version.stop("rejected", reason)
        ready = [version for version in ready if version.on_its_way]
        ordinary = None if self.ordinary is None else self.field.candidates[self.ordinary]
        taken, cost = finals.snap(self.stages, self.field, ready, ordinary)
        kept = set(taken.values())
        for version in ready:
            if version.number in kept:
                version.stop("trained", "")
            else:
                version.stop("rejected", "does not do as well, or another does with fewer numbers")
        self._keep(versions)
        said = [
            f"candidate {number} became {new}, with rounder numbers: {cost[number]}"
            for number, new in taken.items()
        ]
        return sorted(taken.get(number, number) for number in numbers), said

    def _write_out(self, numbers: list[int]) -> list[int]:
        """Replaces finalists whose simplified form has long numbers by the same losses with short ones."""
        rows = [self.field.candidates[number] for number in numbers]
        written = finals.written_candidates(
            [row for row in rows if not row.fixed and row.network is None],
            len(self.field.candidates), self.generation, self._write, self._refused,
        )  # fmt: skip
        self._keep(written)
        places = {one.parent: one.number for one in written}
        return [places.get(number, number) for number in numbers]

    def _keep(self, versions: list[Candidate]) -> None:
        self.ledger.enter(versions)
        self.ledger.record(versions, retelling=False)

    def _write(self, candidate: Candidate) -> bool:
        kind, digits = self.ledger.tasks[0].kind, self.stages.settings.tuning.digits
        return finals.write_out(candidate, kind, digits, hard_labels=self.ledger.hard_labels)

    def _refused(self, candidate: Candidate) -> str:
        """Which requirement a loss with other numbers does not meet, and why, or `""`."""
        if not self.stages.settings.screening.require:
            return ""
        loss = parse(candidate.formula, kind=self.ledger.tasks[0].kind)
        return self.ledger.requirements.refuted(loss)

    def _given_ordinary(self) -> int | None:
        """The ordinary loss among those that the user gave, where the zoo was not trained."""
        base = sweep.base_candidate(self.ledger.tasks[0])
        for number, candidate in self.field.candidates.items():
            same = candidate.program == base.program or not candidate.weighted.free
            if candidate.as_given and same and candidate.outcome == "trained":
                return number
        return None

    def _said_of_pick(self) -> list[str]:
        for row in self.ledger.front:
            if row.picked and row.name:
                return [f"the pick is a loss with a name: use {row.name}, tuned"]
        return []


def _said_of_rates(own: Mapping[int, Own], kept: Mapping[int, Own]) -> list[str]:
    said = {
        "the best learning rate lies at the end of a grid that was widened as far as it goes": [
            number for number, each in own.items() if each.edge
        ],
        "a training on the final blocks diverged: held again at a third of the learning rate": [
            number for number, each in own.items() if kept[number].rates != each.rates
        ],
    }
    return [
        f"candidate{'s' if len(which) > 1 else ''} {', '.join(map(str, which))}: {what}"
        for what, which in said.items()
        if which
    ]
