"""How well single units, or random projections of a layer, tell whether a feature is present."""

import chex
import numpy as np
import scipy.stats
from jaxtyping import Bool, Float

from toymono.analysis.spectrum.arrays import AnyArray


def unit_auc(
    activations_bd: Float[AnyArray, "b d"], present_bn: Bool[AnyArray, "_ n"]
) -> Float[np.ndarray, "d n"]:
    """Area under the ROC curve of each unit as a detector of each feature.

    The probability that the unit is higher on a sample with the feature than on
    one without, ties counting half: 1/2 if it tells nothing; 1 or 0 if it tells
    the feature without error.

    Args:
      activations_bd: Activations of d units on b samples.
      present_bn: Whether each of n features is present.

    Returns:
      NaN for a feature that is present in all samples or in none.

    Raises:
      AssertionError: An argument is not a matrix.
      ValueError: The numbers of samples differ.

    Example:
      >>> present = np.array([[True], [False], [False]])
      >>> unit_auc(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0]]), present).tolist()
      [[1.0], [0.25]]
    """
    chex.assert_rank([activations_bd, present_bn], 2)
    if len(activations_bd) != len(present_bn):
        raise ValueError(f"{len(activations_bd)} samples of units, {len(present_bn)} of features")
    rank_bd = scipy.stats.rankdata(np.asarray(activations_bd), axis=0)
    with_n = np.asarray(present_bn).sum(axis=0).astype(float)
    pairs_n = with_n * (len(present_bn) - with_n)
    sum_dn = rank_bd.T @ np.asarray(present_bn, np.float64)
    above_dn = sum_dn - (with_n * (with_n + 1) / 2)[None]
    pairs_n[pairs_n == 0] = np.nan
    return above_dn / pairs_n[None]


def best_unit_auc(
    activations_bd: Float[AnyArray, "b d"], present_bn: Bool[AnyArray, "b n"]
) -> Float[np.ndarray, " n"]:
    """For each feature the area under the ROC curve of the unit that tells it best.

    The unit and its sign are chosen on the first half of the samples and measured
    on the other half, since the best of many useless units looks useful on the
    samples that it is chosen on.

    Returns:
      NaN for a feature that either half lacks, or has in all samples.
    """
    half = len(activations_bd) // 2
    chosen_dn = unit_auc(activations_bd[:half], present_bn[:half]) - 0.5
    measured_dn = unit_auc(activations_bd[half:], present_bn[half:]) - 0.5
    best_n = np.abs(np.nan_to_num(chosen_dn)).argmax(axis=0)
    at = (best_n, np.arange(len(best_n)))
    return 0.5 + np.sign(chosen_dn[at]) * measured_dn[at]


def random_projections(
    activations_bd: Float[AnyArray, "b d"], seed: int = 0
) -> Float[np.ndarray, "b d"]:
    """The activations in a random orthonormal basis: as many units, none of them a neuron."""
    chex.assert_rank(activations_bd, 2)
    d = activations_bd.shape[1]
    basis_dd, triangle_dd = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    # With these signs the basis is uniform over all orthonormal ones.
    return np.asarray(activations_bd) @ (basis_dd * np.sign(np.diag(triangle_dd))[None])
