"""Splits a model into a monosemantic and a polysemantic part, and measures each.

The second linear map has no bias, so any partition of the neurons writes the
output as a sum. The paper partitions by the sign of the bias: neurons with a
negative bias detect single features above a threshold; those with a positive
bias together form a linear map close to an identity of low rank. Each part is
itself a `Model`.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5.
"""

import dataclasses
from typing import NamedTuple

import chex
import einops
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, ScalarLike

from toymono import scores
from toymono.features import World
from toymono.models import NONLINEARITIES, Model, SkipModel
from toymono.tasks import TASKS

Feature = Int[Array, ""] | int
"""Index of a feature; an array under `vmap` over features."""


class Parts(NamedTuple):
    """Two models whose outputs sum to those of the whole model."""

    mono: Model
    poly: Model


def by_bias(model: Model) -> Bool[Array, " k"]:
    """Neurons of the monosemantic part by the paper's rule: bias not above 0.

    A bias of exactly 0 counts as monosemantic, as the neuron's kink is at the
    origin. The others number about m in the paper's most monosemantic models,
    65 for m = 64. The paper once counts those above 0.05;
    `split(model, model.b_k <= 0.05)` partitions there.
    """
    scores.assert_one_model(model)
    return jnp.asarray(model.b_k) <= 0


def by_score(
    model: Model, world: World, threshold: ScalarLike = scores.THRESHOLD
) -> Bool[Array, " k"]:
    """Neurons of the monosemantic part by eq. 7: those that count as monosemantic."""
    return scores.classify_neurons(scores.responses(model, world), threshold).monosemantic_k


def split(model: Model, mono_k: Bool[Array, " k"] | None = None) -> Parts:
    """The monosemantic and the polysemantic part; their outputs sum to the model's on every input.

    Each part keeps its own neurons. The weights and biases of the others are
    0, which silences them under every nonlinearity. A skip path belongs to the
    polysemantic part, which is nearly linear too.

    Args:
      model: One model.
      mono_k: Neurons of the monosemantic part: `by_bias` (the default),
        `by_score`, or any other mask.

    Raises:
      AssertionError: Several models are stacked (use `jax.vmap`).

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, 0.5]), jnp.ones((2, 1)))
      >>> [part(jnp.ones(1)).item() for part in (model, *split(model))]
      [2.0, 0.5, 1.5]
    """
    scores.assert_one_model(model)
    mono_k = by_bias(model) if mono_k is None else mono_k
    chex.assert_rank(mono_k, 1)

    def part(in_part_k):
        return dataclasses.replace(
            model,
            w_mk=jnp.where(in_part_k[None], model.w_mk, 0),
            b_k=jnp.where(in_part_k, model.b_k, 0),
            w_ko=jnp.where(in_part_k[:, None], model.w_ko, 0),
        )

    mono, poly = part(mono_k), part(~mono_k)
    return Parts(mono.without_skip() if isinstance(mono, SkipModel) else mono, poly)


def readouts(world: World) -> Float[Array, "n o"]:
    """The output direction of length 1 that represents each feature in the task.

    `targets_bo @ readouts(world)[7]` is the target amplitude of feature 7 where
    no other feature is present.
    """
    chex.assert_rank(world.embed_nm, 2)
    return TASKS[world.task].readouts(world)


class Profile(NamedTuple):
    """Outputs while one feature's amplitude varies along the batch."""

    full_bo: Float[Array, "b o"]
    mono_bo: Float[Array, "b o"]
    poly_bo: Float[Array, "b o"]
    target_bo: Float[Array, "b o"]


@scores.precise
def along(
    model: Model,
    world: World,
    feature: Feature,
    amplitude_b: Float[Array, " b"],
    others_n: Float[Array, " n"] | None = None,
    mono_k: Bool[Array, " k"] | None = None,
) -> Profile:
    """Outputs of the model and of its parts at several amplitudes of one feature.

    Args:
      model: One model.
      world: Its world.
      feature: Index of the feature.
      amplitude_b: Its amplitudes; also negative ones if features take both signs.
      others_n: Amplitudes of the other features, by default absent; the entry
        for `feature` is ignored.
      mono_k: As in `split`.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 24 and 25.
    """
    scores.assert_one_model(model, world)
    chex.assert_rank(amplitude_b, 1)
    others_n = background(world, feature, others_n)
    features_bn = einops.repeat(others_n, "n -> b n", b=len(amplitude_b))
    features_bn = features_bn.at[:, feature].set(amplitude_b)
    x_bm = world.inputs(features_bn)
    mono, poly = split(model, mono_k)
    return Profile(model(x_bm), mono(x_bm), poly(x_bm), world.targets(features_bn))


def background(
    world: World, feature: Feature, others_n: Float[Array, " n"] | None = None
) -> Float[Array, " n"]:
    """Amplitudes of the other features, with 0 for `feature`; all 0 by default.

    Raises:
      ValueError: `feature` is an int outside [0, n).
    """
    chex.assert_rank(world.embed_nm, 2)
    n = world.embed_nm.shape[0]
    if isinstance(feature, int) and not 0 <= feature < n:
        raise ValueError(f"feature={feature} is not in [0, {n})")
    if others_n is None:
        return jnp.zeros(n)
    chex.assert_rank(others_n, 1)
    return jnp.asarray(others_n).at[feature].set(0)


