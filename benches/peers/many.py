"""Times many fits by linfit beside NumPy, xarray, SciPy, polars, DuckDB and scipy.ndimage.

    python benches/peers/many.py target/release/linfit

Every peer's lines are first held against linfit's. Then all take turns; the median of
the rounds is printed as a Markdown table. linfit is a process of its own and reports the
seconds of its pass and of its solution; of tables, the whole process is timed, with the
reading of the file, as it is of the peers. A peer that is not installed is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

ROUNDS = 5


def linfit(program, *arguments):
    """A fit's report, and the seconds of the whole process."""
    started = time.perf_counter()
    command = [program, "fit", *arguments, "--solver", "exact", "--engine", "cpu", "--json", "--quiet"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out), time.perf_counter() - started


def of_pass(program, *arguments):
    """Seconds of the pass and the solution."""
    timings = linfit(program, *arguments)[0]["timings"]
    return timings["moments_s"] + timings["fit_s"]


def timed(function):
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def in_turn(title, peers):
    """The median of each peer's seconds, all taking turns."""
    seconds = {name: [] for name in peers}
    for _ in range(ROUNDS):
        for name, run in peers.items():
            seconds[name].append(run())
            time.sleep(0.2)
    medians = {name: statistics.median(all) for name, all in seconds.items()}
    first = next(iter(medians.values()))
    print(f"\n## {title}\n\n| | median | best | worst | |\n|---|---:|---:|---:|---:|")
    for name, median in medians.items():
        best, worst = min(seconds[name]), max(seconds[name])
        print(f"| {name} | {median * 1e3:.1f} ms | {best * 1e3:.1f} | {worst * 1e3:.1f} | {median / first:.1f} × |")


def near(got, want, what):
    error = np.nanmax(np.abs(np.asarray(got) - want) / np.maximum(np.abs(want), 1e-3))
    assert error <= 1e-3, f"{what}: off by {error}"


def numpy_lines(x, t, axis):
    """Weights by vectorised sums."""
    x_mean, t_mean = x.mean(axis, dtype="f8", keepdims=True), t.mean(axis, dtype="f8", keepdims=True)
    dx, dt = x - x_mean, t - t_mean
    weight = (dx * dt).sum(axis) / (dx * dx).sum(axis)
    return weight, (t_mean.squeeze(axis) - weight * x_mean.squeeze(axis))


def pixels(program, folder, rng, frames, side):
    x = rng.random((frames, side, side), dtype="f4")
    t = 2 * x + 1 + rng.random((frames, side, side), dtype="f4")
    xs, ts = f"{folder}/x.npy", f"{folder}/t.npy"
    np.save(xs, x)
    np.save(ts, t)
    saved = f"{folder}/w.npz"
    linfit(program, xs, ts, "--axis", "0", "--save", saved)
    near(numpy_lines(x, t, 0)[0], np.load(saved)["weight"], "numpy")
    peers = {
        "**linfit** `--axis 0`": lambda: of_pass(program, xs, ts, "--axis", "0"),
        "linfit, one fit": lambda: of_pass(program, xs, ts),
        "NumPy, vectorised sums": lambda: timed(lambda: numpy_lines(x, t, 0)),
    }
    try:
        import xarray

        a, b = (xarray.DataArray(v, dims=("f", "y", "x")) for v in (x, t))
        peers["xarray, cov / var"] = lambda: timed(lambda: (xarray.cov(a, b, "f", ddof=0) / a.var("f")).values)
    except ImportError:
        pass
    try:
        from scipy.stats import linregress

        peers["SciPy, linregress(axis=0)"] = lambda: timed(lambda: linregress(x, t, axis=0))
    except (ImportError, TypeError):
        pass
    in_turn(f"A fit for each pixel: {frames} frames of {side}² f32", peers)
    bands = [f"{folder}/bx.npy", f"{folder}/bt.npy"]
    for path, values in zip(bands, (x, t)):
        np.save(path, values.reshape(4, -1))
    in_turn(
        "A fit for each of 4 bands of the same elements",
        {
            "**linfit** `--axis 1`": lambda: of_pass(program, *bands, "--axis", "1"),
            "linfit, one fit": lambda: of_pass(program, *bands),
            "NumPy, vectorised sums": lambda: timed(lambda: numpy_lines(x.reshape(4, -1), t.reshape(4, -1), 1)),
        },
    )


def labels(program, folder, rng, rows, groups):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = f"{folder}/labels.parquet"
    x, g = rng.random(rows), rng.integers(0, groups, rows)
    table = pa.table({"x": x, "t": 2 * x + 1 + rng.random(rows), "g": g.astype("i8")})
    pq.write_table(table, path)
    columns = [f"{path}:x", f"{path}:t", "--groups", f"{path}:g"]
    peers = {"**linfit** `--groups`": lambda: linfit(program, *columns)[1]}
    try:
        import polars as pl

        def by_polars():
            x, t = pl.col("x"), pl.col("t")
            return pl.scan_parquet(path).group_by("g").agg(pl.cov(x, t) / x.var()).collect()

        peers["polars, group_by().agg(cov / var)"] = lambda: timed(by_polars)
    except ImportError:
        pass
    try:
        import duckdb

        query = f"select g, regr_slope(t, x), regr_intercept(t, x) from '{path}' group by g"
        peers["DuckDB, regr_slope … group by"] = lambda: timed(lambda: duckdb.sql(query).fetchnumpy())
    except ImportError:
        pass
    in_turn(f"{rows:,} rows of Parquet in {groups:,} groups, with the reading", peers)


def windows(program, folder, rng, side, width):
    x = rng.random((side, side), dtype="f4")
    t = 2 * x + 1 + rng.random((side, side), dtype="f4")
    xs, ts, saved = f"{folder}/x.npy", f"{folder}/t.npy", f"{folder}/w.npz"
    np.save(xs, x)
    np.save(ts, t)
    option = ["--window", f"{width}x{width}"]
    peers = {f"**linfit** `--window {width}x{width}`": lambda: of_pass(program, xs, ts, *option)}
    try:
        from scipy.ndimage import uniform_filter

        def by_filters():
            a, b = x.astype("f8"), t.astype("f8")
            mean = [uniform_filter(v, width) for v in (a, b, a * a, a * b, b * b)]
            weight = (mean[3] - mean[0] * mean[1]) / (mean[2] - mean[0] ** 2)
            return weight, mean[1] - weight * mean[0]

        linfit(program, xs, ts, *option, "--save", saved)
        inner = (slice(width, -width),) * 2
        near(by_filters()[0][inner], np.load(saved)["weight"][inner], "uniform_filter")
        peers["scipy.ndimage.uniform_filter, five times"] = lambda: timed(by_filters)
    except ImportError:
        pass
    in_turn(f"A fit for each neighbourhood of {width}×{width} of {side}² f32", peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--small", action="store_true", help="a quarter of the elements")
    arguments = parser.parse_args()
    program, rng = os.path.abspath(arguments.program), np.random.default_rng(1)
    side, frames, rows = (512, 64, 2_500_000) if arguments.small else (1024, 64, 10_000_000)
    print(f"- load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} threads, median of {ROUNDS} rounds in turn")
    with tempfile.TemporaryDirectory() as folder:
        pixels(program, folder, rng, frames, side)
        for groups in (1_000, rows // 10):
            labels(program, folder, rng, rows, groups)
        windows(program, folder, rng, 2 * side if arguments.small else 4 * side, 15)


if __name__ == "__main__":
    main()
