"""The torch module that a formula becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from symloss.codegen import accelerator, checks
from symloss.codegen.accuracy import needs_float64
from symloss.codegen.coefficients import Bounded, zoo_bounds
from symloss.codegen.formula import Formula, formula_of
from symloss.codegen.paths import class_paths, entry_path
from symloss.codegen.plan import route
from symloss.codegen.runtime.branch import Batch
from symloss.codegen.runtime.classes import index_loss, probability_loss
from symloss.codegen.runtime.fused import composes, reduced
from symloss.codegen.runtime.logits import voided
from symloss.codegen.runtime.precision import doubled, narrowed, widened
from symloss.errors import CompileError
from symloss.expr import KINDS, Loss

__all__ = ["SymbolicLoss", "compile_loss"]

_COMPILED = (
    "_bare",
    "_kind",
    "_formula",
    "_indexed",
    "_labelled",
    "_paths",
    "_route",
    "_scale",
    "_usual",
    "_widen",
)
"""The attributes that `SymbolicLoss._compile` sets."""


def compile_loss(
    loss: Loss,
    reduction: str = "mean",
    weight: Any = None,
    ignore_index: int = -100,
    trainable: bool = False,
    *,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    priors: Any = None,
    beta: float = 1.0,
    kernels: bool | None = None,
) -> SymbolicLoss:
    r"""A torch module that computes a formula's loss from raw outputs and targets.

    Classification: `L = sum_i weight_i M(y_i, p_i)` with `p = softmax(z)`, as `nn.CrossEntropyLoss` behaves.
    Multilabel: `M(y, sigmoid(z))` of every entry, as `nn.BCEWithLogitsLoss`. Regression: `M(y, p)`, as
    `nn.MSELoss`. Margin: `M(beta m)` of margins, or of scores and targets in {0, 1} with `m = (2t - 1) f`, as
    `nn.BCEWithLogitsLoss` too.

    Args:
        loss: the formula.
        reduction: "mean" (over class indices: divided by the summed weights of the targets), "sum", "none".
        weight: `[C]`, multiplies each class's term; multilabel: each label's; margin: `[2]`, the entries' of target
            0 and of target 1.
        ignore_index: class index whose instances count for nothing.
        trainable: make the coefficients parameters of the module.
        bounds: for each trainable coefficient the open interval that it stays in (`inf` for no bound); where
            not given, a loss of the zoo has the zoo's bounds. `{}` lifts them.
        priors: `[C]`, positive: the value of the symbol `pi` for each class.
        beta: what margins are multiplied by, as in DPO; of margin losses alone.
        kernels: on a CUDA device, whether the formula gets kernels of its own, which take about a second to build:
            None where a batch has 131,072 outputs or more (2**24 of a loss that torch has), True always, as pays from a
            thousand steps on, False never.

    Raises:
        CompileError: for options that do not fit the loss, or a formula that is infinite at `y = 0`.

    >>> import symloss as sl
    >>> ace = compile_loss(sl.parse("y*abs(log(1.3*p))"))
    >>> ace(torch.zeros(2, 4), torch.tensor([0, 3]))
    tensor(1.1239)
    """
    return SymbolicLoss(
        loss,
        reduction=reduction,
        weight=weight,
        ignore_index=ignore_index,
        trainable=trainable,
        bounds=bounds,
        priors=priors,
        beta=beta,
        kernels=kernels,
    )


class SymbolicLoss(nn.Module):
    """A formula as a torch module; see `compile_loss`.

    Attributes:
        loss: the formula that was compiled; `to_loss` gives it with the current coefficients.
        reduction, ignore_index, beta, kernels: as given.
        weight, priors: buffers `[C]`, or None.
        coefficients: the trainable coefficients, unbounded; empty where not trainable.
    """

    weight: Tensor | None
    priors: Tensor | None
    kernels: bool | None = None  # for modules that were pickled before there were any

    def __init__(
        self,
        loss: Loss,
        *,
        reduction: str = "mean",
        weight: Any = None,
        ignore_index: int = -100,
        trainable: bool = False,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        priors: Any = None,
        beta: float = 1.0,
        kernels: bool | None = None,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.kernels = checks.check_kernels(kernels)
        self.reduction = checks.check_reduction(reduction)
        self.ignore_index = checks.check_index(ignore_index)
        self.beta = checks.check_beta(beta)
        kind = KINDS[loss.kind]
        if self.beta != 1 and not kind.signed:
            raise CompileError(
                f"expected beta for a margin loss, got a {loss.kind} loss; write it in the formula"
            )
        numbers = not kind.probabilities
        if numbers and (priors is not None or (weight is not None and not kind.signed)):
            raise CompileError(
                f"expected no class weights or priors for a {loss.kind} loss, got some; "
                "weigh instances by w in the formula"
            )
        self.register_buffer("weight", checks.class_vector(weight, "weight"))
        if kind.signed and self.weight is not None and len(self.weight) != 2:
            raise CompileError(f"expected weight of 2 classes, targets 0 and 1, got {len(self.weight)}")
        self.register_buffer("priors", checks.class_vector(priors, "priors", positive=True))
        if bounds is None:
            bounds = zoo_bounds(loss) if trainable else {}
        self.coefficients = Bounded(loss.coefficients if trainable else {}, bounds)
        self._compile()

    def _compile(self) -> None:
        """Everything that follows from the loss and the options, and that no pickle carries."""
        loss, names = self.loss, self.coefficients.names
        self._kind = KINDS[loss.kind]
        self._formula = formula_of(loss.expr if names else loss.value_expr, loss.kind, names)
        self._formula.check()
        self._route = route(self._formula)
        self._scale = 0.0 if self._route.kernel is None else self._route.kernel.scale
        # Printed now: `torch.compile` cannot trace the algebra.
        self._paths: Any = (class_paths if self._kind.exclusive else entry_path)(self._formula)
        wide = self._route.kernel is None and needs_float64(self._formula, loss)
        self._widen = doubled if wide else widened
        self._indexed, self._labelled = self._kind.exclusive, self._kind.probabilities
        bare = not (
            names or self._formula.uses_priors or self._formula.uses_weights or self.weight is not None
        )
        bare = bare and not self._kind.signed
        # The dtypes in which a batch that asks for no more is computed as it is.
        self._usual = ((torch.float64,) if wide else (torch.float32, torch.float64)) if bare else ()
        self._bare = bare and not wide

    def __getstate__(self) -> dict[str, Any]:
        """The loss, options, parameters and buffers: no code travels, `__setstate__` compiles again."""
        return {name: value for name, value in self.__dict__.items() if name not in _COMPILED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._compile()

    @property
    def formula(self) -> Formula:
        """The taken-apart formula that this module evaluates."""
        return self._formula

    def to_loss(self) -> Loss:
        """The loss with the current values of trainable coefficients."""
        return self.loss.with_coefficients(**self.coefficients.values_now())

    def extra_repr(self) -> str:
        return f"{str(self.loss)!r}, kind={self.loss.kind!r}, reduction={self.reduction!r}"

    def forward(
        self, outputs: Tensor, targets: Tensor | None = None, *, w: Any = None, priors: Any = None
    ) -> Tensor:
        """The loss of a batch.

        Args:
            outputs: logits `[N, C, ...]` or `[C]`; otherwise any shape.
            targets: class indices `[N, ...]` or probabilities of the logits' shape; otherwise of the outputs'
                shape. Of a margin loss 0 and 1; without them the outputs are margins.
            w: the symbol `w`: one weight for each instance, 1 where not given.
            priors: the symbol `pi`: `[C]`, instead of the priors given on compilation.

        Raises:
            CompileError: for shapes, dtypes or class indices that do not fit.
        """
        if isinstance(outputs, Tensor) and outputs.is_cuda and self._bare and w is None and priors is None:
            loss = self._on_device(outputs, targets)
            if loss is not None:
                return loss
        # The usual batch goes straight on: at 128 instances calls outweigh arithmetic.
        if (
            isinstance(outputs, Tensor)
            and isinstance(targets, Tensor)
            and outputs.dtype in self._usual
            and w is None
            and priors is None
        ):
            if self._indexed:
                if self._scale and targets.dtype is torch.int64 and self._route.prefers_torch(outputs):
                    return self._cross_entropy(outputs, targets)
                if outputs.dim() == 2 and targets.dtype is torch.int64 and targets.shape == outputs.shape[:1]:
                    return self._of_indices(outputs, targets, (float(outputs.shape[1]), None, None), None)
            elif targets.dtype is outputs.dtype and targets.shape == outputs.shape:
                classes = float(outputs.shape[1]) if outputs.dim() > 1 else 1.0
                context = (classes, None, None) if self._labelled else (None,)
                return self._entry_loss(outputs, targets, context, None)
        checks.check_floating(outputs, self._kind.outputs if self._kind.signed else "logits")
        z = self._widen(outputs)
        if self._kind.signed:
            loss = self._of_margins(z, targets, w, priors)
        elif targets is None:
            raise CompileError(
                f"expected targets for a {self.loss.kind} loss, got none; pass outputs and targets"
            )
        else:
            loss = (self._of_classes if self._kind.exclusive else self._of_entries)(z, targets, w, priors)
        return loss if z is outputs else narrowed(loss, outputs)

    def _on_device(self, outputs: Tensor, targets: Tensor | None) -> Tensor | None:
        """By a kernel for the formula, where the device, the formula and the batch allow for one, or None."""
        if not self._route.wants_kernels(outputs, self.kernels) or not isinstance(targets, Tensor):
            return None
        if composes() or not accelerator.works_on(outputs.device):
            return None
        from symloss.codegen.accelerator import losses, written  # Triton is there, where there is a device

        rows = self._indexed and losses.fits(outputs, targets)
        elements = not self._indexed and losses.fits_elements(outputs, targets)
        found = written.kernels_of(self._formula) if rows or elements else None
        if found is None:
            return None
        call = losses.Call(found, self.reduction, self.ignore_index, self._general)
        return narrowed(losses.loss_of(outputs, targets, call), outputs)

    def _general(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss by operations that autograd knows."""
        z = self._widen(outputs)
        classes = float(z.shape[1]) if z.dim() > 1 else 1.0
        if self._indexed:
            context = classes, None, None
            return index_loss(self._paths, z, targets, context, self.reduction, None, self.ignore_index)
        batch = Batch(targets.to(z.dtype), (classes, None, None) if self._labelled else (None,))
        loss: Tensor = self._paths(z, batch, self.reduction)
        return loss

    def _of_classes(self, z: Tensor, targets: Tensor, w: Any, priors: Any) -> Tensor:
        indices = checks.check_class_shapes(z, targets)
        single = z.dim() == 1
        if single:
            z, targets = z.unsqueeze(0), targets.unsqueeze(0)
        context = self._context(z, w, priors, (z.shape[0], *z.shape[2:]))
        weight = self._over_classes(self.weight, "weight", z)
        if indices:
            loss = self._of_indices(z, targets.long(), context, weight)
        else:
            checks.check_nothing_ignored(self.ignore_index)
            loss = self._of_probabilities(z, targets.to(z.dtype), context, weight)
        return loss.squeeze(0) if single and self.reduction == "none" else loss

    def _of_indices(self, z: Tensor, t: Tensor, context: tuple[Any, ...], weight: Tensor | None) -> Tensor:
        if self._scale and self._route.prefers_torch(z, weight):
            return self._cross_entropy(z, t, None if weight is None else weight.flatten())
        try:
            return index_loss(self._paths, z, t, context, self.reduction, weight, self.ignore_index)
        except (IndexError, RuntimeError):
            self._explain(z, t)
            raise

    def _cross_entropy(self, z: Tensor, t: Tensor, weight: Tensor | None = None) -> Tensor:
        """torch's own."""
        try:
            loss = F.cross_entropy(z, t, weight, ignore_index=self.ignore_index, reduction=self.reduction)
        except (IndexError, RuntimeError, ValueError):
            self._explain(z, t)
            raise
        return loss if self._scale == 1 else loss * self._scale

    def _explain(self, z: Tensor, t: Tensor) -> None:
        """torch refuses shapes and indices without the cost of a look at them; we say what is wrong."""
        if not composes():
            checks.check_class_shapes(z, t)
            checks.check_indices(t, z.shape[min(1, z.dim() - 1)], self.ignore_index)

    def _of_probabilities(
        self, z: Tensor, y: Tensor, context: tuple[Any, ...], weight: Tensor | None
    ) -> Tensor:
        if self._scale:
            weight = None if weight is None else weight.flatten()
            return self._scale * F.cross_entropy(z, y, weight, reduction=self.reduction)
        return probability_loss(self._paths, z, y, context, self.reduction, weight)

    def _of_entries(self, z: Tensor, targets: Tensor, w: Any, priors: Any) -> Tensor:
        checks.check_entry_shapes(z, targets, self.loss.kind)
        y = targets.to(z.dtype)
        labels = self._kind.probabilities
        shape = (z.shape[0], *z.shape[2:]) if labels and z.dim() > 1 else () if labels else tuple(z.shape)
        context = self._context(z, w, priors, shape)
        weight = self._over_classes(self.weight, "weight", z)
        return self._entry_loss(z, y, context, weight)

    def _of_margins(self, z: Tensor, targets: Tensor | None, w: Any, priors: Any) -> Tensor:
        m = z if self.beta == 1 else z * self.beta
        context = self._context(m, w, priors, tuple(m.shape))
        if targets is None:
            if self.weight is not None:
                raise CompileError(
                    "expected targets for the weight of each class, got margins alone; pass scores and targets"
                )
            return self._entry_loss(m, m.new_ones(()).expand_as(m), context, None)
        checks.check_entry_shapes(z, targets, self.loss.kind)
        if targets.is_cpu and not composes():  # an accelerator would have to be waited for
            checks.check_signs(targets)
        t, weight = targets.to(m.dtype), None
        if self.weight is not None:
            off, on = self.weight.to(m)
            weight = off * (1 - t) + on * t
        if self._route.kernel is None:
            m = m * (2 * t - 1)
        return self._entry_loss(m, t, context, weight)

    def _entry_loss(self, z: Tensor, y: Tensor, context: tuple[Any, ...], weight: Tensor | None) -> Tensor:
        """Of outputs and targets of one shape, each times its weight."""
        if self._route.kernel is not None:
            options = {} if weight is None else {"weight": weight}
            return self._route.kernel(z, y, reduction=self.reduction, **options)
        batch = Batch(y, context)
        if weight is None:
            loss: Tensor = self._paths(z, batch, self.reduction)
            return loss
        return reduced(self._paths(voided(z, weight), batch, "none") * weight, self.reduction)

    def _over_classes(self, vector: Tensor | None, name: str, z: Tensor) -> Tensor | None:
        """A vector over classes, shaped to broadcast against `z`."""
        if vector is None:
            return None
        dim = min(1, z.dim() - 1)
        if z.dim() == 0 or vector.shape[0] != z.shape[dim]:
            have = z.shape[dim] if z.dim() else 1
            raise CompileError(
                f"expected {name} of {have} classes, got {vector.shape[0]}; one for each output"
            )
        return vector.to(z).view(-1, *[1] * (z.dim() - 1 - dim))

    def _context(self, z: Tensor, w: Any, priors: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """`C`, `pi`, `w` and the coefficients, shaped to broadcast against `z`; of numbers `w` and the coefficients."""
        pi, weights = None, None
        given = self.priors if priors is None else checks.class_vector(priors, "priors", positive=True)
        if self._formula.uses_priors:
            if given is None:
                raise CompileError(
                    "expected class priors for the symbol pi, got none; "
                    "pass priors=[...] on compilation or call"
                )
            pi = self._over_classes(given, "priors", z)
        elif priors is not None:
            raise CompileError(f"expected pi in the formula {self.loss}, got priors for a formula without it")
        if self._formula.uses_weights:
            weights = checks.instance_weights(1.0 if w is None else w, z, shape)
            weights = weights.unsqueeze(1) if self._kind.probabilities and weights.dim() else weights
        elif w is not None:
            raise CompileError(f"expected w in the formula {self.loss}, got w for a formula without it")
        k = self.coefficients.values_for(z)
        if not self._kind.probabilities:
            return weights, k
        return float(z.shape[1] if z.dim() > 1 else 1), pi, weights, k
