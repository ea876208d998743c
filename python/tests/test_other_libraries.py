"""xarray and scikit-learn."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import check_estimator

import linfit
import linfit.sklearn
import linfit.xarray


def test_arrays_with_names():
    rng = np.random.default_rng(5)
    t = xr.DataArray(
        rng.normal(size=(4, 30)), dims=("y", "x"), coords={"x": np.arange(30), "time": np.datetime64("2020-01-01", "ns")}
    )
    x = (2 * t + 1 + rng.normal(size=(4, 30))).transpose("x", "y")
    want = linfit.fit(x.values.T, t.values)
    found = linfit.xarray.fit(x, t)
    assert (float(found.weight), float(found.bias), int(found.n)) == (want.weight, want.bias, want.n)
    assert "time" in found.coords and "x" not in found.coords
    lazy = linfit.xarray.fit(x, t.chunk({"x": 7}))
    assert float(lazy.weight) == pytest.approx(want.weight, rel=1e-12)
    exposure = xr.DataArray(np.arange(30.0), dims="x", coords={"x": np.arange(30)})
    repeated = linfit.fit(np.broadcast_to(exposure.values, (4, 30)), t.values)
    assert float(linfit.xarray.fit(exposure, t).weight) == repeated.weight
    with pytest.raises(ValueError):
        linfit.xarray.fit(x.isel(x=slice(1, None)), t)


def test_a_regressor_of_scikit_learn():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(50, 1))
    y = 3 * x[:, 0] - 1 + rng.normal(size=50)
    weights = rng.uniform(0.1, 2, size=50)
    ours = linfit.sklearn.LinearFit().fit(x, y, sample_weight=weights)
    theirs = LinearRegression().fit(x, y, sample_weight=weights)
    assert (ours.coef_[0], ours.intercept_) == pytest.approx((theirs.coef_[0], theirs.intercept_), rel=1e-12)
    assert ours.score(x, y) == pytest.approx(theirs.score(x, y), rel=1e-12)
    assert np.allclose(ours.predict(x), theirs.predict(x))
    with pytest.raises(ValueError, match="a line has 1"):
        ours.fit(np.ones((3, 2)), np.ones(3))


def test_the_checks_of_scikit_learn():
    """All but those whose data have several features, which a line has not."""
    results = check_estimator(linfit.sklearn.LinearFit(), on_fail=None, on_skip=None)
    failed = [result for result in results if result["status"] == "failed"]
    # Of these the data have two features as well, and another message.
    hidden = {"check_positive_only_tag_during_fit", "check_sample_weights_pandas_series"}
    others = [r["check_name"] for r in failed if "a line has 1" not in str(r["exception"])]
    others = [name for name in others if name not in hidden]
    passed = [result for result in results if result["status"] == "passed"]
    assert not others and len(passed) >= 15, (others, len(passed))


def test_a_fit_along_dimensions_keeps_the_coordinates_of_the_others():
    rng = np.random.default_rng(9)
    t = xr.DataArray(
        rng.normal(size=(8, 4, 5)),
        dims=("time", "y", "x"),
        coords={"time": np.arange(8.0), "y": [10, 20, 30, 40], "where": (("y", "x"), np.ones((4, 5))), "day": 3},
    )
    want = linfit.fit(t.time.values, t.values, axis=0)
    for source in (t, t.chunk({"time": 3, "y": 2})):
        found = linfit.xarray.fit(t.time, source, dim="time")
        assert found.weight.dims == ("y", "x") and set(found.coords) == {"y", "where", "day"}
        assert (source is t) != hasattr(found.weight.data, "dask")
        for name in found:
            assert np.allclose(found[name].values, getattr(want, name), rtol=1e-9), name
        assert found.n.dtype == np.int64 and "standard error" in found.stderr_bias.attrs["long_name"]
        y = linfit.xarray.predict(found, t.time)
        assert np.allclose(y.transpose(*t.dims).values, want.predict(t.time.values), rtol=1e-9)
    rows = linfit.xarray.fit(2 * t + 1, t, dim=["x", "time"])
    assert rows.weight.dims == ("y",) and np.allclose(rows.weight, 0.5)
    whole = linfit.xarray.fit(2 * t + 1, t, dim=...)
    assert whole.weight.dims == () and set(whole.coords) == {"day"}
    masked = linfit.xarray.fit(t.time, t, dim="time", mask=t.y < 35)
    assert np.isnan(masked.weight.values[3]).all() and masked.n.values[0, 0] == 8
    with pytest.raises(ValueError, match="t has no dimension 'band'"):
        linfit.xarray.fit(t.time, t, dim="band")
    with pytest.raises(TypeError, match="expected a DataArray"):
        linfit.xarray.fit(t.values, t)
    with pytest.raises(TypeError, match="unexpected keyword argument 'dims'"):
        linfit.xarray.fit(t, t, dims="time")
