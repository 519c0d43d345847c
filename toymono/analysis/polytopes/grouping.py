"""Clusters and directions of codes and activations, and whether they follow the true features."""

import warnings
from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int, Num, Real
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_mutual_info_score

from toymono.analysis.polytopes.networks import AnyArray

NOISE = -1
"""The cluster of points that belong to none."""

MIN_CLUSTER_SIZE = 5
"""scikit-learn's default; the authors published no value."""

# Steps of NMF; it is not always converged then, and need not be. Our choice, for time.
_STEPS = 100


def cluster(
    point_bd: Num[AnyArray, "b d"], min_cluster_size: int = MIN_CLUSTER_SIZE
) -> Int[np.ndarray, " b"]:
    """HDBSCAN clusters of codes or activations; -1 for noise.

    On bits the Euclidean distance is the root of the Hamming distance. If all
    points are equal (codes in which no bit varies) all are noise.

    Raises:
      ValueError: There are fewer points than a cluster must have.
    """
    chex.assert_rank(point_bd, 2)
    if len(point_bd) < min_cluster_size:
        raise ValueError(f"{len(point_bd)} points: a cluster has at least {min_cluster_size}")
    point_bd = np.asarray(point_bd, np.float64)
    varied_d = np.ptp(point_bd, axis=0) > 0
    if not varied_d.any():
        return np.full(len(point_bd), NOISE)
    found = HDBSCAN(min_cluster_size=min_cluster_size, copy=True)
    return found.fit_predict(point_bd[:, varied_d]).astype(np.int64)


class Agreement(NamedTuple):
    """How clusters agree with the true labels."""

    ami: float
    """Adjusted mutual information over all points, noise as one cluster: 0 at chance, 1 equal."""
    noise_share: float
    clusters: int
    noisiest_label: float
    """Of the labels, the largest share of a label's points that are noise: 1 if a whole label is
    missing from the clusters."""


def agreement(cluster_b: Int[AnyArray, " b"], label_b: Int[AnyArray, " b"]) -> Agreement:
    """Adjusted mutual information of clusters and labels.

    Raises:
      ValueError: All points have one label, so that there is nothing to agree with.
    """
    chex.assert_rank([cluster_b, label_b], 1)
    cluster_b, label_b = np.asarray(cluster_b), np.asarray(label_b)
    if len(np.unique(label_b)) < 2:
        raise ValueError("all points have one label: agreement is not defined")
    found = set(cluster_b.tolist()) - {NOISE}
    ami = float(adjusted_mutual_info_score(label_b, cluster_b))
    noise_b = cluster_b == NOISE
    noisiest = max(float(noise_b[label_b == label].mean()) for label in np.unique(label_b))
    return Agreement(ami, float(noise_b.mean()), len(found), noisiest)


class Directions(NamedTuple):
    """Non-negative factors: points ≈ weight @ component."""

    component_cd: Float[np.ndarray, "c d"]
    """Directions of length 1; 0 for a component that is not used."""
    weight_bc: Float[np.ndarray, "b c"]


