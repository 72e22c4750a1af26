"""Formulas from outside the search: from a command that runs once a generation, or from a caller."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from symloss.errors import DomainError, RunError, SymlossError
from symloss.expr import Loss, Program, Registry, parse
from symloss.expr.trees import Weighted, weighted_from
from symloss.search.propose.breeding import Breeder
from symloss.search.propose.inside import Inside, TypedLoss
from symloss.search.propose.inside.read import read
from symloss.search.propose.proposal import Outcome, Proposal
from symloss.zoo import named, names

__all__ = ["NOTHING", "Command", "Outside", "Received", "proposal_of"]

NOTHING = Weighted.plain(Program(("y",)))
"""The placeholder loss of a proposal that is not a loss."""
_LONGEST = 2000
"""Characters of a formula, and of what is kept of a message."""


@dataclass(frozen=True)
class Received:
    """What came back.

    Attributes:
        formulas: as they were written.
        problem: what went wrong, in words, or `""`.
        tune: whether their coefficients are tuned, as those of the search's own proposals are.
    """

    formulas: tuple[str, ...]
    problem: str = ""
    tune: bool = False


Ask = Callable[[Sequence[dict[str, Any]]], Received]
"""From one record a candidate so far (`formula, outcome, reason, mean, se, complexity`) to new formulas."""


class Records(Protocol):
    """The part of a run's store that remembers what was proposed."""

    @property
    def path(self) -> Path | None:
        """Folder of the run, or None in memory."""

    def get(self, kind: str, key: int | str) -> Any:
        """A payload, or None."""

    def put(self, kind: str, key: int | str, payload: Any) -> None:
        """Remembers a payload."""


