"""Many fits at once: each is the fit of its elements alone."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import linfit

NUMBERS = ("weight", "bias", "n", "loss", "r2", "residual_std", "stderr_weight", "stderr_bias")


def stack(shape=(9, 4, 6)):
    """X, and T by a line for each index, with residuals."""
    rng = np.random.default_rng(2)
    x = rng.normal(3, 2, shape)
    return x, x * rng.normal(size=shape[1:]) + rng.normal(size=shape[1:]) + 0.1 * rng.normal(size=shape)


def assert_are(fits, index, alone):
    """The fit at an index is one of its elements alone."""
    for name in NUMBERS:
        got, want = getattr(fits, name)[index], getattr(alone, name)
        assert got == pytest.approx(want, rel=1e-9, abs=1e-12, nan_ok=True), (name, index)


def test_along_axes():
    x, t = stack()
    pixels = linfit.fit(x, t, axis=0)
    assert (pixels.shape, pixels.weight.shape, len(pixels)) == ((4, 6), (4, 6), 24)
    assert pixels.n.dtype == np.int64 and pixels.elements == x.size and pixels.labels is None
    for index in np.ndindex(4, 6):
        assert_are(pixels, index, linfit.fit(x[:, *index], t[:, *index]))
    frames = linfit.fit(x, t, axis=(1, -1))
    assert frames.shape == (9,)
    for k in range(9):
        assert_are(frames, k, linfit.fit(x[k], t[k]))
    with pytest.raises(ValueError, match="there is no axis 3"):
        linfit.fit(x, t, axis=3)


def test_x_may_have_just_the_axes_along_which_fits_run():
    x, t = stack()
    exposures = np.arange(9.0)
    fits = linfit.fit(exposures, t, axis=0)
    for index in np.ndindex(4, 6):
        assert_are(fits, index, linfit.fit(exposures, t[:, *index]))
    y = fits.predict(exposures)
    assert y.shape == t.shape
    assert np.allclose(y, exposures[:, None, None] * fits.weight + fits.bias, rtol=1e-15)


def test_by_labels():
    x, t = stack()
    labels = np.random.default_rng(3).integers(-2, 3, x.shape)
    fits = linfit.fit(x, t, groups=labels)
    assert fits.labels.tolist() == [-2, -1, 0, 1, 2]
    for k, label in enumerate(fits.labels):
        assert_are(fits, k, linfit.fit(x, t, mask=labels == label))
    y = fits.predict(x, groups=labels)
    place = labels + 2
    assert np.array_equal(y, x * fits.weight[place] + fits.bias[place])
    some = fits.predict(x[0, 0], groups=[0, 7, 0, 0, 0, 0])
    assert np.isnan(some).tolist() == [False, True, False, False, False, False]
    with pytest.raises(ValueError, match="give those of X with groups="):
        fits.predict(x)
    with pytest.raises(ValueError, match="labels of shape"):
        linfit.fit(x, t, groups=labels[0])


@pytest.mark.parametrize("kind", ["list", "array", "object"])
def test_labels_that_are_text(kind):
    x, t = stack()
    names = np.array(["oak", "elm", "", "ash"], object)[np.arange(x.size) % 4].reshape(x.shape)
    if kind == "object":
        names[0, 0, :2] = None, float("nan")
    given = names.astype(str) if kind == "array" else names.tolist() if kind == "list" else names
    fits = linfit.fit(x, t, groups=given)
    assert fits.labels.tolist() == ["", "ash", "elm", "oak"]
    assert fits.n.sum() == x.size - (2 if kind == "object" else 0)
    for k, name in enumerate(fits.labels):
        assert_are(fits, k, linfit.fit(x, t, mask=np.asarray(names, object) == name))
    y = fits.predict(x[0], groups=names[0])
    assert np.isnan(y).sum() == (2 if kind == "object" else 0)


def test_tiles_and_windows():
    x, t = stack()
    tiles = linfit.fit(x, t, tile=(3, 4))
    assert tiles.shape == (9, 2, 2)
    assert_are(tiles, (4, 1, 1), linfit.fit(x[4, 3:, 4:], t[4, 3:, 4:]))
    assert_are(tiles, (0, 0, 0), linfit.fit(x[0, :3, :4], t[0, :3, :4]))
    y = tiles.predict(x)
    assert y[4, 3, 5] == x[4, 3, 5] * tiles.weight[4, 1, 1] + tiles.bias[4, 1, 1]
    local = linfit.fit(x, t, window=(3, 3))
    assert local.shape == x.shape
    assert_are(local, (2, 1, 3), linfit.fit(x[2, 0:3, 2:5], t[2, 0:3, 2:5]))
    assert_are(local, (2, 0, 0), linfit.fit(x[2, :2, :2], t[2, :2, :2]))
    assert np.array_equal(local.predict(x), x * local.weight + local.bias)
    with pytest.raises(ValueError, match="odd"):
        linfit.fit(x, t, window=(2, 3))
    with pytest.raises(ValueError, match="tile="):
        linfit.fit(x, t, tile=5)


def test_a_fit_without_a_line_is_nan():
    x, t = stack()
    mask = np.ones(x.shape)
    mask[:, 1, 2] = 0
    mask[1:, 0, 0] = 0
    x[:, 3, 3] = 2.0
    fits = linfit.fit(x, t, axis=0, mask=mask)
    assert fits.degenerate == 3 and fits.excluded == 17
    for index, n in (((1, 2), 0), ((0, 0), 1), ((3, 3), 9)):
        assert fits.n[index] == n and all(math.isnan(getattr(fits, name)[index]) for name in NUMBERS if name != "n")
    assert np.isnan(fits.predict(x)[:, 1, 2]).all() and not np.isnan(fits.predict(x)[:, 2, 2]).any()
    with pytest.raises(ValueError, match="NaN for some"):
        fits.predict(x, dtype="u1")


@pytest.mark.filterwarnings("ignore::linfit.FitWarning")
def test_weights_lines_and_steps():
    x, t = stack()
    weights = np.abs(t) + 0.1
    for keywords in (
        {"weights": weights},
        {"line": "rma"},
        {"line": "through-origin"},
        {"line": "offset", "w0": 0.5},
        {"solver": "moments", "lr": "auto", "standardize": True, "rtol": 1e-12, "steps": 100},
        {"solver": "sgd", "lr": 1e-3, "steps": 3, "momentum": 0.5, "nesterov": True, "schedule": "step:1:0.5"},
        {"solver": "moments", "lr": "auto", "momentum": "auto", "steps": 7},
    ):
        own = {name: v[:, 2, 3] if name == "weights" else v for name, v in keywords.items()}
        fits = linfit.fit(x, t, axis=0, **keywords)
        alone = linfit.fit(x[:, 2, 3], t[:, 2, 3], **own)
        assert fits.weight[2, 3] == pytest.approx(alone.weight, rel=1e-9), keywords
        assert fits.bias[2, 3] == pytest.approx(alone.bias, rel=1e-9, abs=1e-12), keywords
        assert fits.loss[2, 3] == pytest.approx(alone.loss, rel=1e-9), keywords


def test_descents_that_end_far_off_are_told():
    x, t = stack()
    with pytest.warns(linfit.FitWarning, match="24 of 24 descents ended far"):
        fits = linfit.fit(x, t, axis=0, solver="moments", steps=1)
    assert fits.steps == 1
    with pytest.warns(linfit.FitWarning, match="fits diverged"):
        linfit.fit(x, t, axis=0, solver="sgd", lr=10.0, force=True)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"axis": 0, "tile": (2, 2)}, "axis= and tile= are two groupings"),
        ({"axis": 0, "robust": "huber"}, "robust= is for one fit"),
        ({"axis": 0, "batch": 3}, "batch= is for one fit"),
        ({"axis": 0, "callback": print}, "callback= is for one fit"),
        ({"axis": [0, 0]}, "named twice"),
        ({"groups": np.full((9, 4, 6), 0.5)}, "not fractions"),
    ],
)
def test_what_cannot_be_grouped(keywords, text):
    with pytest.raises(ValueError, match=text):
        linfit.fit(*stack(), **keywords)


@pytest.mark.parametrize("name", ["fits.npz", "fits.json", "fits.csv", "fits.parquet", "fits.safetensors", "fits.tif"])
def test_fits_are_saved_and_applied(name, tmp_path):
    x, t = stack()
    fits = linfit.fit(x, t, axis=0)
    fits.save(tmp_path / name)
    assert np.allclose(linfit.predict(tmp_path / name, x), fits.predict(x), rtol=1e-15, atol=0)
    labels = np.arange(x.size).reshape(x.shape) % 5
    if name.endswith(("npz", "json", "csv", "parquet")):
        groups = linfit.fit(x, t, groups=labels)
        groups.save(tmp_path / name)
        assert np.array_equal(linfit.predict(tmp_path / name, x, groups=labels), groups.predict(x, groups=labels))


def test_texts_of_fits():
    x, t = stack()
    fits = linfit.fit(x, t, axis=0)
    assert "24 fits of Y" in str(fits) and "shape=(4, 6)" in repr(fits)
    assert fits._repr_html_().startswith("<pre>24 fits")
    assert json.loads(fits.to_json())["fits"]["count"] == 24


def test_labels_of_files(tmp_path):
    (tmp_path / "table.csv").write_text("x,t,site,name\n" + "".join(
        f"{k},{k * (k % 2 + 1)},{k % 2},{'ab'[k % 2]}\n" for k in range(10)
    ))
    table = str(tmp_path / "table.csv")
    for column, labels in (("site", [0, 1]), ("name", ["a", "b"])):
        fits = linfit.fit(f"{table}:x", f"{table}:t", groups=f"{table}:{column}")
        assert fits.labels.tolist() == labels
        assert fits.weight == pytest.approx([1.0, 2.0])
