"""How many pairs of features share a weight, and which of these pairs the network uses.

If neuron i responds to p features and neuron j of the next layer to q, their
weight is part of p q connections from feature to feature: 25 where both have
five, 1 where both are monosemantic.
"""

from typing import NamedTuple

import chex
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from toymono import scores
from toymono.analysis.visualise.facets import THRESHOLD, facets
from toymono.features import World
from toymono.models import Model
from toymono.tasks import TASKS

DRIVEN = 0.01
"""An output counts as driven by a neuron at this fraction of its largest response; our choice."""

_QUANTILES = (0.1, 0.5, 0.9)


class Connections(NamedTuple):
    """Feature pairs per weight, over the weights between living neurons; NaN if there are none."""

    low: float
    """10 % quantile."""
    median: float
    high: float
    """90 % quantile."""
    mean: float
    weighted_mean: float
    """`sum |w| p q / sum |w|`."""
    dead: int
    """Neurons without a feature, which are left out."""


def connections(
    before_i: Int[np.ndarray, " i"],
    after_j: Int[np.ndarray, " j"],
    strength_ij: Float[np.ndarray, "i j"],
) -> Connections:
    """Feature pairs per weight between two layers.

    Args:
      before_i: Number of features that each neuron of the first layer responds to.
      after_j: The same for the second layer.
      strength_ij: Absolute weights.

    Raises:
      AssertionError: The ranks differ from these.

    Example:
      >>> connections(np.array([5, 0]), np.array([5]), np.array([[2.0], [1.0]]))[1:]
      (25.0, 25.0, 25.0, 25.0, 1)
    """
    chex.assert_rank([before_i, after_j, strength_ij], [1, 1, 2])
    pairs_ij = np.outer(before_i, after_j)
    living_ij = np.outer(before_i > 0, after_j > 0)
    dead = int((before_i == 0).sum() + (after_j == 0).sum())
    return _summary(pairs_ij[living_ij], strength_ij[living_ij], dead)


def through_neurons(
    model: Model, world: World, threshold: float = THRESHOLD, driven: float = DRIVEN
) -> Connections:
    """Feature pairs that each neuron of a toy model connects: features in times features out.

    A neuron carries p features in, its facets, and drives q features out, those i
    with `|w_ji| max r_j` above `driven` times the largest response of output i.
    The weight of a neuron in the weighted mean is its largest response times the
    sum of its absolute output weights.

    Args:
      model: One model.
      world: Its world.
      threshold: As in `facets.facets`.
      driven: Fraction of an output's largest response to a single feature.
    """
    response_kn, out_kn, virtual_nn = _by_feature(model, world)
    inwards_k = facets(response_kn, threshold).sum(axis=1)
    most_k1 = np.maximum(response_kn.max(axis=1, keepdims=True), 0)
    outwards_k = (most_k1 * abs(out_kn) > driven * virtual_nn.max(axis=0)[None]).sum(axis=1)
    strength_k = most_k1[:, 0] * abs(out_kn).sum(axis=1)
    # A neuron that responds to features and drives none connects no pair.
    living_k = (inwards_k > 0) & (outwards_k > 0)
    pairs_k = (inwards_k * outwards_k)[living_k]
    return _summary(pairs_k, strength_k[living_k], int((~living_k).sum()))


def virtual_weights(model: Model, world: World) -> Float[np.ndarray, "n n"]:
    """What feature i, alone and at full strength, adds to the output of feature j.

    The responses times the output weights: the sum over neurons of all weights
    on the way from i to j. Signed features count with both signs, as in
    `scores.responses`. A decoder should keep only the diagonal.
    """
    return _by_feature(model, world)[2]


def diagonal_share(virtual_nn: Float[np.ndarray, "n n"]) -> float:
    """Fraction of the absolute virtual weights that connect a feature with itself.

    NaN if all are 0.

    Example:
      >>> diagonal_share(np.array([[3.0, 0.0], [-1.0, 2.0]])), diagonal_share(np.zeros((2, 2)))
      (0.8333333333333334, nan)
    """
    chex.assert_rank(virtual_nn, 2)
    total = float(abs(virtual_nn).sum())
    return float(abs(np.diagonal(virtual_nn)).sum()) / total if total else float("nan")


def _by_feature(model: Model, world: World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses `[k n]`, output weights along each feature's readout `[k n]`, and their product."""
    scores.refuse_skip(model)
    response_kn = np.asarray(scores.responses(model, world), np.float64)
    read_no = np.asarray(jnp.asarray(TASKS[world.task].readouts(world)), np.float64)
    out_kn = np.asarray(model.w_ko, np.float64) @ read_no.T
    return response_kn, out_kn, response_kn.T @ out_kn


def _summary(pairs_w: np.ndarray, strength_w: np.ndarray, dead: int) -> Connections:
    if not pairs_w.size:
        nan = float("nan")
        return Connections(nan, nan, nan, nan, nan, dead)
    low, median, high = (float(q) for q in np.quantile(pairs_w, _QUANTILES))
    total = strength_w.sum()
    weighted = float(pairs_w @ strength_w / total) if total > 0 else float("nan")
    return Connections(low, median, high, float(pairs_w.mean()), weighted, dead)
