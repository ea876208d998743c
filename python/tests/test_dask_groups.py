"""A fit for each group of Dask arrays: as linfit.fit finds them."""

from __future__ import annotations

import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import linfit
import linfit.dask
from linfit._fits import NUMBERS


def stack(shape=(12, 7, 9)):
    rng = np.random.default_rng(8)
    x = rng.normal(size=shape)
    return x, x * rng.normal(size=shape[1:]) + rng.normal(size=shape)


def assert_same(found, want):
    for name in NUMBERS:
        assert np.allclose(getattr(found, name), getattr(want, name), rtol=1e-9, atol=1e-12, equal_nan=True), name


@pytest.mark.parametrize("chunks", [(12, 7, 9), (5, 7, 9), (5, 3, 4), (1, 7, 2)])
@pytest.mark.parametrize("axis", [0, (1, 2), -1, (0, 2)])
def test_along_axes_of_any_chunks(chunks, axis):
    x, t = stack()
    lazy = [da.from_array(array, chunks=chunks) for array in (x, t)]
    want = linfit.fit(x, t, axis=axis)
    found = linfit.dask.fit(*lazy, axis=axis)
    assert_same(found, want)
    maps = linfit.dask.maps(*lazy, axis=axis)
    assert maps.weight.shape == want.shape and maps.n.dtype == np.int64
    assert_same(type(maps)(*dask.compute(*maps)), want)
    y = linfit.dask.predict(found, lazy[0])
    assert np.allclose(y.compute(), want.predict(x), rtol=1e-9)


def test_x_of_the_axes_alone_and_blocks_without_a_valid_pair():
    _, t = stack()
    time = np.arange(12.0)
    mask = np.ones(t.shape)
    mask[:, :3, :4] = 0
    mask[5:10] = 0
    lazy = da.from_array(t, chunks=(5, 3, 4))
    want = linfit.fit(time, t, axis=0, mask=mask)
    found = linfit.dask.fit(da.from_array(time, chunks=4), lazy, axis=0, mask=da.from_array(mask, chunks=(5, 3, 4)))
    assert_same(found, want)
    assert found.degenerate == 12 and found.n[0, 0] == 0
    with pytest.raises(ValueError, match="there is no axis 3"):
        linfit.dask.fit(lazy, lazy, axis=3)


def test_weights_lines_and_steps():
    x, t = stack()
    weights = np.abs(t) + 0.1
    lazy = [da.from_array(array, chunks=(5, 3, 4)) for array in (x, t, weights)]
    for keywords in ({"line": "rma"}, {"solver": "moments", "lr": "auto", "standardize": True, "rtol": 1e-12}):
        found = linfit.dask.fit(*lazy[:2], weights=lazy[2], axis=0, **keywords)
        want = linfit.fit(x, t, weights=weights, axis=0, **keywords)
        assert np.allclose(found.weight, want.weight, rtol=1e-8)


@pytest.mark.parametrize("kind", ["whole", "text"])
def test_labels_of_blocks(kind):
    x, t = stack()
    labels = np.arange(x.size).reshape(x.shape) // 50 * 3 - 9
    labels = labels if kind == "whole" else np.char.add("site ", labels.astype(str))
    lazy = [da.from_array(array, chunks=(5, 3, 4)) for array in (x, t, labels)]
    found, want = linfit.dask.fit(*lazy[:2], groups=lazy[2]), linfit.fit(x, t, groups=labels)
    assert found.labels.tolist() == want.labels.tolist()
    assert_same(found, want)
    y = linfit.dask.predict(found, lazy[0], groups=lazy[2])
    assert np.allclose(y.compute(scheduler="sync"), want.predict(x, groups=labels), rtol=1e-9)


def test_columns_of_a_dataframe():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=500), "g": np.array(["a", "b", "c"])[np.arange(500) % 3]})
    frame["t"] = 2 * frame.x + 1 + rng.normal(size=500)
    lazy = dd.from_pandas(frame, npartitions=7)
    fit = linfit.dask.fit(lazy.x, lazy.t)
    want = linfit.fit(frame.x, frame.t)
    assert (fit.weight, fit.n) == (pytest.approx(want.weight, rel=1e-12), 500)
    assert_same(linfit.dask.fit(lazy.x, lazy.t, groups=lazy.g), linfit.fit(frame.x, frame.t, groups=frame.g))
    part = linfit.dask.fit(lazy.x[lazy.x > 0], lazy.t[lazy.x > 0])
    assert part.n == (frame.x > 0).sum()


def test_moments_of_many_groups_travel():
    many, labels = linfit._linfit.ManyMoments._of(*stack(), {"axis": [0]})
    again = pickle.loads(pickle.dumps(many))
    assert again.to_bytes() == many.to_bytes() and again.shape == (7, 9) and labels is None
    for damaged in (b"", many.to_bytes()[:-1], many.to_bytes()[:-8], b"\xff" * 800):
        with pytest.raises(ValueError, match="no moments"):
            linfit._linfit.ManyMoments.from_bytes(damaged)


def test_the_bits_are_those_of_the_chunks_alone():
    x, t = (da.from_array(array, chunks=(2, 3, 4)) for array in stack())
    with dask.config.set(scheduler="sync", split_every=3):
        want = linfit.dask.fit(x, t, axis=0)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster, Client(cluster):
        got = linfit.dask.fit(x, t, axis=0)
        bad = da.where(x > 2, np.nan, x)
        with pytest.raises(ValueError, match=r"block \(\d, \d, \d\): .*NaN"):
            linfit.dask.fit(bad, t, axis=0)
    for name in NUMBERS:
        assert getattr(got, name).tobytes() == getattr(want, name).tobytes()


def test_data_larger_than_the_memory_of_each_worker():
    """1.2 GB in blocks of 8 MB, on workers of 400 MB."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        host="127.0.0.1",
        memory_limit="400MB",
    ) as cluster, Client(cluster):
        x = da.random.default_rng(1).normal(size=75_000_000, chunks=1_000_000)
        fit = linfit.dask.fit(x, 3 * x - 2)
        assert (fit.weight, fit.bias, fit.n) == (pytest.approx(3), pytest.approx(-2), 75_000_000)
