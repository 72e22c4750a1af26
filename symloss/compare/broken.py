"""Which proofs a loss loses when it moves to a task with another number of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symloss.compare.contenders import Contender
from symloss.errors import SymlossError
from symloss.expr import KINDS, Loss

__all__ = ["Certified", "certified"]

_PROVED = "proved"


@dataclass(frozen=True)
class Certified:
    """What is proved of a loss at one number of classes, beside what was where it was searched.

    Attributes:
        name: of the loss.
        classes: of the task that it is used on.
        searched: of the tasks that it was searched on.
        held: findings that were proved there.
        broken: those of them that are not proved here, with the verdict and why.
        changed: those that are, with another number: there, here.
    """

    name: str
    classes: int
    searched: int
    held: tuple[str, ...]
    broken: Mapping[str, str]
    changed: Mapping[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            **asdict(self),
            "held": list(self.held),
            "changed": {k: list(v) for k, v in self.changed.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Certified:
        """What `to_dict` wrote."""
        changed = {name: (float(a), float(b)) for name, (a, b) in data["changed"].items()}
        return cls(
            str(data["name"]), int(data["classes"]), int(data["searched"]), tuple(data["held"]), dict(data["broken"]),
            changed,
        )  # fmt: skip

    def sentence(self) -> str:
        """In plain words, one line."""
        said = f"{self.name} at {self.classes} classes, searched at {self.searched}: "
        if self.broken:
            each = [f"{name} ({why})" for name, why in self.broken.items()]
            said += f"proved no more: {'; '.join(each)}"
        else:
            said += f"all {len(self.held)} findings still proved" if self.held else "nothing was proved there"
        moved = [f"{name} {a:.3g} -> {b:.3g}" for name, (a, b) in self.changed.items()]
        return f"{said}; changed: {', '.join(moved)}" if moved else said


def certified(
    contenders: Sequence[Contender], classes: Sequence[int | None], remembered: Callable[..., Any]
) -> tuple[list[Certified], list[str]]:
    """The certificates of rows of runs at these numbers of classes, and remarks on those that there are not.

    Asked only where a number of classes says something, and differs from that of the search.

    Args:
        contenders: the losses; those that come from no run were certified nowhere before.
        classes: of the tasks.
        remembered: `(key, make)`: what was made under a key before, or what `make()` is.
    """
    found, remarks = [], []
    for one in contenders:
        origin, loss = one.origin, one.loss
        if origin is None or origin.classes is None:
            continue
        # At its own number of classes a loss keeps what was proved: nothing to ask.
        others = sorted({number for number in classes if number is not None} - {origin.classes})
        if not KINDS[loss.kind].exclusive or not others:
            continue
        if not isinstance(loss, Loss):
            remarks.append(f"{one.name} is a network, of which nothing is proved")
            continue
        try:
            before = _findings(loss, origin.classes, remembered)
            found += [
                _beside(one.name, number, origin.classes, before, _findings(loss, number, remembered))
                for number in others
            ]
        except SymlossError as error:
            remarks.append(f"nothing is proved of {one.name}: {error}")
    return found, remarks


def _findings(loss: Loss, classes: int, remembered: Callable[..., Any]) -> dict[str, Any]:
    def make() -> dict[str, Any]:
        from symloss.theory import analyze  # takes a second to import, and most tables need no theory

        return {
            name: {"verdict": each.verdict, "numeric": each.numeric, "reason": each.reason}
            for name, each in analyze(loss, classes).findings.items()
        }

    certificate: dict[str, Any] = remembered(f"{classes} {loss}", make)
    return certificate


def _beside(
    name: str, classes: int, searched: int, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Certified:
    held = tuple(key for key, each in before.items() if each["verdict"] == _PROVED)
    broken, changed = {}, {}
    # What was unknown or refuted there cannot break.
    for key in held:
        here, there = after[key], before[key]
        if here["verdict"] != _PROVED:
            broken[key] = f"{here['verdict']}: {here['reason']}" if here["reason"] else here["verdict"]
        elif _moved(there["numeric"], here["numeric"]):
            changed[key] = (there["numeric"], here["numeric"])
    return Certified(name, classes, searched, held, broken, changed)


def _moved(before: float | None, after: float | None) -> bool:
    """Whether two numbers differ beyond rounding; formulas at different C may evaluate to different last digits."""
    return before is not None and after is not None and abs(before - after) > 1e-9 * max(1.0, abs(before))
