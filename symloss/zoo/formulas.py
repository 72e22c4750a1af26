"""Formulas in which the zoo's losses stand by name: `ce + 0.1*brier`.

`symloss.expr.parse` reads the grammar alone, and so does everything that is stored: what a run has written down
does not change its meaning when a loss joins the zoo. Names are for people; this is where they are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from sympy import Expr

from symloss.errors import ParseError
from symloss.expr import DEFAULT_KIND, Loss, Registry
from symloss.expr import parse as parse_grammar
from symloss.zoo.catalogue import entry, named, names

__all__ = ["parse"]


def parse(
    text: str,
    kind: str = DEFAULT_KIND,
    coefficients: Mapping[str, float] | None = None,
    registry: Registry | None = None,
) -> Loss:
    """The loss that a formula says; the zoo's losses of its kind may stand in it by name.

    A name in a formula is the loss at its default coefficients; a name alone is the loss itself, whose
    coefficients can be given. Symbols come first, then declared coefficients and `phi0, phi1, ...`, then functions,
    then the zoo. A name with a hyphen is read as one where nothing stands between its letters.

    Args:
        text: a formula of the grammar of `symloss.expr.parse`: ASCII, at most 4 KiB, 512 nodes, depth 64.
        kind: `"classification"`, `"multilabel"`, `"regression"` or `"margin"`.
        coefficients: the values of named coefficients in the formula.
        registry: the operators it may use, where they are not the default ones.

    Raises:
        ParseError: with position, expectation and hint, for text that is not such a formula.
        DomainError: for another kind, or a coefficient that a named loss does not have.

    >>> str(parse("ce + 0.1*brier"))
    '0.1*(y - p)**2 - y*log(p)'
    >>> str(parse("2*sparse-lsr", coefficients=None)) == str(parse("2*sparse_lsr"))
    True
    >>> parse("ace", coefficients={"phi1": 1.5}) == parse("y*abs(log(1.5*p))")
    True
    """
    known = names(kind)
    stripped = text.strip() if isinstance(text, str) else ""
    # Alone, a name keeps its coefficients as parameters; inside a formula their default values are put in.
    if stripped in known:
        return named(stripped, kind, **(coefficients or {}))
    try:
        return parse_grammar(text, kind, coefficients, registry, _Formulas(kind, known))
    except ParseError as error:
        other = _of_another_kind(text, error.position, known)
        if other is None:
            raise
        name, its_kind = other
        raise ParseError(
            f"{name!r} is a {its_kind} loss, not a {kind} loss",
            position=error.position,
            hint=f"give the kind {its_kind!r}",
        ) from None


class _Formulas(Mapping[str, Expr]):
    """The formulas of a kind by name, each read when it is first asked for."""

    def __init__(self, kind: str, known: list[str]) -> None:
        self._kind, self._known = kind, known

    def __getitem__(self, name: str) -> Expr:
        if name not in self._known:
            raise KeyError(name)
        return entry(name, self._kind).loss.value_expr

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _of_another_kind(text: str, position: int, known: Sequence[str]) -> tuple[str, str] | None:
    """The loss that is named at a position of the text, and its kind, if the zoo has it but for another one."""
    if not isinstance(text, str):
        return None
    match = re.match(r"[A-Za-z]\w*(?:-[A-Za-z]\w*)*", text[position:].lstrip(), re.ASCII)
    # `log-cosh` may be one name or a difference of two: the longer reading first.
    for name in (match.group(), match.group().partition("-")[0]) if match else ():
        if name in names() and name not in known:
            return name, entry(name).kind
    return None
