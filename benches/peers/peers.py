"""Times linfit beside NumPy, PyTorch, JAX, SciPy and DuckDB on one pair of arrays.

Every peer is first checked: one step of gradient descent must lead from the
same W and b to where f64 arithmetic leads, a closed-form fit must find the
slope and intercept. Then all take turns, so that each sees the same moods of
the machine. Prints a Markdown table.
"""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

import numpy as np

START = (0.5, 0.25)
RATE = 0.01
# How far off W and b may be, relative to the length of the step, or to 1 for
# a fitted line. f32 sums over millions of elements can be off by a thousandth;
# a wrong formula is off by far more.
TOLERANCE = 1e-2
# Between two peers: threads that spin for more work go to sleep meanwhile.
PAUSE_S = 0.3


class Peer:
    """One way to do it. `step` does it once and returns W and b."""

    def __init__(self, name, step, closed_form=False):
        self.name, self.step, self.closed_form = name, step, closed_form
        # The median of each round.
        self.seconds = []

    def time(self, budget_s):
        """A round: warm runs for about `budget_s`, at least three."""
        self.step()
        begun, runs = time.perf_counter(), []
        while len(runs) < 3 or time.perf_counter() - begun < budget_s:
            started = time.perf_counter()
            self.step()
            runs.append(time.perf_counter() - started)
        self.seconds.append(statistics.median(runs))


class Linfit:
    """`linfit fit`, in a process of its own, which times its steps itself."""

    closed_form = False

    def __init__(self, program, engine, x, t):
        self.command = [program, "fit", x, t, "--engine", engine, "--json", "--quiet"]
        self.command += ["--lr", str(RATE), "--w0", str(START[0]), "--b0", str(START[1])]
        self.seconds = []
        fit = self.fit(1)
        adapter = fit["engine"]["adapter"]
        self.name = f"**linfit**, {engine} engine" + (f" ({adapter})" if adapter else "")
        self.first = fit["weight"], fit["bias"]

    def fit(self, steps):
        done = subprocess.run([*self.command, "--steps", str(steps)], check=True, capture_output=True)
        return json.loads(done.stdout)

    def step(self):
        return self.first

    def time(self, budget_s):
        steps = 10 if not self.seconds else max(5, min(200, int(budget_s / self.seconds[-1])))
        self.seconds.append(self.fit(steps)["timings"]["step_median_s"])


def numpy_expressions(x, t):
    w, b = START

    def step():
        nonlocal w, b
        r = x * np.float32(w) + np.float32(b) - t
        loss = np.mean(r * r)
        w, b = w - RATE * 2 * float(np.mean(r * x)), b - RATE * 2 * float(np.mean(r))
        assert np.isfinite(loss)
        return w, b

    return Peer("NumPy, plain expressions", step)


def numpy_dots(x, t):
    w, b = START
    r = np.empty_like(x)

    def step():
        nonlocal w, b
        np.multiply(x, np.float32(w), out=r)
        np.add(r, np.float32(b), out=r)
        np.subtract(r, t, out=r)
        loss = float(r @ r) / r.size
        w, b = w - RATE * 2 * float(r @ x) / r.size, b - RATE * 2 * float(r.sum()) / r.size
        assert np.isfinite(loss)
        return w, b

    return Peer("NumPy, in place and BLAS dots", step)


