"""Learn through training: hypergradients, coefficient tuning, many models at once."""

from __future__ import annotations

from symloss.meta.hypergradient import Hypergradient, one_step_hypergradient, unrolled_hypergradient
from symloss.meta.population import fit_population, train_members, visit_members
from symloss.meta.together import Member
from symloss.meta.tune import Tuned, initial_coefficients, tune

__all__ = [
    "Hypergradient", "Member", "Tuned", "fit_population", "initial_coefficients", "one_step_hypergradient",
    "train_members", "tune", "unrolled_hypergradient", "visit_members",
]  # fmt: skip
