"""Scores of one model: which features each neuron responds to, and how exclusively.

All scores derive from the responses, the activation of each neuron on each
feature presented alone. Functions take one model and refuse stacks; use
`jax.vmap` for snapshots and runs.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, ScalarLike

from toymono.features import World
from toymono.models import AnyModel, SkipModel, TiedModel
from toymono.tasks import TASKS

THRESHOLD = 0.999
"""A neuron above this score counts as monosemantic; the paper calls its choice arbitrary."""

# Avoids division by zero for dead neurons (paper, eq. 7).
_DELTA = 1e-10

precise = jax.default_matmul_precision("float32")
"""Decorator, applied below `jax.jit`: matrix products in float32 precision.

The default products of a GPU or TPU are too coarse to tell 0 from nearly 0.
"""


def assert_one_model(model: AnyModel, world: World | None = None) -> None:
    """Checks that the model has two layers, and that it and its world are not stacks of several.

    Raises:
      AssertionError: An array has an additional axis (use `jax.vmap`).
      ValueError: It is a tied model, whose hidden dimensions are no neurons.
    """
    if isinstance(model, TiedModel):
        raise ValueError(
            "a tied model has no hidden layer to analyse; use one with model=two_layer"
        )
    _assert_single(model, world)


def refuse_skip(model: AnyModel) -> None:
    """Refuses a model whose outputs are not those of its neurons alone.

    Raises:
      ValueError: It has a skip path.
    """
    if isinstance(model, SkipModel):
        raise ValueError(
            "a model with a skip path has outputs that its neurons do not make; use one with "
            "model=two_layer"
        )


def _assert_single(model: AnyModel, world: World | None = None) -> None:
    model.assert_single()
    if world is not None:
        chex.assert_rank(world.embed_nm, 2)


@precise
def responses(model: AnyModel, world: World) -> Float[Array, "k n"]:
    """Activation of each neuron when each feature is present alone at full strength.

    Of a tied model, the weights of each hidden dimension.

    If features take both signs, the response is the activation on +1 plus the
    activation on -1.

    Raises:
      AssertionError: Several models are stacked (use `jax.vmap`).

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 2.4, "single feature activations".
    """
    _assert_single(model, world)
    return TASKS[world.task].sum_over_signs(model.neurons, jnp.asarray(world.embed_nm)).T


@precise
def response_curves(
    model: AnyModel,
    world: World,
    feature_k: Int[Array, " k"],
    amplitude_b: Float[Array, " b"],
) -> Float[Array, "b k"]:
    """Activation of each neuron as the amplitude of one feature, alone in the input, varies.

    Args:
      model: One model.
      world: Its world.
      feature_k: For each neuron the index of the feature.
      amplitude_b: Amplitudes; 1 is full strength.

    Example:
      >>> from toymono import Model
      >>> model = Model(jnp.array([[2.0]]), jnp.array([-1.0]), jnp.ones((1, 1)))
      >>> world = World(jnp.array([[1.0]]))
      >>> response_curves(model, world, jnp.array([0]), jnp.array([0.25, 0.75])).tolist()
      [[0.0], [0.5]]
    """
    _assert_single(model, world)
    weight_k = jnp.take_along_axis(feature_weights(model, world), feature_k[:, None], axis=1)[:, 0]
    return model.activate(amplitude_b[:, None] * weight_k[None])


def monosemanticity(response_kn: Float[Array, "k n"]) -> Float[Array, " k"]:
    """Fraction of each neuron's total response that its strongest feature accounts for.

    For neuron k the score is `max_n r_kn / sum_n max(0, r_kn)`: 1 if the neuron
    responds to a single feature, 1/n if it responds equally to all n, 0 if it is
    dead. Under relu, rescaling a neuron's input weights and bias by the same
    positive factor leaves it unchanged.

    Args:
      response_kn: Activation of each neuron on each feature presented alone at
        full strength, in units of the hidden layer.

    Returns:
      A number in [0, 1] per neuron.

    Raises:
      AssertionError: `response_kn` is not a matrix (use `jax.vmap` for stacks).

    Example:
      >>> monosemanticity(jnp.array([[2.0, 0.0], [1.0, 1.0]])).tolist()
      [1.0, 0.5]

    Reference:
      Jermyn, Schiefer & Hubinger (2022), eq. 7.
    """
    chex.assert_rank(response_kn, 2)
    positive_kn = jnp.maximum(response_kn, 0)
    return positive_kn.max(axis=1) / (_DELTA + positive_kn.sum(axis=1))


def strongest(response_kn: Float[Array, "k n"]) -> Int[Array, " k"]:
    """Index of the feature that each neuron responds to most; -1 for dead neurons.

    Example:
      >>> strongest(jnp.array([[0.0, 2.0], [3.0, 1.0], [0.0, 0.0]])).tolist()
      [1, 0, -1]
    """
    chex.assert_rank(response_kn, 2)
    return jnp.where(response_kn.max(axis=1) > 0, response_kn.argmax(axis=1), -1)


class NeuronClasses(NamedTuple):
    """Masks of the three classes of neurons; each neuron is in exactly one."""

    monosemantic_k: Bool[Array, " k"]
    """Score above the threshold."""
    polysemantic_k: Bool[Array, " k"]
    """Active on at least one single-feature input, score not above the threshold."""
    dead_k: Bool[Array, " k"]
    """Inactive on every single-feature input."""


def classify_neurons(
    response_kn: Float[Array, "k n"], threshold: ScalarLike = THRESHOLD
) -> NeuronClasses:
    """Which neurons are monosemantic, polysemantic and dead.

    Args:
      response_kn: As for `monosemanticity`.
      threshold: A score must exceed it to count as monosemantic.

    Example:
      >>> classes = classify_neurons(jnp.array([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]]))
      >>> [mask.tolist() for mask in classes]
      [[True, False, False], [False, True, False], [False, False, True]]
    """
    chex.assert_rank(response_kn, 2)
    dead_k = response_kn.max(axis=1) <= 0
    mono_k = (monosemanticity(response_kn) > threshold) & ~dead_k
    return NeuronClasses(mono_k, ~mono_k & ~dead_k, dead_k)


def mono_neurons_per_feature(
    response_kn: Float[Array, "k n"], threshold: ScalarLike = THRESHOLD
) -> Int[Array, " n"]:
    """Number of monosemantic neurons whose strongest feature is each feature.

    If features take both signs, a feature often has one neuron for each.

    Args:
      response_kn: As for `monosemanticity`.
      threshold: As for `classify_neurons`.

    Example:
      >>> mono_neurons_per_feature(jnp.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0]])).tolist()
      [2, 0]
    """
    chex.assert_rank(response_kn, 2)
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
    chex.assert_rank(response_kn, 2)
    mono_neurons_n = mono_neurons_per_feature(response_kn, threshold)
    return jnp.bincount(jnp.minimum(mono_neurons_n, most), length=most + 1)


def neuron_order(response_kn: Float[Array, "k n"]) -> Int[Array, " k"]:
    """Indices of the neurons, the most monosemantic first and dead ones last."""
    chex.assert_rank(response_kn, 2)
    return jnp.argsort(-monosemanticity(response_kn), stable=True)


def feature_order(response_kn: Float[Array, "k n"]) -> Int[Array, " n"]:
    """Indices of the features, by the position in `neuron_order` of their most active neuron.

    With rows and columns in these two orders, monosemantic neurons form a
    diagonal line (the paper credits the idea to Chris Olah).
    """
    chex.assert_rank(response_kn, 2)
    sorted_kn = response_kn[neuron_order(response_kn)]
    return jnp.argsort(sorted_kn.argmax(axis=0), stable=True)


@precise
def feature_weights(model: AnyModel, world: World) -> Float[Array, "k n"]:
    """Input weight of each neuron for each feature: `(P W_in)^T` with P the embedding."""
    _assert_single(model, world)
    return (world.embed_nm @ model.w_mk).T


@precise
def capacity(vector_kn: Float[Array, "k n"]) -> Float[Array, " n"]:
    """Fraction of a dimension that each feature has to itself.

    With W_i the vector of feature i, column i, its capacity is
    `(W_i . W_i)^2 / sum_j (W_i . W_j)^2`: 1 if W_i is orthogonal to all others,
    less the more it overlaps with them, 0 if it is zero. The capacities sum to
    at most the rank. Elhage et al. call the same number the feature's
    dimensionality, and write it `|W_i|^2 / sum_j (W_i . W_j / |W_i|)^2`.

    Args:
      vector_kn: The vectors that represent the features. `responses` gives
        their effect on the neurons, which eq. 7 reads: up to k features can
        have a capacity of 1, and all have if each neuron responds to a single
        feature. `feature_weights` gives the linear map into the hidden layer,
        closest to both papers' W: the capacities sum to at most m.

    Returns:
      A number in [0, 1] per feature.

    Example:
      >>> capacity(jnp.array([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
      [1.0, 0.5, 0.5]

    Reference:
      Scherlis, Sachan, Jermyn, Benton & Shlegeris (2022), Polysemanticity and
      Capacity in Neural Networks; Elhage et al. (2022), Toy Models of Superposition.
    """
    chex.assert_rank(vector_kn, 2)
    length_n = jnp.linalg.norm(vector_kn, axis=0)
    unit_kn = vector_kn / jnp.where(length_n > 0, length_n, 1)[None]
    overlap_n = ((unit_kn.T @ vector_kn) ** 2).sum(axis=1)
    return jnp.where(length_n > 0, length_n**2 / jnp.where(length_n > 0, overlap_n, 1), 0)


class MultiFeature(NamedTuple):
    """Each neuron's response to inputs with several active features."""

    monosemanticity_k: Float[Array, " k"]
    """Fraction of the total response that the strongest feature accounts for."""
    silent_k: Float[Array, " k"]
    """Fraction of the inputs with features other than the strongest on which it is inactive."""


@precise
def multi_feature_monosemanticity(
    model: AnyModel, world: World, active: Int[Array, ""] | int, key: PRNGKeyArray
) -> MultiFeature:
    """Monosemanticity when the features other than the strongest come `active` at a time.

    There are n groups: each feature with `active - 1` random others. With r the
    response to the strongest feature alone and h_g the activation when group g
    is present at full strength, without the strongest feature if it is in g,
    the score is `r / (r + sum_g max(0, h_g))`. With `active=1` this is eq. 7, so
    a curve over `active` starts at the paper's score. If features take both
    signs, those of a group have random signs, and the activation on the
    opposite signs is added, as in `responses`.

    Args:
      model: One model.
      world: Its world.
      active: Features present together, 1 to n; `vmap` over it for the curve.
        Near n all groups are almost the same.
      key: Draws the groups and the signs.

    Raises:
      ValueError: `active` is an int outside [1, n].

    Example:
      >>> from toymono import Model
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
    # Feature g has the lowest number in row g and is therefore always a member of group g.
    drawn_gn = jax.random.uniform(group_key, (n, n), jnp.float32)
    drawn_gn = jnp.where(jnp.eye(n, dtype=bool), -1, drawn_gn)
    member_gn = jnp.broadcast_to(jnp.arange(n) < active, (n, n)).astype(response_kn.dtype)
    group_gn = jnp.put_along_axis(
        jnp.zeros((n, n)), drawn_gn.argsort(axis=1), member_gn, axis=1, inplace=False
    )
    strongest_k = response_kn.argmax(axis=1)
    # A group that holds the strongest feature only would count the activation on the input 0.
    has_others_gk = group_gn.sum(axis=1, keepdims=True) > group_gn[:, strongest_k]

    weight_kn = feature_weights(model, world).at[jnp.arange(k), strongest_k].set(0)
    task = TASKS[world.task]
    if task.signed:
        group_gn = group_gn * jax.random.rademacher(sign_key, (n, n))
    active_gk = task.sum_over_signs(model.activate, group_gn @ weight_kn.T)
    active_gk = jnp.where(has_others_gk, jnp.maximum(active_gk, 0), 0)
    silent_gk = (active_gk == 0) & has_others_gk
    largest_k = jnp.maximum(response_kn.max(axis=1), 0)
    return MultiFeature(
        monosemanticity_k=largest_k / (_DELTA + largest_k + active_gk.sum(axis=0)),
        silent_k=silent_gk.sum(axis=0) / jnp.maximum(has_others_gk.sum(axis=0), 1),
    )
