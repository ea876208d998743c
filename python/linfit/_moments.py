from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from linfit import _linfit
from linfit._arrays import Data, as_pair, bytes_of
from linfit._fit import EngineName, Fit, PrecisionName, engine_settings, solver_settings, validity


class Moments:
    """The means of X and T, and the sums of squares and products about them.

    They determine the loss at every W and b, and with it the line. Moments of parts of
    the data add up to those of the whole: ``Moments.of(x1, t1) + Moments.of(x2, t2)``.
    They can be pickled.
    """

    __slots__ = ("_moments",)

    def __init__(self, moments: _linfit.Moments) -> None:
        self._moments = moments

    @classmethod
    def of(
        cls,
        x: Data,
        t: Data,
        *,
        weights: Data | None = None,
        mask: Data | None = None,
        nodata: float | None = None,
        x_nodata: float | None = None,
        t_nodata: float | None = None,
        valid_range: tuple[float, float] | None = None,
        engine: EngineName = "auto",
        adapter: int | str | None = None,
        precision: PrecisionName | None = None,
        memory: int | str | None = None,
        threads: int | None = None,
    ) -> Moments:
        """The moments of two arrays; the keywords are those of :func:`linfit.fit`."""
        bound = bytes_of(memory)
        x, t, valid = as_pair(x, t, bound)
        settings = validity(weights, mask, valid, nodata, x_nodata, t_nodata, valid_range, bound)
        settings |= engine_settings(engine, adapter, precision, bound, threads)
        return cls(_linfit.Moments._of(x, t, settings))

    @classmethod
    def merge(cls, parts: Iterable[Moments]) -> Moments:
        """The moments of all parts, combined two and two, so that rounding grows with
        the logarithm of their number. The same parts in the same order give the same
        bits."""
        return cls(_linfit.Moments.merge([part._moments for part in parts]))

    def __add__(self, other: object) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        return Moments(self._moments + other._moments)

    def fit(
        self,
        *,
        solver: Literal["exact", "moments"] = "exact",
        line: str = "least-squares",
        lr: float | Literal["auto"] | None = None,
        steps: int | None = None,
        tol: float | None = None,
        rtol: float | None = None,
        w0: float | None = None,
        b0: float | None = None,
        standardize: bool | None = None,
        force: bool | None = None,
    ) -> Fit:
        """The line of the data: in closed form, or by the steps of a descent.

        Loss and statistics are those of the moments: of a line through nearly all
        points they have fewer digits than a fit over the data finds.
        """
        settings = solver_settings(solver, line, lr, steps, tol, rtol, w0, b0, standardize, force)
        return Fit(self._moments._fit(settings))

    @property
    def n(self) -> int:
        """The number of valid pairs of elements."""
        return self._moments.n

    @property
    def weight_sum(self) -> float:
        """The sum of the sample weights: n, where there are none."""
        return self._moments.weight_sum

    @property
    def x_mean(self) -> float:
        """The mean of X."""
        return self._moments.x_mean

    @property
    def t_mean(self) -> float:
        """The mean of T."""
        return self._moments.t_mean

    def to_bytes(self) -> bytes:
        """The moments as bytes, for another process or a later day."""
        return self._moments.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Moments:
        """The moments of such bytes."""
        return cls(_linfit.Moments.from_bytes(data))

    def __eq__(self, other: object) -> bool:
        return self._moments == other._moments if isinstance(other, Moments) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Moments.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return repr(self._moments)
