"""Which neurons of a classifier respond to which classes, and how much the classes share neurons.

Classes take the place of the features of toy models: a neuron's response to a
class is its mean activation on the class's examples, and `toymono.scores`
applies to these responses, for instance `scores.monosemanticity(response_ky)`.
"""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from toymono import penalties, scores
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig
from toymono.classifiers.data import CLASSES
from toymono.classifiers.network import Params


class ClassResponses(NamedTuple):
    """Activity of the neurons of one hidden layer on the examples of each class."""

    count_ky: Float[Array, "k y"]
    """Examples of class y on which neuron k is active (above 0). For a channel each example
    counts by the fraction of the feature map that is active."""
    share_ky: Float[Array, "k y"]
    """`count_ky` as a fraction of the class's examples."""
    response_ky: Float[Array, "k y"]
    """Mean activation on the class's examples."""
    penalty_k: Float[Array, " k"]
    """Each neuron's contribution to the layer's soft polysemantic penalty."""


@functools.partial(jax.jit, static_argnums=0)
@scores.precise
def responses(
    config: ClassifierConfig,
    params: Params,
    images_bhw: Float[Array, "b h w"],
    label_b: Int[Array, " b"],
) -> tuple[ClassResponses, ...]:
    """The responses of each hidden layer to the classes, measured on the given examples.

    Args:
      config: The network's.
      params: Its parameters.
      images_bhw: Examples.
      label_b: Their classes.

    Returns:
      One entry per hidden layer, from input to output.

    Raises:
      AssertionError: Examples of several data sets, or several networks, are stacked.
    """
    chex.assert_rank([images_bhw, label_b, params["output"]["bias"]], [3, 1, 1])
    _, activations, active = network.outputs(config, params, images_bhw)
    member_by = jax.nn.one_hot(label_b, CLASSES)
    examples_y = jnp.maximum(member_by.sum(axis=0), 1.0)

    def of_layer(
        activations_bk: Float[Array, "b k"], active_bk: Float[Array, "b k"]
    ) -> ClassResponses:
        count_ky = jnp.einsum("bk,by->ky", active_bk, member_by)
        return ClassResponses(
            count_ky=count_ky,
            share_ky=count_ky / examples_y[None],
            response_ky=jnp.einsum("bk,by->ky", activations_bk, member_by) / examples_y[None],
            penalty_k=penalties.per_neuron(activations_bk, label_b, classes=CLASSES),
        )

    return tuple(map(of_layer, activations, active))


def overlap(count_ky: Num[Array, "k y"]) -> Float[Array, ""]:
    """How much the classes share neurons, from counts: the class-wise polysemanticity metric.

    Each class's counts are rescaled to a maximum of 1; the metric is the mean
    over pairs of classes of their dot product. This is the polysemantic
    penalty with one example per class. It is 0 if every neuron is active on
    one class only, and k if all are equally active on all classes.

    Args:
      count_ky: `ClassResponses.count_ky`.

    Raises:
      AssertionError: `count_ky` is not a matrix (use `jax.vmap` for stacks).

    Example:
      >>> float(overlap(jnp.array([[5, 0], [0, 2]]))), float(overlap(jnp.array([[5, 2], [5, 2]])))
      (0.0, 2.0)

    Reference:
      Wright, polysemantic-neurons, `code/analysis`.
    """
    chex.assert_rank(count_ky, 2)
    classes = jnp.arange(count_ky.shape[1])
    counts_ky = jnp.asarray(count_ky, jnp.float32)
    return penalties.polysemantic(counts_ky.T, classes, classes=len(classes))


def neuron_order(response_ky: Float[Array, "k y"]) -> Int[Array, " k"]:
    """Indices of the neurons by strongest class, then by monosemanticity, dead ones last.

    With rows in this order, the responses of a layer of neurons with one class
    each form a staircase.
    """
    chex.assert_rank(response_ky, 2)
    strongest_k = scores.strongest(response_ky)
    last_k = jnp.where(strongest_k < 0, response_ky.shape[1], strongest_k)
    return jnp.lexsort((-scores.monosemanticity(response_ky), last_k))
