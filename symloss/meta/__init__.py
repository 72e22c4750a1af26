"""Learn through training: hypergradients, coefficient tuning, losses that adapt, many models at once."""

from __future__ import annotations

from symloss.meta.adapt import AdaptiveLoss
from symloss.meta.adapt_passes import AdaptiveStep, Divergence
from symloss.meta.adaptable import ScaledLoss, SmoothNeuralLoss
from symloss.meta.hypergradient import Hypergradient, one_step_hypergradient, unrolled_hypergradient
from symloss.meta.inner import SGD, Adam, Rule, rules_of
from symloss.meta.learned_loss import FormulaLoss, LearnedLoss, NeuralLoss, TreeLoss
from symloss.meta.population import fit_population, train_members, visit_members
from symloss.meta.tied import TiedLoss
from symloss.meta.together import Member
from symloss.meta.tune import Tuned, initial_coefficients, learn, tune

__all__ = [
    "SGD", "Adam", "AdaptiveLoss", "AdaptiveStep", "Divergence", "FormulaLoss", "Hypergradient", "LearnedLoss",
    "Member", "NeuralLoss", "Rule", "ScaledLoss", "SmoothNeuralLoss", "TiedLoss", "TreeLoss", "Tuned", "fit_population",
    "initial_coefficients", "learn", "one_step_hypergradient", "rules_of", "train_members", "tune",
    "unrolled_hypergradient", "visit_members",
]  # fmt: skip