def torch_eager(x, t):
    import torch

    xs, ts = torch.from_numpy(x).unsqueeze(1), torch.from_numpy(t).unsqueeze(1)
    model, loss_of = torch.nn.Linear(1, 1), torch.nn.MSELoss()
    with torch.no_grad():
        model.weight.fill_(START[0])
        model.bias.fill_(START[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step():
        optimizer.zero_grad()
        loss_of(model(xs), ts).backward()
        optimizer.step()
        return model.weight.item(), model.bias.item()

    return Peer("PyTorch, nn.Linear(1, 1) + MSELoss + SGD", step)


def torch_compiled(x, t):
    import torch

    xs, ts = torch.from_numpy(x), torch.from_numpy(t)

    @torch.compile(dynamic=False)
    def descend(xs, ts, w, b):
        r = xs * w + b - ts
        loss = (r * r).mean()
        return loss, w - RATE * 2 * (r * xs).mean(), b - RATE * 2 * r.mean()

    w, b = torch.tensor(START[0]), torch.tensor(START[1])

    def step():
        nonlocal w, b
        with torch.no_grad():
            _, w, b = descend(xs, ts, w, b)
        return w.item(), b.item()

    return Peer("PyTorch, torch.compile of the formulas", step)


def jax_jit(x, t):
    import jax
    import jax.numpy as jnp

    xs, ts = jnp.asarray(x), jnp.asarray(t)

    def loss(model, xs, ts):
        w, b = model
        return jnp.mean((xs * w + b - ts) ** 2)

    @jax.jit
    def descend(model, xs, ts):
        value, gradients = jax.value_and_grad(loss)(model, xs, ts)
        return value, jax.tree.map(lambda p, g: p - RATE * g, model, gradients)

    model = tuple(jnp.float32(p) for p in START)

    def step():
        nonlocal model
        _, model = descend(model, xs, ts)
        return float(model[0]), float(model[1])

    return Peer("JAX, jit of value_and_grad", step)


def scipy_linregress(x, t):
    from scipy import stats

    def step():
        line = stats.linregress(x, t)
        return line.slope, line.intercept

    return Peer("SciPy, stats.linregress", step, closed_form=True)


def duckdb_regr(x, t):
    import duckdb

    connection = duckdb.connect()
    # DuckDB finds it by its name.
    arrays = {"x": x, "t": t}  # noqa: F841
    connection.execute("CREATE TABLE pair AS SELECT x, t FROM arrays")

    def step():
        return connection.execute("SELECT regr_slope(t, x), regr_intercept(t, x) FROM pair").fetchone()

    return Peer("DuckDB, regr_slope + regr_intercept", step, closed_form=True)


PEERS = [
    ("numpy", numpy_expressions),
    ("numpy", numpy_dots),
    ("torch", torch_eager),
    ("torch", torch_compiled),
    ("jax", jax_jit),
    ("scipy", scipy_linregress),
    ("duckdb", duckdb_regr),
]


def truths(x, t):
    """W and b after one step, and those of least squares, in f64."""
    xs, ts = x.astype(np.float64), t.astype(np.float64)
    r = xs * START[0] + START[1] - ts
    after = START[0] - RATE * 2 * np.mean(r * xs), START[1] - RATE * 2 * np.mean(r)
    dx = xs - xs.mean()
    slope = np.dot(dx, ts) / np.dot(dx, dx)
    return after, (slope, ts.mean() - slope * xs.mean())


def check(peer, after_step, line):
    got, want, scale = peer.step(), line if peer.closed_form else after_step, 1.0
    if not peer.closed_form:
        scale = max(abs(want[0] - START[0]), abs(want[1] - START[1]))
    error = max(abs(got[0] - want[0]), abs(got[1] - want[1])) / scale
    if not error <= TOLERANCE:
        sys.exit(f"peers.py: {peer.name} gives W = {got[0]}, b = {got[1]} instead of {want}")
    peer.error = error


def machine():
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            model = next(line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} threads, {platform.system()}"


def seconds_text(seconds):
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--linfit", required=True, help="the program")
    parser.add_argument("--data", required=True, help="a directory for the arrays")
    parser.add_argument("--elements", type=int, default=16 << 20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--budget", type=float, default=0.5, help="seconds a peer has in a round")
    arguments = parser.parse_args()

    x_path, t_path = (os.path.join(arguments.data, name) for name in ("x.npy", "t.npy"))
    generate = [arguments.linfit, "generate", "-x", x_path, "-t", t_path, "-q"]
    subprocess.run([*generate, "--shape", str(arguments.elements)], check=True)
    x, t = np.load(x_path), np.load(t_path)

    after_step, line = truths(x, t)
    peers = [Linfit(arguments.linfit, engine, x_path, t_path) for engine in ("cpu", "gpu")]
    versions, missing = [f"Python {platform.python_version()}"], []
    for module, make in PEERS:
        if importlib.util.find_spec(module) is None:
            missing.append(make.__name__)
            continue
        version = f"{module} {importlib.import_module(module).__version__}"
        versions += [] if version in versions else [version]
        peers.append(make(x, t))
    for peer in peers:
        check(peer, after_step, line)

    bench = [arguments.linfit, "bench", "--sizes", "4K", "--passes", "forward", "--engine", "cpu"]
    read_gb_s, loads = [], [os.getloadavg()[0]]
    for _ in range(arguments.rounds):
        done = subprocess.run([*bench, "--time", "0.3", "--json"], check=True, capture_output=True)
        read_gb_s.append(json.loads(done.stdout)["read_gb_s"])
        for peer in peers:
            time.sleep(PAUSE_S)
            peer.time(arguments.budget)
        loads.append(os.getloadavg()[0])

    version = subprocess.run([arguments.linfit, "--version"], check=True, capture_output=True, text=True)
    print(f"# {arguments.elements:,} elements of X and of T, f32\n")
    print(f"- {datetime.date.today()}, {machine()}")
    print(f"- {version.stdout.strip()}, {', '.join(versions)}")
    print(f"- memory reads at {statistics.median(read_gb_s):.1f} GB/s (median over the run)")
    print(f"- load average during the run {min(loads):.1f} to {max(loads):.1f}")
    ran = ["benches/peers/run.sh", *sys.argv[5:]]
    print(
        f"- `{shlex.join(ran)}`: the median of {arguments.rounds} rounds in turn, each the median of its runs;"
        " the best and the worst round beside it\n"
    )
    baseline = statistics.median(peers[0].seconds)
    groups = (
        (False, "One step of gradient descent", "step"),
        (True, "A whole closed-form fit", "fit"),
    )
    for closed_form, title, column in groups:
        print(f"## {title}\n")
        print(f"| | {column} | best | worst | of linfit's step on the CPU | error |")
        print("|---|---:|---:|---:|---:|---:|")
        for peer in sorted(peers, key=lambda peer: statistics.median(peer.seconds)):
            if peer.closed_form == closed_form:
                median = statistics.median(peer.seconds)
                times = [seconds_text(s) for s in (median, min(peer.seconds), max(peer.seconds))]
                print(f"| {peer.name} | {' | '.join(times)} | {median / baseline:.1f} × | {peer.error:.0e} |")
        print()
    print("Error: of W and b against f64 arithmetic, relative to the step (or to 1 for a fit).")
    if missing:
        print(f"\nNot installed, so not measured: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
