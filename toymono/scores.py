"""Scores of one model: which features each neuron answers to, and how many.

Everything follows from the responses, the activation of each neuron on each
feature alone. All functions are written for one model; `jax.vmap` them over
snapshots and runs.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from toymono.model import Model
from toymono.world import World

THRESHOLD = 0.999
"""Above this score a neuron counts as monosemantic; the paper calls its choice arbitrary."""

# Keeps a neuron that never fires from dividing by zero (paper, eq. 7).
_DELTA = 1e-10


def responses(model: Model, world: World) -> Float[Array, "k n"]:
    """Activation of each neuron when each feature is present alone at full strength.

    For `abs` a feature counts with both its signs: the activation on +1 plus
    the activation on -1.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 2.4, "single feature activations".
    """
    response_nk = model.neurons(world.embed_nm)
    if world.task == "abs":
        response_nk = response_nk + model.neurons(-world.embed_nm)
    return response_nk.T


def monosemanticity(response_kn: Float[Array, "k n"]) -> Float[Array, " k"]:
    """Share of each neuron's response that its favourite feature takes.

    For neuron k the score is `max_n r_kn / sum_n max(0, r_kn)`. A neuron that
    answers to one feature scores 1, one that answers to all n alike scores 1/n,
    one that never fires scores 0. Under relu, scaling a neuron's weights and
    bias together leaves it unchanged.

    Args:
      response_kn: Activation of each neuron when each feature is present alone
        at full strength, in units of the hidden layer.

    Returns:
      A number in [0, 1] for each neuron.

    Example:
      >>> monosemanticity(jnp.array([[2.0, 0.0], [1.0, 1.0]])).tolist()
      [1.0, 0.5]

    Reference:
      Jermyn, Schiefer & Hubinger (2022), eq. 7.
    """
    fired_kn = jnp.maximum(response_kn, 0)
    return fired_kn.max(axis=1) / (_DELTA + fired_kn.sum(axis=1))


class Census(NamedTuple):
    """Every neuron is in one of three classes; these are masks over them."""

    monosemantic_k: Bool[Array, " k"]
    """Scores above the threshold."""
    polysemantic_k: Bool[Array, " k"]
    """Answers to some feature, but not to one alone."""
    dead_k: Bool[Array, " k"]
    """Answers to no feature alone at full strength."""


def census(response_kn: Float[Array, "k n"], threshold: float = THRESHOLD) -> Census:
    """Which neurons are monosemantic, polysemantic and dead.

    Example:
      >>> kinds = census(jnp.array([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
      >>> [mask.tolist() for mask in kinds]
      [[True, False, False], [False, True, False], [False, False, True]]
    """
    dead_k = response_kn.max(axis=1) <= 0
    mono_k = (monosemanticity(response_kn) > threshold) & ~dead_k
    return Census(mono_k, ~mono_k & ~dead_k, dead_k)


def monosemantic_per_feature(
    response_kn: Float[Array, "k n"], threshold: float = THRESHOLD
) -> Int[Array, " n"]:
    """How many monosemantic neurons each feature has to itself.

    Example:
      >>> monosemantic_per_feature(jnp.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
      [2, 0]
    """
    mono_k = census(response_kn, threshold).monosemantic_k
    favourite_k = response_kn.argmax(axis=1)
    return jnp.zeros(response_kn.shape[1], int).at[favourite_k].add(mono_k)


def features_by_service(
    response_kn: Float[Array, "k n"], threshold: float = THRESHOLD, most: int = 4
) -> Int[Array, " most+1"]:
    """Histogram: how many features have 0, 1, …, `most` or more monosemantic neurons.

    Example:
      >>> features_by_service(jnp.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
      [1, 0, 1, 0, 0]
    """
    served_n = monosemantic_per_feature(response_kn, threshold)
    return jnp.bincount(jnp.minimum(served_n, most), length=most + 1)


def neuron_order(response_kn: Float[Array, "k n"]) -> Int[Array, " k"]:
    """Neurons from the most monosemantic to the least, dead ones last."""
    return jnp.argsort(-monosemanticity(response_kn), stable=True)


def feature_order(response_kn: Float[Array, "k n"]) -> Int[Array, " n"]:
    """Features by the first neuron, in `neuron_order`, that answers to them most.

    With rows and columns in these two orders, monosemantic neurons make a
    diagonal line (the paper credits the idea to Chris Olah).
    """
    sorted_kn = response_kn[neuron_order(response_kn)]
    return jnp.argsort(sorted_kn.argmax(axis=0), stable=True)
