"""toymono: how a feature is held by neurons in toy models, and what decides it.

One letter per axis, here and everywhere in the lab:

    b batch   n features   m embedding   k neurons   o outputs
    r runs    c checkpoints              t steps

An array's name is its meaning, an underscore and its axes: `w_mk`, `loss_t`.
Functions are written for one run and one model; `jax.vmap` makes them many.
"""

__version__ = "0.1.0"

from toymono.config import Dials, Setup, stack, unstack
from toymono.model import Model
from toymono.train import Run, State, advance, begin, fit, fit_many, replay
from toymono.world import World

__all__ = [
    "Dials",
    "Model",
    "Run",
    "Setup",
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
