"""Everything that fixes the outcome of a search, and the two presets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.expr import Registry, default_registry
from symloss.numbers import as_whole
from symloss.search.propose.gp import Rates
from symloss.search.propose.grammar import OPERATORS, Grammar

__all__ = ["METHODS", "PRESETS", "SearchSettings", "preset"]

METHODS = ("evomal", "random", "gplfl")
QUICK_RATES = Rates(crossover=0.5, hoist=0.2, exponent=0.2, neighbours=0.2, inherit=True, attempts=20)
"""What shows in `analysis/search_power.py`; point mutations and redrawn numbers do not."""


@dataclass(frozen=True)
class SearchSettings:
    """How losses are proposed, tuned, trained and chosen.

    Attributes:
        method: `"evomal"` (evolve and tune), `"gplfl"` (evolve, unit coefficients), `"random"` (draw by the
            initialiser, and tune).
        population: candidates a generation.
        generations: the first is drawn at random.
        operators, extra_symbols, max_height, nesting, costs: see `Grammar`.
        rates: how offspring is made.
        objectives: 2 to select by NSGA-II on validation and complexity, 1 by validation alone.
        shuffled: whether selection sees the fitnesses of a generation in random order: a control, which keeps
            everything of the search but what it learns from.
        tuning_steps: meta-steps of the coefficients; 0 leaves them at 1.
        tuning_rate: Adam's step size for them.
        tune_training: whether the search trains at the learning rate and for the steps at which the ordinary
            loss does best on validation data, so that no loss is found for being a better learning rate.
        ordinary: whether the first generation begins with the ordinary loss, so that no front does without.
        keep_scale: whether the scale of a loss, a learning rate in disguise, is searched too.
        gate: whether candidates that cannot learn are rejected before any training.
        protocol: whether the published rejection protocol is run too.
        equivalence: whether the published gradient equivalence shares fitnesses.
        classes: whether losses of one dynamics class share one training.
        rungs: shares of the training after which the worst are dropped, before their coefficients are tuned;
            none to tune and train everything.
        keep: share that survives a rung.
        fresh_seeds: training seeds on which the finalists are evaluated again at the end.
        finalists: how many, at least: the front, then what would be the front without it, and so on.
        tidy: whether the front's losses are tried with fewer and rounder numbers at the end.
        sample: trees that the gate turned away which are trained all the same, to count its errors.
        chunk: candidates that are tuned or trained in one pass; whatever the number of workers.
        digits: significant digits of coefficients.
        require: findings that no loss of the front may have refuted.
        seed_losses: formulas in the first generation.
        max_evaluations: candidates considered in all, or None.
        patience: generations without a better validation metric after which the run ends; 0 for never.
        model: the base model by name, or None for the task's own.
        registry: what the operators' names mean; a run writes its definitions down beside its settings.
    """

    method: str = "evomal"
    preset: str = "quick"
    population: int = 25
    generations: int = 10
    operators: tuple[str, ...] = OPERATORS
    extra_symbols: tuple[str, ...] = ()
    max_height: int = 10
    nesting: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    rates: Rates = field(default=QUICK_RATES)
    objectives: int = 2
    shuffled: bool = False
    tuning_steps: int = 50
    tuning_rate: float = 3e-3
    tune_training: bool = True
    ordinary: bool = True
    keep_scale: bool = False
    gate: bool = True
    protocol: bool = False
    equivalence: bool = False
    classes: bool = True
    rungs: tuple[float, ...] = (0.2,)
    keep: float = 0.5
    fresh_seeds: int = 8
    finalists: int = 16
    tidy: bool = True
    sample: int = 8
    chunk: int = 8
    digits: int = 4
    require: tuple[str, ...] = ()
    seed_losses: tuple[str, ...] = ()
    max_evaluations: int | None = None
    patience: int = 0
    model: str | None = None
    registry: Registry = field(default_factory=default_registry, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise SymlossError(f"unknown method {self.method!r}: expected one of {', '.join(METHODS)}")
        least = {
            "population": 2,
            "generations": 1,
            "tuning_steps": 0,
            "fresh_seeds": 0,
            "finalists": 1,
            "sample": 0,
            "chunk": 1,
            "patience": 0,
            "max_evaluations": 1,
        }
        for name, low in least.items():
            value = getattr(self, name)
            if name == "max_evaluations" and value is None:
                continue
            number = as_whole(value)
            if number is None or number < low:
                raise SymlossError(f"{name} is {value!r}: expected a whole number of at least {low}")
            object.__setattr__(self, name, number)  # Python's own, as the record of a run is JSON
        if not (math.isfinite(self.tuning_rate) and self.tuning_rate > 0):
            raise SymlossError(f"tuning_rate is {self.tuning_rate!r}: expected a number above 0")
        if self.objectives not in (1, 2):
            raise SymlossError(f"objectives is {self.objectives!r}: expected 1 or 2")
        if any(not 0 < rung < 1 for rung in self.rungs) or not 0 < self.keep <= 1:
            raise SymlossError("rungs are shares of the training between 0 and 1, and keep above 0 up to 1")

    @property
    def tunes(self) -> bool:
        """Whether coefficients are learned."""
        return self.method != "gplfl" and self.tuning_steps > 0

    @cached_property
    def grammar(self) -> Grammar:
        """The trees that may be proposed."""
        return Grammar(
            self.operators, self.extra_symbols, self.max_height, self.nesting, self.costs, self.registry
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back; JSON-ready."""
        data = asdict(replace(self, registry=Registry()))
        del data["registry"]
        return data

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SearchSettings:
        """The settings of a run, with the operators that it was made with.

        Raises:
            RunError: when the run's record of them is damaged.
            SymlossError: for data of another version.
        """
        try:
            registry = Registry.of(config.get("operators", {}))
        except (TypeError, ValueError, AttributeError, SymlossError) as error:
            raise RunError(f"the operators of the run cannot be read: {error}") from None
        return cls.from_dict(config["settings"], registry)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], registry: Registry | None = None) -> SearchSettings:
        """The settings that `to_dict` wrote, lists for tuples as JSON has them.

        Raises:
            SymlossError: for data of another version.
        """
        try:
            values = {name: _tuple(value) for name, value in data.items()}
            rates = {name: _tuple(value) for name, value in data["rates"].items()}
            return cls(**{**values, "rates": Rates(**rates)}, registry=registry or default_registry())
        except (TypeError, KeyError, AttributeError) as error:
            raise SymlossError(f"the settings of the run are not of this version: {error}") from None


