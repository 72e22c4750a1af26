"""One row of the zoo: formula, domain, reference, and the values its coefficients may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from symloss.errors import DomainError
from symloss.expr import Loss, parse
from symloss.numbers import as_real

__all__ = ["Entry"]

UNBOUNDED = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class Entry:
    """A named loss.

    Attributes:
        name: what users type.
        kind: `"classification"`, `"multilabel"`, `"regression"` or `"margin"`.
        formula: the loss `M(y, p)` of one entry, or `M(m)` of a margin, coefficients by name.
        domain: where the formula is meant to be used, in words.
        reference: author, title, year and equation.
        defaults: the value of each coefficient.
        bounds: the closed interval in which each coefficient makes sense; training stays inside it.
        grid: values beside the default that are worth trying, by coefficient.
        limits: values at which the formula is undefined and the loss has a limit, with what that is in words.
    """

    name: str
    kind: str
    formula: str
    domain: str
    reference: str
    defaults: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    limits: Mapping[str, Mapping[float | None, str]] = field(default_factory=dict)

    @cached_property
    def loss(self) -> Loss:
        """The loss at its default coefficients."""
        return parse(self.formula, kind=self.kind, coefficients=self.defaults)

    def title(self, values: Mapping[str, float]) -> str:
        """The loss at some coefficients, of which those with a grid are said: `gce(q=0.7)`.

        >>> from symloss.zoo import entry
        >>> entry("gce").title({"q": 0.7}), entry("ce").title({})
        ('gce(q=0.7)', 'ce')
        """
        inside = ", ".join(f"{name}={value:g}" for name, value in values.items() if name in self.grid)
        return f"{self.name}({inside})" if inside else self.name

    def with_coefficients(self, **coefficients: float) -> Loss:
        """The loss at other coefficients.

        Raises:
            DomainError: for a coefficient that the loss does not have, or a value outside its bounds or where
                the formula is undefined.
        """
        for name, value in coefficients.items():
            limit = self.limits.get(name, {}).get(as_real(value))
            if limit is not None:
                raise DomainError(
                    f"{self.name}: {name} is {value:g}, where its formula is undefined: use {limit}"
                )
        loss = self.loss.with_coefficients(**coefficients)
        for name, value in coefficients.items():
            low, high = self.bounds.get(name, UNBOUNDED)
            if not low <= value <= high:
                raise DomainError(f"{self.name}: {name} is {value:g}, expected {low:g} to {high:g}")
        return loss
