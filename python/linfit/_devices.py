from __future__ import annotations

import json
from dataclasses import dataclass

from linfit import _linfit


@dataclass(frozen=True)
class Adapter:
    """A way to a GPU, or to a program that stands in for one."""

    #: The number that ``adapter=`` takes.
    number: int
    name: str
    backend: str
    driver: str
    device_type: str
    #: Optional abilities: ``shader-f64``, ….
    features: tuple[str, ...]


@dataclass(frozen=True)
class Devices:
    """The engines of this machine."""

    #: The threads and vector instructions of the CPU engine.
    cpu: str
    adapters: tuple[Adapter, ...]
    #: The adapter that ``engine="auto"`` takes for fits of many passes; None: the CPU.
    auto: Adapter | None


def devices() -> Devices:
    """Lists the engines and adapters of this machine."""
    cpu, listed, real_gpu = _linfit.devices()
    adapters = tuple(
        Adapter(
            number,
            adapter["name"],
            adapter["backend"],
            adapter["driver"],
            adapter["device_type"],
            tuple(adapter["features"]),
        )
        for number, adapter in enumerate(json.loads(listed))
    )
    return Devices(cpu, adapters, None if real_gpu is None else adapters[real_gpu])