PRESETS: dict[str, SearchSettings] = {
    "quick": SearchSettings(),
    "paper": SearchSettings(
        preset="paper", generations=50, rates=Rates(attempts=100), objectives=1, tuning_steps=250,
        tuning_rate=1e-3, tune_training=False, ordinary=False, keep_scale=True, protocol=True,
        equivalence=True, rungs=(0.05,), keep=0.1, fresh_seeds=0, tidy=False, sample=0, model="mlp-2x1000",
    ),
}  # fmt: skip
"""`quick` for people; `paper` with the published operators, rates, filters, tuning and fitness (arXiv
2403.00865), real elitism, and our economy in front of them: a tree that the gate turns away is drawn again,
losses of one class are trained once, and a race comes before the tuning."""


def preset(name: str, **changes: Any) -> SearchSettings:
    """The settings of a preset, with every change that is not None.

    Raises:
        SymlossError: for an unknown preset or setting, or a value out of range.

    >>> preset("quick", population=40).population
    40
    """
    if name not in PRESETS:
        raise SymlossError(f"unknown preset {name!r}: expected one of {', '.join(PRESETS)}")
    known = {entry.name for entry in fields(SearchSettings)}
    for key in changes:
        if key not in known:
            raise SymlossError(f"unknown setting {key!r}: expected one of {', '.join(sorted(known))}")
    changed = {key: value for key, value in changes.items() if value is not None}
    # The presets were made when the process knew built-in operators alone.
    return replace(PRESETS[name], **{"registry": default_registry(), **changed})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
