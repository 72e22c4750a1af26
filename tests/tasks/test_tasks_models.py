"""Models by name."""

from __future__ import annotations

import re

import pytest
import torch
import torchvision
from torch import nn

from symloss.errors import TaskError
from symloss.tasks.train.models import MODELS, architecture

COLOUR = (3, 32, 32)
SMALLER = {"preresnet": "preresnet-14", "wideresnet": "wideresnet-16-2", "pyramidnet": "pyramidnet-14-20"}


@pytest.mark.parametrize("name", [*MODELS, "mlp-2x1000", "mlp-1x4", "preresnet-164", "pyramidnet-164-48"])
@pytest.mark.parametrize("inputs", [(1, 28, 28), COLOUR])
def test_shapes(name, inputs):
    model = architecture(name, inputs, 10)()
    outputs = model(torch.randn(2, *inputs))
    assert outputs.shape == (2, 10)
    assert not outputs.isnan().any()


@pytest.mark.parametrize("name", MODELS)
def test_images_of_other_sizes(name):
    with torch.device("meta"):
        model = architecture(SMALLER.get(name, name), (3, 33, 47), 7)()
        assert model(torch.empty(2, 3, 33, 47)).shape == (2, 7)
        if name not in {"linear", "mlp", "lenet5"}:
            assert all(model(torch.empty(2, 3, side, side)).shape == (2, 7) for side in (16, 17, 64))


def size(name, inputs=COLOUR, outputs=10, but=()):
    """The number of weights, without those of some kinds of module."""
    with torch.device("meta"):
        model = architecture(name, inputs, outputs)()
    return sum(
        weight.numel()
        for module in model.modules()
        if not isinstance(module, but)
        for weight in module.parameters(recurse=False)
    )


def test_sizes_of_the_classics():
    assert size("lenet5", (1, 28, 28)) == size("lenet5", (1, 32, 32)) == 61706
    assert size("mlp", (64,)) == 64 * 64 + 64 + 64 * 64 + 64 + 640 + 10
    assert size("mlp-2x1000", (64,)) == 65_000 + 1_001_000 + 10_010


@pytest.mark.parametrize(
    ("name", "printed"),
    [("allcnn-c", "1.4"),  # arXiv 1412.6806, table 3
     ("preresnet-110", "1.7"), ("preresnet-164", "1.7"),  # arXiv 1603.05027, table 4; 1605.07146, table 5
     ("wideresnet-40-1", "0.6"), ("wideresnet-40-2", "2.2"), ("wideresnet-40-4", "8.9"),
     ("wideresnet-16-8", "11.0"), ("wideresnet-28-10", "36.5"),  # arXiv 1605.07146, tables 4 and 5
     ("pyramidnet-110-48", "1.7"), ("pyramidnet-164-48", "1.7"),  # arXiv 1610.02915, as are those that follow
     ("pyramidnet-200-240", "26.6"), ("pyramidnet-236-220", "26.8"), ("pyramidnet-272-200", "26.0")],
)  # fmt: skip
def test_sizes_that_papers_print_in_millions(name, printed):
    assert f"{size(name) / 1e6:.1f}" == printed


@pytest.mark.parametrize(
    ("name", "printed"),
    [("preresnet-1001", "10.2"), ("pyramidnet-110-84", "3.8")],
)
def test_sizes_that_papers_print_without_batch_normalisation(name, printed):
    """The papers do not say what they count: these figures are those of the convolutions and the linear layer."""
    assert f"{size(name, but=nn.BatchNorm2d) / 1e6:.1f}" == printed


def test_sizes_that_no_reading_of_the_paper_gives():
    """It prints 28.3M and 27.0M. Every block is five wider than the last, so there is nothing to round: the authors'
    release has as many as these, and without batch normalisation 28.4M and 27.1M are left."""
    assert size("pyramidnet-110-270") == 28_485_477
    assert size("pyramidnet-164-270") == 27_216_021


def test_sizes_are_torchvisions_but_for_start_and_head():
    def theirs(name):
        with torch.device("meta"):
            model = getattr(torchvision.models, name)()
        return sum(weight.numel() for weight in getattr(model, "features", model).parameters())

    classes = 100
    assert size("alexnet", outputs=classes) == theirs("alexnet") + 257 * classes
    assert size("vgg16", outputs=classes) == theirs("vgg16_bn") + 513 * classes
    # A first convolution of 3 x 3 for one of 7 x 7, and the head of 1000 classes.
    assert size("resnet18", outputs=classes) == theirs("resnet18") - 64 * 3 * (49 - 9) - 513 * (
        1000 - classes
    )
    plain = size("squeezenet", outputs=classes, but=nn.BatchNorm2d)
    assert plain == theirs("squeezenet1_1") + 513 * classes


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [("mpl", (4,), "did you mean mlp"), ("vgg-16", COLOUR, "did you mean vgg16"),
     ("mlp-0x8", (4,), "at least 1"), ("mlp-99x99999", (4,), "at most 1,0"),
     ("lenet5", (4,), "needs images"), ("resnet18", (64,), "needs images of at least 16 x 16, .*use mlp"),
     ("lenet5", (1, 8, 8), "at least 12 x 12"), ("allcnn-c", (3, 32, 12), "at least 16 x 16"),
     ("transformer", (4,), f"expected one of {', '.join(MODELS)}"),
     ("preresnet-19", COLOUR, r"preresnet-19: expected a depth of 8, 14, 20, ... 158 \(6n \+ 2\) or of 164, 173"),
     ("preresnet-170", COLOUR, r"preresnet-170: .* \(9n \+ 2, bottlenecks\)"), ("preresnet-2", COLOUR, "depth"),
     ("pyramidnet-111-48", COLOUR, "pyramidnet-111-48: expected a depth of 8, 14, 20"),
     ("wideresnet-27-10", COLOUR, r"expected a depth of 10, 16, 22, 28, ... \(6n \+ 4\)"),
     ("wideresnet-4-10", COLOUR, "depth of 10"), ("wideresnet-28-0", COLOUR, "width of at least 1"),
     ("wideresnet-28", COLOUR, "expected wideresnet-DEPTH-WIDTH, as wideresnet-28-10"),
     ("preresnet-x", COLOUR, "expected preresnet-DEPTH, as preresnet-110"),
     ("mlp-64", (4,), "expected mlp-DEPTHxWIDTH, as mlp-2x64"),
     ("wideresnet-28-99", COLOUR, "at most 1,000,000,000 weights")],
)  # fmt: skip
def test_models_that_do_not_fit(name, inputs, message):
    with pytest.raises(TaskError, match=message) as caught:
        architecture(name, inputs, 2)
    assert not re.search("\n", str(caught.value))
