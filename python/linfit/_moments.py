from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

from linfit import _linfit
from linfit._arrays import Data, as_pair, bytes_of
from linfit._fit import Fit
from linfit._keywords import MomentsKeywords, OneMomentsKeywords, check, names_of, takes
from linfit._settings import settings_of

_OF = names_of(MomentsKeywords)
_FIT = names_of(OneMomentsKeywords)


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
    @takes(MomentsKeywords)
    def of(cls, x: Data, t: Data, **keywords: Unpack[MomentsKeywords]) -> Moments:
        """The moments of two arrays; the keywords are those of :func:`linfit.fit`."""
        check("of", _OF, keywords)
        bound = bytes_of(keywords.get("memory"))
        x, t, valid = as_pair(x, t, bound)
        settings, _ = settings_of(keywords, bound, valid)
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

    @takes(OneMomentsKeywords)
    def fit(self, **keywords: Unpack[OneMomentsKeywords]) -> Fit:
        """The line of the data: in closed form, or by the steps of a descent
        (solver="moments"); the keywords are those of :func:`linfit.fit`.

        Loss and statistics are those of the moments: of a line through nearly all
        points they have fewer digits than a fit over the data finds.
        """
        check("fit", _FIT, keywords)
        settings, bar = settings_of(keywords, None, None)
        try:
            return Fit(self._moments._fit(settings))
        finally:
            if bar is not None:
                bar.close()

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
