"""Blocks of Dask arrays, on threads and on real clusters of processes."""

from __future__ import annotations

import os
import signal
import time

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

import linfit
import linfit.dask


def arrays(shape=(60, 50)):
    rng = np.random.default_rng(11)
    x = rng.normal(size=shape)
    return x, 2 * x + 1 + rng.normal(size=shape)


def bits(fit):
    return [number.hex() for number in (fit.weight, fit.bias, fit.loss, fit.r2)]


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


def test_blocks_of_any_chunks_give_the_line():
    x, t = arrays()
    want = linfit.fit(x, t)
    for chunks in ((60, 50), (7, 50), (60, 13), (13, 11), ((1, 58, 1), 50)):
        fit = linfit.dask.fit(da.from_array(x, chunks=(9, 9)), da.from_array(t, chunks=chunks))
        assert (fit.weight, fit.bias, fit.n) == pytest.approx((want.weight, want.bias, want.n), rel=1e-12)
        assert (fit.loss, fit.stderr_weight) == pytest.approx((want.loss, want.stderr_weight), rel=1e-10)


def test_weights_masks_and_steps():
    x, t = arrays()
    weights, mask = np.abs(t), x > -1
    lazy = [da.from_array(array, chunks=(16, 17)) for array in (x, t, weights, mask)]
    keywords = {"valid_range": (-3.0, 4.0)}
    fit = linfit.dask.fit(*lazy[:2], weights=lazy[2], mask=lazy[3], **keywords)
    want = linfit.fit(x, t, weights=weights, mask=mask, **keywords)
    assert (fit.weight, fit.bias, fit.n) == pytest.approx((want.weight, want.bias, want.n), rel=1e-12)
    stepped = linfit.dask.fit(*lazy[:2], solver="moments", lr="auto", steps=7)
    local = linfit.fit(x, t, solver="moments", lr="auto", steps=7)
    assert (stepped.weight, stepped.bias) == pytest.approx((local.weight, local.bias), rel=1e-12)


def test_blocks_without_a_valid_pair_add_nothing():
    x, t = arrays()
    mask = np.ones(x.shape)
    mask[:20] = 0
    fit = linfit.dask.fit(*(da.from_array(a, chunks=(10, 50)) for a in (x, t)), mask=da.from_array(mask, chunks=10))
    assert fit.n == 40 * 50
    with pytest.raises(ValueError, match="no pair"):
        linfit.dask.fit(da.ones(4, chunks=2), da.ones(4, chunks=2), mask=da.zeros(4, chunks=2))


def test_predictions_are_lazy():
    x, t = arrays()
    fit = linfit.fit(x, t)
    y = linfit.dask.predict(fit, da.from_array(x, chunks=(13, 50)), dtype=np.float32)
    assert (y.dtype, y.chunks[0][0]) == (np.float32, 13)
    assert np.array_equal(y.compute(scheduler="sync"), fit.predict(x, dtype=np.float32))


def test_a_bad_block_is_named():
    x, t = arrays()
    x[45, 30] = np.nan
    with pytest.raises(ValueError, match=r"block \(4, 2\): .*NaN or infinite"):
        linfit.dask.fit(da.from_array(x, chunks=(10, 12)), da.from_array(t, chunks=(10, 12)))
    with pytest.raises(ValueError, match="x and t differ in shape"):
        linfit.dask.fit(da.ones((3, 4)), da.ones((4, 3)))
    with pytest.raises(TypeError, match="x: expected a Dask array"):
        linfit.dask.fit(x, t)


def test_the_bits_are_those_of_the_chunks_alone(cluster):
    """Threads, one process, two processes: the same tree of merges."""
    x, t = (da.from_array(array, chunks=(7, 9)) for array in arrays())
    with dask.config.set(scheduler="sync", split_every=3):
        want = bits(linfit.dask.fit(x, t))
    with dask.config.set(scheduler="threads"):
        assert bits(linfit.dask.fit(x, t)) == want
    with Client(cluster):
        assert bits(linfit.dask.fit(x, t)) == want


def test_ten_thousand_blocks():
    x = da.arange(1_000_000, chunks=100, dtype=np.float64)
    fit = linfit.dask.fit(x, 3 * x - 2)
    assert x.npartitions == 10_000
    assert (fit.weight, fit.bias, fit.n) == pytest.approx((3.0, -2.0, 1_000_000), rel=1e-9)


def slow(block):
    time.sleep(0.2)
    return block


def test_a_worker_is_killed_in_mid_fit():
    """Its blocks are computed once more; the bits are the same."""
    x, t = (da.from_array(array, chunks=(5, 50)) for array in arrays())
    want = bits(linfit.dask.fit(x, t))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster, Client(cluster) as client:
        victim = next(iter(client.run(os.getpid).values()))
        import threading

        timer = threading.Timer(0.7, os.kill, (victim, signal.SIGKILL))
        timer.start()
        got = linfit.dask.fit(x.map_blocks(slow, dtype=x.dtype), t)
        assert timer.finished.is_set()
        assert victim not in client.run(os.getpid).values()
    assert bits(got) == want
