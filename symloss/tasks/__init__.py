"""What a loss is FOR: data sets, splits, models, metrics and the training loop."""

from __future__ import annotations

from symloss.tasks.black_box import BlackBoxTask
from symloss.tasks.build import load_csv, load_task
from symloss.tasks.catalogue import Catalogued, catalogue, task_names
from symloss.tasks.corruptions import CORRUPTIONS, Corruption, corrupted, read_corruption
from symloss.tasks.data.keel import keel_names
from symloss.tasks.data.parts import Split
from symloss.tasks.external import load_object
from symloss.tasks.rebuild import rebuild
from symloss.tasks.replicates import replicate, replicates_of, thinned, with_label_noise
from symloss.tasks.supervised import SupervisedTask
from symloss.tasks.task import Block, Task
from symloss.tasks.train.formulas import InContext
from symloss.tasks.train.metrics import METRICS, Metric, get_metric, metric_names
from symloss.tasks.train.models import MODELS
from symloss.tasks.train.settings import TrainingSettings

__all__ = [
    "CORRUPTIONS", "METRICS", "MODELS", "BlackBoxTask", "Block", "Catalogued", "Corruption", "InContext", "Metric",
    "Split", "SupervisedTask", "Task", "TrainingSettings", "catalogue", "corrupted", "get_metric", "keel_names",
    "load_csv", "load_object", "load_task", "metric_names", "read_corruption", "rebuild", "replicate",
    "replicates_of", "task_names", "thinned", "with_label_noise",
]  # fmt: skip
