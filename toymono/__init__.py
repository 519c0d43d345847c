"""toymono: how toy models represent more features than they have dimensions.

One letter per axis, here and throughout the package:

    b batch   n features   m embedding   k neurons   o outputs   d any layer's width
    r runs    c snapshots  t steps       y classes   l layers    e epochs

An array's name is its meaning, an underscore and its axes: `w_mk`, `loss_t`.
Functions are written for one run and one model; `jax.vmap` maps them over many.
Names below are imported lazily, so that `--help` does not import JAX.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if sys.argv[:1] == ["-m"]:  # `python -m toymono.COMMAND`, which has imported nothing else yet
    from toymono import signals

    signals.end_at_once()

__version__ = "0.1.0"

if TYPE_CHECKING:
    from toymono import frames, scores, store, zoo
    from toymono.batching import grid
    from toymono.config import Config, Hyperparams, stack, unstack
    from toymono.fitting import fit, fit_many, replay
    from toymono.models import Model
    from toymono.tasks import World
    from toymono.train import Metrics, Run, State, advance, begin, train_step

__all__ = [
    "Config",
    "Hyperparams",
    "Metrics",
    "Model",
    "Run",
    "State",
    "World",
    "advance",
    "begin",
    "fit",
    "fit_many",
    "frames",
    "grid",
    "replay",
    "scores",
    "stack",
    "store",
    "train_step",
    "unstack",
    "zoo",
]

_MODULES = {
    "config": ("Config", "Hyperparams", "stack", "unstack"),
    "batching": ("grid",),
    "tasks": ("World",),
    "models": ("Model",),
    "train": ("Metrics", "Run", "State", "advance", "begin", "train_step"),
    "fitting": ("fit", "fit_many", "replay"),
}
_PACKAGES = ("frames", "scores", "store", "zoo")
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"toymono.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'toymono' has no attribute {name!r}")
    return getattr(importlib.import_module(f"toymono.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
