#!/usr/bin/env python3
"""Random fits by linfit against exact rational arithmetic.

Each case draws element types, shapes, storage orders, missing values, weights,
scales, an engine, a precision, a memory limit and a solver; runs linfit; and
compares W, b, the loss and every statistic with what Python's whole numbers
say of the stored elements, within what the engine claims. Only NumPy is
needed.

    python3 tests/differential.py target/release/linfit --cases 10000 --seed 1

The same seed gives the same cases; --only K runs case K alone and keeps its
files. Exits 1 if any case is off.
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction

import numpy as np

TYPES = "u1 i1 u2 i2 u4 i4 u8 i8 f2 f4 f8".split()
# What every element of these is, exactly, in f32.
SMALL = {"u1", "i1", "u2", "i2", "f2", "f4"}


def draw_values(rng, dtype, n, spread, mean, base):
    """`n` elements of a type about `mean`, spread as `base` is; exact in it."""
    values = [mean + spread * value for value in base]
    if dtype[0] in "ui":
        info = np.iinfo(dtype)
        whole = [min(max(round(Fraction(value)), int(info.min)), int(info.max)) for value in values]
        return np.array(whole, dtype=dtype)
    with np.errstate(over="ignore"):
        array = np.array([float(value) for value in values]).astype(dtype)
    return np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=-1.0)


def draw_scale(rng, dtype):
    """A spread and a mean that suit a type."""
    if dtype[0] in "ui":
        bits = np.iinfo(dtype).bits
        span = 2.0 ** rng.uniform(2, bits - 2)
        if bits == 64 and rng.random() < 0.5:
            # Time stamps: far off for their spread.
            span = 2.0 ** rng.uniform(3, 40)
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        room = Fraction(span)
        mean = Fraction(rng.randint(low, high))
        mean = min(max(mean, low + 2 * room), high - 2 * room)
        return Fraction(span), Fraction(math.floor(mean))
    reach = {"f2": 8, "f4": 30, "f8": 60}[dtype]
    if dtype == "f8" and rng.random() < 0.1:
        reach = 500
    span = 2.0 ** rng.uniform(-reach, reach)
    if dtype == "f2":
        span = 2.0 ** rng.uniform(-3, 6)
    digits = {"f2": 2, "f4": 5, "f8": 12}[dtype]
    offset = rng.choice([0, 0, 1, 10 ** rng.randint(0, digits)])
    return Fraction(span), Fraction(span) * offset * rng.choice([-1, 1])


def to_whole(values):
    """Numbers as whole numbers times 2^-shift; the numbers and the shift."""
    pairs = [v.as_integer_ratio() if isinstance(v, float) else (int(v), 1) for v in values]
    shift = max((q.bit_length() - 1 for _, q in pairs), default=0)
    return [p * (1 << shift) // q for p, q in pairs], shift


def native(array):
    return [v.item() for v in array]


def exact_moments(x, t, w):
    """n, S, means and sums about them, as rationals."""
    (xs, a), (ts, b), (ws, c) = to_whole(x), to_whole(t), to_whole(w)
    s = sum(ws)
    sx = sum(wk * xk for wk, xk in zip(ws, xs))
    st = sum(wk * tk for wk, tk in zip(ws, ts))
    sxx = sum(wk * xk * xk for wk, xk in zip(ws, xs))
    sxt = sum(wk * xk * tk for wk, xk, tk in zip(ws, xs, ts))
    stt = sum(wk * tk * tk for wk, tk in zip(ws, ts))
    two = lambda e: Fraction(1, 1 << e)
    return {
        "n": len(x),
        "S": s * two(c),
        "x": Fraction(sx, s) * two(a),
        "t": Fraction(st, s) * two(b),
        "xx": (sxx - Fraction(sx * sx, s)) * two(2 * a + c),
        "xt": (sxt - Fraction(sx * st, s)) * two(a + b + c),
        "tt": (stt - Fraction(st * st, s)) * two(2 * b + c),
    }


def root(value):
    """The root of a rational, also where its f64 is out of range."""
    if value == 0:
        return Fraction(0)
    # To 80 bits, by whole numbers.
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    shift = 160 - bits
    shift += shift & 1
    scaled = value * (Fraction(1 << shift) if shift >= 0 else Fraction(1, 1 << -shift))
    whole = Fraction(math.isqrt(scaled.numerator // scaled.denominator))
    half = shift // 2
    return whole / (1 << half) if half >= 0 else whole * (1 << -half)


def shortened(value):
    """A rational to 300 bits."""
    bits = value.numerator.bit_length() - value.denominator.bit_length()
    unit = Fraction(2) ** (bits - 300)
    return round(value / unit) * unit


def loss_at(m, weight, bias):
    d = weight * m["x"] + bias - m["t"]
    square = weight * weight * m["xx"] - 2 * weight * m["xt"] + m["tt"]
    slope = (weight * m["xx"] - m["xt"]) / m["S"]
    return square / m["S"] + d * d, 2 * (slope + d * m["x"]), 2 * d


class Case:
    def __init__(self, seed, number, folder, engines):
        rng = self.rng = random.Random(f"{seed}:{number}")
        self.number, self.folder = number, folder
        self.engine = rng.choice(engines)
        self.is_fast = self.engine in ("gpu", "gpu:fast")
        self.types = [rng.choice(TYPES), rng.choice(TYPES)]
        axes = rng.choice([1, 1, 2, 2, 3])
        most = {1: 300, 2: 18, 3: 7}[axes]
        self.shape = [rng.randint(1, most) for _ in range(axes)]
        if rng.random() < 0.03:
            # Beyond a block and a chunk.
            self.shape = [rng.choice([1025, 4097, 70001])]
        self.orders = [rng.choice("CF"), rng.choice("CF")]
        self.build(rng)

    def build(self, rng):
        n = math.prod(self.shape)
        # In f64, from the generator: few digits, so that every type differs.
        base = [rng.gauss(0, 0.5) for _ in range(n)]
        share = rng.choice([1.0, 0.3, 0.01, 1e-4, 1e-7, 1e-12, 0.0])
        noise = [rng.choice([-1, 1]) * v + share * rng.gauss(0, 0.5) for v in [0.0] * n]
        sign = rng.choice([-1, 1])
        other = [max(min(sign * v + e, 2.0), -2.0) for v, e in zip(base, noise)]
        base = [max(min(v, 2.0), -2.0) for v in base]
        self.arrays = []
        for dtype, values in zip(self.types, [base, other]):
            spread, mean = draw_scale(rng, dtype)
            values = [Fraction(v) for v in values]
            self.arrays.append(draw_values(rng, dtype, n, spread, mean, values))
        counts = np.ones(n, dtype=bool)
        self.options = []
        kind = rng.choice(["none", "none", "none", "mask", "number", "nan"])
        if kind == "mask":
            mask = np.array([rng.random() < 0.8 for _ in range(n)])
            if mask.any():
                counts &= mask
                self.save("m.npy", mask.astype("u1"), rng.choice("CF"))
                self.options += ["--mask", "m.npy"]
        elif kind == "number":
            nodata = self.arrays[0][rng.randrange(n)]
            if (self.arrays[0] != nodata).any() and Fraction(float(nodata)) == Fraction(nodata.item()):
                hit = self.arrays[0] == nodata
                hit_t = self.arrays[1].astype(object) == nodata.item()
                if not (hit | hit_t).all():
                    counts &= ~(hit | np.array(hit_t, dtype=bool))
                    self.options += [f"--nodata={nodata.item()!r}"]
                    # As the elements' types round it.
                    if self.types[1][0] == "f" or self.types[0][0] == "f":
                        self.options, counts = [], np.ones(n, dtype=bool)
        elif kind == "nan" and self.types[0][0] == "f" and n > 1:
            holes = np.array([rng.random() < 0.2 for _ in range(n)])
            holes[rng.randrange(n)] = False
            self.arrays[0][holes] = np.nan
            counts &= ~holes
            self.options += ["--nodata", "nan"]
        weights = np.ones(n)
        kind = rng.choice(["none", "none", "some", "orders", "whole"])
        if kind != "none":
            draw = {
                "some": lambda: rng.uniform(0.1, 10),
                "orders": lambda: 10.0 ** rng.uniform(-5, 5),
                "whole": lambda: float(rng.randint(0, 9)),
            }[kind]
            weights = np.array([draw() for _ in range(n)])
            if not (weights[counts] > 0).any():
                weights[:] = 1.0
            counts &= weights > 0
            self.save("w.npy", weights, rng.choice("CF"))
            self.options += ["--weights", "w.npy"]
        self.weighted = kind != "none"
        for name, array, order in zip("xt", self.arrays, self.orders):
            self.save(f"{name}.npy", array, order)
        self.counts, self.weights = counts, weights
        # Weights are f64, and rounded too.
        self.is_sent_as_f32 = {*self.types} <= SMALL and not self.weighted
        picked = [native(array[counts]) for array in self.arrays]
        self.moments = exact_moments(*picked, native(weights[counts]))
        if rng.random() < 0.2:
            self.options += ["--memory", rng.choice(["1M", "16M", "1G"])]
        self.options += ["--engine", *self.engine.split(":")[:1]]
        if ":" in self.engine:
            self.options += ["--precision", self.engine.split(":")[1]]
        self.solver(rng)

    def save(self, name, array, order):
        shaped = array.reshape(self.shape)
        np.save(os.path.join(self.folder, name), np.asfortranarray(shaped) if order == "F" else shaped)

    def solver(self, rng):
        m = self.moments
        self.steps = None
        self.kind = rng.choice(["exact", "exact", "exact", "standardize", "descent"])
        if self.kind == "standardize" and m["xx"] > 0:
            self.options += ["--solver", rng.choice(["sgd", "moments"]), "--standardize", "--lr", "auto"]
            self.options += ["--steps", str(rng.choice([1, 2, 5]))]
        elif self.kind == "descent" and self.descent(rng):
            pass
        else:
            self.kind = "exact"
            self.options += ["--solver", "exact"]

    def descent(self, rng):
        m = self.moments
        square = m["xx"] / m["S"] + m["x"] ** 2
        t_square = m["tt"] / m["S"] + m["t"] ** 2
        if m["n"] < 3 or square == 0 or t_square == 0:
            return False
        # A GPU's f32 has its own range.
        most = Fraction(10) ** (280 if not self.engine.startswith("gpu") else 6)
        if not 1 / most < square < most or not 1 / most**2 < t_square < most**2:
            return False
        rate = 0.6 / float(square + 1) * rng.uniform(0.3, 1.0)
        self.steps = rng.randint(0, 12)
        self.rtol = rng.choice([None, None, 10.0 ** rng.uniform(-8, 0)])
        self.start = [rng.uniform(-2, 2), rng.uniform(-2, 2)]
        if rng.random() < 0.5 and not self.engine.startswith("gpu"):
            # Of the size of the line.
            sizes = root(t_square / square), root(t_square)
            if max(sizes) < Fraction(10) ** 300:
                self.start = [value * float(size) for value, size in zip(self.start, sizes)]
        if not self.engine.startswith("gpu") and rng.random() < 0.2:
            # Far from the data, whose squares f64 may have or not.
            factor = 10.0 ** rng.uniform(-150, 100)
            self.start = [value * factor for value in self.start]
        if not all(math.isfinite(value) for value in self.start):
            return False
        weight, bias = map(Fraction, self.start)
        self.states = [(weight, bias)]
        for _ in range(self.steps):
            _, gw, gb = loss_at(m, weight, bias)
            # Far below what is compared.
            weight, bias = shortened(weight - Fraction(rate) * gw), shortened(bias - Fraction(rate) * gb)
            self.states.append((weight, bias))
        update = rng.choice([["--solver", "moments"], ["--solver", "sgd"], ["--update", "host"]])
        self.options += [*update, "--lr", repr(rate), "--steps", str(self.steps)]
        self.options += [f"--w0={self.start[0]!r}", f"--b0={self.start[1]!r}"]
        if self.rtol:
            self.options += ["--rtol", repr(self.rtol)]
        return True

    def sizes(self):
        """Of W and of b on the way, as far as errors of a step are relative to them."""
        m = self.moments
        x, t = root(m["xx"] / m["S"] + m["x"] ** 2), root(m["tt"] / m["S"] + m["t"] ** 2)
        weight, bias = (max(abs(state[k]) for state in self.states) for k in (0, 1))
        return weight + (bias + t) / x, bias + weight * x + t

    def stop(self, got, line):
        """What is wrong with the step at which a descent stopped."""
        m, steps = self.moments, got["steps"]
        if not 0 <= steps <= self.steps:
            return f"{steps} steps of {self.steps}"
        if self.rtol is None:
            return None if steps == self.steps else f"{steps} steps of {self.steps} without a tolerance"
        x, spread = root(m["xx"] / m["S"] + m["x"] ** 2), root(m["tt"] / m["S"]) or abs(m["t"])
        limit = Fraction(self.rtol) * 2 * spread
        # As far as rounding may move a gradient.
        slack = limit / 10**6 + Fraction(20 * line * (self.steps + 1)) * self.sizes()[1]

        def is_within(step, limit):
            _, gw, gb = loss_at(m, *self.states[step])
            return abs(gw) <= limit * x and abs(gb) <= limit

        early = next((step for step in range(steps) if is_within(step, limit - slack)), None)
        if early is not None:
            return f"stopped at step {steps}, where step {early} was within --rtol"
        if got["stop_reason"] == "tolerance" and not is_within(steps, limit + slack):
            return f"stopped at step {steps}, which is not within --rtol"
        if got["stop_reason"] != "tolerance" and steps < self.steps:
            return f"stopped at step {steps}: {got['stop_reason']}"
        return None

    def claims(self):
        """Relative errors of the line, and of what is left of T."""
        if not self.engine.startswith("gpu"):
            return 1e-12, 1e-9
        if self.is_fast:
            # Of elements that f32 has, only residuals are rounded; others are
            # rounded too, on their way to the device. What the script compares
            # with is of the elements as they are stored.
            return (2e-7 if self.is_sent_as_f32 else 1e-5), 1e-4
        # The same.
        return (1e-11, 1e-9) if {*self.types} <= SMALL and not self.weighted else (2e-5, 1e-4)

    def run(self, binary):
        command = [binary, "fit", "x.npy", "t.npy", *self.options, "--json", "--quiet"]
        self.command = " ".join(["linfit", *command[1:]])
        try:
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            return "hung", ["no answer within 120 s"]
        if done.returncode not in (0, 1, 2, 3) or "panicked" in done.stderr:
            return "died", [f"exit {done.returncode}: {done.stderr.strip()}"]
        m = self.moments
        if done.returncode in (2, 3):
            return self.refused(done.stderr.strip())
        if done.returncode == 1 and "not finite" in done.stderr and self.loss_is_beyond_f64():
            return "refused", []
        if done.returncode == 1:
            return "diverged", [f"exit 1: {done.stderr.strip()}"]
        got = json.loads(done.stdout)
        if got["n"] != m["n"]:
            return "wrong", [f"n is {got['n']} for {m['n']}"]
        problems = self.compare(got)
        return ("wrong" if problems else "right"), problems

    def loss_is_beyond_f64(self):
        """Whether the loss where the descent starts, or a sum of squares, is."""
        loss, *_ = loss_at(self.moments, *map(Fraction, self.start if self.steps is not None else (0, 0)))
        return loss * max(self.moments["S"], 1) > Fraction(2) ** 1023

    def refused(self, text):
        m = self.moments
        is_determined = m["n"] >= 2 and m["xx"] > 0
        if not is_determined and ("no spread" in text or "single element" in text):
            return "undetermined", []
        on_gpu = self.engine.startswith("gpu")
        if on_gpu and any(word in text for word in ("vanish", "overflow", "range of f32", "no spread")):
            return "refused", []
        # W or b themselves beyond f64.
        if is_determined:
            weight = m["xt"] / m["xx"]
            if max(abs(weight), abs(m["t"] - weight * m["x"])) > Fraction(2) ** 1023:
                return "refused", []
        return "wrong", [f"refused: {text}"]

    def compare(self, got):
        m = self.moments
        if m["xx"] == 0 or m["n"] < 2:
            return [] if self.kind == "descent" else [f"a line of undetermined data: {got['weight']!r}"]
        line, left = self.claims()
        size = root(m["tt"] / m["xx"])
        x_root = root(m["xx"] / m["S"])
        best = m["xt"] / m["xx"], m["t"] - m["xt"] / m["xx"] * m["x"]
        reach = abs(m["t"]) + size * (abs(m["x"]) + x_root)
        problems = []

        def near(name, value, want, limit):
            if value is None or not math.isfinite(value):
                # Beyond f64.
                if not abs(want) > Fraction(2) ** 1023:
                    problems.append(f"{name} is {value} for {float(want)!r}")
                return
            # Half of the least f64 is its rounding.
            if not abs(Fraction(value) - want) <= limit + Fraction(1, 1 << 1074):
                problems.append(f"{name} is {value!r} for {float(want)!r}, off by {float(abs(Fraction(value) - want)):.2e} of {float(limit):.2e}")

        rr = m["tt"] - m["xt"] ** 2 / m["xx"]
        share = rr / m["tt"] if m["tt"] else Fraction(0)
        if self.steps is None:
            weight, bias = best
        else:
            problem = self.stop(got, line)
            if problem:
                return [problem]
            weight, bias = self.states[got["steps"]]
            size, reach = (a + b for a, b in zip((size, reach), self.sizes()))
            line *= 10 * (self.steps + 1)
        slack = line if self.kind == "exact" else 10 * line
        near("weight", got["weight"], weight, Fraction(slack) * size)
        near("bias", got["bias"], bias, Fraction(slack) * reach)
        loss, *_ = loss_at(m, weight, bias)
        # Near the last place of W·x + b, it is that of the rounding.
        rounding = (Fraction(2**-52 if line < 1e-6 else line) * reach) ** 2
        limit = Fraction(left) * loss + 4 * rounding
        if self.engine.startswith("gpu") or self.kind != "exact":
            spread = m["tt"] / m["S"] + loss
            limit += (Fraction(slack) ** 2) * 100 * (spread + reach**2) + Fraction(slack) * root(loss * spread) * 10
        near("loss", got["loss"], loss, limit)
        self.statistics(got["statistics"], rr, share, left, near)
        return problems

    def statistics(self, got, rr, share, left, near):
        m = self.moments
        if m["tt"] > 0:
            limit = Fraction(left) * share + Fraction(2**-52)
            near("r2", got["r2"], 1 - share, limit)
        if m["n"] <= 2:
            return
        std = root(rr / (m["n"] - 2))
        left = Fraction(left)
        # Nothing is left of T but what 98 bits do not hold.
        hidden = root(m["tt"] / (m["n"] - 2)) / 2**97
        near("residual_std", got["residual_std"], std, left * std + hidden)
        se = std / root(m["xx"])
        near("stderr_weight", got["stderr_weight"], se, left * se + hidden / root(m["xx"]))
        factor = root(m["xx"] / m["S"] + m["x"] ** 2)
        near("stderr_bias", got["stderr_bias"], se * factor, (left * se + hidden / root(m["xx"])) * factor)
        if se > hidden / root(m["xx"]) and m["xt"] != 0:
            t = m["xt"] / m["xx"] / se
            size = root(m["tt"] / m["xx"]) / se
            near("t_weight", got["t_weight"], t, 2 * left * size)


def run_one(arguments):
    binary, seed, number, engines, keep = arguments
    folder = tempfile.mkdtemp(prefix="linfit-differential-")
    try:
        case = Case(seed, number, folder, engines)
        verdict, problems = case.run(binary)
        kept = folder if keep else None
        return number, case.engine, case.kind, verdict, problems, f"{case.command}  [{' '.join(case.types)} {case.shape} {''.join(case.orders)}]", kept
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="the linfit program")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", type=int, help="run this case alone and keep its files")
    parser.add_argument(
        "--engines",
        default="cpu,cpu,cpu,reference,reference,gpu:fast,gpu:compensated,gpu:f64",
        help="drawn from these, with commas between; a GPU's precision after a colon",
    )
    parser.add_argument("--show", type=int, default=20, help="offenders to print in full")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)
    engines = arguments.engines.split(",")
    if arguments.only is not None:
        number, engine, kind, verdict, problems, command, folder = run_one(
            (binary, arguments.seed, arguments.only, engines, True)
        )
        print(f"case {number}, {engine}, {kind}: {verdict}\n  {command}\n  files in {folder}")
        print("\n".join(f"  {problem}" for problem in problems))
        return verdict in ("wrong", "died", "hung")
    jobs = [(binary, arguments.seed, number, engines, False) for number in range(arguments.cases)]
    counts, offenders = collections.Counter(), []
    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        for number, engine, kind, verdict, problems, command, _ in pool.map(run_one, jobs, chunksize=8):
            counts[engine, kind, verdict] += 1
            if verdict not in ("right", "refused", "undetermined"):
                offenders.append((number, engine, kind, verdict, problems, command))
    for (engine, kind, verdict), count in sorted(counts.items()):
        print(f"{engine:16} {kind:12} {verdict:13} {count}")
    print(f"{arguments.cases} cases of seed {arguments.seed}, {len(offenders)} off")
    for number, engine, kind, verdict, problems, command in offenders[: arguments.show]:
        print(f"\ncase {number}, {engine}, {kind}: {verdict}\n  {command}")
        print("\n".join(f"  {problem}" for problem in problems))
    return bool(offenders)


if __name__ == "__main__":
    sys.exit(main())
