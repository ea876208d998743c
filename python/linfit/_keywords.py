"""The keywords that functions have in common: their names, their types, and what they
are without being given. Each is described once, at :func:`linfit.fit`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

from linfit._arrays import Data

SolverName: TypeAlias = Literal["exact", "moments", "sgd"]
EngineName: TypeAlias = Literal["auto", "cpu", "gpu", "reference"]
PrecisionName: TypeAlias = Literal["fast", "compensated", "f64"]

#: Called with the step, the loss, W and b.
Callback: TypeAlias = Callable[[int, float, float, float], object]


class ValueKeywords(TypedDict, total=False):
    """Which values are valid."""

    nodata: float | None
    x_nodata: float | None
    t_nodata: float | None
    valid_range: tuple[float, float] | None


class ValidityKeywords(ValueKeywords, total=False):
    """Which elements are valid, and how much they weigh."""

    weights: Data | None
    mask: Data | None


class EngineKeywords(TypedDict, total=False):
    """Where passes are computed."""

    engine: EngineName
    adapter: int | str | None
    precision: PrecisionName | None
    memory: int | str | None
    threads: int | None


class LineKeywords(TypedDict, total=False):
    """The line, and the descent to it, as far as moments determine them."""

    solver: SolverName
    line: str
    lr: float | Literal["auto"] | None
    steps: int | None
    tol: float | None
    rtol: float | None
    w0: float | None
    b0: float | None
    momentum: float | Literal["auto"] | None
    dampening: float | None
    nesterov: bool
    weight_decay: float | None
    schedule: str | None
    standardize: bool
    force: bool


class PassKeywords(TypedDict, total=False):
    """What passes over the data are needed for."""

    robust: str | None
    loss: str | None
    batch: int | None
    epochs: int | None
    shuffle: Literal["none", "block", "element"] | None
    seed: int | None
    drop_last: bool
    average: bool
    patience: int | None
    update: Literal["auto", "host", "device"] | None
    steps_per_submit: int | None


class WatchKeywords(TypedDict, total=False):
    """What is seen of a descent."""

    history: bool
    callback: Callback | None
    progress: bool


class OneMomentsKeywords(LineKeywords, WatchKeywords, total=False):
    """Those of a fit from moments."""


class MomentsKeywords(ValidityKeywords, EngineKeywords, total=False):
    """Those of the moments of data."""


class FitKeywords(
    ValidityKeywords, LineKeywords, PassKeywords, EngineKeywords, WatchKeywords, total=False
):
    """Those of a fit of one line."""


class ManyKeywords(ValidityKeywords, LineKeywords, EngineKeywords, total=False):
    """Those of a fit for each group."""


class CompareKeywords(ValidityKeywords, EngineKeywords, total=False):
    """Those of a comparison of engines."""

    tol: float
    w0: float | None
    b0: float | None


class DaskKeywords(ValueKeywords, LineKeywords, total=False):
    """Those of a fit over blocks."""


#: What is not None where it is not given.
_DEFAULTS: dict[str, object] = {
    "solver": "exact",
    "line": "least-squares",
    "engine": "auto",
    "nesterov": False,
    "standardize": False,
    "force": False,
    "drop_last": False,
    "average": False,
    "history": True,
    "progress": False,
    "tol": None,
}

_F = TypeVar("_F", bound=Callable[..., Any])


def takes(*kinds: type) -> Callable[[_F], _F]:
    """Has a function with ``**keywords`` show those of these kinds in its signature."""
    annotations = {name: kind for each in kinds for name, kind in _all_annotations(each).items()}

    def marked(function: _F) -> _F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        known = {parameter.name for parameter in own}
        more = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(name), annotation=annotation
            )
            for name, annotation in annotations.items()
            if name not in known
        ]
        function.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        return function

    return marked


def _all_annotations(kind: type) -> dict[str, Any]:
    return dict(kind.__annotations__)  # Those of the bases are among them, as TypedDict has it.


def names_of(*kinds: type) -> frozenset[str]:
    """The names of these keywords."""
    return frozenset(name for kind in kinds for name in _all_annotations(kind))


def check(function: str, names: frozenset[str], keywords: Any) -> None:
    """Refuses keywords that a function does not take."""
    if not keywords.keys() <= names:
        name = next(name for name in keywords if name not in names)
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
