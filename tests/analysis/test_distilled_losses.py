"""The study of distillation in its short form: what was planted is explained, and called by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import symloss as sl
from analysis import distilled_losses
from symloss.meta import FormulaLoss, SmoothNeuralLoss
from symloss.search.distilling.visits import drawn


def test_the_short_form_recovers_what_was_planted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = distilled_losses.main(["--quick", "--out", str(tmp_path)])
    assert json.loads((tmp_path / "distilled_losses.json").read_text()) == json.loads(json.dumps(data))
    assert (tmp_path / "distilled_losses.png").stat().st_size > 10_000
    rows = {row["plant"]: row for row in data["answers"]["table"]}
    assert set(rows) == set(distilled_losses.QUICK)
    for row in rows.values():
        # As much as the network itself reproduces: a formula can explain no more of the plant than that.
        assert row["planted"] > 0.99
        assert row["r2 within 15 nodes"] >= 0.99
    name, _, q = rows["gce"]["known_as"].removesuffix(")").partition("(q=")
    assert name == "gce"
    assert float(q) == pytest.approx(0.7, abs=0.03)
    assert rows["gce"]["nodes"] <= 9
    capsys.readouterr()
    again = distilled_losses.main(["--quick", "--out", str(tmp_path)])
    assert again["answers"] == data["answers"]
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


def test_the_gradient_can_be_learned_from() -> None:
    outputs, targets = drawn("classification", 3, 0)
    loss = FormulaLoss(sl.named("ce"))
    found = distilled_losses.gradient(loss, loss.coefficients, outputs, targets)
    expected = (outputs.softmax(1) - torch.nn.functional.one_hot(targets, 3)) / len(outputs)
    assert torch.allclose(found, expected, atol=1e-8)
    network = SmoothNeuralLoss.drawn("classification", 0, (4, 4))
    phi = {name: each.double().requires_grad_() for name, each in network.coefficients.items()}
    distilled_losses.gradient(network, phi, outputs, targets).square().sum().backward()
    assert all(each.grad is not None and each.grad.abs().max() > 0 for each in phi.values())


def test_the_full_study_plants_what_was_asked_for() -> None:
    chosen = distilled_losses.settings(quick=False)
    assert set(chosen["plants"]) == {"ce", "focal", "gce", "huber"}
