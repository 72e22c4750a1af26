"""Show: pictures of losses and runs, tables, LaTeX and other exports."""

from __future__ import annotations

from symloss.report.adaptation_report import (
    adaptation_sentences,
    adaptation_table,
    path_table,
    plot_adaptation,
)
from symloss.report.certificate import certificate_table, certificate_tex
from symloss.report.certificate_figure import plot_certificates
from symloss.report.comparison_figures import (
    plot_comparison,
    plot_convergence,
    plot_ranking,
    plot_sample_efficiency,
)  # fmt: skip
from symloss.report.comparison_table import comparison_sentences, comparison_table
from symloss.report.distillation_report import distillation_sentences, distillation_table
from symloss.report.export import FORMATS, export
from symloss.report.few_shot_report import (
    describe_episodes,
    few_shot_sentences,
    few_shot_table,
    plot_few_shot,
)
from symloss.report.files import (
    write_adaptation_files,
    write_comparison_files,
    write_few_shot_files,
    write_run_files,
    write_transfer_files,
)
from symloss.report.formula_tree import formula_tree
from symloss.report.heat_figure import plot_heat
from symloss.report.landscape_figure import landscape_sentences, plot_landscape, sharpness_table
from symloss.report.lineage_figure import plot_lineage
from symloss.report.live import LiveFront, LiveStages, duration
from symloss.report.loss_figures import plot_gradient, plot_loss
from symloss.report.page import document_of, write_report
from symloss.report.posterior_figure import plot_posterior
from symloss.report.run_figures import plot_front, plot_history
from symloss.report.summary import count_outcomes, describe, outcomes, verdict
from symloss.report.tables import baseline_table, front_table, headroom_table, losses_tex
from symloss.report.transfer_report import plot_transfer, transfer_sentences, transfer_table
from symloss.report.tree_figure import plot_tree

__all__ = [
    "FORMATS", "LiveFront", "LiveStages", "adaptation_sentences", "adaptation_table", "baseline_table",
    "certificate_table", "certificate_tex", "comparison_sentences", "comparison_table", "count_outcomes",
    "describe", "describe_episodes", "distillation_sentences", "distillation_table", "document_of", "duration",
    "export", "few_shot_sentences", "few_shot_table", "formula_tree", "front_table", "headroom_table",
    "landscape_sentences", "losses_tex", "outcomes", "path_table", "plot_adaptation", "plot_certificates",
    "plot_comparison", "plot_convergence", "plot_few_shot", "plot_front", "plot_gradient", "plot_heat",
    "plot_history", "plot_landscape", "plot_lineage", "plot_loss", "plot_posterior", "plot_ranking",
    "plot_sample_efficiency", "plot_transfer", "plot_tree", "sharpness_table", "transfer_sentences",
    "transfer_table", "verdict", "write_adaptation_files", "write_comparison_files", "write_few_shot_files",
    "write_report", "write_run_files", "write_transfer_files",
]  # fmt: skip
