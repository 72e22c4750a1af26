"""The quick form, what counts as smoothing, and that a knock-out does what it is for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from analysis import learned_smoothing
from analysis.smoothing_answers import answers, share


@pytest.mark.slow
def test_quick(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = learned_smoothing.main(["--quick", "--out", str(tmp_path)])
    found = data["answers"]
    # The loss that is known to smooth drives the target to 10/13, and no further unless that is knocked out.
    control = {version: each["confidence"] for version, each in found["control"].items()}
    assert control["pick"] == pytest.approx(1 / 1.3, abs=0.06)
    assert control["continued"] > control["pick"] + 0.1
    assert control["clipped"] > control["pick"]
    assert set(found["picks that smooth"]["noise 0"]) == set(learned_smoothing.ARMS)
    assert found["missing"] == []
    assert json.loads((tmp_path / "learned_smoothing.json").read_text()) == json.loads(json.dumps(data))
    assert (tmp_path / "learned_smoothing.png").stat().st_size > 10_000
    assert "control, ACE at 1.3, continued" in capsys.readouterr().out
    # What is finished is not done again, whoever has lost the partial file.
    assert learned_smoothing.main(["--quick", "--out", str(tmp_path)])["answers"] == found
    assert not [line for line in capsys.readouterr().out.splitlines() if line[:5].strip().isdigit()]


@pytest.mark.parametrize(
    ("formula", "smooths", "xi"),
    [
        ("y*abs(log(1.3*p))", "yes", (1 - 1 / 1.3) * 10 / 9),
        ("-y*log(p)", "no", 0.0),
        ("y*abs(log(1.005*p))", "no", (1 - 1 / 1.005) * 10 / 9),
    ],
)
def test_what_counts_as_smoothing(formula: str, smooths: str, xi: float) -> None:
    found = learned_smoothing.smoothing(formula, classes=10)
    assert found["smooths"] == smooths
    assert found["xi"] == pytest.approx(xi, abs=1e-9)
    assert found["p*"] == pytest.approx(1 - 0.9 * xi)


def test_a_knock_out_changes_nothing_below_the_attractor() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.1], [5.0, 0.0, 0.0]])
    targets = torch.tensor([0, 0])
    gradients = {}
    for version in ("pick", "clipped", "continued"):
        outputs = logits.clone().requires_grad_()
        learned_smoothing.instance_loss("y*abs(log(1.3*p))", version, 1 / 1.3)(outputs, targets).backward()
        gradients[version] = outputs.grad
    ce = logits.clone().requires_grad_()
    F.cross_entropy(ce, targets).backward()
    assert torch.equal(gradients["clipped"][0], gradients["pick"][0])
    assert torch.equal(gradients["continued"][0], gradients["pick"][0])
    assert gradients["pick"][1, 0] > 0, "beyond p* the loss pushes the target down"
    assert not gradients["clipped"][1].any()
    assert torch.allclose(gradients["continued"][1], ce.grad[1])


def test_what_is_open_is_counted_apart() -> None:
    yes, no, unknown = {"smooths": "yes", "xi": 0.2}, {"smooths": "no", "xi": 0.0}, {"smooths": "unknown"}
    found = share([yes, yes, no, unknown])
    assert (found["n"], found["smooth"], found["unknown"]) == (4, 2, 1)
    assert found["share"] == pytest.approx(2 / 3)
    # Clopper and Pearson's interval of 2 of 3.
    assert found["interval"] == pytest.approx([0.0943, 0.9916], abs=1e-4)
    assert found["bounds"] == [0.5, 0.75]
    assert share([unknown])["share"] is None


def test_tests_rest_on_seeds_and_missing_picks_are_said() -> None:
    cells = {}
    for seed, strength in enumerate((0.1, 0.2, 0.4)):
        for noise in (0.0, 0.4):
            xi = strength * (1 + noise)
            cells[f"pick/{noise:g}/keel:vowel/{seed}/evomal"] = {
                "smooths": "yes", "xi": xi, "ordinary": False, "candidates": [{"smooths": "no", "xi": 0.0}],
                "test_rows": 20, "other_rows": 80,
            }  # fmt: skip
            cells[f"knock/{noise:g}/keel:vowel/{seed}/evomal"] = {
                version: {"accuracy": [accuracy], "confidence": accuracy}
                for version, accuracy in (("pick", 0.9), ("clipped", 0.9 - xi), ("continued", 0.9))
            }
    asked = [(seed, noise, "keel:vowel") for seed in range(4) for noise in (0.0, 0.4)]
    found = answers(cells, asked, ["evomal"])
    assert found["missing"] == ["pick/0/keel:vowel/3/evomal", "pick/0.4/keel:vowel/3/evomal"]
    growth = found["strength with noise over without"]["evomal"]["keel:vowel"]
    assert growth["mean"] == pytest.approx(0.4 * 0.7 / 3)
    half = 4.3027 * 0.4 * 0.152753 * (1 / 3 + 0.25) ** 0.5
    assert growth["interval"] == pytest.approx([growth["mean"] - half, growth["mean"] + half], rel=1e-3)
    over = found["picks over their candidates"]["evomal"]["keel:vowel"]
    assert (over["mean"], over["p corrected"]) == (1.0, 0.0)
    worth = found["accuracy of the pick over its knock-out"]["noise 0"]
    assert worth["clipped"]["keel:vowel"]["mean"] == pytest.approx(0.7 / 3)
    assert worth["continued"]["keel:vowel"]["mean"] == pytest.approx(0)
