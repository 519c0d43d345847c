"""Scores of one model: which features each neuron answers to, and how many.

Everything follows from the responses, the activation of each neuron on each
feature alone. All functions are written for one model; `jax.vmap` them over
snapshots and runs.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike

from toymono.features import World
from toymono.models import NONLINEARITIES, Model

THRESHOLD = 0.999
"""Above this score a neuron counts as monosemantic; the paper calls its choice arbitrary."""

# Keeps a neuron that never fires from dividing by zero (paper, eq. 7).
_DELTA = 1e-10

precise = jax.default_matmul_precision("float32")
"""Decorates what multiplies matrices, below `jax.jit`: scores tell 0 from nearly 0, and a GPU's
or TPU's default products, which are fast ones, do not."""


@precise
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
    """Share of each neuron's response that its strongest feature takes.

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


class NeuronClasses(NamedTuple):
    """Every neuron is in one of three classes; these are masks over them."""

    monosemantic_k: Bool[Array, " k"]
    """Scores above the threshold."""
    polysemantic_k: Bool[Array, " k"]
    """Answers to some feature, but not to one alone."""
    dead_k: Bool[Array, " k"]
    """Answers to no feature alone at full strength."""


def classify_neurons(
    response_kn: Float[Array, "k n"], threshold: ScalarLike = THRESHOLD
) -> NeuronClasses:
    """Which neurons are monosemantic, polysemantic and dead.

    Example:
      >>> kinds = classify_neurons(jnp.array([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
      >>> [mask.tolist() for mask in kinds]
      [[True, False, False], [False, True, False], [False, False, True]]
    """
    dead_k = response_kn.max(axis=1) <= 0
    mono_k = (monosemanticity(response_kn) > threshold) & ~dead_k
    return NeuronClasses(mono_k, ~mono_k & ~dead_k, dead_k)


def mono_neurons_per_feature(
    response_kn: Float[Array, "k n"], threshold: ScalarLike = THRESHOLD
) -> Int[Array, " n"]:
    """How many monosemantic neurons each feature has to itself.

    Example:
      >>> mono_neurons_per_feature(jnp.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
      [2, 0]
    """
    mono_k = classify_neurons(response_kn, threshold).monosemantic_k
    strongest_k = response_kn.argmax(axis=1)
    return jnp.zeros(response_kn.shape[1], int).at[strongest_k].add(mono_k)


def features_by_mono_neurons(
    response_kn: Float[Array, "k n"], threshold: ScalarLike = THRESHOLD, most: int = 4
) -> Int[Array, " {most}+1"]:
    """Histogram: how many features have 0, 1, …, `most` or more monosemantic neurons.

    Example:
      >>> features_by_mono_neurons(jnp.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
      [1, 0, 1, 0, 0]
    """
    mono_neurons_n = mono_neurons_per_feature(response_kn, threshold)
    return jnp.bincount(jnp.minimum(mono_neurons_n, most), length=most + 1)


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


@precise
def feature_weights(model: Model, world: World) -> Float[Array, "k n"]:
    """Input weight of each neuron for each feature, through the embedding."""
    return (world.embed_nm @ model.w_mk).T


@precise
def capacity(vector_kn: Float[Array, "k n"]) -> Float[Array, " n"]:
    """Share of a dimension that each feature has to itself.

    With W_i the vector of feature i, column i, its capacity is
    `(W_i . W_i)^2 / sum_j (W_i . W_j)^2`: 1 if W_i is orthogonal to all others,
    less the more it overlaps with them, 0 if it is zero. The capacities sum to
    at most the rank. Elhage et al. call the same number the feature's
    dimensionality, and write it `|W_i|^2 / sum_j (W_i . W_j / |W_i|)^2`.

    Args:
      vector_kn: Which vector stands for a feature is for the caller to say.
        `responses`: its trace in the neurons, what eq. 7 reads; up to k
        features can have a capacity of 1, which all have if each neuron answers
        to one alone. `feature_weights`: the linear map into the hidden layer,
        closest to both papers' W; here all capacities sum to at most m.

    Example:
      >>> capacity(jnp.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
      [1.0, 0.5, 0.5]

    Reference:
      Scherlis, Sachan, Jermyn, Benton & Shlegeris (2022), Polysemanticity and
      Capacity in Neural Networks; Elhage et al. (2022), Toy Models of Superposition.
    """
    length_n = jnp.linalg.norm(vector_kn, axis=0)
    unit_kn = vector_kn / jnp.where(length_n > 0, length_n, 1)
    taken_n = ((unit_kn.T @ vector_kn) ** 2).sum(axis=1)
    return jnp.where(length_n > 0, length_n**2 / jnp.where(length_n > 0, taken_n, 1), 0)


feature_dimensionality = capacity
"""Elhage et al.'s name for `capacity`."""


class MultiFeature(NamedTuple):
    """How neurons do when several features that are not theirs come together."""

    monosemanticity_k: Float[Array, " k"]
    """Share of the response that the strongest takes: eq. 7 over such inputs."""
    silent_k: Float[Array, " k"]
    """Share of such inputs, but for those of the strongest alone, on which it does not fire."""


@precise
def multi_feature_monosemanticity(
    model: Model, world: World, active: Int[Array, ""] | int, key: PRNGKeyArray
) -> MultiFeature:
    """Monosemanticity when the features that should leave a neuron silent come `active` at a time.

    There are n groups: each feature with `active - 1` random others. With r the
    response to the strongest alone and h_g the activation when group g is
    present at full strength, without the strongest if that is in it, the score is
    `r / (r + sum_g max(0, h_g))`. One at a time this is eq. 7, so a curve over
    `active` starts at the paper's score and shows which neurons keep it. For
    `abs` the features of a group have random signs, and the activation on the
    opposite signs is added, as in `responses`.

    Args:
      active: Features present together, 1 to n; `vmap` over it for the curve.
        Near n all groups are much the same.
      key: Of the groups, and of the signs.

    Example:
      >>> model = Model(jnp.array([[2.0], [0.75]]), jnp.array([-1.0]), jnp.ones((1, 1)))
      >>> world = World(jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
      >>> for active in (1, 3):
      ...     several = multi_feature_monosemanticity(model, world, active, jax.random.key(0))
      ...     several.monosemanticity_k.item(), several.silent_k.item()
      (1.0, 1.0)
      (0.4000000059604645, 0.0)
    """
    response_kn = responses(model, world)
    k, n = response_kn.shape
    if isinstance(active, int) and not 1 <= active <= n:
        raise ValueError(f"active={active} is not in [1, {n}]")
    group_key, sign_key = jax.random.split(key)
    # Feature g has the lowest number in row g, and comes first.
    drawn_gn = jax.random.uniform(group_key, (n, n), jnp.float32)
    drawn_gn = jnp.where(jnp.eye(n), -1, drawn_gn)
    member_gn = jnp.broadcast_to(jnp.arange(n) < active, (n, n)).astype(response_kn.dtype)
    group_gn = jnp.put_along_axis(
        jnp.zeros((n, n)), drawn_gn.argsort(axis=1), member_gn, axis=1, inplace=False
    )
    strongest_k = response_kn.argmax(axis=1)
    # A group of the strongest alone is none: it would count the neuron at rest.
    some_gk = group_gn.sum(axis=1, keepdims=True) > group_gn[:, strongest_k]

    weight_kn = feature_weights(model, world).at[jnp.arange(k), strongest_k].set(0)
    phi = NONLINEARITIES[model.nonlinearity]
    if world.task == "abs":
        drive_gk = (group_gn * jax.random.rademacher(sign_key, (n, n))) @ weight_kn.T
        fired_gk = phi(drive_gk + model.b_k) + phi(-drive_gk + model.b_k)
    else:
        fired_gk = phi(group_gn @ weight_kn.T + model.b_k)
    fired_gk = jnp.where(some_gk, jnp.maximum(fired_gk, 0), 0)
    most_k = jnp.maximum(response_kn.max(axis=1), 0)
    return MultiFeature(
        monosemanticity_k=most_k / (_DELTA + most_k + fired_gk.sum(axis=0)),
        silent_k=((fired_gk == 0) & some_gk).sum(axis=0) / jnp.maximum(some_gk.sum(axis=0), 1),
    )
