"""What a loss is FOR: data sets, splits, models, metrics and the training loop."""

from __future__ import annotations

from symloss.tasks.catalogue import Catalogued, catalogue, load_task, task_names
from symloss.tasks.metrics import METRICS, Metric, get_metric, metric_names
from symloss.tasks.models import MODELS
from symloss.tasks.settings import TrainingSettings
from symloss.tasks.task import Split, Task

__all__ = [
    "METRICS", "MODELS", "Catalogued", "Metric", "Split", "Task", "TrainingSettings", "catalogue",
    "get_metric", "load_task", "metric_names", "task_names",
]  # fmt: skip
