"""Images that maximise a neuron of a classifier, singly or as a diverse batch.

Objectives are read before the nonlinearity, where an inactive neuron still has a
gradient. A channel's objective is the mean over its map. All are divided by the
neuron's own largest activation on training examples, so that the weights of
diversity and regularisers mean the same for every neuron.
"""

import functools
from typing import Any, cast

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from einops import rearrange
from jaxtyping import Array, Float, Int, PRNGKeyArray, ScalarLike

from toymono import scores
from toymono.analysis.visualise import images
from toymono.analysis.visualise.diversity import diversity, gram_diversity
from toymono.analysis.visualise.images import Settings
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.network import Params
from toymono.models import NONLINEARITIES


def preactivations(
    config: ClassifierConfig, params: Params, images_bhw: Float[Array, "b h w"]
) -> tuple[Float[Array, "b _ _"], ...]:
    """What each layer computes before its nonlinearity, `[b positions neurons]`; the logits last.

    A dense layer has one position.
    """
    chex.assert_rank(images_bhw, 3)
    _, found = cast(
        tuple[Any, Any],
        network.build(config).apply(
            {"params": params},
            images_bhw,
            capture_intermediates=lambda module, _: isinstance(
                module, nn.Dense | nn.Conv | nn.LayerNorm
            ),
        ),
    )
    last = "norm" if "norm_0" in params else "hidden"  # what the nonlinearity is applied to
    names = [*(f"{last}_{layer}" for layer in range(len(config.sizes))), "output"]
    outputs = [found["intermediates"][name]["__call__"][0] for name in names]
    return tuple(out.reshape(len(images_bhw), -1, out.shape[-1]) for out in outputs)


def activations(
    config: ClassifierConfig, params: Params, images_bhw: Float[Array, "b h w"]
) -> tuple[Float[Array, "b _"], ...]:
    """Activations of each hidden layer, and the logits, on many images."""
    found = network.outputs(config, params, images_bhw)
    return (*found.activations, found.logits_by)


def maximise(
    config: ClassifierConfig,
    params: Params,
    layer: int,
    unit_u: Int[Array, " u"],
    largest_u: Float[Array, " u"],
    key: PRNGKeyArray,
    *,
    image_hw: tuple[int, int],
    settings: Settings,
    on_inputs: ScalarLike = 0.0,
    on_hidden: ScalarLike = 0.0,
    start_ubhw: Float[Array, "u b h w"] | None = None,
) -> Float[Array, "u b h w"]:
    """A batch of images for each neuron of a layer.

    Maximises the mean over the batch of the neuron's pre-activation over its
    largest activation, minus the regularisers, minus the weighted diversity terms
    of the images and of the neuron's layer, as published. The same key gives the
    same images.

    Args:
      config: The network's.
      params: Its parameters.
      layer: Hidden layer, from 0; their number stands for the logits.
      unit_u: Neurons to visualise, or classes.
      largest_u: Each one's largest activation, for instance on training
        examples; where it is not positive, 1 takes its place.
      key: Draws starts and transformations.
      image_hw: Height and width of the images.
      settings: Parametrisation, optimiser, transformations, regularisers.
      on_inputs: Weight of the diversity of the images themselves.
      on_hidden: Weight of the diversity of the layer's activations.
      start_ubhw: Images to start from, such as centroids; None: random ones.

    Raises:
      ValueError: There is no such layer.
      AssertionError: Several networks are stacked.
    """
    chex.assert_rank([unit_u, largest_u, params["output"]["bias"]], 1)
    if not 0 <= layer <= len(config.sizes):
        raise ValueError(f"layer={layer} is not in [0, {len(config.sizes)}]")
    if start_ubhw is not None:
        chex.assert_shape(start_ubhw, (len(unit_u), settings.images, *image_hw))
    # Arrays, so that another weight compiles nothing.
    weight_2 = jnp.asarray([on_inputs, on_hidden], jnp.float32)
    unit_u, largest_u = jnp.asarray(unit_u), jnp.asarray(largest_u)
    return _maximise(
        config, params, layer, unit_u, largest_u, key, image_hw, settings, weight_2, start_ubhw
    )


@functools.partial(jax.jit, static_argnames=("config", "layer", "settings", "image_hw"))
@scores.precise
def _maximise(
    config, params, layer, unit_u, largest_u, key, image_hw, settings, weight_2, start_ubhw
) -> Float[Array, "u b h w"]:
    optimizer = optax.adam(settings.rate)
    active = NONLINEARITIES[config.nonlinearity].function

    def of_unit(unit, largest, unit_key, start_bhw):
        start_key, steps_key = jax.random.split(unit_key)
        if start_bhw is None:
            parameter_b = images.start(settings, image_hw, start_key)
        else:
            parameter_b = images.parameters_of(start_bhw, settings)

        def loss(parameter_b, step_key):
            images_bhw = images.render(parameter_b, settings, image_hw)
            seen_bhw = images.transform(images_bhw, settings, step_key)
            drive_bpk = preactivations(config, params, seen_bhw)[layer]
            value = drive_bpk[:, :, unit].mean() / jnp.where(largest > 0, largest, 1.0)
            similar = weight_2[0] * diversity(rearrange(images_bhw, "b h w -> b (h w)"))
            similar += weight_2[1] * _similarity(active(drive_bpk))
            return images.penalty(images_bhw, settings).mean() + similar - value

        def step(t, carry):
            parameter_b, state = carry
            gradient_b = jax.grad(loss)(parameter_b, jax.random.fold_in(steps_key, t))
            update_b, state = optimizer.update(gradient_b, state)
            return optax.apply_updates(parameter_b, update_b), state

        begun = parameter_b, optimizer.init(parameter_b)
        parameter_b, _ = jax.lax.fori_loop(0, settings.steps, step, begun)
        return images.render(parameter_b, settings, image_hw)

    mapped = jax.vmap(of_unit, in_axes=(0, 0, 0, None if start_ubhw is None else 0))
    return mapped(unit_u, largest_u, jax.random.split(key, len(unit_u)), start_ubhw)


def _similarity(hidden_bpk: Float[Array, "b p k"]) -> Float[Array, ""]:
    """The diversity term of a layer; the Gram form where it has several positions."""
    if hidden_bpk.shape[1] == 1:
        return diversity(hidden_bpk[:, 0])
    return gram_diversity(hidden_bpk)


def evaluate(
    config: ClassifierConfig,
    params: Params,
    layer: int,
    unit_u: Int[np.ndarray, " u"],
    images_ubhw: Float[Array | np.ndarray, "u b h w"],
) -> tuple[Float[np.ndarray, "u b"], Int[np.ndarray, "u b"]]:
    """Each neuron's activation on its own images, and the class that the network gives these."""
    units, size = images_ubhw.shape[:2]
    flat_bhw = rearrange(jnp.asarray(images_ubhw), "u b h w -> (u b) h w")
    found = [np.asarray(leaf) for leaf in activations(config, params, flat_bhw)]
    value_ubk = found[layer].reshape(units, size, -1)
    value_ub = np.take_along_axis(value_ubk, np.asarray(unit_u)[:, None, None], axis=2)[..., 0]
    return value_ub, found[-1].argmax(axis=1).reshape(units, size)
