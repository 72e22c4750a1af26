"""What a loss is FOR: data sets, splits, models, metrics and the training loop."""

from __future__ import annotations

from symloss.tasks.black_box import BlackBoxTask
from symloss.tasks.build import load_csv, load_task
from symloss.tasks.catalogue import Catalogued, catalogue, task_names
from symloss.tasks.data.keel import keel_names
from symloss.tasks.data.parts import Split
from symloss.tasks.external import load_object
from symloss.tasks.rebuild import rebuild
from symloss.tasks.replicates import replicate, replicates_of, thinned
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.task import Block, Task
from symloss.tasks.train.formulas import InContext
from symloss.tasks.train.metrics import METRICS, Metric, get_metric, metric_names
from symloss.tasks.train.models import MODELS
from symloss.tasks.train.settings import TrainingSettings

__all__ = [
    "METRICS", "MODELS", "BlackBoxTask", "Block", "Catalogued", "InContext", "Metric", "Split", "SupervisedTask",
    "Task", "TrainingSettings", "catalogue", "get_metric", "keel_names", "load_csv", "load_object", "load_task",
    "metric_names", "rebuild", "replicate", "replicates_of", "task_names", "thinned",
]  # fmt: skip
