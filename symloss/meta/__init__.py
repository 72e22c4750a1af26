"""Learn through training: hypergradients, coefficient tuning, many models at once."""

from __future__ import annotations

from symloss.meta.hypergradient import Hypergradient, one_step_hypergradient, unrolled_hypergradient
from symloss.meta.learned_loss import FormulaLoss, LearnedLoss, NeuralLoss, TreeLoss
from symloss.meta.population import fit_population, train_members, visit_members
from symloss.meta.together import Member
from symloss.meta.tune import Tuned, initial_coefficients, learn, tune

__all__ = [
    "FormulaLoss", "Hypergradient", "LearnedLoss", "Member", "NeuralLoss", "TreeLoss", "Tuned", "fit_population",
    "initial_coefficients", "learn", "one_step_hypergradient", "train_members", "tune", "unrolled_hypergradient",
    "visit_members",
]  # fmt: skip
