"""Times the Python package beside SciPy, NumPy, scikit-learn, xarray and Dask.

    target/venv/bin/python benches/peers/python.py [--elements N] [--stack T,Y,X] [--blocks N]

A release build must be installed in the environment: `pip install ./python`. Every peer's
line is first held against linfit's. Then all take turns; the median of the rounds is
printed as a Markdown table. A peer that is not installed is left out.
"""

import argparse
import importlib.util
import statistics
import time

import numpy as np

import linfit

ROUNDS = 5


def has(name):
    return importlib.util.find_spec(name) is not None


def seconds(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def turns(calls, rounds=ROUNDS, repeats=1):
    """The median seconds of each call, all in turn, each `repeats` times at a time."""
    taken = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(seconds(lambda call=call: [call() for _ in range(repeats)]) / repeats)
    return {name: statistics.median(all_of) for name, all_of in taken.items()}


def agree(calls, tolerance):
    """Fails unless all find one slope, or one for each of many fits."""
    want = None
    for name, call in calls.items():
        found = np.asarray(call(), np.float64)
        want = found if want is None else want
        if not np.allclose(found, want, rtol=tolerance, atol=tolerance):
            raise SystemExit(f"{name} finds other lines than linfit")


def table(title, medians, unit, scale):
    first = next(iter(medians.values()))
    print(f"\n{title}\n\n| | {unit} | times linfit |\n|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median * scale:.3g} | {median / first:.2f} |")


def overhead(elements):
    x = np.arange(float(elements))
    t = 2 * x + 1 + np.sin(x)
    calls = {"linfit.fit": lambda: linfit.fit(x, t, engine="cpu").weight}
    if has("scipy"):
        from scipy.stats import linregress

        calls["scipy.stats.linregress"] = lambda: linregress(x, t).slope
    agree(calls, 1e-9)
    table(f"A call on {elements:,} elements of f64", turns(calls, repeats=200), "µs", 1e6)


def large(elements):
    rng = np.random.default_rng(1)
    x = rng.normal(size=elements).astype(np.float32)
    t = 2 * x + 1 + rng.normal(size=elements).astype(np.float32)

    def numpy():
        dx, dt = x - x.mean(), t - t.mean()
        return (dx @ dt) / (dx @ dx)

    calls = {"linfit.fit": lambda: linfit.fit(x, t, engine="cpu").weight, "NumPy, means and dots": numpy}
    if has("scipy"):
        from scipy.stats import linregress

        calls["scipy.stats.linregress"] = lambda: linregress(x, t).slope
    if has("torch"):
        import torch

        both = torch.from_numpy(x), torch.from_numpy(t)

        def tensors():
            dx, dt = both[0] - both[0].mean(), both[1] - both[1].mean()
            return float(dx @ dt / (dx @ dx))

        calls["PyTorch, means and dots"] = tensors
    if has("sklearn"):
        from sklearn.linear_model import LinearRegression

        calls["sklearn LinearRegression"] = lambda: LinearRegression().fit(x[:, None], t).coef_[0]
    agree(calls, 1e-3)
    table(f"{elements:,} pairs of f32", turns(calls), "ms", 1e3)


def stack(shape):
    if not has("xarray"):
        return
    import linfit.xarray
    import xarray as xr

    rng = np.random.default_rng(2)
    time_axis = xr.DataArray(np.arange(float(shape[0])), dims="time")
    t = xr.DataArray(rng.normal(size=shape).astype(np.float32), dims=("time", "y", "x"))

    def covariance():
        slope = xr.cov(time_axis, t, dim="time") / time_axis.var("time", ddof=1)
        return slope.values

    calls = {
        "linfit.xarray.fit": lambda: linfit.xarray.fit(time_axis, t, dim="time", engine="cpu").weight.values,
        "xr.cov / var": covariance,
        "xarray polyfit": lambda: t.assign_coords(time=time_axis).polyfit("time", 1).polyfit_coefficients[0].values,
    }
    agree(calls, 1e-4)
    table(f"A line for each pixel of {shape}, f32", turns(calls), "ms", 1e3)


def blocks(elements, count):
    if not has("distributed"):
        return
    import dask.array as da
    import linfit.dask
    from distributed import Client, LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster, Client(cluster) as client:
        x = da.random.default_rng(1).normal(size=elements, chunks=-(-elements // count)).persist()
        t = (2 * x + 1 + da.random.default_rng(2).normal(size=elements, chunks=x.chunks)).persist()
        client.gather(client.compute([x.sum(), t.sum()]))

        def native():
            dx, dt = x - x.mean(), t - t.mean()
            xt, xx = da.compute((dx * dt).sum(), (dx * dx).sum())
            return xt / xx

        calls = {"linfit.dask.fit": lambda: linfit.dask.fit(x, t).weight, "Dask, means and sums": native}
        agree(calls, 1e-9)
        table(f"{elements:,} pairs of f64 in {count} blocks, 2 workers", turns(calls), "ms", 1e3)

        local = np.asarray(x), np.asarray(t)
        one = {"linfit.fit, 2 threads": lambda: linfit.fit(*local, threads=2).weight} | calls
        table("The same beside one process", turns(one), "ms", 1e3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--elements", type=int, default=1 << 26)
    parser.add_argument("--stack", default="60,1000,1000")
    parser.add_argument("--blocks", type=int, default=64)
    arguments = parser.parse_args()
    overhead(4)
    overhead(4096)
    large(arguments.elements)
    stack(tuple(int(extent) for extent in arguments.stack.split(",")))
    blocks(arguments.elements // 2, arguments.blocks)


if __name__ == "__main__":
    main()
