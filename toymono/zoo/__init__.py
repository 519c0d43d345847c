"""Eight small trained models that come with the package, loaded by name.

    >>> from toymono import zoo
    >>> run = zoo.load("decoder-mono")
    >>> run.final.w_mk.shape
    (32, 512)

`load` returns a `Run` that holds the final weights, the embedding and the loss
of every training step, but no earlier snapshots. All but the tied model have
256 features in 32 dimensions, so that they can be compared with each other.
`python -m toymono.zoo` lists the models with their scores. Names below are
imported lazily, so that its `--help` does not import JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toymono.zoo.models import SCORES, ZOO, Entry, load, save, table

__all__ = ["SCORES", "ZOO", "Entry", "load", "save", "table"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'toymono.zoo' has no attribute {name!r}")
    return getattr(importlib.import_module("toymono.zoo.models"), name)
