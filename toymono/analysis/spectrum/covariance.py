"""Eigenspectra of a layer's covariance, and how many dimensions its variance fills."""

from collections.abc import Iterable

import chex
import numpy as np
import scipy.linalg
from jaxtyping import Float

from toymono.analysis.spectrum.arrays import AnyArray

SAMPLES_PER_DIMENSION = 100
"""Samples for each unit that an exponent takes at least. With fewer, the exponent is that of the
sampling: our measurement, docs/papers/marshall2024.md. Participation ratios have unbiased forms."""

# Random pairings that the unbiased moments are averaged over: our choice. More change little.
_PAIRINGS = 8

# Draws of which repeat of a sample comes first, as in Stringer et al.'s program.
_SWAPS = 5


def covariance(
    batches: Iterable[Float[AnyArray, "_ d"]], centered: bool = True
) -> Float[np.ndarray, "d d"]:
    """Covariance of a layer's units over all samples of all batches, `(1/b) sum x x^T`.

    Sums are in float64: in float32, eigenvalues below 1e-7 of the largest are lost.

    Args:
      batches: Activations, one matrix at a time; how samples are split has no effect.
      centered: Whether the mean over all samples is subtracted. Without, the
        largest eigenvalue is mostly that of the mean.

    Raises:
      ValueError: There is no sample.
    """
    count, mean_d, scatter_dd = 0, np.zeros(1), np.zeros((1, 1))
    for batch_bd in batches:
        chex.assert_rank(batch_bd, 2)
        batch_bd = np.asarray(batch_bd, np.float64)
        if not len(batch_bd):
            continue
        batch_mean_d = batch_bd.mean(axis=0) if centered else np.zeros(batch_bd.shape[1])
        centred_bd = batch_bd - batch_mean_d[None]
        if not count:
            mean_d, scatter_dd = np.zeros(batch_bd.shape[1]), np.zeros((batch_bd.shape[1],) * 2)
        # Two sets of samples are merged by their means (Chan, Golub & LeVeque 1979).
        total, step_d = count + len(batch_bd), batch_mean_d - mean_d
        scatter_dd += centred_bd.T @ centred_bd
        scatter_dd += np.outer(step_d, step_d) * (count * len(batch_bd) / total)
        mean_d, count = mean_d + step_d * (len(batch_bd) / total), total
    if not count:
        raise ValueError("a covariance takes at least one sample")
    return scatter_dd / count


def eigenvalues(covariance_dd: Float[AnyArray, "d d"]) -> Float[np.ndarray, " d"]:
    """Eigenvalues of a covariance, from large to small; rounding below 0 is set to 0."""
    chex.assert_rank(covariance_dd, 2)
    values_d = scipy.linalg.eigvalsh(np.asarray(covariance_dd, np.float64))
    return np.maximum(values_d[::-1], 0.0)


def eigenspectrum(
    activations_bd: Float[AnyArray, "b d"], centered: bool = True
) -> Float[np.ndarray, " d"]:
    """Eigenvalues of the covariance of a layer's units, from large to small.

    For samples that come in batches use `eigenvalues(covariance(batches))`.

    Args:
      activations_bd: Activations of d units on b samples.
      centered: Whether each unit's mean is subtracted.

    Raises:
      AssertionError: The activations are not a matrix.
      ValueError: There is no sample.

    Example:
      >>> eigenspectrum(np.array([[3.0, 0.0], [-3.0, 0.0]])).tolist()
      [9.0, 0.0]

    Reference:
      Marshall & Kirchner (2024), figure 3.
    """
    chex.assert_rank(activations_bd, 2)
    return eigenvalues(covariance([activations_bd], centered))


def participation_ratio(eigenvalues: Float[AnyArray, " d"]) -> float:
    """How many dimensions the variance fills: `(sum λ)^2 / sum λ^2`.

    1 if one eigenvalue is above 0, d if all are equal, 0 if all are 0 (a dead
    layer). With fewer than about 100 samples for each unit it is too low: see
    `unbiased_participation_ratio`.

    Example:
      >>> participation_ratio(np.array([2.0, 2.0, 0.0]))
      2.0
    """
    chex.assert_rank(eigenvalues, 1)
    values = np.asarray(eigenvalues, np.float64)
    squares = (values**2).sum()
    return float(values.sum() ** 2 / squares) if squares > 0 else 0.0


