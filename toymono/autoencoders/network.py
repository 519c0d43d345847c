"""The autoencoder: dense relu layers from a patch to itself, and what is read from it."""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from toymono import models, scores
from toymono.autoencoders.config import AutoencoderConfig
from toymono.config import Scalar

Params = Mapping[str, Mapping[str, Array]]
"""`hidden_0` … and `output`, each with `kernel` and `bias`."""

_INIT: dict[str, Any] = {"kernel_init": nn.initializers.glorot_uniform()}


class Outputs(NamedTuple):
    """What a network returns for a batch."""

    output_bd: Float[Array, "b d"]
    """The reconstruction."""
    hidden: tuple[Float[Array, "b _"], ...]
    """Activations of each hidden layer, before dropout."""


class Network(nn.Module):
    """Dense layers of relu neurons, then a linear one; kernels glorot-uniform, biases 0."""

    sizes: tuple[int, ...]
    """Neurons of each hidden layer."""
    pixels: int
    """Numbers in a patch."""

    @nn.compact
    def __call__(
        self,
        patch_bd: Float[Array, "b d"],
        rate: Scalar = 0.0,
        key: PRNGKeyArray | None = None,
    ) -> Outputs:
        """The network's outputs for a batch.

        Args:
          patch_bd: Pixels, standardised.
          rate: Of dropout after every hidden layer.
          key: What dropout draws from, the layer's number folded in; without one
            nothing is dropped.
        """
        h, hidden = patch_bd, []
        for index, size in enumerate(self.sizes):
            h = nn.relu(nn.Dense(size, name=f"hidden_{index}", **_INIT)(h))
            hidden.append(h)
            if key is not None:
                h = models.dropout(h, rate, jax.random.fold_in(key, index))
        return Outputs(nn.Dense(self.pixels, name="output", **_INIT)(h), tuple(hidden))


def build(config: AutoencoderConfig) -> Network:
    """The network of a config."""
    return Network(config.sizes, config.patch**2)


def init(config: AutoencoderConfig, key: PRNGKeyArray) -> Params:
    """The untrained network's parameters."""
    return build(config).init(key, jnp.zeros((1, config.patch**2)))["params"]


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def outputs(config: AutoencoderConfig, params: Params, patch_bd: Float[Array, "b d"]) -> Outputs:
    """What the network returns for patches, without dropout."""
    chex.assert_rank(patch_bd, 2)
    found: Any = build(config).apply({"params": params}, patch_bd)
    return found


def hidden(
    config: AutoencoderConfig, params: Params, patch_bd: Float[Array, "b d"]
) -> tuple[Float[Array, "b _"], ...]:
    """Activations of every hidden layer on patches, without dropout, from the first to the last.

    Raises:
      AssertionError: `patch_bd` is not a matrix.
    """
    return outputs(config, params, patch_bd).hidden


def error_share(
    config: AutoencoderConfig, params: Params, patch_bd: Float[Array, "b d"]
) -> Float[Array, ""]:
    """Squared error of the reconstruction over the variance of the patches, without dropout.

    Each is summed over pixels: 0 is perfect; the mean patch alone gives 1, so
    that a network at or above 1 has collapsed. NaN for patches that are all equal.
    """
    patch_bd = jnp.asarray(patch_bd)
    error = ((outputs(config, params, patch_bd).output_bd - patch_bd) ** 2).sum()
    return error / ((patch_bd - patch_bd.mean(axis=0, keepdims=True)) ** 2).sum()
