"""Reads the options that set the search's grammar: operators, operators of the user's own, costs and nesting."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from symloss.cli.arguments import split_top_level
from symloss.errors import DomainError

if TYPE_CHECKING:
    from symloss.expr import Registry

__all__ = ["read_grammar"]

_DEFINITION = re.compile(r"\s*(\w+)\s*\(([\w\s,]*)\)\s*=(.*)", re.DOTALL)
_COST = re.compile(r"\s*(\w+)\s*=\s*(\d+(?:\.\d+)?)\s*")
_LIMIT = re.compile(r"\s*(\w+)\s*\(\s*(\w+)\s*\)\s*=\s*(\d+)\s*")


def read_grammar(
    operators: str | None, define: Iterable[str], costs: Iterable[str], nesting: Iterable[str]
) -> dict[str, Any]:
    """The settings of `discover` that say what its trees are made of; only those that were asked for.

    Args:
        operators: names, with commas between.
        define: own operators, as `swish(x) = x*sigmoid(x)`; they are searched too.
        costs: `NAME=COST`.
        nesting: `OUTER(INNER)=N`: under `OUTER` at most `N` nested `INNER`.

    Raises:
        DomainError: for anything else.

    >>> read_grammar("add,mul", [], ["plog=3"], ["tanh(tanh)=0"])
    {'operators': ('add', 'mul'), 'costs': {'plog': 3.0}, 'nesting': {'tanh': {'tanh': 0}}}
    """
    from symloss.expr import default_registry
    from symloss.search.propose.grammar import OPERATORS

    options: dict[str, Any] = {}
    registry, own = default_registry(), list[str]()
    for text in define:
        registry = _defined(registry, text)
        own.append(registry.own[-1].name)
    if own:
        options["registry"] = registry
    if operators is not None or own:
        names = OPERATORS if operators is None else split_top_level(operators)
        options["operators"] = tuple(dict.fromkeys([*names, *own]))
    for text in costs:
        name, cost = _parts(_COST, text, "--cost", "NAME=COST, as plog=3")
        options.setdefault("costs", {})[name] = float(cost)
    for text in nesting:
        outer, inner, limit = _parts(_LIMIT, text, "--nesting", "OUTER(INNER)=N, as tanh(tanh)=0")
        options.setdefault("nesting", {}).setdefault(outer, {})[inner] = int(limit)
    return options


def _defined(registry: Registry, text: str) -> Registry:
    """The registry and one more operator."""
    name, arguments, formula = _parts(
        _DEFINITION, text, "--define", "NAME(ARGUMENTS) = FORMULA, as 'swish(x) = x*sigmoid(x)'"
    )
    return registry.define(name, [each.strip() for each in arguments.split(",")], formula.strip())


def _parts(pattern: re.Pattern[str], text: str, option: str, expected: str) -> tuple[str, ...]:
    match = pattern.fullmatch(text)
    if not match:
        raise DomainError(f"{option} {text.strip()!r}: expected {expected}")
    return match.groups()
