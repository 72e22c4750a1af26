"""What a loss MEANS: certificates and derivations, by algebra and interval arithmetic. No torch."""

from __future__ import annotations

from symloss.theory.analyze import analyze
from symloss.theory.certificate import Certificate, Finding
from symloss.theory.derivations.derivation import Derivation, Step
from symloss.theory.derivations.sparsify import derive, sparsify
from symloss.theory.findings.posterior import PosteriorMap, posterior_map
from symloss.theory.identify.signature import distance

__all__ = [
    "Certificate",
    "Derivation",
    "Finding",
    "PosteriorMap",
    "Step",
    "analyze",
    "derive",
    "distance",
    "posterior_map",
    "sparsify",
]
