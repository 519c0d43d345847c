"""How frequent each feature is: one entry of `FEATURE_LAWS` per law."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toymono.config import Config, Hyperparams
from toymono.fields import TOY_CONFIG
from toymono.records import Records

FeatureLaw = Callable[[int, Hyperparams], Float[Array, " n"]]
"""The number of features and the hyperparameters, to the probability of each feature."""


def equal(n: int, hyperparams: Hyperparams) -> Float[Array, " n"]:
    """Probability eps for all features."""
    return jnp.full((n,), hyperparams.eps, jnp.float32)


def power_law(n: int, hyperparams: Hyperparams) -> Float[Array, " n"]:
    """Probabilities in proportion to i**-exponent for i = 1 … n, with mean eps, clipped at 1.

    Clipping lowers the mean: for n = 512 and eps = 1/64 the first feature is
    always present, and a sample has 7.469 features on average instead of 8.
    """
    rank_n = jnp.arange(1, n + 1, dtype=jnp.float32)
    # Shares as a softmax: a steep exponent must not overflow.
    share_n = jax.nn.softmax(-hyperparams.exponent * jnp.log(rank_n))
    return jnp.minimum(n * hyperparams.eps * share_n, 1.0)


FEATURE_LAWS: Records[FeatureLaw] = Records(
    "feature law", {"equal": equal, "power_law": power_law}, TOY_CONFIG["feature_law"]
)
"""By the name in `Config.feature_law`. A law's probabilities do not rise with the feature's index,
which the sampler in `features` relies on."""


def frequencies(config: Config, hyperparams: Hyperparams) -> Float[Array, " n"]:
    """Probability that each feature is present in a sample.

    Example:
      >>> frequencies(Config(n=4, m=2), Hyperparams(eps=0.25)).tolist()
      [0.25, 0.25, 0.25, 0.25]

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 2.1, and their `model3.py`.
    """
    return FEATURE_LAWS[config.feature_law](config.n, hyperparams)