def nonnegative_directions(
    point_bd: Num[AnyArray, "b d"], components: int, seed: int = 0
) -> Directions:
    """NMF of activations, or of codes for directions in code space.

    Raises:
      ValueError: A number is negative, as gelu's activations can be.
    """
    chex.assert_rank(point_bd, 2)
    point_bd = np.asarray(point_bd, np.float64)
    if (point_bd < 0).any():
        raise ValueError("NMF needs numbers that are not negative; gelu's activations can be")
    factors = NMF(components, init="nndsvda", max_iter=_STEPS, tol=1e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        weight_bc = factors.fit_transform(point_bd)
    component_cd = factors.components_
    norm_c = np.linalg.norm(component_cd, axis=1)
    unit_cd = component_cd / np.where(norm_c > 0, norm_c, 1)[:, None]
    return Directions(unit_cd, weight_bc * norm_c[None])


class Match(NamedTuple):
    """How directions match the responses to single features."""

    cosine_c: Float[np.ndarray, " c"]
    """With the best feature of each direction; 0 for a direction that is 0."""
    feature_c: Int[np.ndarray, " c"]
    """That feature."""

    @property
    def distinct(self) -> int:
        """Different features matched."""
        return len(np.unique(self.feature_c[self.cosine_c > 0]))


def match(component_cd: Real[AnyArray, "c d"], response_dn: Real[AnyArray, "d n"]) -> Match:
    """Each direction's largest cosine with the responses to single features.

    Args:
      component_cd: Directions among the neurons.
      response_dn: The neurons' responses to each feature alone, as `scores.responses`.

    Example:
      >>> found = match(np.array([[3.0, 0.0]]), np.array([[0.0, 1.0], [2.0, 0.0]]))
      >>> found.cosine_c.tolist(), found.feature_c.tolist()
      ([1.0], [1])
    """
    chex.assert_rank([component_cd, response_dn], 2)
    unit_cd = _unit(np.asarray(component_cd, np.float64))
    cosine_cn = unit_cd @ _unit(np.asarray(response_dn, np.float64).T).T
    return Match(cosine_cn.max(axis=1), cosine_cn.argmax(axis=1))


def _unit(row_rd: np.ndarray) -> np.ndarray:
    norm_r1 = np.linalg.norm(row_rd, axis=1, keepdims=True)
    return np.divide(row_rd, norm_r1, out=np.zeros_like(row_rd), where=norm_r1 > 0)


class OnDirection(NamedTuple):
    """The clusters that lie on one direction: P1, that polysemantic directions overlap several."""

    clusters: int
    """Clusters with a mean projection above the threshold."""
    features: int
    """Different labels that these clusters hold most of."""
    purity: float
    """Mean share of the most frequent label in these clusters; NaN without clusters."""


def clusters_on_direction(
    cluster_b: Int[AnyArray, " b"],
    projection_b: Real[AnyArray, " b"],
    label_b: Int[AnyArray, " b"],
    threshold: float = 0.0,
) -> OnDirection:
    """How many clusters project on a direction, such as a neuron, and what they mean.

    Args:
      cluster_b: Of each point, -1 for noise.
      projection_b: Of each point on the direction: the neuron's activation.
      label_b: The true feature of each point.
      threshold: A cluster counts if its mean projection is above it.
    """
    chex.assert_rank([cluster_b, projection_b, label_b], 1)
    cluster_b, label_b = np.asarray(cluster_b), np.asarray(label_b)
    majority, purity = [], []
    for number in np.unique(cluster_b[cluster_b != NOISE]):
        member_b = cluster_b == number
        if np.asarray(projection_b)[member_b].mean() > threshold:
            labels, counts = np.unique(label_b[member_b], return_counts=True)
            majority.append(labels[counts.argmax()])
            purity.append(counts.max() / counts.sum())
    mean = float(np.mean(purity)) if purity else float("nan")
    return OnDirection(len(majority), len(set(majority)), mean)


class ScalarClusters(NamedTuple):
    """Clusters of the scalar projection on one direction."""

    cluster_b: Int[np.ndarray, " b"]
    purity: float
    """Share of points in clusters that have their cluster's most frequent label; NaN if all
    are noise."""
    clusters: int


def projection_clusters(
    projection_b: Real[AnyArray, " b"],
    label_b: Int[AnyArray, " b"],
    min_cluster_size: int = MIN_CLUSTER_SIZE,
) -> ScalarClusters:
    """Whether values along one polysemantic direction alone tell its features apart.

    Raises:
      ValueError: There are fewer points than a cluster must have.
    """
    chex.assert_rank([projection_b, label_b], 1)
    cluster_b = cluster(np.asarray(projection_b, np.float64)[:, None], min_cluster_size)
    label_b, member_b = np.asarray(label_b), cluster_b != NOISE
    right = 0
    for number in np.unique(cluster_b[member_b]):
        right += np.unique(label_b[cluster_b == number], return_counts=True)[1].max()
    purity = right / member_b.sum() if member_b.any() else float("nan")
    return ScalarClusters(cluster_b, float(purity), len(np.unique(cluster_b[member_b])))
