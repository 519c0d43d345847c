"""Named settings: the presets of the sweep command, and each paper's sweeps as data.

The module imports no JAX: commands name its sweeps in their help.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from toymono.catalog.basins import BASINS
from toymono.catalog.frequencies import FREQUENCIES
from toymono.catalog.jermyn2022 import SWEEPS
from toymono.catalog.marshall2024 import DIMENSIONS
from toymono.catalog.sweep import PRESETS, SCALES, Scale, Sweep
from toymono.catalog.wright2022 import CLASSIFIER_ALPHAS, PENALISED, WIDTHS

BEYOND = {**PENALISED, **DIMENSIONS, **BASINS, **FREQUENCIES}
"""Sweeps that the paper of `SWEEPS` does not have; `all` leaves them out."""

__all__ = [
    "BEYOND",
    "CLASSIFIER_ALPHAS",
    "PRESETS",
    "SCALES",
    "SWEEPS",
    "WIDTHS",
    "Scale",
    "Sweep",
    "named",
    "points",
]


def points(names: Sequence[str], scale: str, **changed: Any) -> Iterator[dict[str, Any]]:
    """Every setting of the named sweeps, as `Sweep.points`; `all` names those of `SWEEPS`.

    Raises:
      ValueError: A name is neither in `SWEEPS` nor in `BEYOND`.
    """
    for sweep in named(names):
        yield from sweep.points(scale, **changed)


def named(names: Sequence[str]) -> list[Sweep]:
    """The sweeps of these names; `all` names those of `SWEEPS`.

    Raises:
      ValueError: As `points`.
    """
    known = {**SWEEPS, **BEYOND}
    for name in names:
        if name not in known and name != "all":
            raise ValueError(f"sweep={name!r} is not one of {', '.join(known)}, all")
    return [known[name] for name in (SWEEPS if "all" in names else names)]