class Linearisation(NamedTuple):
    """A part near the origin: `y = offset + M f` for features f."""

    map_on: Float[Array, "o n"]
    """M, from features to outputs."""
    offset_o: Float[Array, " o"]
    """Output when no feature is present."""
    slope_n: Float[Array, " n"]
    """Derivative of each feature's own output by its amplitude: M along `readouts`."""
    singular_m: Float[Array, " m"]
    """The m largest singular values of M, in descending order; the others are 0."""


@scores.precise
def linearise(model: Model, world: World) -> Linearisation:
    """First-order expansion of the outputs around the input 0.

    With phi the nonlinearity, `M = (P W_in diag(phi'(b)) W_out)^T`, and the
    offset is `phi(b) W_out`. Under relu phi' is 1 for a positive bias and 0
    otherwise: M is the paper's `W_out[S+] W_in[S+] P`, its offset
    `W_out[S+] b[S+]`. A skip path adds its own map.

    Args:
      model: Usually `split(model).poly`.
      world: Its world.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 5 and figure 26.
    """
    scores.assert_one_model(model, world)
    phi, b_k = NONLINEARITIES[model.nonlinearity].function, jnp.asarray(model.b_k)
    rest_k, gain_k = jax.jvp(phi, (b_k,), (jnp.ones_like(b_k),))
    map_on = (world.embed_nm @ (model.w_mk * gain_k[None]) @ model.w_ko).T
    if isinstance(model, SkipModel):
        map_on += (world.embed_nm @ model.skip_ms @ model.skip_so).T
    return Linearisation(
        map_on=map_on,
        offset_o=rest_k @ model.w_ko,
        slope_n=(readouts(world) * map_on.T).sum(axis=1),
        singular_m=jnp.linalg.svd(map_on, compute_uv=False)[: world.embed_nm.shape[1]],
    )


@scores.precise
def linearisation_error(
    model: Model, world: World, features_bn: Float[Array, "b n"]
) -> Float[Array, ""]:
    """Root mean square error of a part's linearisation, relative to its outputs.

    Args:
      model: Usually `split(model).poly`.
      world: Its world.
      features_bn: Feature vectors to compare on: a sample of the task's own
        distribution, or `a * jnp.eye(n)` for single features.

    Returns:
      0 for a linear part and for one with outputs of zero; 1: no better than
      predicting zero.
    """
    chex.assert_rank(features_bn, 2)
    linear = linearise(model, world)
    y_bo = model(world.inputs(features_bn))
    norm = jnp.linalg.norm(y_bo)
    error = jnp.linalg.norm(y_bo - linear.offset_o[None] - features_bn @ linear.map_on.T)
    return error / jnp.where(norm > 0, norm, 1)


def effective_rank(singular_m: Float[Array, " m"]) -> Float[Array, ""]:
    """Exponential of the entropy of the singular values, normalised to sum 1.

    d equal values with zeros otherwise give d; zeros alone give 0.

    Example:
      >>> effective_rank(jnp.array([2.0, 2.0, 0.0])).item()
      2.0

    Reference:
      Roy & Vetterli (2007), The effective rank: a measure of effective dimensionality.
    """
    chex.assert_rank(singular_m, 1)
    total = singular_m.sum()
    share_m = singular_m / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, jnp.exp(jax.scipy.special.entr(share_m).sum()), 0)


class Similarity(NamedTuple):
    """Least-squares fit of a linear map M by a multiple of an identity-like map L."""

    scale: Float[Array, ""]
    """The best factor c of L, `<M, L> / <L, L>`."""
    distance: Float[Array, ""]
    """`|M - c L| / |M|` in the Frobenius norm: 0 if M is c L, 1 if they are orthogonal."""


@scores.precise
def identity_similarity(map_on: Float[Array, "o n"], world: World) -> Similarity:
    """How close a linear map is to an identity of rank m, up to scale.

    If the outputs are the features, L is the best of all orthogonal projectors
    Q of rank m. As `|M - c Q|^2 = |M|^2 - 2 c <M, Q> + c^2 m`, the best Q has the
    largest `<M, Q>`: it projects onto the leading eigenvectors of `(M + M^T)/2`.
    With S the sum of their eigenvalues, c is `S / m` and the distance
    `sqrt(1 - S^2 / (m |M|^2))`; if M is a projector of rank d < m, they are
    `d / m` and `sqrt(1 - d / m)`.

    Otherwise (the re-projector) L is `R P^+ P` with P the embedding and R the
    task's `readouts`: of all linear maps that read P f, the closest to the
    task's own map from features to outputs.

    Args:
      map_on: M, from features to outputs.
      world: Its task and embedding decide L.

    Raises:
      AssertionError: `map_on` is not a matrix (use `jax.vmap` for stacks).
    """
    chex.assert_rank([map_on, world.embed_nm], [2, 2])
    if TASKS[world.task].reads_features:
        _, vectors_nn = jnp.linalg.eigh((map_on + map_on.T) / 2)
        leading_nm = vectors_nn[:, -world.embed_nm.shape[1] :]
        identity_on = leading_nm @ leading_nm.T
    else:
        basis_nm, _ = jnp.linalg.qr(world.embed_nm)
        identity_on = readouts(world).T @ basis_nm @ basis_nm.T
    scale = (map_on * identity_on).sum() / (identity_on**2).sum()
    norm = jnp.linalg.norm(map_on)
    distance = jnp.linalg.norm(map_on - scale * identity_on) / jnp.where(norm > 0, norm, 1)
    return Similarity(scale, distance)
