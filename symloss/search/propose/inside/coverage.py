"""Which named losses a grammar contains, decided by algebra instead of by the luck of a search."""

from __future__ import annotations

from dataclasses import dataclass

from symloss.errors import DomainError
from symloss.expr import Loss
from symloss.search.propose.inside.prove import verdict_of
from symloss.search.propose.inside.read import read
from symloss.search.propose.inside.theorem import Inside
from symloss.zoo import named, names

__all__ = ["Reach", "coverage"]


@dataclass(frozen=True)
class Reach:
    """What a grammar has to do with a loss.

    Attributes:
        name: of the loss.
        derivation: its rules in prefix order, where it is read as a member; each such reading is checked exactly.
        formula: of the member.
        holds: whether the loss has the property, by its certificate: `"proved"`, `"refuted"` or `"unknown"`.
        why: why it is not read as a member, or `""`.
    """

    name: str
    derivation: tuple[str, ...]
    formula: str
    holds: str
    why: str

    @property
    def reached(self) -> bool:
        """Whether it is a member."""
        return bool(self.derivation)


def coverage(inside: Inside, classes: int | None = 10) -> tuple[Reach, ...]:
    """For every loss of the zoo of the grammar's kind, at its defaults, whether it is a member.

    A loss of which the property is refuted can be in no grammar of it; one that has it and is not reached is what the
    grammar lacks, as far as formulas are read.

    Args:
        inside: the grammar.
        classes: what `C` is.

    >>> from symloss.search.propose.inside import inside_of
    >>> [each.name for each in coverage(inside_of(["proper"], "multilabel")) if each.reached]
    ['bce']
    """
    return tuple(
        _reach(name, named(name, inside.kind.name), inside, classes) for name in names(inside.kind.name)
    )


def _reach(name: str, loss: Loss, inside: Inside, classes: int | None) -> Reach:
    holds = verdict_of(loss, inside, classes)
    try:
        reading = read(loss, inside, classes)
    except DomainError as error:
        # `read` begins its message with the loss, which the table names already.
        return Reach(name, (), "", holds, str(error).partition(": ")[2])
    return Reach(name, tuple(rule.name for rule, _ in reading.steps), reading.formula, holds, "")
