"""Makes the proposer that the settings of a search name."""

from __future__ import annotations

from collections.abc import Sequence

from symloss.expr.trees import Weighted
from symloss.search.loop.stages import Stages
from symloss.search.methods import METHODS
from symloss.search.propose.breeding import Breeder, rates_of, zoo_trees
from symloss.search.propose.cma import CmaProposer
from symloss.search.propose.family import Family
from symloss.search.propose.mixture import MixtureFamily
from symloss.search.propose.neural import NeuralProposer
from symloss.search.propose.outside import Ask, Outside, Records
from symloss.search.propose.proposal import Proposer
from symloss.search.propose.taylor import TaylorFamily
from symloss.zoo import named, names

__all__ = ["proposer_of"]


def proposer_of(
    stages: Stages, records: Records, given: Sequence[Weighted] = (), ask: Ask | None = None
) -> Proposer:
    """The proposer of a search.

    Args:
        stages: of the search, whose settings and seed decide, and which are asked what may take a slot.
        records: the memory of the run.
        given: losses that the first generation begins with.
        ask: where formulas come from, if not from the method.
    """
    settings, seed, kind = stages.settings, stages.seed, stages.tasks[0].kind
    method = METHODS[settings.method]
    if not method.formula:
        return NeuralProposer(kind, settings.neural.hidden, settings.population, seed, given)
    if not method.breeds:
        family = _family(method.name, kind, settings.cma.sigma, stages)
        return CmaProposer(family, settings.population, seed, given, stages.turn, shuffled=settings.shuffled)
    neighbours = _neighbours(stages) if rates_of(settings).neighbours else ()
    breeder = Breeder(settings, seed, given, stages.worth_it, neighbours, stages.stock)
    if settings.proposer == "method":
        return breeder
    return Outside(
        kind, settings.registry, records, breeder, ask, waits=settings.proposer == "tells", inside=stages.inside,
        classes=stages.classes,
    )  # fmt: skip


def _neighbours(stages: Stages) -> list[Weighted]:
    """The losses with a name that may be bred from: inside a theorem its members."""
    task = stages.tasks[0]
    if stages.inside is None:
        return zoo_trees(task.kind)
    return [one for name in names(task.kind) if (one := stages.member(named(name, task.kind)))]


def _family(method: str, kind: str, sigma: float | None, stages: Stages) -> Family:
    if method == "taylorglo":
        return TaylorFamily(kind) if sigma is None else TaylorFamily(kind, sigma)
    family = MixtureFamily(kind, stages.scale)
    return family if sigma is None else MixtureFamily(kind, stages.scale, sigma)
