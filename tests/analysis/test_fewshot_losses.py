"""The quick form of the study of learned few-shot losses, and the shares that its explanations explain."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from analysis import fewshot_losses
from analysis.fewshot_gradients import (
    ORDINARY,
    REGULARISER,
    TERMS,
    InductiveLoss,
    Task,
    adapted,
    as_rates,
    explained,
    losses_along,
    without,
)
from symloss.meta.fewshot import InnerLoop, Learner, settings_for
from symloss.tasks.episodes import load_episodes


def tasks_of(count: int = 2, film_on: str = "activations") -> list[Task]:
    """Tasks of sine waves, of a learner whose every part has moved from its start."""
    source = load_episodes("sinusoid")
    made = settings_for(source.kind, source.input_shape, "npbml", shots=5, film_on=film_on)
    learner = Learner(made, source.kind, source.input_shape)
    draw = torch.Generator().manual_seed(0)
    phi = {
        name: each + 0.1 * torch.randn(each.shape, generator=draw) for name, each in learner.start(0).items()
    }
    episodes = [source.sample("test", ways=1, shots=5, queries=5, seed=seed) for seed in range(count)]
    return [Task(learner, phi, episode) for episode in episodes]


def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = fewshot_losses.main(["--quick", "--out", str(tmp_path)])
    found = data["answers"]["sinusoid"]
    shares = found["explained"][REGULARISER]
    assert shares["weight decay"] > 0.8, "statistics of a tensor know its direction, and no other"
    assert shares["a learning rate"] < 0.3
    assert found["explained"][ORDINARY]["a learning rate"] == pytest.approx(1)
    assert found["left out"]["as learned"]["difference"] == 0
    assert max(row["r2"] for row in found["distilled"]["rows"]) > 0.99, "hardly moved from squared error"
    on_activations, on_support = (each["curves"]["after"] for each in data["cells"].values())
    assert len(on_activations) == 1
    assert len({tuple(curve) for curve in on_support}) == len(on_support) > 1, "another loss for each task"
    assert (tmp_path / "fewshot_losses.png").stat().st_size > 10_000
    capsys.readouterr()
    again = fewshot_losses.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


def test_terms_add_up_to_the_inner_loop_as_it_is() -> None:
    for film_on in ("activations", "support"):
        (task,) = tasks_of(1, film_on)
        seen: list[dict[str, torch.Tensor]] = []
        with torch.no_grad():
            loop = InnerLoop(task.learner, task.phi, task.episode)
            loop.adapt(loop.begin(), 3, graph=False, watch=seen.append)
        ours = adapted(task, without(), 3)
        assert len(ours) == len(seen) == 4
        for one, other in zip(ours, seen, strict=True):
            for name, each in other.items():
                assert torch.allclose(one[name], each, atol=1e-5), (film_on, name)


def test_a_term_left_out_or_cut_down() -> None:
    (task,) = tasks_of(1)
    slopes = task.gradients(task.learner.at_start(task.phi))
    assert all(float(each.norm()) > 0 for each in slopes.values())
    assert torch.allclose(without(*TERMS)(task, slopes), slopes[ORDINARY])
    cut = as_rates(*TERMS)(task, slopes)
    parts = zip(*(each.split(list(task.learner.sizes)) for each in (cut, slopes[ORDINARY])), strict=True)
    assert all(abs(float(torch.cosine_similarity(one, other, 0))) > 0.999 for one, other in parts)


def test_explanations_explain_what_they_name() -> None:
    tasks = tasks_of()
    start = [[dict(task.learner.at_start(task.phi))] for task in tasks]
    found = explained(tasks, start)
    assert found[ORDINARY]["learned rates"] == pytest.approx(1, abs=1e-4)
    assert found[ORDINARY]["a schedule"] < 0.99, "tasks pull in different directions"
    assert found[REGULARISER]["a schedule"] == pytest.approx(1, abs=1e-3), (
        "it sees the weights alone, still alike"
    )


def test_the_loss_for_distillation_is_that_of_the_inner_loop() -> None:
    (task,) = tasks_of(1)
    outputs, targets = losses_along([task], [[dict(task.learner.at_start(task.phi))]])
    assert torch.equal(targets, task.episode.support_targets)
    loss = InductiveLoss.of(task.learner, task.phi)
    rows = loss.rows(loss.weights, outputs, targets)
    assert float(loss(loss.weights, outputs[:, 0], targets[:, 0])) == pytest.approx(float(rows.mean()))
    plain = InductiveLoss.of(task.learner, task.phi, modulated=False)
    assert not torch.allclose(plain.rows(plain.weights, outputs, targets), rows)
