"""One model taken apart: a monosemantic part, a polysemantic part, and what each computes.

The second linear map has no bias, so any division of the neurons divides the
output into a sum. The paper divides by the sign of the bias: neurons with a
negative bias hold single features behind a threshold; those with a positive
bias form, as a group, a linear map close to an identity of low rank. A part is
a `Model` like any other.

Reference:
  Jermyn, Schiefer & Hubinger (2022), section 5.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, ScalarLike

from toymono import scores
from toymono.features import World
from toymono.models import NONLINEARITIES, Model

Feature = Int[Array, ""] | int
"""A feature's number; an array where functions are mapped over features."""


class Parts(NamedTuple):
    """Two models whose outputs add up to the whole model's."""

    mono: Model
    poly: Model


def by_bias(model: Model) -> Bool[Array, " k"]:
    """Neurons of the mono part as the paper has it: all whose bias is not above 0.

    A bias of exactly 0 goes here: its neuron bends at the origin. The others
    are about m in the paper's most monosemantic models, 65 for m = 64. It once
    counts those above 0.05; `split(model, model.b_k <= 0.05)` divides there.
    """
    return jnp.asarray(model.b_k) <= 0


def by_score(
    model: Model, world: World, threshold: ScalarLike = scores.THRESHOLD
) -> Bool[Array, " k"]:
    """Neurons of the mono part if eq. 7 is to decide: those that count as monosemantic."""
    return scores.classify_neurons(scores.responses(model, world), threshold).monosemantic_k


def split(model: Model, mono_k: Bool[Array, " k"] | None = None) -> Parts:
    """The model's mono part and poly part; their outputs sum to the model's on every input.

    Each keeps its own neurons and has zeros in place of the others, which then
    are silent under every nonlinearity.

    Args:
      mono_k: Neurons of the mono part: `by_bias`, the default, `by_score`, or
        any other choice.

    Example:
      >>> model = Model(jnp.ones((1, 2)), jnp.array([-0.5, 0.5]), jnp.ones((2, 1)))
      >>> [part(jnp.ones(1)).item() for part in (model, *split(model))]
      [2.0, 0.5, 1.5]
    """
    mono_k = by_bias(model) if mono_k is None else mono_k

    def part(kept_k):
        return model.replace(
            w_mk=jnp.where(kept_k, model.w_mk, 0),
            b_k=jnp.where(kept_k, model.b_k, 0),
            w_ko=jnp.where(kept_k[:, None], model.w_ko, 0),
        )

    return Parts(part(mono_k), part(~mono_k))


def readouts(world: World) -> Float[Array, "n o"]:
    """For each feature the direction, of length 1, that stands for it in the output.

    Its own output for the decoder and `abs`, its second embedding for the
    re-projector. `targets_bo @ readouts(world)[7]` is the amplitude of feature
    7 (`abs`: its absolute value) where it is alone.
    """
    if world.task == "reproject":
        return jnp.asarray(world.reproject_nm)
    return jnp.eye(world.embed_nm.shape[0])


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
    """Outputs of the model and of its parts as one feature goes through `amplitude_b`.

    Args:
      feature: Its number.
      amplitude_b: Its amplitudes; for `abs` they may be negative.
      others_n: The other features, by default absent; its entry for `feature`
        plays no part.
      mono_k: As in `split`.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 24 and 25.
    """
    others_n = background(world, feature, others_n)
    features_bn = jnp.tile(others_n, (len(amplitude_b), 1)).at[:, feature].set(amplitude_b)
    x_bm = world.inputs(features_bn)
    mono, poly = split(model, mono_k)
    return Profile(model(x_bm), mono(x_bm), poly(x_bm), world.targets(features_bn))


def background(
    world: World, feature: Feature, others_n: Float[Array, " n"] | None = None
) -> Float[Array, " n"]:
    """The features beside one that varies: `others_n`, by default none, without that one.

    Raises:
      ValueError: The feature's number is none.
    """
    n = world.embed_nm.shape[0]
    if isinstance(feature, int) and not 0 <= feature < n:
        raise ValueError(f"feature={feature} is not in [0, {n})")
    return jnp.zeros(n) if others_n is None else jnp.asarray(others_n).at[feature].set(0)


class Linearised(NamedTuple):
    """A part near the origin: `y = offset + M f` for features f."""

    map_on: Float[Array, "o n"]
    """M, from features to outputs."""
    offset_o: Float[Array, " o"]
    """Output when no feature is present."""
    slope_n: Float[Array, " n"]
    """By how much each feature raises its own output: M along `readouts`."""
    singular_m: Float[Array, " m"]
    """Singular values of M, the largest first; there are no more, as M reads m dimensions."""


