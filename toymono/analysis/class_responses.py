"""Which neurons answer to which classes: counts, overlap and monosemanticity of one network.

A class plays the part that a feature plays in the toy models, so that
`toymono.scores` serves both: a neuron's response to a class is its mean
activation on the class's examples.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from toymono import penalties, scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES
from toymono.classifiers.network import Params


class Firing(NamedTuple):
    """What the neurons of one hidden layer do on the examples of each class."""

    count_ky: Float[Array, "k y"]
    """Examples of class y on which neuron k fired, that is, was above 0; for a channel each
    example counts by the share of the map on which it was."""
    share_ky: Float[Array, "k y"]
    """The same as a share of the class's examples."""
    response_ky: Float[Array, "k y"]
    """Mean activation on the class's examples."""
    penalty_k: Float[Array, " k"]
    """Each neuron's part of the layer's soft polysemantic penalty."""


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def firing(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    label_b: Int[Array, " b"],
) -> tuple[Firing, ...]:
    """The firing of each hidden layer on the given examples."""
    _, activations, fired = network.outputs(config, params, images_bhw)
    member_by = jax.nn.one_hot(label_b, CLASSES)
    examples_y = jnp.maximum(member_by.sum(axis=0), 1.0)

    def of_layer(activations_bk: Float[Array, "b k"], fired_bk: Float[Array, "b k"]) -> Firing:
        count_ky = jnp.einsum("bk,by->ky", fired_bk, member_by)
        return Firing(
            count_ky=count_ky,
            share_ky=count_ky / examples_y,
            response_ky=jnp.einsum("bk,by->ky", activations_bk, member_by) / examples_y,
            penalty_k=penalties.per_neuron(activations_bk, label_b, classes=CLASSES),
        )

    return tuple(map(of_layer, activations, fired))


def overlap(count_ky: Num[Array, "k y"]) -> Float[Array, ""]:
    """How much the classes share neurons, from counts: the class-wise polysemanticity metric.

    The mean over pairs of classes of the dot product of their counts, each
    class's rescaled to a largest of 1: the polysemantic penalty, with classes
    for examples. 0 if no neuron fires for two classes, k if all fire alike.

    Example:
      >>> float(overlap(jnp.array([[5, 0], [0, 2]]))), float(overlap(jnp.array([[5, 2], [5, 2]])))
      (0.0, 2.0)

    Reference:
      Wright, polysemantic-neurons, `code/analysis`.
    """
    classes = jnp.arange(count_ky.shape[1])
    counts_ky = jnp.asarray(count_ky, jnp.float32)
    return penalties.polysemantic(counts_ky.T, classes, classes=len(classes))


def class_monosemanticity(response_ky: Float[Array, "k y"]) -> Float[Array, " k"]:
    """Share of each neuron's response that its strongest class takes: eq. 7, classes for features.

    A neuron that answers to one class scores 1, one that answers to all alike
    1 / classes, one that never fires 0.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), eq. 7.
    """
    return scores.monosemanticity(response_ky)


def strongest(response_ky: Float[Array, "k y"]) -> Int[Array, " k"]:
    """The class to which each neuron answers most; -1 for neurons that never fire."""
    return jnp.where(response_ky.max(axis=1) > 0, response_ky.argmax(axis=1), -1)


def neuron_order(response_ky: Float[Array, "k y"]) -> Int[Array, " k"]:
    """Neurons by strongest class, in a class the most monosemantic first, dead ones last.

    With its rows in this order, a layer in which every neuron has one class is a staircase.
    """
    strongest_k = strongest(response_ky)
    last_k = jnp.where(strongest_k < 0, response_ky.shape[1], strongest_k)
    return jnp.lexsort((-class_monosemanticity(response_ky), last_k))
