"""Fits Y = X·W + b to big arrays by least squares.

>>> import linfit
>>> fit = linfit.fit([1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 7.0, 9.0])
>>> fit.weight, fit.bias
(2.0, 1.0)
"""

from linfit._arrays import open
from linfit._compare import Comparison, EngineComparison, compare
from linfit._devices import Adapter, Devices, devices
from linfit._fit import Fit, fit
from linfit._fits import Fits
from linfit._linfit import Array, DeviceError, __version__
from linfit._moments import Moments
from linfit._predict import predict
from linfit._warning import FitWarning

__all__ = [
    "Adapter",
    "Array",
    "Comparison",
    "DeviceError",
    "Devices",
    "EngineComparison",
    "Fit",
    "FitWarning",
    "Fits",
    "Moments",
    "__version__",
    "compare",
    "devices",
    "fit",
    "open",
    "predict",
]
