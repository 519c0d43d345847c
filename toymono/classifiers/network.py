"""The classifiers: dense layers, or convolutions whose channels are the neurons.

A network answers with its logits and with its hidden neurons, layer by layer,
`[b k]` each: what the penalty, the scores and the figures look at.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from toymono import scores
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES

Params = Mapping[str, Mapping[str, Array]]
"""`hidden_0` … and `output`, each with `kernel` and `bias`."""

# A feature map of fewer pixels a side is not pooled further.
_SMALLEST_POOLED = 4

# Images that pass through at once where no gradient is wanted: our choice.
_AT_ONCE = 1024


class Answer(NamedTuple):
    """What a network makes of a batch; the tuples have an entry for each hidden layer."""

    logits_by: Float[Array, "b y"]
    activations: tuple[Float[Array, "b _"], ...]
    """Of each neuron; of a channel, the mean over its map."""
    fired: tuple[Float[Array, "b _"], ...]
    """1 where a neuron is above 0, else 0; of a channel, the share of its map."""


class Network(nn.Module):
    """A classifier with relu neurons, glorot-uniform kernels and biases that start at 0.

    `mlp`: dense layers on the flattened image. `cnn`: 3 x 3 convolutions, each
    with a 2 x 2 maximum pool after it while the map has 4 pixels a side or more,
    then one dense layer to the logits. A channel is a neuron.
    """

    network: str
    sizes: tuple[int, ...]
    """Neurons of each hidden layer."""

    @nn.compact
    def __call__(
        self,
        images_bhw: Float[Array, "b h w"],
        keep: Sequence[Float[Array, " _"] | None] | None = None,
    ) -> Answer:
        """The network's answer to a batch.

        Args:
          images_bhw: In [0, 1].
          keep: For each hidden layer a factor for each neuron, 0 for one that
            is to be silenced, or None.
        """
        start = {"kernel_init": nn.initializers.glorot_uniform()}
        keep = keep or [None] * len(self.sizes)
        activations, fired = [], []
        if self.network == "mlp":
            h = images_bhw.reshape(len(images_bhw), -1)
        else:
            h = images_bhw[..., None]
        for layer, (size, factor_k) in enumerate(zip(self.sizes, keep, strict=True)):
            if self.network == "mlp":
                h = nn.relu(nn.Dense(size, name=f"hidden_{layer}", **start)(h))
            else:
                h = nn.relu(nn.Conv(size, (3, 3), name=f"hidden_{layer}", **start)(h))
            h = h if factor_k is None else h * factor_k
            over_map = tuple(range(1, h.ndim - 1))  # none, for dense layers
            activations.append(h.mean(axis=over_map))
            fired.append((h > 0).astype(h.dtype).mean(axis=over_map))
            if self.network == "cnn" and min(h.shape[1:3]) >= _SMALLEST_POOLED:
                h = nn.max_pool(h, (2, 2), strides=(2, 2))
        logits_by = nn.Dense(CLASSES, name="output", **start)(h.reshape(len(h), -1))
        return Answer(logits_by, tuple(activations), tuple(fired))


def build(config: ClassifierConfig) -> Network:
    """The network of a config."""
    return Network(config.network, config.sizes)


@functools.partial(jax.jit, static_argnums=(0, 1))
def init(config: ClassifierConfig, image_hw: tuple[int, int], key: PRNGKeyArray) -> Params:
    """The untrained network's parameters."""
    return build(config).init(key, jnp.zeros((1, *image_hw)))["params"]


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def answers(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    keep: Sequence[Float[Array, " _"] | None] | None = None,
) -> Answer:
    """What the network returns for many images, computed some at a time to save memory."""
    b = len(images_bhw)
    at_once = min(b, _AT_ONCE)
    parts = -(-b // at_once)
    full_bhw = jnp.pad(images_bhw, ((0, parts * at_once - b), (0, 0), (0, 0)))
    found = jax.lax.map(
        lambda part_bhw: build(config).apply({"params": params}, part_bhw, keep),
        full_bhw.reshape(parts, at_once, *images_bhw.shape[1:]),
    )
    return jax.tree.map(lambda leaf: leaf.reshape(parts * at_once, -1)[:b], found)


def edges(params: Params) -> list[Float[np.ndarray, "_ _"]]:
    """Strength of the connection of each neuron with each of the next layer, from input to output.

    For a dense layer it is the weight's absolute value; between channels, the
    sum of the absolute values over the kernel (its L1 norm), and from channels
    to logits the sum over the map's pixels. Biases do not count.

    Reference:
      Filan et al. (2021), arXiv 2103.03386, section 2; Wright,
      `run_clusterability_analysis.py`.
    """
    names = [f"hidden_{layer}" for layer in range(len(params) - 1)]
    strengths = []
    for name in [*names, "output"]:
        kernel = np.abs(np.asarray(params[name]["kernel"], np.float64))
        if kernel.ndim == 4:  # height, width, channels before, channels after
            kernel = kernel.sum(axis=(0, 1))
        elif strengths and len(kernel) != strengths[-1].shape[1]:  # pixels of channels, flattened
            kernel = kernel.reshape(-1, strengths[-1].shape[1], kernel.shape[1]).sum(axis=0)
        strengths.append(kernel)
    return strengths
