"""Every setting that determines the outcome of a search, in groups, and the two presets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from operator import attrgetter
from typing import Any

from symloss.errors import RunError, SymlossError
from symloss.expr import Registry, default_registry
from symloss.meta.learned_loss import HIDDEN
from symloss.numbers import as_whole
from symloss.search.methods import METHODS
from symloss.search.propose.gp import Rates
from symloss.search.propose.grammar import Grammar

__all__ = [
    "PRESETS",
    "Blocks",
    "Cma",
    "Neural",
    "Screening",
    "SearchSettings",
    "Tuning",
    "check_most",
    "of_method",
    "preset",
]

_OPERATORS = ("grammar.operators", "grammar.extra_symbols", "grammar.nesting", "grammar.costs")
MOST = 1_000_000
"""Losses in a generation, generations, or blocks, at most: beyond it memory is full before anything is trained."""
PROPOSERS = ("method", "command", "tells")
QUICK_RATES = Rates(crossover=0.5, hoist=0.2, exponent=0.2, neighbours=0.2, inherit=True, attempts=20)
"""What shows in `analysis/search_power.py`; point mutations and redrawn numbers do not."""


def _check_whole(group: Any, within: str, **least: int) -> None:
    """Whole numbers are Python's own from here on, as the record of a run is JSON."""
    for name, low in least.items():
        value = getattr(group, name)
        number = as_whole(value)
        if number is None or number < low:
            raise SymlossError(f"{within}{name} is {value!r}: expected a whole number of at least {low}")
        # The groups are frozen; this is their constructor's only way to write.
        object.__setattr__(group, name, number)


def check_most(within: str, **values: int) -> None:
    """Refuses what no machine would come to the end of.

    Raises:
        SymlossError: for a number above `MOST`.
    """
    for name, value in values.items():
        if value > MOST:
            raise SymlossError(f"{within}{name} is {value}: expected at most {MOST:,}")


@dataclass(frozen=True)
class Screening:
    """What is asked of a loss before it is trained.

    Attributes:
        gate: whether candidates that cannot learn are rejected before any training.
        classes: whether losses of one dynamics class share one training.
        protocol: whether the published rejection protocol is run too.
        equivalence: whether the published gradient equivalence shares fitnesses.
        sample: trees that the gate turned away which are trained all the same, to count its errors.
        require: findings of the certificate that no loss of the front may have refuted.
    """

    gate: bool = True
    classes: bool = True
    protocol: bool = False
    equivalence: bool = False
    sample: int = 8
    require: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """How coefficients are learned, on blocks that count for nothing else.

    Attributes:
        steps: meta-steps; 0 leaves the coefficients at 1.
        rate: Adam's step size.
        digits: significant digits that are kept.
        tidy: whether the finalists are tried with fewer and rounder numbers.
    """

    steps: int = 50
    rate: float = 3e-3
    digits: int = 4
    tidy: bool = True


@dataclass(frozen=True)
class Cma:
    """How the parameters of a family of losses are searched by CMA-ES; lambda is the population.

    Attributes:
        sigma: standard deviation of the first generation; that of the method unless given (taylorglo 1.2, mixture 1).
    """

    sigma: float | None = None


@dataclass(frozen=True)
class Neural:
    """The networks of ml3, and how they learn, on the block on which coefficients are tuned.

    Attributes:
        hidden: units of the hidden layers.
        steps: meta-steps, of Adam.
        rate: Adam's step size; 500 steps of 1e-3 are those of the published sine task (arXiv 1906.05374).
    """

    hidden: tuple[int, ...] = HIDDEN
    steps: int = 500
    rate: float = 1e-3


@dataclass(frozen=True)
class Blocks:
    """On what losses are trained and how the evidence ends in a pick.

    Attributes:
        resample: whether every generation has a block of its own, a split with a start and an order, on which
            its parents are scored again, and finalists meet on blocks that decided nothing; else all is scored
            once, on the task's own split.
        settle: whether the search trains at the learning rate and for the steps at which the ordinary loss does
            best, so that no loss is found for being a better learning rate.
        zoo: whether the losses of the zoo join the first population.
        headroom: whether zoo and a few random losses are trained over the first blocks to say what can be told.
        sweep: blocks of that sweep.
        strangers: random losses in it.
        race: whether a loss that is behind by more than chance is scored on no further block.
        finalists: losses beside the front that meet on the final blocks, at most.
        final: final blocks.
        folds: blocks are folds of a cross-validation with so many folds; 0 for independent splits.
        val_size: share of the rows without test rows that validates; None for the task's own, or more of large data.
    """

    resample: bool = True
    settle: bool = True
    zoo: bool = True
    headroom: bool = True
    sweep: int = 6
    strangers: int = 12
    race: bool = True
    finalists: int = 8
    final: int = 12
    folds: int = 0
    val_size: float | None = None


