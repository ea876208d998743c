"""Times `linfit fit X T --solver exact` of files that must be decoded, beside
polars, DuckDB, and rasterio with NumPy, each as a whole process.

All take turns. Of a peer's time its interpreter's start and its imports are taken
off: the median of processes that do no more. Nothing is taken off linfit's. Each
must find the slope that the others find. Prints a Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

POLARS = "import polars as pl"
POLARS_FIT = """
d = pl.scan_{kind}({file!r}).select('x', 't').drop_nulls().select(w=pl.cov('x', 't') / pl.var('x')).collect()
print(d['w'][0])
"""
DUCKDB = "import duckdb"
DUCKDB_FIT = """
print(duckdb.sql("SELECT regr_slope(t, x) FROM '{file}'").fetchone()[0])
"""
RASTERIO = "import os; os.environ['GDAL_NUM_THREADS'] = 'ALL_CPUS'\nimport numpy as np, rasterio, warnings\nwarnings.simplefilter('ignore')"
RASTERIO_FIT = """
with rasterio.open({file!r}) as file:
    x, t = (band.ravel() for band in file.read())
dx, dt = x - x.mean(), t - t.mean()
print((dx @ dt) / (dx @ dx))
"""


def tables(directory, rows):
    """A CSV, and Parquet files without and with nulls."""
    import polars as pl

    rng = np.random.default_rng(1)
    x = rng.random(rows)
    t = 3 * x + 0.5 + rng.normal(0, 0.1, rows)
    frame = pl.DataFrame({"x": x, "t": t, "label": rng.integers(0, 100, rows)})
    frame.write_csv(os.path.join(directory, "table.csv"))
    frame.write_parquet(os.path.join(directory, "table.parquet"))
    is_null = pl.Series(rng.random(rows) < 0.1)
    nulls = frame.with_columns(pl.when(~is_null).then(pl.col("x")).alias("x"))
    nulls.write_parquet(os.path.join(directory, "nulls.parquet"))


def images(directory, side):
    """Two bands of u16, in tiles of 256 pixels a side, with a predictor."""
    import rasterio

    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[0:side, 0:side]
    smooth = 2000 + 800 * np.sin(columns / 300) + 600 * np.cos(rows / 200)
    x = (smooth + rng.normal(0, 12, smooth.shape)).astype("u2")
    t = (0.9 * x + 100 + rng.normal(0, 12, smooth.shape)).astype("u2")
    for compression in ["deflate", "lzw", "zstd"]:
        with rasterio.open(
            os.path.join(directory, f"{compression}.tif"), "w", driver="GTiff", width=side, height=side, count=2,
            dtype="uint16", compress=compression, predictor=2, tiled=True, blockxsize=256, blockysize=256,
            num_threads="all_cpus",
        ) as file:  # fmt: skip
            file.write(np.stack([x, t]))


def seconds(command):
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--linfit", required=True)
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--side", type=int, default=6144)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments = arguments.parse_args()
    if not os.path.exists(os.path.join(arguments.data, "zstd.tif")):
        tables(arguments.data, arguments.rows)
        images(arguments.data, arguments.side)

    def linfit(file, x, t):
        command = [arguments.linfit, "fit", f"{file}:{x}", f"{file}:{t}", "--solver", "exact"]
        return [*command, "--engine", "cpu", "--json", "--quiet"]

    def python(code):
        return [sys.executable, "-c", code]

    cases = []
    for name in ["table.csv", "table.parquet", "nulls.parquet"]:
        file = os.path.join(arguments.data, name)
        kind = name.rsplit(".")[-1]
        peers = [("polars", POLARS, POLARS_FIT.format(kind=kind, file=file)), ("DuckDB", DUCKDB, DUCKDB_FIT.format(file=file))]
        cases.append((name, linfit(file, "x", "t"), peers))
    for name in ["deflate.tif", "lzw.tif", "zstd.tif"]:
        file = os.path.join(arguments.data, name)
        peers = [("rasterio + NumPy", RASTERIO, RASTERIO_FIT.format(file=file))]
        cases.append((name, linfit(file, 1, 2), peers))

    size = f"{arguments.rows:,} rows, images of 2 × {arguments.side}²"
    print(f"## A whole process from a file that is decoded ({size})\n")
    print("| file | linfit | best | peer | its time without start and imports | best | linfit / peer |")
    print("|---|---:|---:|---|---:|---:|---:|")
    for name, ours, peers in cases:
        times = {}
        for _ in range(arguments.rounds):
            took, out = seconds(ours)
            slope = json.loads(out)["weight"]
            times.setdefault("linfit", []).append(took)
            for peer, imports, fit in peers:
                times.setdefault(peer + " start", []).append(seconds(python(imports))[0])
                took, out = seconds(python(imports + fit))
                times.setdefault(peer, []).append(took)
                assert abs(float(out) - slope) < 1e-6 * abs(slope), (name, peer, out, slope)
        mine = statistics.median(times["linfit"])
        for peer, _, _ in peers:
            start = statistics.median(times[peer + " start"])
            theirs = statistics.median(times[peer]) - start
            best = min(times[peer]) - start
            row = [name, f"{mine:.3f} s", f"{min(times['linfit']):.3f} s", peer, f"{theirs:.3f} s", f"{best:.3f} s"]
            print(f"| {' | '.join(row)} | {mine / theirs:.2f} |", flush=True)


if __name__ == "__main__":
    main()