class Command:
    """Runs a command for each generation; what goes wrong in a call is part of the answer, never an exception.

    On its standard input it finds a line of JSON for each candidate so far, `{"formula", "outcome", "reason",
    "mean", "se", "complexity"}`; it prints one formula a line. Empty lines and those that begin with `#` count for
    nothing.

    Args:
        command: with its arguments, as a shell would split them; no shell is involved.
        limit: seconds that it may take, after which its process is ended.

    Raises:
        RunError: for no command, or quotes that do not close.
    """

    def __init__(self, command: str, limit: float = 60.0) -> None:
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise RunError(f"--propose {command!r}: {error}") from None
        if not self.words:
            raise RunError("--propose: expected a command, as 'python propose.py'")
        self.limit = limit

    def check(self) -> None:
        """Looks whether there is such a program, before anything is spent on a search that asks it.

        Raises:
            RunError: where there is none.
        """
        if shutil.which(self.words[0]) is None:
            raise RunError(f"--propose: there is no program {self.words[0]!r} that can be run here")

    def __call__(self, candidates: Sequence[dict[str, Any]]) -> Received:
        """See `Ask`."""
        text = "".join(json.dumps(each) + "\n" for each in candidates)
        try:
            done = subprocess.run(
                self.words, input=text, capture_output=True, text=True, timeout=self.limit, check=False,
                errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            # subprocess hands the output of a command that was ended as bytes, even where text was asked for.
            said = error.stdout or b""
            lines = said.decode(errors="replace") if isinstance(said, bytes) else said
            return Received(_formulas(lines), f"the command took longer than its limit of {self.limit:g} s")
        except OSError as error:
            return Received((), f"the command cannot be run: {error.strerror or error}")
        problem = ""
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing on its standard error"])[-1]
            problem = f"the command ended with exit code {done.returncode}: {last[:_LONGEST]}"
        return Received(_formulas(done.stdout), problem)


def _formulas(text: str) -> tuple[str, ...]:
    lines = (line.strip() for line in text.splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _failure(received: Received, proposals: Sequence[Proposal]) -> str:
    """Why a call came to nothing that can be relied on, in words, or `""`."""
    if received.problem:
        return received.problem
    if not proposals:
        return "the command printed no formula"
    if all(proposal.problem for proposal in proposals):
        first = proposals[0]
        return f"nothing that came is a loss, beginning with {received.formulas[0][:80]!r}: {first.problem}"
    return ""


class Outside:
    """A proposer whose formulas come from somewhere else, and are remembered as they come.

    What was proposed stands in the run: to go on with it, or to verify it, nobody is asked again. A first call that
    fails ends the search; one that fails later costs its generation, and is among the `failures`.

    Args:
        kind: of the losses.
        registry: what the operators in their formulas mean.
        records: the memory of the run.
        breeder: keeps the parents, which are scored on every generation's block.
        ask: where formulas come from; None where only what is remembered is told again.
        waits: whether the run waits for whoever tells, and is not in want of a command when nothing is left.
        inside: the theorem that every formula must be read inside of.
        classes: of the task, where the theorem wants to know.

    Attributes:
        failures: what went wrong, by the number of the generation, counted from 1.
    """

    def __init__(
        self,
        kind: str,
        registry: Registry,
        records: Records,
        breeder: Breeder,
        ask: Ask | None,
        *,
        waits: bool = False,
        inside: Inside | None = None,
        classes: int | None = None,
    ) -> None:
        self.inside, self.classes = inside, classes
        self.kind, self.registry, self.records, self.breeder = kind, registry, records, breeder
        self.ask, self.waits = ask, waits
        self.known: list[dict[str, Any]] = []
        self.failures: dict[int, str] = {}

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know: every call that failed, and why."""
        by_problem: dict[str, list[int]] = {}
        for generation, problem in self.failures.items():
            by_problem.setdefault(problem, []).append(generation)
        return [
            f"the proposer failed in generation{'s' if len(which) > 1 else ''} {', '.join(map(str, which))}: {problem}"
            for problem, which in by_problem.items()
        ]

    def propose(self, generation: int, slots: int) -> list[Proposal]:
        """The formulas of one generation, of a command at most `slots`; what is none is a proposal with a problem."""
        received = self.received(generation, slots)
        if received is None:
            return []
        proposals = self._proposals(received, slots)
        problem = "" if self.waits else _failure(received, proposals)
        if problem:
            self.failures[generation + 1] = problem
        if received.problem or not proposals:
            # The problem takes a slot of its own, so that it is on record among the candidates, where users look.
            proposals = [*proposals[: slots - 1], Proposal(NOTHING, problem=problem, remark="proposer")]
        return proposals

    def _proposals(self, received: Received, slots: int) -> list[Proposal]:
        # Whoever tells has been answered about every loss: none is cut when the run is gone through again.
        formulas = received.formulas if self.waits else received.formulas[:slots]
        return [
            proposal_of(text, self.kind, self.registry, received.tune, self.inside, self.classes)
            for text in formulas
        ]

    def received(self, generation: int, slots: int) -> Received | None:
        """What was proposed for a generation: as it is remembered, or asked for now; None when nobody tells.

        Raises:
            RunError: where a command is needed, as a run's folder never says which, or its first call fails.
        """
        stored = self.records.get("proposals", generation)
        # Before anybody is asked: a run that goes on, or is verified, must see the same proposals.
        if isinstance(stored, dict):
            formulas = tuple(map(str, stored.get("formulas", ())))
            return Received(formulas, str(stored.get("problem", "")), bool(stored.get("tune", False)))
        if self.ask is None:
            if self.waits:
                return None
            raise RunError(
                "the formulas of this run came from a command, and a run folder is never asked which: give "
                "--propose COMMAND again"
            )
        # The one place where the outcome of a run depends on something outside; hence the record in the next line.
        answer = self.ask(self.known)
        if generation == 0 and (problem := _failure(answer, self._proposals(answer, slots))):
            # Not remembered, so that the run can go on with a command that works.
            where = (
                f", or go on with 'symloss resume {self.records.path} --propose COMMAND'"
                if self.records.path
                else ""
            )
            raise RunError(
                f"the proposer failed in its first call: {problem}; mend it and begin again{where}"
            )
        self.remember(generation, answer)
        return answer

    def remember(self, generation: int, received: Received) -> None:
        """Writes down what was proposed, before anything is done with it."""
        self.records.put(
            "proposals",
            generation,
            {"formulas": list(received.formulas), "problem": received.problem, "tune": received.tune},
        )

    def learn(self, outcomes: Sequence[Outcome], fresh: int) -> None:
        """Lets the breeder choose parents; what is no loss is none."""
        self.breeder.learn(outcomes, fresh)

    def scored_again(self) -> list[int]:
        """The breeder's parents."""
        return self.breeder.scored_again()


def proposal_of(
    text: str,
    kind: str,
    registry: Registry,
    tune: bool,
    inside: Inside | None = None,
    classes: int | None = None,
) -> Proposal:
    """A formula, or the name of a loss of the zoo, as a proposal; with a problem if it is neither.

    Inside a theorem it must be read as a member; a derivation in the words of `TypedLoss.to_text` is one as well.
    """
    if len(text) > _LONGEST:
        return Proposal(NOTHING, problem=f"longer than {_LONGEST} characters", remark=text[:80])
    try:
        # No formula begins with a brace, so JSON and formulas cannot be confused.
        if inside is not None and text.startswith("{"):
            member = TypedLoss.from_text(text, kind)
            if member.inside != inside:
                raise DomainError(f"it is not of the grammar of {inside.name}")
            return Proposal(member, fixed=not tune, remark=f"proposed {member.formula}")
        loss: Loss = named(text, kind) if text in names(kind) else parse(text, kind=kind, registry=registry)
        tree = weighted_from(loss, registry) if inside is None else read(loss, inside, classes)
        return Proposal(tree, fixed=not tune, remark=f"proposed {text}")
    except SymlossError as error:
        return Proposal(NOTHING, problem=f"no loss: {error}", remark=f"proposed {text}")
