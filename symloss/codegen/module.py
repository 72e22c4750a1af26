"""The torch module that a formula becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from symloss.codegen import checks
from symloss.codegen.accuracy import needs_float64
from symloss.codegen.bounds import Bounded, zoo_bounds
from symloss.codegen.compiled import Formula, formula_of
from symloss.codegen.fused import Reduction, apply, composes, run
from symloss.codegen.kernels import recognise
from symloss.codegen.paths import HARD_PATHS, class_path, entry_path, hard_path
from symloss.codegen.precision import doubled, narrowed, widened
from symloss.errors import CompileError
from symloss.expr import KINDS, Loss

__all__ = ["SymbolicLoss", "compile_loss"]

_COMPILED = ("_formula", "_kernel", "_bare", "_hard_path", "_signed", "_straight", "_path_of", "_direct")
"""The attributes that `SymbolicLoss._compile` sets."""
_NOTHING: dict[str, Any] = {"pi": None, "w": None, "k": ()}


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
    )


class SymbolicLoss(nn.Module):
    """A formula as a torch module; see `compile_loss`.

    Attributes:
        loss: the formula that was compiled; `to_loss` gives it with the current coefficients.
        reduction, ignore_index, beta: as given.
        weight, priors: buffers `[C]`, or None.
        coefficients: the trainable coefficients, unbounded; empty where not trainable.
    """

    weight: Tensor | None
    priors: Tensor | None

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
    ) -> None:
        super().__init__()
        self.loss = loss
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
        self._formula = formula_of(loss.expr if names else loss.value_expr, loss.kind, names)
        self._formula.check()
        self._kernel = recognise(self._formula)
        self._bare = not (names or self._formula.uses_priors or self._formula.uses_weights)
        self._hard_path = hard_path(self._formula) if KINDS[loss.kind].exclusive else ""
        self._signed = KINDS[loss.kind].signed
        self._straight = self._bare and self.weight is None and KINDS[loss.kind].exclusive
        self._path_of = HARD_PATHS.get(self._hard_path, HARD_PATHS["dense"])
        _ = self._formula.composed  # printed now: `torch.compile` cannot trace the algebra
        wide = self._kernel is None and needs_float64(self._formula, self.loss)
        self._direct = (torch.float64,) if wide else (torch.float32, torch.float64)

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
        if self._signed:
            return self._margins(outputs, targets, w, priors)
        if targets is None:
            raise CompileError(
                f"expected targets for a {self.loss.kind} loss, got none; pass outputs and targets"
            )
        if self._kernel is not None and w is None and priors is None:
            try:
                # The buffer without `Module.__getattr__`, which costs as much as the rest of this line.
                weight = self._buffers["weight"]
                return self._kernel(outputs, targets, weight, self.reduction, self.ignore_index)
            except (RuntimeError, IndexError, ValueError, TypeError):
                pass  # What torch refuses is either refused below, with a remedy, or converted.
        if self._straight and w is None and priors is None:
            result = self._straight_on(outputs, targets)
            if result is not None:
                return result
        checks.check_floating(outputs)
        inside = widened(outputs) if torch.float32 in self._direct else doubled(outputs)
        if KINDS[self.loss.kind].exclusive:
            result = self._classification(inside, targets, w, priors)
        else:
            result = self._entries(inside, targets, w, priors)
        return result if inside is outputs else narrowed(result, outputs)

    def _margins(self, outputs: Tensor, targets: Tensor | None, w: Any, priors: Any) -> Tensor:
        checks.check_floating(outputs, KINDS[self.loss.kind].outputs)
        inside = widened(outputs) if torch.float32 in self._direct else doubled(outputs)
        m, t, factor = inside if self.beta == 1 else inside * self.beta, None, None
        if targets is not None:
            checks.check_entry_shapes(outputs, targets, self.loss.kind)
            if not composes(m):
                checks.check_signs(targets)
            t = targets.to(m.dtype)
            if self.weight is not None:
                off, on = self.weight.to(m)
                factor = off * (1 - t) + on * t
        elif self.weight is not None:
            raise CompileError(
                "expected targets for the weight of each class, got margins alone; pass scores and targets"
            )
        inputs = self._inputs(m, w, priors, tuple(m.shape))
        if self._kernel is not None:
            result = self._kernel(m, t, factor, self.reduction, self.ignore_index)
        else:
            m = m if t is None else m * (2 * t - 1)
            result = apply(
                entry_path(self._formula, m, m, inputs), Reduction(self.reduction, False, factor), m
            )
        return result if inside is outputs else narrowed(result, outputs)

    def _straight_on(self, z: Tensor, t: Tensor) -> Tensor | None:
        """The usual batch, `[N, C]` with valid int64 indices, with the fewest looks; else None."""
        if z.dim() != 2 or t.dtype is not torch.int64 or t.dim() != 1 or composes(z):
            return None
        rows, classes = z.shape
        if t.shape[0] != rows or z.dtype not in self._direct or 0 <= self.ignore_index < classes:
            return None
        if self._some_ignored(t):
            return None
        try:
            path = self._path_of(self._formula, t.unsqueeze(1), _NOTHING)
            return run(path, Reduction(self.reduction, True), z)
        except (RuntimeError, IndexError):  # `gather` refuses an index
            return None

    def _some_ignored(self, t: Tensor) -> bool:
        """Whether instances do not count, asked where a refused index would be the end of the process.

        On the CPU `gather` raises; a kernel of an accelerator asserts, and nothing runs there afterwards.
        """
        return not t.is_cpu and bool((t == self.ignore_index).any())

    def _classification(self, z: Tensor, targets: Tensor, w: Any, priors: Any) -> Tensor:
        indices = checks.check_class_shapes(z, targets)
        single = z.dim() == 1
        if single:
            z, targets = z.unsqueeze(0), targets.unsqueeze(0)
        inputs = self._inputs(z, w, priors, (z.shape[0], *z.shape[2:]))
        weight = self._of_classes(self.weight, "weight", z)
        if indices:
            losses = self._hard(z, targets.long(), weight, inputs)
        else:
            checks.check_nothing_ignored(self.ignore_index)
            path = class_path(self._formula, z, targets.to(z.dtype), None, weight, inputs)
            losses = apply(path, Reduction(self.reduction, True), z)
        return losses.squeeze(0) if single and self.reduction == "none" else losses

    def _hard(self, z: Tensor, t: Tensor, weight: Tensor | None, inputs: dict[str, Any]) -> Tensor:
        rows = weight is not None and self._formula.composed.other_is_zero
        if not (composes(z) or 0 <= self.ignore_index < z.shape[1] or self._some_ignored(t)):
            # Valid indices are the rule: `gather` checks them on the way, and only its refusal costs a look.
            try:
                path = class_path(self._formula, z, None, t.unsqueeze(1), None if rows else weight, inputs)
                factor = weight.flatten()[t] if weight is not None and rows else None
                count = None if weight is None else weight.flatten()[t].sum()
                return apply(path, Reduction(self.reduction, True, factor, count), z)
            except (RuntimeError, IndexError):
                checks.check_indices(t, z.shape[1], self.ignore_index)
        kept = t != self.ignore_index
        # An instance that does not count may have an infinite loss: its logits are masked, not its result.
        z = torch.where(kept.unsqueeze(1), z, 0.0)
        safe = torch.where(kept, t, 0)
        path = class_path(self._formula, z, None, safe.unsqueeze(1), None if rows else weight, inputs)
        weights = kept.to(z.dtype) if weight is None else torch.where(kept, weight.flatten()[safe], 0.0)
        reduction = Reduction(self.reduction, True, weights if rows else None, weights.sum(), kept)
        return apply(path, reduction, z)

    def _entries(self, outputs: Tensor, targets: Tensor, w: Any, priors: Any) -> Tensor:
        checks.check_entry_shapes(outputs, targets, self.loss.kind)
        targets = targets.to(outputs.dtype)
        if not KINDS[self.loss.kind].probabilities:
            inputs = self._inputs(outputs, w, priors, tuple(outputs.shape))
            path = entry_path(self._formula, outputs, targets, inputs)
            return apply(path, Reduction(self.reduction, False), outputs)
        shape = (outputs.shape[0], *outputs.shape[2:]) if outputs.dim() > 1 else ()
        path = entry_path(self._formula, outputs, targets, self._inputs(outputs, w, priors, shape))
        weight = self._of_classes(self.weight, "weight", outputs)
        factor = None if weight is None else weight.expand_as(outputs)
        return apply(path, Reduction(self.reduction, False, factor), outputs)

    def _of_classes(self, vector: Tensor | None, name: str, z: Tensor) -> Tensor | None:
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

    def _inputs(self, z: Tensor, w: Any, priors: Any, shape: tuple[int, ...]) -> dict[str, Any]:
        """The values of `pi`, `w` and the coefficients, shaped to broadcast against `z`."""
        if self._bare and w is None and priors is None:
            return _NOTHING
        inputs: dict[str, Any] = {"pi": None, "w": None, "k": self.coefficients.values_for(z)}
        given = self.priors if priors is None else checks.class_vector(priors, "priors", positive=True)
        if self._formula.uses_priors:
            if given is None:
                raise CompileError(
                    "expected class priors for the symbol pi, got none; "
                    "pass priors=[...] on compilation or call"
                )
            inputs["pi"] = self._of_classes(given, "priors", z)
        elif priors is not None:
            raise CompileError(f"expected pi in the formula {self.loss}, got priors for a formula without it")
        if self._formula.uses_weights:
            weights = checks.instance_weights(1.0 if w is None else w, z, shape)
            at_classes = KINDS[self.loss.kind].probabilities and weights.dim() > 0
            inputs["w"] = weights.unsqueeze(1) if at_classes else weights
        elif w is not None:
            raise CompileError(f"expected w in the formula {self.loss}, got w for a formula without it")
        return inputs