@scores.precise
def linearise(model: Model, world: World) -> Linearised:
    """The part's outputs to first order around the input 0.

    With phi the nonlinearity, `M = (P W_in diag(phi'(b)) W_out)^T`, and the
    offset is `phi(b) W_out`. Under relu phi' is 1 for a positive bias and else
    0: M is the paper's `W_out[S+] W_in[S+] P`, its offset `W_out[S+] b[S+]`.

    Args:
      model: Most often `split(model).poly`.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), section 5 and figure 26.
    """
    phi, b_k = NONLINEARITIES[model.nonlinearity], jnp.asarray(model.b_k)
    rest_k, gain_k = jax.jvp(phi, (b_k,), (jnp.ones_like(b_k),))
    map_on = (world.embed_nm @ (model.w_mk * gain_k) @ model.w_ko).T
    return Linearised(
        map_on=map_on,
        offset_o=rest_k @ model.w_ko,
        slope_n=(readouts(world) * map_on.T).sum(axis=1),
        singular_m=jnp.linalg.svd(map_on, compute_uv=False)[: world.embed_nm.shape[1]],
    )


@scores.precise
def linearisation_error(
    model: Model, world: World, features_bn: Float[Array, "b n"]
) -> Float[Array, ""]:
    """How far a part is from its linearisation: root mean square, relative to its outputs.

    Args:
      model: Most often `split(model).poly`.
      features_bn: Where to compare: `world.sample` for the task's own
        distribution, `a * jnp.eye(n)` for single features.

    Returns:
      0 for a linear part and for a silent one, 1 where silence would do as well.
    """
    linear = linearise(model, world)
    y_bo = model(world.inputs(features_bn))
    size = jnp.linalg.norm(y_bo)
    error = jnp.linalg.norm(y_bo - linear.offset_o - features_bn @ linear.map_on.T)
    return error / jnp.where(size > 0, size, 1)


def effective_rank(singular_m: Float[Array, " m"]) -> Float[Array, ""]:
    """Exponential of the entropy of the singular values' shares in their sum.

    d equal values and else zeros give d; no value above 0 gives 0.

    Example:
      >>> effective_rank(jnp.array([2.0, 2.0, 0.0])).item()
      2.0

    Reference:
      Roy & Vetterli (2007), The effective rank: a measure of effective dimensionality.
    """
    total = singular_m.sum()
    share_m = singular_m / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, jnp.exp(jax.scipy.special.entr(share_m).sum()), 0)


class Similarity(NamedTuple):
    """A linear map M beside the identity-like map L that is nearest to it."""

    scale: Float[Array, ""]
    """The factor c of L that M calls for, `<M, L> / <L, L>`."""
    distance: Float[Array, ""]
    """`|M - c L| / |M|` in the Frobenius norm: 0 if M is c L, 1 if the two are orthogonal."""


@scores.precise
def identity_similarity(map_on: Float[Array, "o n"], world: World) -> Similarity:
    """How close a linear map is to an identity of rank m, up to scale.

    For the decoder and `abs`, L is the best of all orthogonal projectors Q of
    rank m. As `|M - c Q|^2 = |M|^2 - 2 c <M, Q> + c^2 m`, the best Q has the
    largest `<M, Q>`: it projects onto the leading eigenvectors of `(M + M^T)/2`.
    With S the sum of their eigenvalues, c is `S / m` and the distance
    `sqrt(1 - S^2 / (m |M|^2))`; if M is a projector of rank d < m, they are
    `d / m` and `sqrt(1 - d / m)`.

    The re-projector's outputs are no features. There L is the second embedding
    of `P^+ P f`, f as far as the first embedding P keeps it: of all linear maps
    that read P f, the one nearest to the task's own.
    """
    if world.task == "reproject":
        kept_nm, _ = jnp.linalg.qr(world.embed_nm)
        like_on = world.reproject_nm.T @ kept_nm @ kept_nm.T
    else:
        _, vectors_nn = jnp.linalg.eigh((map_on + map_on.T) / 2)
        leading_nm = vectors_nn[:, -world.embed_nm.shape[1] :]
        like_on = leading_nm @ leading_nm.T
    scale = (map_on * like_on).sum() / (like_on**2).sum()
    size = jnp.linalg.norm(map_on)
    distance = jnp.linalg.norm(map_on - scale * like_on) / jnp.where(size > 0, size, 1)
    return Similarity(scale, distance)
