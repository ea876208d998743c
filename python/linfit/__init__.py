"""Fits Y = X·W + b to big arrays by least squares.

>>> import linfit
>>> fit = linfit.fit([1.0, 2.0, 3.0, 4.0], [3.0, 5.0, 7.0, 9.0])
>>> fit.weight, fit.bias
(2.0, 1.0)
"""

from linfit._arrays import open
from linfit._devices import Adapter, Devices, devices
from linfit._fit import Fit, fit, predict
from linfit._linfit import Array, DeviceError, __version__
from linfit._moments import Moments
from linfit._warning import FitWarning

__all__ = [
    "Adapter",
    "Array",
    "DeviceError",
    "Devices",
    "Fit",
    "FitWarning",
    "Moments",
    "__version__",
    "devices",
    "fit",
    "open",
    "predict",
]
