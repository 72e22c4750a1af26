"""What a loss is FOR: data sets, splits, models, metrics and the training loop."""

from __future__ import annotations

from symloss.tasks.catalogue import Catalogued, catalogue, load_csv, load_task, task_names
from symloss.tasks.external import load_object
from symloss.tasks.keel import keel_names
from symloss.tasks.metrics import METRICS, Metric, get_metric, metric_names
from symloss.tasks.models import MODELS
from symloss.tasks.parts import Split
from symloss.tasks.rebuild import rebuild
from symloss.tasks.settings import TrainingSettings
from symloss.tasks.task import Task

__all__ = [
    "METRICS", "MODELS", "Catalogued", "Metric", "Split", "Task", "TrainingSettings", "catalogue",
    "get_metric", "keel_names", "load_csv", "load_object", "load_task", "metric_names", "rebuild",
    "task_names",
]  # fmt: skip
