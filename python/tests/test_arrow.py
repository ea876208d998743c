"""Columns of Arrow, without pyarrow: nulls are missing."""

from __future__ import annotations

import subprocess
import sys

import nanoarrow
import numpy as np
import pandas as pd
import polars as pl
import pytest

import linfit

X = [1.0, None, 3.0, 4.0, 6.0]
T = [3.0, 5.0, None, 9.0, 13.0]


def makers():
    return {
        "polars": lambda values: pl.Series(values, dtype=pl.Float32),
        "polars in chunks": lambda values: pl.concat([pl.Series(values[:2]), pl.Series(values[2:])], rechunk=False),
        "nanoarrow": lambda values: nanoarrow.Array(values, nanoarrow.float64()),
        "nanoarrow, of C": lambda values: nanoarrow.c_array(values, nanoarrow.float64()),
        "pandas": lambda values: pd.Series(values, dtype="Float64"),
    }


@pytest.mark.parametrize("name", makers())
def test_nulls_are_missing(name):
    make = makers()[name]
    fit = linfit.fit(make(X), make(T))
    assert (fit.weight, fit.bias, fit.n, fit.excluded) == (2.0, 1.0, 3, 2)
    weighted = linfit.fit(make(X), make(T), weights=make([1.0, 1.0, 1.0, 1.0, None]))
    assert weighted.n == 2


def test_pyarrow_is_not_imported():
    code = """
import sys
sys.modules["pyarrow"] = None
import linfit, polars as pl
assert linfit.fit(pl.Series([1.0, None, 3.0]), pl.Series([3, 5, 7])).weight == 2.0
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "kind", [pl.Int8, pl.UInt8, pl.Int16, pl.UInt16, pl.Int32, pl.UInt32, pl.Int64, pl.UInt64, pl.Float32, pl.Float64]
)
def test_slices_of_every_type(kind):
    numbers = pl.Series(range(40), dtype=kind)
    other = pl.Series([None if k % 7 == 0 else 3.0 * k - 2 for k in range(40)])
    fit = linfit.fit(numbers[5:31], other[5:31])
    assert (fit.n, fit.excluded) == (22, 4)
    assert (fit.weight, fit.bias) == pytest.approx((3.0, -2.0), rel=1e-12)


def test_bits_and_labels_of_text():
    bits = pl.Series([k % 3 == 0 for k in range(50)])[3:40]
    t = np.where(bits.to_numpy(), 5.0, 2.0)
    assert linfit.fit(bits, t).weight == pytest.approx(3.0)
    x = pl.Series([1.0, 2.0, 1.0, 2.0, 9.0])
    fits = linfit.fit(x, 2 * x, groups=pl.Series(["a", "a", "b", "b", None]))
    assert fits.labels.tolist() == ["a", "b"] and fits.weight.tolist() == [2.0, 2.0]


def test_what_is_no_column_of_numbers():
    for bad in (pl.Series(["a", "b"]), pl.Series([[1], [2]]), pl.Series(["a", "b"], dtype=pl.Categorical)):
        with pytest.raises(TypeError, match="x: elements of .* are not numbers"):
            linfit.fit(bad, [1.0, 2.0])


def test_a_column_lives_as_long_as_it_is_used_and_is_not_copied():
    import gc
    import resource

    from linfit._arrow import column_of

    column = pl.Series(np.arange(1 << 22, dtype=np.float64))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values, valid = column_of("x", column)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < 8 << 20
    del column
    gc.collect()
    pl.Series(np.zeros(1 << 22))
    assert valid is None and values[-1] == (1 << 22) - 1 and not values.flags.writeable
