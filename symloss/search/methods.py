"""The search methods by name, and the settings that have no meaning for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["METHODS", "Method"]

_BREEDING = ("grammar.operators", "grammar.extra_symbols", "grammar.max_height", "grammar.nesting", "rates",
             "objectives", "seed_losses", "inside")  # fmt: skip
_NO_TREES = dict.fromkeys(_BREEDING, "breeds no trees")
_NO_TUNING = dict.fromkeys(("tuning.steps", "tuning.rate"), "tunes no coefficients by gradients")
_NO_FILTERS = dict.fromkeys(
    ("screening.protocol", "screening.equivalence"), "has no such filter, which is EvoMAL's"
)
_NO_STRATEGY = {"cma": "has no evolution strategy"}
_NO_NETWORK = {"neural": "has no network"}
_NEURAL = {
    "tuning": "tunes weights by neural.steps and neural.rate, and rounds none",
    "screening.require": "has no formula that a certificate could be of",
    "shuffled": "learns nothing from one generation for the next",
}


@dataclass(frozen=True)
class Method:
    """A method of search.

    Attributes:
        name: what users type.
        does: in a line.
        breeds: whether its losses are trees that are drawn or bred; else they have a form of their own, whose
            parameters are what is searched.
        formula: whether its losses are formulas; else they are networks, which no gate can judge before they learn.
        idle: by the name of a setting, why it says nothing to this method.
        symbols: what its losses are made of where they have a form of their own; any kind has them unless said.
    """

    name: str
    does: str
    breeds: bool = True
    formula: bool = True
    idle: Mapping[str, str] = field(default_factory=dict)
    symbols: frozenset[str] = frozenset()


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("evomal", "evolves formulas, and tunes their coefficients by hypergradients",
               idle=_NO_STRATEGY | _NO_NETWORK),
        Method("random", "draws formulas at random, and tunes them: the control",
               idle=_NO_STRATEGY | _NO_NETWORK),
        Method("gplfl", "evolves formulas whose coefficients stay 1", idle=_NO_STRATEGY | _NO_NETWORK),
        Method("taylorglo", "searches the eight parameters of a third-order Taylor polynomial by CMA-ES",
               breeds=False, idle=_NO_TREES | _NO_TUNING | _NO_FILTERS | _NO_NETWORK,
               symbols=frozenset({"y", "p"})),
        Method("mixture", "searches weighted sums of at most three losses with names by CMA-ES",
               breeds=False, idle=_NO_TREES | _NO_TUNING | _NO_FILTERS | _NO_NETWORK),
        Method("ml3", "tunes networks that are losses by unrolled differentiation: no formula",
               breeds=False, formula=False, idle=_NO_TREES | _NEURAL | _NO_FILTERS | _NO_STRATEGY),
    )
}  # fmt: skip
"""Every method by name."""
