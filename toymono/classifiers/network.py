"""The classifiers: dense layers, or convolutions whose channels are the neurons.

A network returns its logits and its hidden neurons, layer by layer, `[b k]`
each: what the penalty, the scores and the figures read.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from einops import rearrange, reduce
from jaxtyping import Array, Float, PRNGKeyArray

from toymono import models, scores
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES
from toymono.config import Scalar
from toymono.models import NONLINEARITIES

Params = Mapping[str, Mapping[str, Array]]
"""`hidden_0` … and `output`, each with `kernel` and `bias`; with layer norm also `norm_0` …,
each with `scale` and `bias`."""

# A feature map with fewer pixels a side is not pooled further.
_SMALLEST_POOLED = 4

# Images that are computed at once where no gradient is wanted: our choice.
_AT_ONCE = 1024

_INIT: dict[str, Any] = {"kernel_init": nn.initializers.glorot_uniform()}


class Outputs(NamedTuple):
    """What a network returns for a batch; the tuples have an entry for each hidden layer."""

    logits_by: Float[Array, "b y"]
    activations: tuple[Float[Array, "b _"], ...]
    """Of each neuron; of a channel, the mean over its map."""
    fired: tuple[Float[Array, "b _"], ...]
    """1 where a neuron is above 0, else 0; of a channel, the fraction of its map."""


@dataclasses.dataclass(frozen=True)
class Layers:
    """The hidden layers of one kind of network."""

    arrange: Callable[[Array], Array]
    """Images `[b h w]` to the input of the first layer."""
    layer: Callable[[int, str], nn.Module]
    """A linear layer, from its number of neurons and its name."""
    pool: Callable[[Array], Array]
    """What happens between a hidden layer and the next one."""
    positions: Callable[[tuple[int, int]], int]
    """At most how many positions of an image of that size a weight is applied to."""


def _max_pool(map_bhwk: Float[Array, "b h w k"]) -> Float[Array, "b h2 w2 k"]:
    """The maximum of each 2 x 2 pixels, unless the map is too small."""
    if min(map_bhwk.shape[1:3]) < _SMALLEST_POOLED:
        return map_bhwk
    return nn.max_pool(map_bhwk, (2, 2), strides=(2, 2))


NETWORKS: Mapping[str, Layers] = {
    "mlp": Layers(
        arrange=lambda images_bhw: rearrange(images_bhw, "b h w -> b (h w)"),
        layer=lambda size, name: nn.Dense(size, name=name, **_INIT),
        pool=lambda activations_bk: activations_bk,
        positions=lambda image_hw: 1,
    ),
    "cnn": Layers(
        arrange=lambda images_bhw: rearrange(images_bhw, "b h w -> b h w 1"),
        layer=lambda size, name: nn.Conv(size, (3, 3), name=name, **_INIT),
        pool=_max_pool,
        positions=math.prod,
    ),
}
"""By the name in `ClassifierConfig.network`."""


class Dropout(NamedTuple):
    """What training drops: see `models.dropout`."""

    rate: Scalar
    key: PRNGKeyArray
    """Each layer's is this with the layer's number folded in."""


class Network(nn.Module):
    """A classifier with glorot-uniform kernels and biases that start at 0.

    `mlp`: dense layers on the flattened image. `cnn`: 3 x 3 convolutions, each
    followed by a 2 x 2 maximum pool as long as the map has 4 pixels a side or
    more, then one dense layer to the logits. A channel is a neuron.

    With layer norm a hidden layer is `phi(norm(h W + b))`, where `norm` gives
    the pre-activations of one example (in a map: of one pixel) mean 0 and
    variance 1 over the neurons, then a learned scale and offset for each. So
    the code of the first layer, which neurons are active, hardly changes when
    the image is rescaled (where the dense biases are 0, not at all): the
    question of the polytope discussion.
    """

    network: str
    """A key of `NETWORKS`."""
    sizes: tuple[int, ...]
    """Neurons of each hidden layer."""
    nonlinearity: str = "relu"
    """A key of `models.NONLINEARITIES`."""
    layer_norm: bool = False
    """Whether pre-activations are normalised."""

    @nn.compact
    def __call__(
        self,
        images_bhw: Float[Array, "b h w"],
        keep: Sequence[Float[Array, " _"] | None] | None = None,
        dropout: Dropout | None = None,
    ) -> Outputs:
        """The network's outputs for a batch.

        Args:
          images_bhw: In [0, 1].
          keep: For each hidden layer a factor for each neuron, 0 for one that
            is ablated, or None.
          dropout: In training with dropout, what to drop after each hidden
            layer. The activations that are returned are those before it.
        """
        kind = NETWORKS[self.network]
        keep = keep or [None] * len(self.sizes)
        activations, fired = [], []
        h = kind.arrange(images_bhw)
        for index, (size, factor_k) in enumerate(zip(self.sizes, keep, strict=True)):
            h = kind.layer(size, f"hidden_{index}")(h)
            h = nn.LayerNorm(name=f"norm_{index}")(h) if self.layer_norm else h
            h = NONLINEARITIES[self.nonlinearity].function(h)
            h = h if factor_k is None else h * jnp.broadcast_to(factor_k, h.shape)
            activations.append(reduce(h, "b ... k -> b k", "mean"))
            fired.append(reduce((h > 0).astype(h.dtype), "b ... k -> b k", "mean"))
            if dropout is not None:
                h = models.dropout(h, dropout.rate, jax.random.fold_in(dropout.key, index))
            h = kind.pool(h)
        flat_bd = rearrange(h, "b ... -> b (...)")
        logits_by = nn.Dense(CLASSES, name="output", **_INIT)(flat_bd)
        return Outputs(logits_by, tuple(activations), tuple(fired))


def build(config: ClassifierConfig) -> Network:
    """The network of a config."""
    return Network(config.network, config.sizes, config.nonlinearity, config.layer_norm == "on")


@functools.partial(jax.jit, static_argnums=(0, 1))
def init(config: ClassifierConfig, image_hw: tuple[int, int], key: PRNGKeyArray) -> Params:
    """The untrained network's parameters."""
    return build(config).init(key, jnp.zeros((1, *image_hw)))["params"]


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def outputs(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    keep: Sequence[Float[Array, " _"] | None] | None = None,
) -> Outputs:
    """What the network returns for many images, computed in parts to save memory."""
    chex.assert_rank(images_bhw, 3)
    b = len(images_bhw)
    at_once = min(b, _AT_ONCE)
    parts = -(-b // at_once)
    padded_bhw = jnp.pad(images_bhw, ((0, parts * at_once - b), (0, 0), (0, 0)))
    found = jax.lax.map(
        lambda part_bhw: build(config).apply({"params": params}, part_bhw, keep),
        rearrange(padded_bhw, "(parts b) h w -> parts b h w", parts=parts),
    )
    return jax.tree.map(lambda leaf: rearrange(leaf, "parts b k -> (parts b) k")[:b], found)


def edges(params: Params) -> list[Float[np.ndarray, "_ _"]]:
    """Strength of the connection of each neuron with each of the next layer, from input to output.

    For a dense layer it is the weight's absolute value; between channels, the
    sum of the absolute values over the kernel (its L1 norm), and from channels
    to logits the sum over the map's pixels. Biases do not count, nor do the
    scales of a layer norm.

    Reference:
      Filan et al. (2021), arXiv 2103.03386, section 2; Wright,
      `run_clusterability_analysis.py`.
    """
    names = [
        f"hidden_{index}" for index in range(sum(name.startswith("hidden") for name in params))
    ]
    strengths = []
    for name in [*names, "output"]:
        kernel = np.abs(np.asarray(params[name]["kernel"], np.float64))
        if kernel.ndim == 4:
            kernel = reduce(kernel, "h w before after -> before after", "sum")
        elif strengths and len(kernel) != strengths[-1].shape[1]:  # flattened maps of channels
            channels = strengths[-1].shape[1]
            kernel = reduce(kernel, "(hw k) y -> k y", "sum", k=channels)
        strengths.append(kernel)
    return strengths
