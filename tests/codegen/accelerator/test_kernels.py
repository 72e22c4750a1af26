"""The kernels of CUDA devices, run by Triton's interpreter: against float64, wherever torch brings Triton."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import symloss as sl
from symloss.codegen import accelerator

pytest.importorskip("triton")

HALF = 8e-3
"""What rounding to bfloat16 costs, 2**-7."""


TYPES = {
    **dict.fromkeys(("z", "state", "g", "sums", "gradient"), "*fp32"), "t": "*i64",
    **dict.fromkeys(("low", "high", "a", "b", "s", "peak", "base"), "fp32"),
}  # fmt: skip
"""Of the kernels' parameters, but for whole numbers."""


@pytest.fixture(scope="module")
def found() -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.codegen.accelerator.interpreted"],
        env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_losses_of_classes_are_as_exact_as_on_the_cpu(found: Any) -> None:
    assert len(found["classes"]) >= 16
    for name, batches in found["classes"].items():
        assert len(batches) == 9
        for batch, off in batches.items():
            rounded = HALF if batch == "bfloat16" else 1e-6
            at_most = max(rounded, 1e-5)
            assert off["loss"] <= max(rounded, 3 * off["loss on the CPU"]), (name, batch)
            assert off["gradient"] <= max(at_most, 3 * off["gradient on the CPU"]), (name, batch)


def test_losses_of_entries_are_as_exact_as_on_the_cpu(found: Any) -> None:
    assert len(found["entries"]) >= 12
    for name, off in found["entries"].items():
        assert off["loss"] <= max(1e-6, 3 * off["loss on the CPU"]), name
        assert off["gradient"] <= max(1e-5, 3 * off["gradient on the CPU"]), name


def test_operators_are_as_exact_as_on_the_cpu(found: Any) -> None:
    assert len(found["operators"]) >= 13
    for name, (value, slope) in found["operators"].items():
        assert value <= 1e-6, name
        assert slope <= 1e-6, name


def test_numbers_that_need_care(found: Any) -> None:
    assert all(off < 2e-6 for off in found["special"].values()), found["special"]


def test_derivatives_that_no_kernel_gives_are_composed(found: Any) -> None:
    assert all(off < 1e-6 for off in found["other derivatives"].values()), found["other derivatives"]


def test_second_derivatives_are_those_of_the_composed_loss(found: Any) -> None:
    assert found["second derivative"] < 1e-5


def test_an_index_that_is_no_class_is_seen(found: Any) -> None:
    assert found["wrong index"] == [True, True, True]


def test_a_device_without_triton_is_told() -> None:
    """On the CPU there is nothing to build a kernel for."""
    accelerator.works_on.cache_clear()
    with pytest.warns(UserWarning, match="computed by torch's operations"):
        assert not accelerator.works_on(torch.device("cpu"))
    accelerator.works_on.cache_clear()


def test_what_the_kernels_do_not_take_is_left_to_torch() -> None:
    from symloss.codegen.accelerator.losses import fits, fits_elements

    z, t = torch.randn(3, 4), torch.tensor([0, 1, 2])
    assert fits(z, t)
    assert not fits(z.double(), t)
    assert not fits(z.T, torch.tensor([0, 1, 2, 0]))
    assert not fits(z[:0], t[:0])
    assert not fits(torch.randn(3, 1), t)
    assert not fits(z, torch.softmax(z, 1))
    assert not fits_elements(z, t)
    assert not fits_elements(z, torch.randn(3, 4, requires_grad=True))
    assert fits_elements(z, torch.randn(3, 4))


@pytest.mark.parametrize(
    "formula",
    ["-w*y*log(p)", "-pi*y*log(p)", "-y*log(p)*atan(p)", "p**2*log(p)**2 - y*sqrt(p)", "tanh(1/p)*y + p**2",
     "-y*log(p)*log(1 + exp(C))", "y*exp(C)/(1 + exp(C))*log(p)", "y*1e39*p*p", "-y*log(p)*C**(-20)*1e30"],
)  # fmt: skip
def test_what_the_kernels_would_get_wrong_has_none(formula: str) -> None:
    """Priors, weights, operators that Triton lacks, results that are mended, and numbers beyond float32."""
    from symloss.codegen.accelerator.written import kernels_of
    from symloss.codegen.formula import formula_of

    assert kernels_of(formula_of(sl.parse(formula).value_expr, "classification")) is None
    regression = sl.parse("log(exp(p - y) + exp(y - p))", kind="regression")
    assert kernels_of(formula_of(regression.value_expr, "regression")) is None


@pytest.mark.parametrize("name", ["focal", "lsr", "brier", "gce"])
def test_kernels_compile_for_a_device(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter does not see types; the compiler needs no device."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from symloss.codegen.accelerator import kernels
    from symloss.codegen.accelerator.written import kernels_of
    from symloss.codegen.formula import formula_of

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    found = kernels_of(formula_of(sl.named(name).value_expr, "classification"))
    assert found is not None
    constants: dict[str, Any] = {"ROWS": 4, "BLOCK": 64}
    if found.way == "dense":
        constants |= dict(zip(("first", "other"), found.curves, strict=True))
    elif found.way == "target":
        constants |= {"curve": found.curves[0], "REACHES": True}
    for way in ("forward", "backward"):
        kernel = getattr(
            kernels, f"{'rows' if way == 'backward' and found.way != 'dense' else found.way}_{way}"
        )
        given = {
            key: value for key, value in {**constants, "SHARED": True}.items() if key in kernel.arg_names
        }
        signature = {
            each: "constexpr" if each in given else TYPES.get(each, "i32") for each in kernel.arg_names
        }
        places = {(kernel.arg_names.index(key),): value for key, value in given.items()}
        source = ASTSource(fn=kernel, signature=signature, constexprs=places)
        assert "entry" in compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]


@pytest.mark.parametrize(("name", "many"), [("focal", 1 << 17), ("brier", 1 << 17), ("ce", 1 << 24)])
def test_large_batches_want_kernels_unless_told_otherwise(name: str, many: int) -> None:
    from symloss.codegen.formula import formula_of
    from symloss.codegen.plan import route

    chosen = route(formula_of(sl.named(name).value_expr, "classification"))
    small, large = torch.empty(many - 1, device="meta"), torch.empty(many, device="meta")
    assert [chosen.wants_kernels(x, None) for x in (small, large)] == [False, True]
    assert [chosen.wants_kernels(x, True) for x in (small, large)] == [True, True]
    assert [chosen.wants_kernels(x, False) for x in (small, large)] == [False, False]


def test_modules_pickled_before_there_were_kernels_still_load() -> None:
    module = sl.named("focal").to_torch(kernels=True)
    state = module.__getstate__()
    assert pickle.loads(pickle.dumps(module)).kernels is True
    del state["kernels"]
    older = type(module).__new__(type(module))
    older.__setstate__(state)
    z, t = torch.randn(3, 4), torch.tensor([0, 1, 2])
    assert older.kernels is None
    assert torch.equal(older(z, t), module(z, t))


@pytest.mark.parametrize("kernels", ["yes", 1, 0.0])
def test_kernels_is_an_answer(kernels: object) -> None:
    with pytest.raises(sl.SymlossError, match="expected kernels True, False or None"):
        sl.named("ce").to_torch(kernels=kernels)
