"""Results, settings and errors of a fit."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import linfit

X = np.array([[1.0, 2.0], [3.0, 4.0]])
T = np.array([[3.0, 5.0], [7.0, 9.0]])


def test_the_worked_example():
    """T = 2·X + 1; a step of 0.01 from 0 goes to W = 0.35, b = 0.12."""
    fit = linfit.fit(X, T)
    assert (fit.weight, fit.bias, fit.loss, fit.n, fit.r2, fit.stop_reason) == (2.0, 1.0, 0.0, 4, 1.0, "exact")
    assert fit.history is None
    for solver in ("sgd", "moments"):
        with pytest.warns(linfit.FitWarning, match="far from the least-squares line"):
            step = linfit.fit(X, T, solver=solver, steps=1)
        assert (step.weight, step.bias, step.steps) == (0.01 * 35, 0.01 * 12, 1)
        first = step.history[0]
        assert (first["step"], first["loss"], first["grad_weight"], first["grad_bias"]) == (0, 41.0, -35.0, -12.0)
        assert step.history["weight"].tolist() == [0.0, 0.01 * 35]


def test_statistics_are_those_of_numpy(pair):
    x, t = pair
    fit = linfit.fit(x, t)
    design = np.stack([x.ravel(), np.ones(x.size)], axis=1)
    (weight, bias), (squares,), _, _ = np.linalg.lstsq(design, t.ravel())
    assert (fit.weight, fit.bias) == pytest.approx((weight, bias), rel=1e-12)
    assert fit.loss == pytest.approx(squares / x.size, rel=1e-12)
    covariance = squares / (x.size - 2) * np.linalg.inv(design.T @ design)
    assert fit.residual_std == pytest.approx(math.sqrt(squares / (x.size - 2)), rel=1e-12)
    assert (fit.stderr_weight, fit.stderr_bias) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-9)
    assert fit.r2 == pytest.approx(np.corrcoef(x.ravel(), t.ravel())[0, 1] ** 2, rel=1e-12)


def test_every_solver_and_engine_finds_the_line(pair):
    x, t = pair
    want = linfit.fit(x, t, engine="reference")
    cpu = linfit.fit(x, t, engine="cpu")
    assert (cpu.weight, cpu.bias) == pytest.approx((want.weight, want.bias), rel=1e-13)
    for solver in ("sgd", "moments"):
        fit = linfit.fit(x, t, solver=solver, lr="auto", standardize=True, steps=500, rtol=1e-12)
        assert (fit.weight, fit.bias) == pytest.approx((want.weight, want.bias), rel=1e-9)
        assert fit.stop_reason == "tolerance" and fit.steps == len(fit.history) - 1
    start = linfit.fit(x, t, solver="moments", steps=0, w0=want.weight, b0=want.bias)
    assert start.loss == pytest.approx(want.loss, rel=1e-12)


def test_the_software_adapter(pair):
    """The GPU engine on an adapter that tests/run.sh installs."""
    x, t = (array.astype(np.float32) for array in pair)
    devices = linfit.devices()
    assert "thread" in devices.cpu
    software = [adapter for adapter in devices.adapters if adapter.device_type == "software"]
    assert software, "no software Vulkan adapter: run tests/run.sh, which installs one"
    want = linfit.fit(x, t)
    for precision in ("fast", "compensated"):
        fit = linfit.fit(x, t, engine="gpu", adapter=software[0].number, precision=precision)
        assert (fit.weight, fit.bias) == pytest.approx((want.weight, want.bias), rel=1e-5)
        assert software[0].name in fit.engine


def test_devices_that_are_not_there():
    with pytest.raises(linfit.DeviceError, match=r"no adapter matches.*see linfit.devices\(\)"):
        linfit.fit(X, T, engine="gpu", adapter="no such adapter")
    assert issubclass(linfit.DeviceError, RuntimeError)


def test_weights_nodata_and_ranges(pair):
    x, t = pair
    weights = (np.arange(x.size).reshape(x.shape) % 4).astype(float)
    repeated = np.repeat(x.ravel(), weights.ravel().astype(int)), np.repeat(t.ravel(), weights.ravel().astype(int))
    fit, want = linfit.fit(x, t, weights=weights), linfit.fit(*repeated)
    assert (fit.weight, fit.bias, fit.loss) == pytest.approx((want.weight, want.bias, want.loss), rel=1e-11)
    part = linfit.fit(x, t, x_nodata=5.0, t_nodata=t[0, 9], valid_range=(0.0, 200.0))
    valid = (x != 5) & (t != t[0, 9]) & (x <= 200) & (t <= 200) & (t >= 0)
    assert part.n == valid.sum() and part.excluded == (~valid).sum()
    assert part.weight == pytest.approx(linfit.fit(x, t, mask=valid).weight, rel=1e-14)
    masked = linfit.fit(x, t, mask=np.where(valid, 1.0, np.nan))
    assert masked.n == valid.sum()


def test_files_and_bands(examples, tmp_path):
    named = linfit.fit(f"{examples}/iris.csv:petal_length", f"{examples}/iris.csv:petal_width")
    x = linfit.open(f"{examples}/iris.csv", key="petal_length")
    t = linfit.open(f"{examples}/iris.csv:petal_width")
    assert (x.shape, x.dtype, len(x)) == ((150,), "float64", 150)
    assert "petal_length" in x.name
    also = linfit.fit(x, np.asarray(t))
    assert (also.weight, also.bias) == (named.weight, named.bias)
    assert named.weight == pytest.approx(0.41575541635241, rel=1e-12)
    np.save(tmp_path / "x.npy", X)
    assert linfit.fit(tmp_path / "x.npy", T, memory="1GiB").weight == 2.0
    (tmp_path / "raw.bin").write_bytes(X.astype(">u2").tobytes())
    raw = linfit.open(tmp_path / "raw.bin", raw_dtype="u16be", raw_shape=(2, 2))
    assert np.array_equal(np.asarray(raw), X)


def test_faults_of_files_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        linfit.open(tmp_path / "no such file.npy")
    assert raised.value.filename == str(tmp_path / "no such file.npy")
    with pytest.raises(OSError, match="is a directory"):
        linfit.fit(str(tmp_path), str(tmp_path))
    (tmp_path / "a.npy").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"a\.npy"):
        linfit.fit(tmp_path / "a.npy", tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"solver": "magic"}, 'solver="magic": expected "exact", "moments", "sgd"'),
        ({"engine": "tpu"}, 'engine="tpu": expected "auto"'),
        ({"steps": 3}, 'solver="exact" takes no steps; remove steps='),
        ({"solver": "moments", "update": "host"}, "remove update="),
        ({"solver": "moments", "lr": -1.0}, "the learning rate must be a positive number"),
        ({"solver": "moments", "lr": 10.0}, r"diverges on these data.*use lr=\"auto\""),
        ({"solver": "moments", "tol": 1.0, "rtol": 1.0}, "tol= and rtol="),
        ({"solver": "sgd", "steps": -1}, "steps=-1"),
        ({"precision": "f16"}, 'precision="f16"'),
        ({"engine": "cpu", "adapter": 0}, "adapter= chooses a GPU"),
        ({"threads": 0}, "threads=0"),
        ({"memory": "lots"}, "memory='lots'"),
        ({"valid_range": (3, 1)}, "valid_range"),
        ({"weights": -X}, "weights"),
        ({"line": "curve"}, "line=\"curve\""),
        ({"robust": "huber", "solver": "sgd"}, "robust=\"huber\" is found without steps"),
        ({"robust": "huber", "line": "rma"}, "rma"),
        ({"loss": "huber:1"}, "loss=\"huber:1.0\"; use solver=\"sgd\""),
    ],
)
def test_settings_that_mean_nothing(keywords, text):
    with pytest.raises(ValueError, match=text):
        linfit.fit(X, T, **keywords)


def test_a_divergence_is_told():
    with pytest.warns(linfit.FitWarning, match="diverged at step .*lr='auto'"):
        fit = linfit.fit(X, T, solver="sgd", lr=10.0, force=True)
    assert fit.stop_reason == "diverged" and math.isfinite(fit.weight)


def test_texts_and_files_of_results(tmp_path):
    fit = linfit.fit(X, T)
    assert "least-squares line" in str(fit) and "weight=2.0" in repr(fit)
    assert fit._repr_html_().startswith("<pre>Y = X·2 + 1")
    fit.save(tmp_path / "model.json")
    assert json.loads((tmp_path / "model.json").read_text())["weight"] == 2.0
    assert linfit.predict(tmp_path / "model.json", X).tolist() == T.tolist()


def test_predictions():
    fit = linfit.fit(X, T)
    assert fit.predict(X).tolist() == T.tolist() and fit.predict(X).dtype == np.float64
    out = np.empty((2, 2), np.float32)
    assert fit.predict(X, out=out) is out and out.tolist() == T.tolist()
    assert fit.predict(X[:, ::-1], out=np.empty((2, 2), order="F")).tolist() == T[:, ::-1].tolist()
    assert fit.predict([0.2, 1e6, -5.0], dtype="u1").tolist() == [1, 255, 0]
    assert fit.predict([1e30, -1e30], dtype="i8").tolist() == [2**63 - 1, -(2**63)]
    assert np.isnan(fit.predict([np.nan, np.inf])[0]) and fit.predict(np.float64(3)) == 7.0
    masked = fit.predict(np.ma.array([1.0, 2.0], mask=[True, False]))
    assert masked.mask.tolist() == [True, False] and masked[1] == 5.0
    x = X.copy()
    assert fit.predict(x, out=x) is x and x.tolist() == T.tolist()
    many = np.random.default_rng(1).normal(size=300_001).astype(np.float32)
    assert np.array_equal(linfit.predict((3.0, 0.1), many), many.astype(float) * 3.0 + 0.1)
    with pytest.raises(ValueError, match="out"):
        fit.predict(X, out=np.empty(3))


def test_moments_add_up_and_travel(pair):
    x, t = pair
    parts = [linfit.Moments.of(x[rows], t[rows]) for rows in (slice(0, 2), slice(2, 3), slice(3, 6))]
    whole = parts[0] + parts[1] + parts[2]
    want = linfit.fit(x, t)
    fit = whole.fit()
    assert (fit.weight, fit.bias, fit.n) == pytest.approx((want.weight, want.bias, want.n), rel=1e-13)
    assert (fit.loss, fit.r2, fit.stderr_bias) == pytest.approx((want.loss, want.r2, want.stderr_bias), rel=1e-10)
    again = pickle.loads(pickle.dumps(whole))
    assert again == whole and again.fit().weight == fit.weight
    assert linfit.Moments.from_bytes(whole.to_bytes()) == whole
    assert linfit.Moments.merge(parts).n == whole.n == 210 == whole.weight_sum
    one = linfit.Moments.of(x, t).fit()
    assert (one.weight, one.bias) == (want.weight, want.bias)
    stepped = whole.fit(solver="moments", lr="auto", standardize=True, rtol=1e-12)
    assert stepped.weight == pytest.approx(want.weight, rel=1e-9)
    # Where nothing is valid, there is nothing to add.
    nothing = linfit.Moments.of(x, t, mask=np.zeros_like(x))
    assert nothing.n == 0 and nothing + whole == whole
    for damaged in (b"", b"[]", b"[9,{}]", whole.to_bytes()[:-1]):
        with pytest.raises(ValueError, match="no moments"):
            linfit.Moments.from_bytes(damaged)
    with pytest.raises(ValueError, match='solver="moments"'):
        whole.fit(solver="sgd")


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_a_callback_sees_every_step_and_can_end_the_fit():
    seen = []
    fit = linfit.fit(X, T, solver="moments", lr="auto", steps=5, callback=lambda *state: seen.append(state))
    rows = fit.history
    assert seen == [(r["step"], r["loss"], r["weight"], r["bias"]) for r in rows] and len(seen) == 6

    def stop(step, loss, weight, bias):
        if step == 3:
            raise StopIteration("enough")

    for solver in ("moments", "sgd"):
        with pytest.raises(StopIteration, match="enough"):
            linfit.fit(X, T, solver=solver, callback=stop)
    inner = []
    linfit.fit(X, T, threads=1, callback=lambda *_: inner.append(linfit.fit(X, T, threads=1).weight))
    assert inner == [2.0]


def test_other_threads_run_and_fit_meanwhile():
    rng = np.random.default_rng(3)
    data = [rng.normal(size=(2, 300_000)) for _ in range(4)]
    want = [linfit.fit(x, t).weight for x, t in data]
    got = [None] * 4
    ticks = []

    def work(k):
        got[k] = linfit.fit(*data[k], solver="sgd", lr="auto", steps=100, history=False, force=True).weight

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    assert got == pytest.approx(want, rel=1e-6)
    assert len(ticks) > 3


INTERRUPTED = """
import os, signal, threading, time, numpy as np, linfit
x = np.random.default_rng(0).normal(size=1 << 20)
sent = []
def kill():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.5, kill).start()
try:
    linfit.fit(x, x[::-1], solver=SOLVER, steps=10**9, history=False)