@dataclass(frozen=True)
class SearchSettings:
    """How losses are proposed, screened, tuned, trained and chosen.

    Attributes:
        proposer: where losses come from: `"method"`, a `"command"`, or whoever `"tells"`.
        method: one of `METHODS`.
        preset: what the settings started from.
        population: candidates a generation.
        generations: the first is drawn at random.
        grammar: the trees that may be proposed.
        rates: how offspring is made.
        objectives: 2 to select by NSGA-II on validation and complexity, 1 by validation alone.
        shuffled: whether selection sees the fitnesses of a generation in random order: a control, which keeps
            everything of the search but what it learns from.
        screening, tuning, blocks, cma, neural: see there.
        inside: theorems that every loss of the search has by construction; see `symloss.search.Inside`.
        ordinary: whether the first generation begins with the ordinary loss, so that no front does
            without; it does anyway with the zoo, and not where others propose.
        keep_scale: whether the scale of a loss, a learning rate in disguise, is searched too.
        seed_losses: formulas in the first generation, where the method proposes.
        max_evaluations: candidates that are proposed at most, or None; the zoo's counts where the trainer is not ours.
        patience: generations without a better loss after which the run ends; 0 for never.
        chunk: candidates that are tuned or trained in one pass; whatever the number of workers.
        model: the base model by name, or None for the task's own.
    """

    method: str = "evomal"
    proposer: str = "method"
    preset: str = "quick"
    population: int = 25
    generations: int = 10
    grammar: Grammar = field(default_factory=Grammar)
    rates: Rates = field(default=QUICK_RATES)
    objectives: int = 2
    shuffled: bool = False
    screening: Screening = field(default_factory=Screening)
    tuning: Tuning = field(default_factory=Tuning)
    blocks: Blocks = field(default_factory=Blocks)
    cma: Cma = field(default_factory=Cma)
    neural: Neural = field(default_factory=Neural)
    ordinary: bool = True
    keep_scale: bool = False
    seed_losses: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    max_evaluations: int | None = None
    patience: int = 0
    chunk: int = 8
    model: str | None = None

    def __post_init__(self) -> None:
        inside = self.inside.split(",") if isinstance(self.inside, str) else self.inside
        object.__setattr__(self, "inside", tuple(inside))
        if self.method not in METHODS:
            raise SymlossError(f"unknown method {self.method!r}: expected one of {', '.join(METHODS)}")
        if self.proposer not in PROPOSERS:
            raise SymlossError(f"unknown proposer {self.proposer!r}: expected one of {', '.join(PROPOSERS)}")
        _check_whole(self, "", population=2, generations=1, patience=0, chunk=1)
        _check_whole(self.tuning, "tuning.", steps=0)
        _check_whole(self.screening, "screening.", sample=0)
        _check_whole(self.blocks, "blocks.", sweep=2, strangers=0, finalists=1, final=2, folds=0)
        check_most("", population=self.population, generations=self.generations)
        check_most(
            "blocks.", sweep=self.blocks.sweep, strangers=self.blocks.strangers, final=self.blocks.final
        )
        if self.max_evaluations is not None:
            _check_whole(self, "", max_evaluations=1)
        if self.blocks.folds == 1:
            raise SymlossError("blocks.folds is 1: expected at least 2, or 0 for independent splits")
        size = self.blocks.val_size
        if size is not None and not 0 < size < 1:
            raise SymlossError(f"blocks.val_size is {size!r}: expected a share between 0 and 1")
        if size is not None and self.blocks.folds:
            raise SymlossError("folds and val_size: a fold is 1/folds of the rows; give one of the two")
        if not (math.isfinite(self.tuning.rate) and self.tuning.rate > 0):
            raise SymlossError(f"tuning.rate is {self.tuning.rate!r}: expected a number above 0")
        _check_whole(self.neural, "neural.", steps=0)
        hidden = self.neural.hidden
        if not hidden or not all(isinstance(units, int) and units > 0 for units in hidden):
            raise SymlossError(f"neural.hidden is {hidden!r}: expected whole numbers above 0, as (50, 50)")
        if not (math.isfinite(self.neural.rate) and self.neural.rate > 0):
            raise SymlossError(f"neural.rate is {self.neural.rate!r}: expected a number above 0")
        sigma = self.cma.sigma
        if sigma is not None and not (math.isfinite(sigma) and sigma > 0):
            raise SymlossError(f"cma.sigma is {sigma!r}: expected a number above 0")
        if self.objectives not in (1, 2):
            raise SymlossError(f"objectives is {self.objectives!r}: expected 1 or 2")

    @property
    def registry(self) -> Registry:
        """What the operators' names mean; a run writes its definitions down beside its settings."""
        return self.grammar.registry

    @property
    def tunes(self) -> bool:
        """Whether coefficients are learned."""
        # GP-LFL is defined by coefficients that stay 1; CMA-ES searches its parameters, and ml3 has steps of its own.
        return self.method in ("evomal", "random") and self.tuning.steps > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `from_dict` reads back; JSON-ready."""
        data = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.name != "grammar"}
        # The grammar apart: `asdict` would copy the registry, with its functions.
        data |= {name: asdict(data[name]) for name in _GROUPS if name != "grammar"}
        grammar = {entry.name: getattr(self.grammar, entry.name) for entry in fields(self.grammar)}
        # Operators are made of functions; the run writes their definitions down beside.
        del grammar["registry"]
        data["grammar"] = grammar
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
            for name, group in _GROUPS.items():
                # A run from before there was such a group was made without what it says.
                found = data.get(name, {}) if name in _LATER else data[name]
                values[name] = {key: _tuple(value) for key, value in found.items()}
                if name == "grammar":
                    values[name]["registry"] = registry or default_registry()
                values[name] = group(**values[name])
            return cls(**values)
        except (TypeError, KeyError, AttributeError) as error:
            raise SymlossError(
                f"the settings of the run are not of this version ({error}): read it with the one that made it"
            ) from None


_GROUPS: dict[str, Any] = {
    "grammar": Grammar, "rates": Rates, "screening": Screening, "tuning": Tuning, "blocks": Blocks, "cma": Cma,
    "neural": Neural,
}  # fmt: skip
_LATER = ("cma", "neural")

PRESETS: dict[str, SearchSettings] = {
    "quick": SearchSettings(),
    "paper": SearchSettings(
        preset="paper", generations=50, rates=Rates(attempts=100), objectives=1, ordinary=False,
        keep_scale=True, screening=Screening(protocol=True, equivalence=True, sample=0),
        tuning=Tuning(steps=250, rate=1e-3, tidy=False),
        blocks=Blocks(resample=False, settle=False, zoo=False, headroom=False), model="mlp-2x1000",
    ),
}  # fmt: skip
"""`quick` for people; `paper` with the published operators, rates, filters, tuning and fitness (arXiv
2403.00865), real elitism, and our economy in front of them: a tree that the gate turns away is drawn again, and
losses of one class are trained once. It has no headroom, blocks, zoo or finals."""


def preset(name: str, **changes: Any) -> SearchSettings:
    """The settings of a preset, with every change that is not None.

    A group may be given whole, or as a mapping of what is to change in it.

    Raises:
        SymlossError: for an unknown preset or setting, or a value out of range.

    >>> preset("quick", population=40, tuning={"steps": 0}).tunes
    False
    """
    if name not in PRESETS:
        raise SymlossError(f"unknown preset {name!r}: expected one of {', '.join(PRESETS)}")
    # The presets were made when the process knew built-in operators alone.
    chosen = PRESETS[name]
    chosen = replace(chosen, grammar=replace(chosen.grammar, registry=default_registry()))
    return _changed(chosen, changes, "")


def _changed(group: Any, changes: Mapping[str, Any], within: str) -> Any:
    known = [entry.name for entry in fields(group)]
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in known:
            names = ", ".join(within + name for name in sorted(known))
            raise SymlossError(f"unknown setting {within + key!r}: expected one of {names}")
        if value is None:
            continue
        inner = getattr(group, key)
        if is_dataclass(inner) and not isinstance(value, type(inner)):
            if not isinstance(value, Mapping):
                names = ", ".join(sorted(entry.name for entry in fields(inner)))
                raise SymlossError(f"{key} is {value!r}: expected a mapping with some of {names}")
            value = _changed(inner, value, f"{key}.")
        values[key] = value
    return replace(group, **values)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def of_method(settings: SearchSettings) -> SearchSettings:
    """The settings of a search without what its method leaves idle.

    Raises:
        SymlossError: for a setting that differs from its preset's and says nothing to the method.

    >>> of_method(preset("quick", method="taylorglo", rates={"hoist": 1.0}))
    Traceback (most recent call last):
        ...
    symloss.errors.SymlossError: rates: taylorglo breeds no trees; leave it out
    """
    method, usual = METHODS[settings.method], PRESETS[settings.preset]
    if not method.breeds and settings.proposer != "method":
        raise SymlossError(f"losses from elsewhere: {method.name} learns from its own only; choose evomal")
    if settings.inside:
        # Compared with the preset, as a frozen group does not know which of its fields a user has set.
        for name in _OPERATORS:
            if attrgetter(name)(settings) != attrgetter(name)(usual):
                raise SymlossError(
                    f"{name}: inside a theorem its own rules are bred, and no operators; leave it out"
                )
    for name, why in method.idle.items():
        if attrgetter(name)(settings) != attrgetter(name)(usual):
            raise SymlossError(f"{name}: {method.name} {why}; leave it out")
    if method.breeds:
        return settings
    # The paper preset has the filters of EvoMAL; and rounder numbers would lead out of a family of losses.
    return replace(
        settings,
        screening=replace(settings.screening, protocol=False, equivalence=False),
        tuning=replace(settings.tuning, tidy=False),
    )
