"""What every test shares: one torch thread, and Hypothesis without a clock or a database."""

from __future__ import annotations

import matplotlib
import torch
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")
torch.set_num_threads(1)
settings.register_profile(
    "symloss", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("symloss")
