"""Show: pictures of losses and runs, tables, LaTeX and other exports."""

from __future__ import annotations

from symloss.report.export import FORMATS, export
from symloss.report.formula_tree import formula_tree
from symloss.report.loss_figures import plot_gradient, plot_loss
from symloss.report.posterior_figure import plot_posterior
from symloss.report.tree_figure import plot_tree

__all__ = [
    "FORMATS", "export", "formula_tree", "plot_gradient", "plot_loss", "plot_posterior", "plot_tree",
]  # fmt: skip
