"""The data sets that scikit-learn carries with it."""

from __future__ import annotations

import numpy as np

from symloss.tasks.features import DataSet, Numbers

__all__ = ["breast_cancer", "diabetes", "digits", "wine"]


def diabetes() -> DataSet:
    """Disease progression of 442 patients from 10 measurements (Efron et al., 2004)."""
    from sklearn.datasets import load_diabetes  # a second to import: only when it is asked for

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

    bunch = load_wine()
    names = tuple(str(name) for name in bunch.target_names)
    return DataSet(
        "wine", "classification", Numbers(bunch.data), bunch.target.astype(np.int64), names,
        source="scikit-learn",
    )  # fmt: skip


def breast_cancer() -> DataSet:
    """Malignant or benign, 569 tumours with 30 measurements (UCI, Wolberg et al., 1995)."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    names = tuple(str(name) for name in bunch.target_names)
    return DataSet(
        "breast-cancer", "classification", Numbers(bunch.data), bunch.target.astype(np.int64), names,
        source="scikit-learn",
    )  # fmt: skip
