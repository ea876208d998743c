from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any, Unpack

from linfit import _linfit
from linfit._arrays import Data, as_pair, bytes_of
from linfit._keywords import CompareKeywords, check, names_of, takes
from linfit._settings import settings_of

_COMPARE = names_of(CompareKeywords)


@dataclass(frozen=True)
class EngineComparison:
    """The errors of an engine's passes against the reference in float64."""

    #: "cpu" or "gpu", the adapter and its precision.
    engine: str
    adapter: str | None
    precision: str | None
    #: Relative errors, where they are worst; None if the engine failed.
    rel_error_loss: float | None
    rel_error_grad_weight: float | None
    rel_error_grad_bias: float | None
    rel_error_moments: float | None
    #: The largest error of an element of Y.
    forward_max_abs_error: float | None
    #: The median pass, in seconds and 10⁹ bytes a second.
    seconds: float | None
    gb_s: float | None
    #: Whether every error is within the tolerance.
    ok: bool
    #: Why there are no numbers.
    error: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Engines and adapters on the same passes, against the reference."""

    n: int
    tolerance: float
    #: Whether all of them agree.
    ok: bool
    #: Loss and gradients of the reference at the first W and b.
    reference: dict[str, Any]
    results: tuple[EngineComparison, ...]
    _text: str = field(repr=False)

    def __str__(self) -> str:
        return self._text


@takes(CompareKeywords)
def compare(x: Data, t: Data, **keywords: Unpack[CompareKeywords]) -> Comparison:
    """Runs every engine and adapter on the same passes over X and T, and compares them
    with the reference in float64, as ``linfit compare`` does.

    tol: the largest relative error that passes (1e-5). w0, b0: W and b of the pass;
    without them, passes are made at several. engine: only this one. The other keywords are
    those of :func:`linfit.fit`.
    """
    check("compare", _COMPARE, keywords)
    bound = bytes_of(keywords.get("memory"))
    x, t, valid = as_pair(x, t, bound)
    settings, _ = settings_of(keywords, bound, valid)
    found, text, ok = _linfit.compare(x, t, settings)
    comparison = json.loads(found)
    names = [each.name for each in fields(EngineComparison)]
    results = tuple(
        EngineComparison(**{name: result.get(name) for name in names}) for result in comparison["results"]
    )
    return Comparison(comparison["n"], comparison["tolerance"], ok, comparison["reference"], results, text)
