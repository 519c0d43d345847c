"""toymono: how a feature is held by neurons in toy models, and what decides it.

One letter per axis, here and everywhere in the lab:

    b batch   n features   m embedding   k neurons   o outputs
    r runs    c checkpoints              t steps

An array's name is its meaning, an underscore and its axes: `w_mk`, `loss_t`.
Functions are written for one run and one model; `jax.vmap` makes them many.
"""

__version__ = "0.1.0"

from toymono.config import Config, Hyperparams, stack, unstack
from toymono.features import World
from toymono.models import Model
from toymono.train import Run, State, advance, begin, fit, fit_many, replay

__all__ = [
    "Config",
    "Hyperparams",
    "Model",
    "Run",
    "State",
    "World",
    "advance",
    "begin",
    "fit",
    "fit_many",
    "replay",
    "stack",
    "unstack",
]
