"""The tiny settings that the tests share, and the nonlinearities in plain numpy."""

import math

import numpy as np
from scipy.special import erf

from toymono import Config, Hyperparams

TINY = Config(n=16, m=4, k=24, batch_size=8, log2_steps=4)
TINY_HYPERPARAMS = Hyperparams(eps=1 / 4)
POINTS = [
    TINY_HYPERPARAMS,
    Hyperparams(0.03, 1 / 8, -0.5, 0.0, l1=1e-3, exponent=1.5, cosine_period=8.0),
    Hyperparams(0.001, 1.0, 0.5, 0.3, l1=1e-2, exponent=0.5, cosine_period=32.0),
]
"""Three settings that differ in every hyperparam."""

EMBEDDED = ("decoder", "reproject", "abs")
"""The tasks with an embedding, of which what is particular to each is tested everywhere."""

NONLINEARITIES = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "solu": lambda x: x * np.exp(x),
    "tent": lambda x: np.interp(x, [0, 1, 2], [0, 1, 0]),
}