def effective_rank(eigenvalues: Float[AnyArray, " d"]) -> float:
    """Exponential of the entropy of the eigenvalues' shares: 1 … d; 0 for a dead layer.

    Example:
      >>> round(effective_rank(np.array([2.0, 2.0, 0.0])), 6)
      2.0
    """
    chex.assert_rank(eigenvalues, 1)
    values = np.asarray(eigenvalues, np.float64)
    if not values.sum() > 0:
        return 0.0
    share = values[values > 0] / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def spectral_moments(
    activations_bd: Float[AnyArray, "b d"], order: int = 2, centered: bool = True, seed: int = 0
) -> Float[np.ndarray, " order"]:
    """Unbiased estimates of `sum λ^p` for p = 1 … order, also with fewer samples than units.

    With U the upper triangle, without its diagonal, of the samples' Gram matrix
    G, the estimate is `tr(U^(p-1) G) / C(b, p)`: it multiplies different samples only.

    Args:
      activations_bd: Independent samples.
      order: The highest power.
      centered: Estimates those of the covariance, from the differences of the two
        samples of each pair (whose mean is exactly 0), averaged over random
        pairings. Otherwise the mean must be 0.
      seed: Of the pairings.

    Raises:
      ValueError: There are too few samples.

    Reference:
      Kong & Valiant (2017), arXiv 1602.00061, theorem 1 and algorithm 1.
    """
    grams = list(_grams(activations_bd, centered, seed, 2 * order if centered else order))
    moments = np.zeros(order)
    for gram_bb in grams:
        upper_bb, count = np.triu(gram_bb, 1), len(gram_bb)
        product_bb, ways = gram_bb, float(count)
        for power in range(order):
            moments[power] += np.trace(product_bb) / ways
            product_bb = upper_bb @ product_bb
            ways *= (count - power - 1) / (power + 2)
    return moments / len(grams)


def unbiased_participation_ratio(activations_bd: Float[AnyArray, "b d"], seed: int = 0) -> float:
    """Participation ratio of a covariance from few samples: numerator and denominator unbiased.

    `(sum λ)^2` and `sum λ^2` are both estimated by products of different samples;
    their ratio is nearly unbiased where the plain ratio is far too low. 0 for a
    dead layer. NaN if `sum λ^2` is estimated as 0 or less.

    Raises:
      ValueError: There are fewer than 4 samples.

    Reference:
      Kong & Valiant (2017), arXiv 1602.00061.
    """
    numerator = denominator = 0.0
    for gram_bb in _grams(activations_bd, True, seed, 4):
        square_b, pairs = np.diag(gram_bb), len(gram_bb) * (len(gram_bb) - 1)
        numerator += (square_b.sum() ** 2 - (square_b**2).sum()) / pairs
        denominator += ((gram_bb**2).sum() - (square_b**2).sum()) / pairs
    if numerator == 0:
        return 0.0
    return float(numerator / denominator) if denominator > 0 else float("nan")


def _grams(activations_bd, centered: bool, seed: int, fewest: int):
    """Gram matrices of samples of mean 0: of the differences of random pairs, if `centered`."""
    chex.assert_rank(activations_bd, 2)
    activations_bd = np.asarray(activations_bd, np.float64)
    if len(activations_bd) < fewest:
        raise ValueError(f"{len(activations_bd)} samples: the estimate takes at least {fewest}")
    if not centered:
        yield activations_bd @ activations_bd.T
        return
    rng = np.random.default_rng(seed)
    half = len(activations_bd) // 2
    for _ in range(_PAIRINGS):
        order_b = rng.permutation(len(activations_bd))
        difference_bd = activations_bd[order_b[:half]] - activations_bd[order_b[half : 2 * half]]
        yield difference_bd @ difference_bd.T / 2


def cv_pca(
    first_bd: Float[AnyArray, "b d"],
    second_bd: Float[AnyArray, "b d"],
    swaps: int = _SWAPS,
    seed: int = 0,
) -> Float[np.ndarray, " d"]:
    """Eigenvalues of what two noisy repeats of the same samples share (cross-validated PCA).

    The axes are those of one repeat; an eigenvalue is the mean product of both
    repeats' projections on its axis, so that independent noise adds nothing. For
    a layer with dropout, two draws of the masks are two repeats. Averaged over
    random exchanges of each sample's repeats.

    Returns:
      In the order of the first repeat's eigenvalues. Late values can be negative;
      `power_law_exponent` stops at the first that is.

    Raises:
      ValueError: The repeats differ in shape.

    Reference:
      Stringer et al. (2019), "High-dimensional geometry of population responses
      in visual cortex"; there the projections are centred over neurons.
    """
    chex.assert_rank([first_bd, second_bd], 2)
    repeats = np.stack([np.asarray(repeat, np.float64) for repeat in (first_bd, second_bd)])
    rng = np.random.default_rng(seed)
    total_d = np.zeros(repeats.shape[2])
    for _ in range(swaps):
        exchanged_b = rng.random(repeats.shape[1]) < 0.5
        one_bd = np.where(exchanged_b[:, None], repeats[1], repeats[0])
        other_bd = np.where(exchanged_b[:, None], repeats[0], repeats[1])
        one_bd -= one_bd.mean(axis=0, keepdims=True)
        other_bd -= other_bd.mean(axis=0, keepdims=True)
        _, axes_dd = scipy.linalg.eigh(one_bd.T @ one_bd)
        axes_dd = axes_dd[:, ::-1]
        total_d += ((one_bd @ axes_dd) * (other_bd @ axes_dd)).mean(axis=0)
    return total_d / swaps