except KeyboardInterrupt:
    print(time.perf_counter() - sent[0])
"""


@pytest.mark.parametrize("solver", ["sgd", "moments"])
def test_ctrl_c_stops_a_fit_at_once(solver):
    code = INTERRUPTED.replace("SOLVER", repr(solver))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) <= 0.2


def test_a_forked_process_fits():
    """The pool of threads of the parent is not the child's."""
    code = """
import os, numpy as np, linfit
x = np.arange(1e6)
linfit.fit(x, x)
child = os.fork()
if child == 0:
    os._exit(0 if linfit.fit(x, 2 * x).weight == 2.0 else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_other_lines_and_robust_fits(pair):
    """By their formulas: W = Σxt/Σx², σt/σx, and the eigenvector of the covariance."""
    x, t = pair
    dx, dt = x - x.mean(), t - t.mean()
    xx, xt, tt = (dx * dx).sum(), (dx * dt).sum(), (dt * dt).sum()
    assert linfit.fit(x, t, line="through-origin").weight == pytest.approx((x * t).sum() / (x * x).sum(), rel=1e-12)
    fixed = linfit.fit(x, t, line="offset", w0=3.0)
    assert (fixed.weight, fixed.bias) == pytest.approx((3.0, (t - 3 * x).mean()), rel=1e-12)
    rma = linfit.fit(x, t, line="rma")
    assert rma.weight == pytest.approx(math.sqrt(tt / xx), rel=1e-12)
    major = linfit.fit(x, t, line="major-axis")
    _, axes = np.linalg.eigh([[xx, xt], [xt, tt]])
    assert major.weight == pytest.approx(axes[1, 1] / axes[0, 1], rel=1e-9)
    parts = linfit.Moments.of(x[:3], t[:3]) + linfit.Moments.of(x[3:], t[3:])
    again = parts.fit(line="rma")
    assert (again.weight, again.bias, again.loss) == pytest.approx((rma.weight, rma.bias, rma.loss), rel=1e-9)

    t = t.copy()
    t[2, 3] = 1e6
    robust = linfit.fit(x, t, robust="tukey")
    assert robust.weight == pytest.approx(2.0, abs=1e-2) and (robust.rejected, robust.rounds > 1) == (1, True)
    assert math.isnan(rma.scale) and robust.scale > 0

    # The gradient of Huber's loss is 0 where the residuals, clamped to ±δ, are at
    # right angles to X and to 1.
    x = dx / x.std()
    t = 2 * x + 1 + (np.arange(210).reshape(6, 35) * 37 % 11 - 5) / 4
    t[2, 3] += 100
    huber = linfit.fit(x, t, solver="sgd", loss="huber:2.0", lr="auto", engine="cpu")
    clamped = np.clip(huber.predict(x) - t, -2, 2)
    assert [clamped.mean(), (clamped * x).mean()] == pytest.approx([0, 0], abs=1e-9)
    assert abs(huber.bias - 1) < 0.1 < linfit.fit(x, t).bias - 1


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_the_steps_of_torch_optim_sgd():
    """The rule written out, on the worked example: v = mu*v + (1 - tau)*g, and the
    first gradient whole."""
    mu, tau, decay, lr = 0.5, 0.25, 0.125, 0.03125
    x, t = X.ravel(), T.ravel()
    w = b = vw = vb = 0.0
    states = []
    for step in range(6):
        states.append((w, b))
        r = w * x + b - t
        gw, gb = 2 * (r * x).mean() + decay * w, 2 * r.mean() + decay * b
        share = 1.0 if step == 0 else 1 - tau
        vw, vb = (mu * vw + share * gw, mu * vb + share * gb)
        w, b = w - lr * 0.5**step * vw, b - lr * 0.5**step * vb
    for solver in ("sgd", "moments"):
        fit = linfit.fit(
            X, T, solver=solver, lr=lr, steps=5, momentum=mu, dampening=tau, weight_decay=decay,
            schedule="exponential:0.5", engine="cpu",
        )
        got = list(zip(fit.history["weight"], fit.history["bias"]))
        assert np.allclose(got, states, rtol=1e-12), (got, states)
