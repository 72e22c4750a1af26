"""Studies: one script per claim, each with a figure and its numbers of the same stem in figures/."""
