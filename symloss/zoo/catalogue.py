"""Looking a loss up by its name."""

from __future__ import annotations

from symloss.errors import DomainError
from symloss.expr import Loss, kind_of
from symloss.text import slip_of
from symloss.zoo.entries import ENTRIES
from symloss.zoo.named_loss import Entry

__all__ = ["entry", "named", "names"]


def names(kind: str | None = None) -> list[str]:
    """The names of all losses, or of those of one kind, in the zoo's order.

    >>> names("multilabel")
    ['bce', 'focal-bce']
    """
    if kind is not None:
        kind_of(kind)
    return list(dict.fromkeys(entry.name for entry in ENTRIES if kind in (None, entry.kind)))


def entry(name: str, kind: str | None = None) -> Entry:
    """The entry of that name; of the first kind that has one, in the order classification, multilabel, regression,
    margin.

    Raises:
        DomainError: for a name that no loss (of that kind) has.
    """
    for candidate in ENTRIES:
        if candidate.name == name and kind in (None, candidate.kind):
            return candidate
    have = names(kind)
    close = slip_of(name, have)
    hint = f"did you mean {close!r}?" if close else f"known: {', '.join(have)}"
    raise DomainError(f"no {f'{kind} ' if kind else ''}loss is named {name!r}; {hint}")


def named(name: str, kind: str | None = None, **coefficients: float) -> Loss:
    """The loss of that name.

    Args:
        name: one of `names()`.
        kind: which of two losses of the same name (`mae` is a classification and a regression loss).
        coefficients: values other than the defaults.

    Raises:
        DomainError: for an unknown name or coefficient, or a value outside its bounds.

    >>> str(named("ace", phi1=1.5))
    'y*abs(log(1.5*p))'
    >>> str(named("mae", kind="regression"))
    'abs(y - p)'
    """
    return entry(name, kind).with_coefficients(**coefficients)
