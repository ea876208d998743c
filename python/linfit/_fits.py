from __future__ import annotations

import html
import operator
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from linfit import _linfit
from linfit._arrays import Data, as_pair, bytes_of
from linfit._groups import Grouping, as_labels
from linfit._keywords import ManyKeywords, names_of
from linfit._predict import predict
from linfit._settings import settings_of
from linfit._warning import FitWarning

#: The numbers of each fit, as every output has them.
NUMBERS = ("weight", "bias", "n", "loss", "r2", "residual_std", "stderr_weight", "stderr_bias")


class Fits:
    """The lines of many fits, and how good they are: arrays of the groups' shape.

    Of a fit without a line, all numbers but n are NaN.
    """

    #: W and b.
    weight: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    #: The mean squared error there, weighted if there are weights.
    loss: npt.NDArray[np.float64]
    #: Valid pairs of elements.
    n: npt.NDArray[np.int64]
    #: Statistics of the least-squares lines, as scipy.stats.linregress defines them.
    r2: npt.NDArray[np.float64]
    residual_std: npt.NDArray[np.float64]
    stderr_weight: npt.NDArray[np.float64]
    stderr_bias: npt.NDArray[np.float64]
    #: The labels of the groups in ascending order; None if they have none.
    labels: npt.NDArray[Any] | None
    #: The valid pairs of elements of all fits, and those that were excluded.
    elements: int
    excluded: int
    #: The fits without a line, and those whose descent diverged.
    degenerate: int
    diverged: int
    #: The updates of the longest descent, and the solver.
    steps: int
    solver: str
    #: The engine, in words.
    engine: str

    __slots__ = (
        "_grouping",
        "_result",
        "bias",
        "degenerate",
        "diverged",
        "elements",
        "engine",
        "excluded",
        "labels",
        "loss",
        "n",
        "r2",
        "residual_std",
        "solver",
        "stderr_bias",
        "stderr_weight",
        "steps",
        "weight",
    )

    def __init__(self, result: _linfit.ManyResult, grouping: Grouping) -> None:
        self._result = result
        for name, numbers in result.numbers().items():
            setattr(self, name, numbers.reshape(result.shape))
        facts = result.facts()
        far = facts.pop("far")
        for name, value in facts.items():
            setattr(self, name, value)
        labels = result.labels() if grouping.kind == "groups" and grouping.what is None else None
        if labels is not None:
            grouping = Grouping("groups", np.asarray(labels))
        self._grouping = grouping
        self.labels = grouping.what if grouping.kind == "groups" else None
        if self.diverged:
            text = f"{self.diverged} of {self.weight.size} fits diverged; their last finite W and b are given"
            warnings.warn(f"{text}; use lr='auto'", FitWarning, stacklevel=4)
        elif far:
            text = f"{far} of {self.weight.size} descents ended far from their least-squares lines"
            more = "use more steps=, lr='auto', standardize=True or solver='exact'"
            warnings.warn(f"{text}; {more}", FitWarning, stacklevel=4)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the groups."""
        return self.weight.shape

    def predict(
        self,
        x: Data,
        *,
        groups: Data | None = None,
        out: npt.NDArray[Any] | None = None,
        dtype: npt.DTypeLike | None = None,
    ) -> npt.NDArray[Any]:
        """Y = X·W + b, each element by the line of its group; see :func:`linfit.predict`."""
        return predict(self, x, groups=groups, out=out, dtype=dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the fits to a file .npz, .tif, .parquet, .arrow, .feather, .csv,
        .safetensors or .json, which ``linfit predict`` and :func:`linfit.predict` read."""
        self._result.save(os.fspath(path))

    def to_json(self) -> str:
        """The summary as ``linfit fit --json`` prints it."""
        return self._result.json()

    def __len__(self) -> int:
        return self.weight.size

    def __str__(self) -> str:
        return self._result.text()

    def __repr__(self) -> str:
        return f"linfit.Fits(shape={self.shape}, degenerate={self.degenerate})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def fit_many(
    x: Data,
    t: Data,
    axis: Any,
    groups: Any,
    tile: Any,
    window: Any,
    keywords: Mapping[str, Any],
) -> Fits:
    """One fit for each group of elements."""
    _refuse(keywords)
    memory = bytes_of(keywords.get("memory"))
    grouping, settings = grouping_of(axis, groups, tile, window, memory)
    x, t, valid = as_pair(x, t, memory)
    more, _ = settings_of(keywords, memory, valid)
    return Fits(_linfit.fit_many(x, t, settings | more), grouping)


def grouping_of(
    axis: Any, groups: Any, tile: Any, window: Any, memory: int | None
) -> tuple[Grouping, dict[str, Any]]:
    """The groups, and the settings of the extension module for them."""
    given = {"axis": axis, "groups": groups, "tile": tile, "window": window}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"{names[0]}= and {names[1]}= are two groupings; give one of them")
    if axis is not None:
        axes = [operator.index(one) for one in (axis if isinstance(axis, (list, tuple)) else [axis])]
        return Grouping("along", axes), {"axis": axes}
    if groups is not None:
        labels, labelled = as_labels(groups, memory)
        settings: dict[str, Any] = {"groups": labels}
        if labelled is not None:
            settings["label_names"] = [str(label) for label in labelled]
        return Grouping("groups", labelled), settings
    kind, extents = ("tile", tile) if tile is not None else ("window", window)
    try:
        rows, columns = (operator.index(extent) for extent in extents)
    except (TypeError, ValueError):
        raise ValueError(f"{kind}={extents!r}: expected rows and columns, such as (64, 64)") from None
    if rows < 1 or columns < 1:
        raise ValueError(f"{kind}={extents!r}: expected rows and columns of 1 or more")
    return Grouping(kind, [rows, columns]), {kind: [rows, columns]}


_MANY = names_of(ManyKeywords)


def _refuse(keywords: Mapping[str, Any]) -> None:
    """Refuses keywords that are of one fit, unless they ask for nothing."""
    for name, value in keywords.items():
        if name not in _MANY and name != "history" and value is not None and value is not False:
            raise ValueError(f"{name}= is for one fit; remove it, or the keyword that groups elements")
