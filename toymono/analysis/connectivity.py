"""Whether two trained models lie in one basin: the loss on the way from one to the other.

Two models of one world are first aligned (`toymono.alignment`), since a
permutation of neurons changes the weights and not the function. Then the loss
along the straight line between them is compared with the loss at its ends.
Along the line the neurons are classified too: does a monosemantic model become
polysemantic gradually or at a wall?

Reference:
  Frankle et al. (2019) and Entezari et al. (2021) for the barrier; the question is
  asked under "Engineering Monosemanticity in Toy Models" on LessWrong.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from toymono import scores
from toymono.alignment import (
    align,
    balanced,
    check_alike,
    interpolate,
    permute,
    rescaled,
    square_distance,
)
from toymono.features import World
from toymono.models import Model

__all__ = [
    "Matched",
    "Path",
    "align",
    "aligned",
    "balanced",
    "barrier",
    "basins",
    "distance",
    "interpolate",
    "loss",
    "matched",
    "path",
    "path_of",
    "permute",
    "rescaled",
]

POINTS = 25
"""Points of a path, its ends included (Entezari et al.)."""


class Path(NamedTuple):
    """Models on the way from one model to another; `p` counts the points."""

    t_p: Float[Array, " p"]
    """From 0, the first model, to 1, the second."""
    loss_p: Float[Array, " p"]
    """Task loss on the same samples."""
    mono_p: Int[Array, " p"]
    """Monosemantic neurons."""
    dead_p: Int[Array, " p"]
    """Neurons that no single feature activates."""
    positive_p: Int[Array, " p"]
    """Neurons of positive bias."""

    @property
    def barrier(self) -> Float[Array, ""]:
        """The largest loss above the straight line between the losses at the ends; at least 0."""
        chord_p = self.loss_p[0] + self.t_p * (self.loss_p[-1] - self.loss_p[0])
        return jnp.maximum((self.loss_p - chord_p).max(), 0)

    @property
    def excess(self) -> Float[Array, ""]:
        """The largest loss above that of the worse end; at least 0.

        Where the ends differ, the barrier is measured from a slope and
        overstates the wall.
        """
        return self.loss_p.max() - jnp.maximum(self.loss_p[0], self.loss_p[-1])


@jax.jit
@scores.precise
def loss(model: Model, world: World, features_bn: Float[Array, "b n"]) -> Float[Array, ""]:
    """Task loss: squared error, summed over outputs, averaged over the samples."""
    chex.assert_rank(features_bn, 2)
    model.assert_single()
    error_bo = model(world.inputs(features_bn)) - world.targets(features_bn)
    return (error_bo**2).sum(axis=-1).mean()


def distance(model: Model, other: Model) -> float:
    """Euclidean distance between the weights and biases of two models, as they are."""
    return float(np.sqrt(square_distance(model, other)))


@jax.jit
def path_of(models: Model, t_p: Float[Array, " p"], world: World, features_bn) -> Path:
    """The `Path` through stacked models `[p …]`, e.g. of a curve."""

    def at(model: Model):
        response_kn = scores.responses(model, world)
        classes = scores.classify_neurons(response_kn)
        counts = (classes.monosemantic_k.sum(), classes.dead_k.sum(), (model.b_k > 0).sum())
        return (loss(model, world, features_bn), *counts)

    return Path(t_p, *jax.lax.map(at, models))  # one at a time: activations take memory


def path(
    model: Model,
    other: Model,
    world: World,
    features_bn: Float[Array, "b n"],
    points: int = POINTS,
) -> Path:
    """The straight line from one model to another, as they are: align `other` first.

    Args:
      model: A two-layer model, not stacked.
      other: One of the same shapes and nonlinearity, trained in the same world.
      world: That world.
      features_bn: Samples; on few of them small barriers drown in noise. At 8192
        their standard error was .0005 to .0014 at the small scale.
      points: Points on the line, at least 3.

    Raises:
      ValueError: The models differ in shape or nonlinearity, or there are fewer than 3 points.
    """
    if points < 3:
        raise ValueError(f"points={points}: a path has two ends and something between them")
    check_alike(model, other)
    t_p = jnp.linspace(0, 1, points)
    models = jax.vmap(lambda t: interpolate(model, other, t))(t_p)
    return path_of(models, t_p, world, features_bn)


def barrier(
    model: Model,
    other: Model,
    world: World,
    features_bn: Float[Array, "b n"],
    points: int = POINTS,
) -> float:
    """The barrier on the straight line between two models, see `Path.barrier` and `path`."""
    return float(path(model, other, world, features_bn, points).barrier)


def aligned(
    model: Model, other: Model, by: str = "weights", x_bm: Float[Array, "b m"] | None = None
) -> tuple[Model, Model]:
    """The two models whose line is meant when they are compared modulo symmetry.

    `other` with its neurons in the order of `align`; with `by="balanced"` both
    balanced, with `by="scaled"` each neuron of `other` at its best factor too.
    These gauges change the line itself: a smaller distance need not be a smaller barrier.

    Raises:
      ValueError: As `align`.
    """
    order_k = align(model, other, by, x_bm)
    if by == "balanced":
        model, other = balanced(model), balanced(other)
    other = permute(other, jnp.asarray(order_k))
    return model, rescaled(model, other) if by == "scaled" else other


class Matched(NamedTuple):
    """How alike the matched neurons of two aligned models are."""

    both_mono_k: Bool[Array, " k"]
    """Both neurons are monosemantic."""
    same_feature_k: Bool[Array, " k"]
    """Both are, of the same feature."""
    both_positive_k: Bool[Array, " k"]
    """Both biases are positive. Such neurons are linear on almost all inputs, so any invertible
    mixture of them computes the same, and no permutation aligns them."""
    cosine_k: Float[Array, " k"]
    """Of all their weights; 0 if one has none."""


@jax.jit
@scores.precise
def matched(model: Model, other: Model, world: World) -> Matched:
    """What the pairs of neurons of two aligned models have in common."""
    scores.assert_one_model(model, world)
    scores.assert_one_model(other, world)
    classes, favourites = [], []
    for net in (model, other):
        response_kn = scores.responses(net, world)
        classes.append(scores.classify_neurons(response_kn).monosemantic_k)
        favourites.append(scores.strongest(response_kn))
    whole = [jnp.concatenate([net.w_mk.T, net.b_k[:, None], net.w_ko], 1) for net in (model, other)]
    product_k = (whole[0] * whole[1]).sum(axis=1)
    length_k = jnp.linalg.norm(whole[0], axis=1) * jnp.linalg.norm(whole[1], axis=1)
    mono_k = classes[0] & classes[1]
    return Matched(
        both_mono_k=mono_k,
        same_feature_k=mono_k & (favourites[0] == favourites[1]),
        both_positive_k=(model.b_k > 0) & (other.b_k > 0),
        cosine_k=jnp.where(length_k > 0, product_k / jnp.where(length_k > 0, length_k, 1), 0),
    )


def basins(barrier_rr: Float[np.ndarray, "r r"], threshold: float) -> Int[np.ndarray, " r"]:
    """The basin of each model: connected components of pairs whose barrier is at most `threshold`.

    NaN, where a pair was not compared, does not connect.

    Example:
      >>> barrier_rr = np.array([[0.0, 0.1, 0.9], [0.1, 0.0, 0.8], [0.9, 0.8, 0.0]])
      >>> basins(barrier_rr, 0.2).tolist()
      [0, 0, 1]
    """
    chex.assert_rank(barrier_rr, 2)
    barrier_rr = np.asarray(barrier_rr)
    return connected_components(barrier_rr <= threshold, directed=False)[1]
