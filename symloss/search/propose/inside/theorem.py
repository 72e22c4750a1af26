"""The theorems that a search can stay inside of: their grammars, what they imply, and which exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from symloss.errors import DomainError
from symloss.expr import KINDS, Kind
from symloss.search.propose.inside.rules import POSITIVE, RULES, Convex, Increasing, Loss, Rising, Rule, Tree

__all__ = ["EXCLUSIVE", "THEOREMS", "Inside", "Theorem", "inside_of"]

EXCLUSIVE = (
    "no loss is both strictly proper and symmetric (symloss derive --theorem proper-symmetric-exclusive): leave one of "
    "them out"
)


@dataclass(frozen=True)
class Theorem:
    """A property, and the rules for losses that have it.

    Attributes:
        name: what users type.
        says: what every member is, in words.
        kinds: of loss, for which it holds.
        roots: rules for the loss itself.
        findings: of the certificate, which prove it again, by kind where they differ.
        implies: other theorems that hold of every member.
    """

    name: str
    says: str
    kinds: tuple[str, ...]
    roots: tuple[Rule, ...]
    findings: tuple[str, ...]
    implies: tuple[str, ...] = ()


_PROBABILITIES = ("classification", "multilabel")
_BREGMAN = (
    Rule("score", Loss, "eu", "the expectation under q is least at p = q alone, as f is strictly convex", {"u": Convex},
         bare=("u",)),
)  # fmt: skip
_B = {"a": POSITIVE}

THEOREMS: dict[str, Theorem] = {
    theorem.name: theorem
    for theorem in (
        Theorem("proper", "strictly proper: its minimiser is the class posterior", _PROBABILITIES, _BREGMAN,
                ("proper",), implies=("calibrated",)),
        Theorem("symmetric", "symmetric, so robust to symmetric label noise; calibrated and bounded too",
                ("classification",), (
            Rule("symmetric", Loss, "(1 - C*y)*u", "M1 + (C-1) M0 = 0", {"u": Increasing}, bare=("u",)),
            Rule("symmetric-tilted", Loss, "(1 - C*y)*u - a*y*p", "M1 + (C-1) M0 = -a p", {"u": Increasing},
                 numbers=_B),
        ), ("symmetric_noise_robust",), implies=("calibrated", "bounded")),
        Theorem("calibrated", "classification-calibrated: its minimiser keeps the most likely class first",
                ("classification",), (
            Rule("calibrated-sparse", Loss, "-(y*u)", "swapping two probabilities", {"u": Rising}, bare=("u",)),
            Rule("calibrated", Loss, "u - y*v", "swapping two probabilities", {"u": Tree, "v": Rising}, bare=("v",)),
            Rule("calibrated-barrier", Loss, "-(a*log(p)) - y*u", "swapping two probabilities", {"u": Rising},
                 bare=("u",), numbers=_B, steep=True),
        ), ("classification_calibrated",)),
        Theorem("smoothing", "label smoothing: its minimiser is (1 - xi) q + xi/C for the posterior q",
                ("classification",), _BREGMAN, ("label_smoothing", "classification_calibrated"),
                implies=("calibrated",)),
        Theorem("bounded", "bounded", _PROBABILITIES, (
            Rule("bounded-sparse", Loss, "y*u", "continuous on [0, 1]", {"u": Tree}, bare=("u",)),
            Rule("bounded", Loss, "y*u + (1 - y)*v", "continuous on [0, 1]", {"u": Tree, "v": Tree}),
        ), ("bounded_below", "bounded_above")),
        Theorem("mean", "its constant minimiser is the mean of the targets", ("regression",), _BREGMAN,
                ("converges_to", "minimum_at_target")),
    )
}  # fmt: skip
"""Every theorem by name."""


@dataclass(frozen=True)
class Inside:
    """What a search stays inside of; see `inside_of`.

    Attributes:
        theorem: whose rules make the losses.
        kind: of the losses.
        bounded: whether they are bounded as well.
        xi: strength of the label smoothing.
    """

    theorem: Theorem
    kind: Kind
    bounded: bool = False
    xi: float = 0.0

    @property
    def name(self) -> str:
        """What it is called: `proper,bounded`, `smoothing=0.1`."""
        name = f"smoothing={self.xi:g}" if self.theorem.name == "smoothing" else self.theorem.name
        return f"{name},bounded" if self.bounded else name

    @property
    def says(self) -> str:
        """What every member is, in words."""
        says = self.theorem.says.replace("xi", f"{self.xi:g}") if self.xi else self.theorem.says
        return f"{says}; and bounded" if self.bounded else says

    @property
    def findings(self) -> tuple[str, ...]:
        """Of the certificate, those that prove it again."""
        more = THEOREMS["bounded"].findings if self.bounded else ()
        return (*self.theorem.findings, *more)

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """The rules of its grammar by name, those of the loss first."""
        line = not self.kind.probabilities
        # Boundedness needs continuity alone; every other argument differentiates.
        kinks = self.theorem.name == "bounded"
        # Continuous on the closed interval, so bounded: no rule that is infinite at an end. Slopes that are infinite
        # go as well.
        flat = self.bounded or self.theorem.name == "bounded"
        rules = {rule.name: rule for rule in self.theorem.roots if not (flat and rule.steep)}
        sorts = {sort for rule in rules.values() for sort in rule.takes.values()}
        # An `Increasing` part may stand where a `Rising` one is wanted; DEAP follows the subclass.
        sorts |= {Increasing} if Rising in sorts else set()
        for rule in RULES:
            where = rule.line if line else rule.unit
            if rule.gives in sorts and where and not (flat and rule.steep) and (kinks or not rule.kink):
                rules[rule.name] = rule
        return rules

    def to_list(self) -> list[str]:
        """As `inside_of` reads it."""
        return self.name.split(",")


def inside_of(names: Sequence[str], kind: str) -> Inside | None:
    """What a search is to stay inside of; None for nothing.

    Args:
        names: of theorems, `smoothing=XI` with its strength.
        kind: of the losses.

    Raises:
        DomainError: for a name of none, a strength out of range, a theorem that says nothing of this kind, or
            theorems that exclude each other.

    >>> inside_of(["bounded", "proper"], "classification").name
    'proper,bounded'
    >>> inside_of(["symmetric", "calibrated"], "classification").name
    'symmetric'
    """
    if isinstance(names, str):
        raise DomainError(f"inside is {names!r}: expected a list of theorems, as [{names!r}]")
    if not names:
        return None
    said = "inside " + ",".join(names)
    asked: dict[str, float] = {}
    for text in names:
        name, _, value = text.partition("=")
        if name not in THEOREMS or (value and name != "smoothing"):
            known = ", ".join("smoothing=XI" if each == "smoothing" else each for each in THEOREMS)
            raise DomainError(f"{said}: {text!r} is no theorem; expected some of {known}")
        if kind not in THEOREMS[name].kinds:
            these = " and ".join(THEOREMS[name].kinds)
            raise DomainError(f"{said}: {name} is a property of {these} losses, and this is a {kind} task")
        asked[name] = _strength(value, said) if name == "smoothing" else 0.0
    if "symmetric" in asked and ("proper" in asked or "smoothing" in asked):
        raise DomainError(f"{said}: {EXCLUSIVE}")
    if "smoothing" in asked and "proper" in asked:
        raise DomainError(
            f"{said}: the minimiser of a loss that smooths is (1 - xi) q + xi/C, that of a proper one q: leave one "
            "of them out"
        )
    # What another theorem implies need not be asked for: symmetric losses are calibrated and bounded anyway.
    needed = [name for name in asked if not any(name in THEOREMS[other].implies for other in asked)]
    bounded = len(needed) == 2 and "bounded" in needed
    theorem = THEOREMS[next(name for name in needed if name != "bounded" or not bounded)]
    return Inside(theorem, KINDS[kind], bounded, asked.get("smoothing", 0.0))


def _strength(text: str, said: str) -> float:
    try:
        xi = float(text)
    except ValueError:
        xi = -1.0
    if not 0 < xi < 1:
        raise DomainError(f"{said}: expected smoothing=XI with a strength between 0 and 1, as smoothing=0.1")
    return xi
