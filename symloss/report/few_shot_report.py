"""Few-shot learning for the terminal and as a picture: scores, the course of meta-training, and of adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from symloss.report.style import BLUE, GREY, VERMILION, figure, legend_outside
from symloss.report.tables import new_table
from symloss.text import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symloss.compare import FewShot

__all__ = ["describe_episodes", "few_shot_sentences", "few_shot_table", "plot_few_shot"]


def describe_episodes(task: Mapping[str, Any]) -> str:
    """What a source of episodes `describe()`s, in a line, and its remarks, a line each."""
    # By name: a run hands them back in another order than the source does.
    counts = [task["classes"][part] for part in ("train", "val", "test")]
    classes = f", {'/'.join(map(str, counts))} classes to train/validate/test" if any(counts) else ""
    shape = " x ".join(map(str, task["inputs"]))
    head = f"{task['name']}: few-shot {task['kind']}{classes}, inputs {shape}"
    return "\n".join([head, *(f"  {note}" for note in task.get("notes", []))])


def few_shot_table(found: FewShot) -> Table:
    """One row a training seed and, where there are several, one for all."""
    metric = found.metric
    heads = ["seed", f"test {metric}", "95 % interval", "before", "made worse", "best step"]
    gaps = any(each.gap is not None for each in found.seeds)
    heads += ["training classes"] if gaps else []
    table = new_table(*heads, numbers=heads)
    for each in found.seeds:
        cells = [
            str(each.seed), number(each.mean), _interval(each.interval), number(each.before),
            f"{each.worse(found.greater_is_better):.1%}", str(each.best_step),
        ]  # fmt: skip
        table.add_row(*cells, *([number(each.train)] if gaps else []))
    if len(found.seeds) > 1:
        cells = [
            "all", number(found.mean), _interval(found.interval), number(found.before), f"{found.worse:.1%}", "",
        ]  # fmt: skip
        table.add_row(*map(Text, cells), *([Text("")] if gaps else []), style="bold")
    return table


def few_shot_sentences(found: FewShot) -> list[str]:
    """What the table says, in plain sentences."""
    settings = found.settings
    learned = f"; meta-learned: {', '.join(settings.parts)}" if settings.parts else ""
    said = [
        f"{found.task['name']}, {settings.shape}, {settings.method} ({settings.setting}): {settings.tests.tasks} test "
        f"tasks of classes that were never seen{learned}."
    ]
    if len(found.seeds) > 1:
        said.append(
            f"The interval of all is over {len(found.seeds)} training seeds, the others are over tasks."
        )
    steps = found.curve
    if len(steps) > 1:
        said.append("After 0, 1, ... inner steps: " + ", ".join(number(mean) for mean, _ in steps) + ".")
    said += [f"Seed {each.seed} learned the loss {each.formula}." for each in found.seeds if each.formula]
    return said


def plot_few_shot(found: FewShot) -> Figure:
    """Validation against meta-steps, each seed a line; test tasks against inner steps, with the interval over tasks."""
    curve = found.curve
    fig, axes = figure(panels=2 if len(curve) > 1 else 1, height=3.6)
    courses = [each.history for each in found.seeds] or [found.begun]
    for i, history in enumerate(courses):
        axes[0].plot(
            *_columns(history), color=VERMILION if i == 0 else BLUE, lw=1.8 if i == 0 else 0.9, marker="o", ms=3,
            label="first seed" if i == 0 else "other seeds" if i == 1 else None,
        )  # fmt: skip
    axes[0].locator_params(axis="x", integer=True)
    axes[0].set_xlabel("meta-steps")
    axes[0].set_ylabel(f"validation {found.metric}")
    axes[0].set_title("meta-training", fontsize=10)
    if len(curve) > 1:
        means = [mean for mean, _ in curve]
        axes[1].plot(range(len(means)), means, color=VERMILION, marker="o", ms=4, lw=1.8)
        low, high = zip(
            *((mean, mean) if interval is None else interval for mean, interval in curve), strict=True
        )
        axes[1].fill_between(
            range(len(means)), low, high, color=VERMILION, alpha=0.2, lw=0, label="95 % over tasks"
        )
        axes[1].axhline(means[0], color=GREY, lw=1, ls=":", label="before adaptation")
        axes[1].set_xticks(range(len(means)))
        axes[1].set_xlabel("inner steps on a test task")
        axes[1].set_ylabel(f"test {found.metric}")
        axes[1].set_title("adaptation", fontsize=10)
    legend_outside(fig, axes)
    settings = found.settings
    fig.suptitle(
        f"{found.task['name']}, {settings.shape}, {settings.method}: {found.metric} {number(found.mean)}",
        fontsize=11,
    )
    return fig


def _columns(history: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in history], [value for _, value in history]


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{number(interval[0])} to {number(interval[1])}"
