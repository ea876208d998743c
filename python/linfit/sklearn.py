"""A regressor for scikit-learn, of one feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from linfit._fit import fit as _fit
from linfit._predict import predict as _predict

__all__ = ["LinearFit"]


class LinearFit(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The least-squares line of one feature: what sklearn.linear_model.LinearRegression
    finds, without copies of X and y.

    Several features are a ValueError.

    Attributes: ``coef_``, an array of one number, W; ``intercept_``, b; ``fit_``, the
    :class:`linfit.Fit`.
    """

    def __init__(self, *, engine: str = "auto", threads: int | None = None) -> None:
        self.engine = engine
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearFit:
        """Fits y by X·W + b; X has one column."""
        X, y = validate_data(self, X, y, dtype="numeric", y_numeric=True)
        if X.shape[1] != 1:
            raise ValueError(f"X has {X.shape[1]} features, and a line has 1: give X[:, [k]]")
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        settings: Any = {"engine": self.engine, "threads": self.threads}
        self.fit_ = _fit(X[:, 0], y, weights=weights, **settings)
        self.coef_ = np.array([self.fit_.weight])
        self.intercept_ = self.fit_.bias
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """X·W + b."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype="numeric", reset=False)
        return _predict((float(self.coef_[0]), float(self.intercept_)), X[:, 0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # On the data of its checks, which have many features.
        return tags
