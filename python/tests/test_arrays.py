"""Every array that is given: the line is that of the same numbers, copied to float64."""

from __future__ import annotations

import numpy as np
import pytest

import linfit

TYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def line(x, t):
    """By NumPy, in float64."""
    x, t = np.asarray(x, np.float64).ravel(), np.asarray(t, np.float64).ravel()
    dx, dt = x - x.mean(), t - t.mean()
    weight = (dx @ dt) / (dx @ dx)
    return weight, t.mean() - weight * x.mean()


def numbers(dtype, shape=(6, 35)):
    rng = np.random.default_rng(7)
    return rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)


def close(fit, want):
    assert (fit.weight, fit.bias) == pytest.approx(want, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", "<>")
def test_every_type_in_both_byte_orders(dtype, order):
    x = numbers(dtype).astype(np.dtype(dtype).newbyteorder(order))
    t = 3.0 * x + numbers("f4")[::-1]
    fit = linfit.fit(x, t)
    close(fit, line(x, t))
    assert fit.n == x.size


VIEWS = {
    "every second": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1],
    "reversed twice": lambda a: a[::-1, ::-3],
    "transposed": lambda a: a.T,
    "fortran": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "one row": lambda a: a[2],
    "one column": lambda a: a[:, 3],
    "three axes": lambda a: a.reshape(6, 5, 7)[::2, ::-1, 1:5],
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_of_x_and_of_both(name):
    x, noise = numbers("i2"), numbers("f4")[::-1]
    t = (3.0 * x + noise).astype("f4")
    view = VIEWS[name]
    close(linfit.fit(view(x), view(t)), line(view(x), view(t)))
    close(linfit.fit(view(x), np.ascontiguousarray(view(t))), line(view(x), view(t)))
    close(linfit.fit(np.ascontiguousarray(view(x)), view(t)), line(view(x), view(t)))


def test_read_only_arrays_and_fields_of_records():
    x = numbers("f8")
    t = 3 * x + numbers("f4")[::-1]
    want = line(x, t)
    x.flags.writeable = t.flags.writeable = False
    close(linfit.fit(x, t), want)
    records = np.zeros(x.size, [("flag", "u1"), ("x", "f8"), ("t", "f8")])
    records["x"], records["t"] = x.ravel(), t.ravel()
    close(linfit.fit(records["x"], records["t"]), want)


def test_masks_of_numpy_are_heeded():
    x, t = numbers("i4"), 3.0 * numbers("i4") + numbers("f4")[::-1]
    hidden_x, hidden_t = x % 5 == 0, x % 7 == 0
    masked = linfit.fit(np.ma.array(x, mask=hidden_x), np.ma.array(t, mask=hidden_t))
    valid = ~(hidden_x | hidden_t)
    close(masked, line(x[valid], t[valid]))
    assert (masked.n, masked.excluded) == (valid.sum(), (~valid).sum())
    # A mask that is given says where elements are valid.
    also = linfit.fit(np.ma.array(x, mask=hidden_x), t, mask=~hidden_t)
    assert (also.weight, also.n) == (masked.weight, masked.n)
    assert linfit.fit(np.ma.array(x), t).n == x.size


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes") if False else __import__("ml_dtypes")
    x = numbers("f4").astype(ml_dtypes.bfloat16)
    t = 3.0 * x.astype("f4") + numbers("f4")[::-1]
    close(linfit.fit(x, t), line(x.astype("f4"), t))


class Interface:
    """Nothing but NumPy's array interface."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


class Exporter:
    """Nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.mark.parametrize("wrap", [Interface, Exporter, list, np.ndarray.tolist])
def test_other_libraries_arrays(wrap):
    x = numbers("f8").ravel()
    t = 3 * x + numbers("f4").ravel()[::-1]
    close(linfit.fit(wrap(x), wrap(t)), line(x, t))


def test_no_element_is_copied():
    """The memory that the process takes grows by far less than the arrays have."""
    import subprocess
    import sys

    code = """
import resource, numpy as np, linfit
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
linfit.fit(np.arange(1e5), np.arange(1e5))
x = np.arange(1 << 25, dtype=np.float32)
t = np.arange(1 << 25, dtype=np.float32)[::-1][::-1]
before = peak()
fit = linfit.fit(x, t)
assert fit.weight == 1.0, fit
print((peak() - before) << 10)
"""
    grown = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert grown < 32 << 20, f"{grown} bytes more, of arrays of {2 << 27}"


@pytest.mark.parametrize("bad", [np.array(["1", "2"]), np.array([1 + 2j, 3]), np.array([None, 1]), "datetime"])
def test_what_is_no_number_is_a_type_error(bad):
    bad = np.array(["2020-01-01", "2021-01-01"], "M8[D]") if isinstance(bad, str) else bad
    with pytest.raises(TypeError, match="x: elements of type"):
        linfit.fit(bad, [1.0, 2.0])


def test_shapes_that_differ_and_data_that_cannot_be_fitted():
    with pytest.raises(ValueError, match="X and T differ in shape: x is 3, t is 2"):
        linfit.fit([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"x: 1 of 2 elements are NaN.*nodata=nan or, in a fit, any of them with mask="):
        linfit.fit([1.0, np.nan], [1.0, 2.0])
    assert linfit.fit([1.0, np.nan, 3.0], [1.0, 2.0, 5.0], nodata=np.nan).weight == 2.0
    with pytest.raises(ValueError, match='solver="sgd"'):
        linfit.fit([1.0, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="has no elements"):
        linfit.fit(np.zeros((0, 3)), np.zeros((0, 3)))
