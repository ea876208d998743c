"""Batches, momentum, comparisons, and what is seen of a descent."""

from __future__ import annotations

import inspect
import re
import sys

import numpy as np
import pytest

import linfit


def noisy(n=1000):
    rng = np.random.default_rng(4)
    x = rng.normal(size=n)
    return x, 2 * x + 1 + 0.1 * rng.normal(size=n)


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_the_steps_of_batches_are_those_of_the_rule():
    """Each step is against the gradient of 4 elements, in their order; of the last
    batch, of 2 elements."""
    x, t = noisy(10)
    w = b = 0.0
    states = [(w, b)]
    for _ in range(3):
        for start in range(0, 10, 4):
            own = slice(start, start + 4)
            r = w * x[own] + b - t[own]
            w, b = w - 0.1 * 2 * (r * x[own]).mean(), b - 0.1 * 2 * r.mean()
            states.append((w, b))
    fit = linfit.fit(x, t, solver="sgd", lr=0.1, batch=4, epochs=3)
    assert np.allclose([(row["weight"], row["bias"]) for row in fit.history], states, rtol=1e-12)
    assert (fit.steps, fit.stop_reason) == (9, "steps")
    short = linfit.fit(x, t, solver="sgd", lr=0.1, batch=4, epochs=3, drop_last=True)
    assert short.steps == 6


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_the_order_of_batches_is_that_of_the_seed():
    x, t = noisy()
    keywords = {"solver": "sgd", "lr": 0.05, "batch": 32, "epochs": 2}
    for shuffle in ("block", "element"):
        one, other, again = (
            linfit.fit(x, t, shuffle=shuffle, seed=seed, **keywords).weight for seed in (1, 2, 1)
        )
        assert one == again
        if shuffle == "element":
            assert one != other
    mean = linfit.fit(x, t, shuffle="element", average=True, **keywords | {"epochs": 20})
    assert mean.weight == pytest.approx(linfit.fit(x, t).weight, abs=2e-3)
    patient = linfit.fit(x, t, patience=2, **keywords | {"epochs": 1000, "lr": 0.3})
    assert patient.stop_reason == "patience" and patient.steps < 32_000


def test_the_best_momentum():
    """At lambda = 2 and 18 the best heavy ball has eta = 4/(sqrt 18 + sqrt 2)^2 = 1/8."""
    x = np.array([3.0, -3.0] * 8)
    t = 2 * x + 1 + np.array([0.1, 0.1, -0.1, -0.1] * 4)
    fit = linfit.fit(x, t, solver="moments", lr="auto", momentum="auto", steps=200)
    assert fit.learning_rate == pytest.approx(1 / 8, rel=1e-12)
    assert (fit.weight, fit.bias) == pytest.approx((2.0, 1.0), rel=1e-12)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"solver": "sgd", "epochs": 2}, "epochs= is of batches; add batch="),
        ({"solver": "sgd", "batch": 4, "steps": 3}, "remove steps="),
        ({"solver": "sgd", "batch": 4, "lr": "auto"}, "give lr= a number"),
        ({"solver": "sgd", "batch": 4, "standardize": True}, "remove standardize="),
        ({"solver": "sgd", "batch": 0}, "at least 1 element"),
        ({"solver": "sgd", "batch": 4, "shuffle": "cards"}, 'shuffle="cards": expected "none"'),
        ({"solver": "moments", "batch": 4}, "remove batch="),
        ({"batch": 4}, "takes no steps; remove batch="),
        ({"solver": "sgd", "momentum": "auto"}, 'add lr="auto"'),
        ({"solver": "sgd", "momentum": "much"}, 'momentum="much"'),
        ({"solver": "sgd", "lr": "auto", "momentum": "auto", "nesterov": True}, "remove nesterov="),
        ({"solver": "sgd", "standardize": True, "weight_decay": 0.1}, "remove one of them"),
        ({"solver": "sgd", "schedule": "sawtooth"}, "schedule="),
    ],
)
def test_settings_of_steps_that_mean_nothing(keywords, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        linfit.fit(*noisy(), **keywords)


def test_keywords_are_those_of_the_signature():
    for function, some in (
        (linfit.fit, ["axis", "groups", "weights", "batch", "robust", "engine", "callback"]),
        (linfit.compare, ["tol", "weights", "adapter"]),
        (linfit.Moments.of, ["weights", "precision"]),
        (linfit.Moments.fit, ["line", "momentum"]),
    ):
        assert set(some) <= set(inspect.signature(function).parameters)
    for call in (
        lambda: linfit.fit([1.0], [1.0], stepps=3),
        lambda: linfit.Moments.of([1.0], [1.0], solver="exact"),
        lambda: linfit.compare([1.0], [1.0], steps=3),
        lambda: linfit.Moments.of([1.0, 2.0], [1.0, 2.0]).fit(robust="huber"),
    ):
        with pytest.raises(TypeError, match="unexpected keyword argument '(stepps|solver|steps|robust)'"):
            call()
    with pytest.raises(TypeError, match="steps='many'"):
        linfit.fit([1.0, 2.0], [1.0, 2.0], solver="sgd", steps="many")


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_a_bar_shows_the_steps(capsys):
    linfit.fit(*noisy(), solver="moments", steps=37, progress=True)
    assert "37/37" in capsys.readouterr().err


def test_a_bar_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.warns(linfit.FitWarning, match="tqdm"):
        linfit.fit(*noisy(), solver="moments", lr="auto", tol=1e-9, progress=True)


def test_moments_take_the_steps_that_a_callback_sees():
    x, t = noisy()
    seen = []
    fit = linfit.Moments.of(x, t).fit(solver="moments", lr="auto", tol=1e-9, callback=lambda *state: seen.append(state))
    assert len(seen) == len(fit.history) == fit.steps + 1


def test_engines_are_compared_with_the_reference():
    x, t = noisy()
    found = linfit.compare(x, t, engine="cpu")
    assert found.ok and [result.engine for result in found.results] == ["cpu"]
    assert found.results[0].rel_error_loss < 1e-12 and "reference" in str(found)
    assert found.n == 1000 and found.tolerance == 1e-5
    at = linfit.compare(x, t, w0=0.0, b0=0.0, engine="cpu", mask=x > 0)
    assert at.reference["loss"] == pytest.approx((t[x > 0] ** 2).mean(), rel=1e-12)
    everything = linfit.compare(x.astype("f4"), t.astype("f4"))
    assert everything.ok and {result.engine for result in everything.results} == {"cpu", "gpu"}
    with pytest.raises(ValueError, match="tol="):
        linfit.compare(x, t, tol=-1.0)
