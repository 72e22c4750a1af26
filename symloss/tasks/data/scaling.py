"""Numbers on one scale, by scikit-learn, fitted on the training rows alone."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from symloss.errors import TaskError
from symloss.tasks.data.splits import Indices

__all__ = ["Exponent", "constant", "scale_targets", "standard_scaler", "standardise"]

# Too large for single precision, so that `single` still refuses it, and finite in float64 after division by any
# spread above `_ROUNDING`.
_FAR = 1e150
_ROUNDING = 1e-12
"""Spread, relative to the largest value, at which a column is a constant that was rounded (float64)."""


class Exponent(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Columns times a power of two, which is exact, so that the training values lie in [-1, 1].

    Without it the square of 1e200 overflows and that of 1e-200 underflows, and a scaler that meets either
    returns zeros.
    """

    def fit(self, X: NDArray[np.float64], y: None = None) -> Self:
        # x = m 2^e with 1/2 <= |m| < 1, so x 2^-e rounds nothing, short of underflow.
        self.exponent_ = np.frexp(np.nanmax(np.abs(X), axis=0))[1]
        self.n_features_in_ = np.shape(X)[1]
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        # A row that far outside the training rows stays finite for scikit-learn; `single` refuses it.
        with np.errstate(over="ignore"):
            return np.clip(np.ldexp(X, -self.exponent_), -_FAR, _FAR)


def standard_scaler(*first: Any) -> Pipeline:
    """`(x - mean) / sd` of each column, after the steps `first`."""
    # Centred before it is scaled: StandardScaler takes a spread below N eps |mean| for that of a constant.
    return make_pipeline(Exponent(), *first, StandardScaler(with_std=False), StandardScaler())


def constant(seen: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which columns of `[N, F]` have one value, up to rounding relative to its size; NaN does not count.

    >>> constant(np.array([[0.3, 1e-200, 5.0], [0.1 + 0.2, 3e-200, np.nan]]))
    array([ True, False,  True])
    """
    with np.errstate(over="ignore"):
        spread = np.nanmax(seen, axis=0) - np.nanmin(seen, axis=0)
    return np.asarray(spread <= _ROUNDING * np.nanmax(np.abs(seen), axis=0))


def standardise(values: NDArray[Any], train: Indices, axes: tuple[int, ...] = (0,)) -> NDArray[np.float32]:
    """`(x - mean) / sd` with mean and sd of the training rows over `axes`; a constant becomes 0.

    Raises:
        TaskError: for values that single precision cannot hold once they are scaled.

    >>> standardise(np.array([[1.0], [3.0], [9.0]]), np.array([0, 1])).ravel().tolist()
    [-1.0, 1.0, 7.0]
    """
    # scikit-learn scales the columns of a table: what has one mean and one spread becomes one column.
    kept = tuple(axis for axis in range(values.ndim) if axis not in axes)
    width = int(np.prod([values.shape[axis] for axis in kept], dtype=np.int64))
    order = (*axes, *kept)

    def table(rows: NDArray[Any]) -> NDArray[np.float64]:
        return rows.transpose(order).reshape(-1, width).astype(np.float64)

    seen = table(values[train])
    scaled = standard_scaler().fit(seen).transform(table(values))
    # Not left to scikit-learn, which after the centring takes the rounding of a constant for a spread: 0.3, 0.1 +
    # 0.2, 0.3 become -0.7, 1.4, -0.7.
    scaled[:, constant(seen)] = 0.0
    shape = tuple(values.shape[axis] for axis in order)
    return np.ascontiguousarray(single(scaled).reshape(shape).transpose(np.argsort(order)))


def single(scaled: NDArray[np.float64], what: str = "values") -> NDArray[np.float32]:
    """In single precision, in which models are trained.

    Raises:
        TaskError: for values that it cannot hold.
    """
    with np.errstate(over="ignore"):
        numbers = scaled.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise TaskError(
            f"{what} are so far outside the range of the training rows that single precision overflows: "
            "check them, or leave those rows out"
        )
    return numbers


def scale_targets(
    targets: NDArray[np.float64], train: Indices, how: str
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Targets of a regression as a model is trained on them, and what was done to them.

    Args:
        targets: numbers, `[N]`.
        train: the training rows, which alone decide.
        how: `"standard"`: `(y - mean) / sd`; `"minmax"`: `(y - low) / (high - low)`; `"none"`: as they are.

    Returns:
        float32 `[N]`, and `how` with the two numbers, in the units of the targets.

    Raises:
        TaskError: for an unknown `how`, a target that is constant in the training rows, or overflow.

    >>> scaled, facts = scale_targets(np.array([10.0, 30.0, 20.0]), np.array([0, 1]), "minmax")
    >>> scaled.tolist(), facts
    ([0.0, 1.0, 0.5], {'how': 'minmax', 'low': 10.0, 'high': 30.0})
    """
    seen = targets[train, None]
    if constant(seen)[0]:
        raise TaskError("the target is constant in the training rows: nothing can be learned")
    if how == "none":
        return single(targets, "targets"), {"how": how}
    if how == "minmax":
        scaler = make_pipeline(Exponent(), MinMaxScaler()).fit(seen)
        facts = {"low": float(seen.min()), "high": float(seen.max())}
    elif how == "standard":
        scaler = standard_scaler().fit(seen)
        power, centre, spread = (step for _, step in scaler.steps)
        # Mean and spread were fitted on targets divided by 2**exponent: back to the units of the user.
        pair = np.ldexp([centre.mean_[0], spread.scale_[0]], power.exponent_[0])
        facts = dict(zip(("mean", "standard_deviation"), pair.tolist(), strict=True))
    else:
        raise TaskError(f"target scale {str(how)!r}: expected standard, minmax or none")
    return single(scaler.transform(targets[:, None])[:, 0], "targets"), {"how": how, **facts}
