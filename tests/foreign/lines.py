"""Writes data/fits/lines.json and data/fits/robust.json with statsmodels and SciPy; tests/it/lines.rs and
tests/it/robust.rs read them.

    python3 -m venv venv
    venv/bin/pip install numpy scipy statsmodels
    venv/bin/python tests/foreign/lines.py

Every x, t and w is a number that f32 holds, so that all engines fit the same data.
"""

import json
import pathlib
import warnings

import numpy as np
import statsmodels.api as sm
from scipy import odr, optimize

OUT = pathlib.Path(__file__).parent / "data" / "fits"


def as_f32(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def wls(y, design, w):
    fit = sm.WLS(y, design, weights=w).fit()
    return fit, float(np.sqrt(fit.scale))


def deming(x, t, w, delta):
    """W and b by scipy.odr, standard errors by W. A. Fuller (1987), 1.3.12, n - 2 throughout."""
    model = odr.Model(lambda beta, x: beta[0] * x + beta[1])
    data = odr.Data(x, t, wd=w, we=w / delta)
    fit = odr.ODR(data, model, beta0=np.polyfit(x, t, 1), sstol=1e-15, partol=1e-15, maxit=10_000).run()
    weight, bias = fit.beta
    n, k = len(x), w * len(x) / w.sum()
    x_mean, t_mean = np.average(x, weights=w), np.average(t, weights=w)
    residuals = t - t_mean - weight * (x - x_mean)
    s_vv = (k * residuals**2).sum() / (n - 2)
    s_uu = s_vv / (delta + weight**2)
    m_xx = (k * (x - x_mean) ** 2).sum() / (n - 2)
    s_xx, s_uv = m_xx - s_uu, -weight * s_uu
    variance = (s_xx * s_vv + s_uu * s_vv - s_uv**2) / ((n - 2) * s_xx**2)
    return {
        "weight": weight,
        "bias": bias,
        "stderr_weight": np.sqrt(variance),
        "stderr_bias": np.sqrt(s_vv / n + x_mean**2 * variance),
    }


def rma(x, t, w):
    """Standard errors by W. E. Ricker (1973), and R. L. Miller and J. S. Kahn (1962) with n - 2."""
    n = len(x)
    cov = np.cov(x, t, aweights=w, ddof=0)
    r = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    weight = np.sign(r) * np.sqrt(cov[1, 1] / cov[0, 0])
    x_mean = np.average(x, weights=w)
    fit, _ = wls(t, sm.add_constant(x), w)
    bias_variance = cov[1, 1] * (1 - abs(r)) / (n - 2) * (2 + x_mean**2 * (1 + abs(r)) / cov[0, 0])
    return {
        "weight": weight,
        "bias": np.average(t, weights=w) - weight * x_mean,
        "stderr_weight": fit.bse[1],
        "stderr_bias": np.sqrt(bias_variance),
        "r2": r * r,
    }


def lines(x, t, w):
    least, std = wls(t, sm.add_constant(x), w)
    origin, origin_std = wls(t - 1.5, x, w)
    offset, offset_std = wls(t - 0.75 * x, np.ones_like(x), w)
    return {
        "least-squares": {
            "weight": least.params[1],
            "bias": least.params[0],
            "residual_std": std,
            "stderr_weight": least.bse[1],
            "stderr_bias": least.bse[0],
            "r2": least.rsquared,
            "t_weight": least.tvalues[1],
            "p_value": least.pvalues[1],
        },
        "through-origin --b0 1.5": {
            "weight": origin.params[0],
            "bias": 1.5,
            "residual_std": origin_std,
            "stderr_weight": origin.bse[0],
            "r2": origin.rsquared,
            "t_weight": origin.tvalues[0],
            "p_value": origin.pvalues[0],
        },
        "offset --w0 0.75": {
            "weight": 0.75,
            "bias": offset.params[0],
            "residual_std": offset_std,
            "stderr_bias": offset.bse[0],
        },
        "rma": rma(x, t, w),
        "major-axis": deming(x, t, w, 1.0),
        "deming:0.25": deming(x, t, w, 0.25),
        "deming:9.0": deming(x, t, w, 9.0),
    }


def robust(x, t, norm):
    design = sm.add_constant(x)
    fit = sm.RLM(t, design, M=norm).fit(maxiter=10_000, tol=1e-14, conv="coefs", scale_est="mad")
    return {
        "weight": fit.params[1],
        "bias": fit.params[0],
        "scale": fit.scale,
        "stderr_weight": fit.bse[1],
        "stderr_bias": fit.bse[0],
    }


def robust_of_one(x, t, norm):
    """The line through the origin, and a mean."""
    through = sm.RLM(t, x, M=norm).fit(maxiter=10_000, tol=1e-14, conv="coefs", scale_est="mad")
    offset = sm.RLM(t, np.ones(len(x)), M=norm).fit(maxiter=10_000, tol=1e-14, conv="coefs", scale_est="mad")
    return {
        "through": {"weight": through.params[0], "stderr_weight": through.bse[0]},
        "offset": {"bias": offset.params[0], "stderr_bias": offset.bse[0]},
    }


def huber_loss(x, t, delta):
    """The least of the mean of Huber's loss, r^2 inside."""

    def loss(p):
        r = np.abs(p[0] * x + p[1] - t)
        return np.where(r <= delta, r * r, 2 * delta * r - delta * delta).mean()

    def gradient(p):
        r = p[0] * x + p[1] - t
        c = np.clip(r, -delta, delta)
        return np.array([2 * (c * x).mean(), 2 * c.mean()])

    start = np.polyfit(x, t, 1)
    fit = optimize.minimize(loss, start, jac=gradient, method="BFGS", options={"gtol": 1e-12})
    return {"weight": fit.x[0], "bias": fit.x[1], "loss": float(fit.fun)}


def write(name, value):
    plain = json.loads(json.dumps(value, default=float))
    (OUT / name).write_text(json.dumps(plain, indent=1) + "\n")


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(16)
    n = 60
    truth = rng.uniform(2, 9, n)
    x = as_f32(truth + rng.normal(0, 0.4, n))
    t = as_f32(-1.25 * truth + 20 + rng.normal(0, 0.8, n))
    w = as_f32(rng.choice([0.25, 0.5, 1, 2, 3.5], n))
    write(
        "lines.json",
        {
            "x": x.tolist(),
            "t": t.tolist(),
            "w": w.tolist(),
            "unweighted": lines(x, t, np.ones(n)),
            "weighted": lines(x, t, w),
        },
    )

    cases = []
    for n, wild in [(201, 0.1), (64, 0.0), (150, 0.2)]:
        x = as_f32(rng.uniform(-3, 12, n))
        t = as_f32(2.5 * x - 4 + rng.normal(0, 0.7, n))
        out = rng.random(n) < wild
        t = as_f32(np.where(out, t + rng.normal(12, 15, n), t))
        cases.append(
            {
                "x": x.tolist(),
                "t": t.tolist(),
                "huber": robust(x, t, sm.robust.norms.HuberT()),
                "huber:2": robust(x, t, sm.robust.norms.HuberT(2.0)),
                "tukey": robust(x, t, sm.robust.norms.TukeyBiweight()),
                "tukey:6": robust(x, t, sm.robust.norms.TukeyBiweight(6.0)),
                "one huber": robust_of_one(x, t, sm.robust.norms.HuberT()),
                "loss huber:1": huber_loss(x, t, 1.0),
            }
        )
    write("robust.json", cases)


main()
