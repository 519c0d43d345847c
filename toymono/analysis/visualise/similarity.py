"""Whether clusters of neurons follow what their visualised inputs look like.

`coherence.toy_coherence` asks the same of outputs: here the labels come from the
inputs that excite the neurons, without reference to classes or features.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans

from toymono.analysis.clusters import CLUSTERS
from toymono.analysis.coherence import Coherence, coherence

_STARTS = 10


class InputCoherence(NamedTuple):
    """Clusters of neurons beside the similarity of their visualised inputs."""

    labels: Coherence
    """Of the clusters with groups of similar inputs, found by k-means."""
    within: float
    """Mean cosine of the inputs of two neurons of one cluster and one group, after the mean
    input of the group is subtracted; NaN if no two neurons share a cluster."""
    permuted_s: Float[np.ndarray, " s"]
    """The same with clusters permuted within groups."""

    @property
    def right_p(self) -> float:
        """p-value of `within`; NaN where that is NaN."""
        if np.isnan(self.within):
            return float("nan")
        as_large_s = self.permuted_s >= self.within - 1e-12
        return float((as_large_s.sum() + 1) / (len(as_large_s) + 1))


def input_coherence(
    cluster_k: Int[np.ndarray, " k"],
    input_kd: Float[np.ndarray, "k d"],
    group_k: Int[np.ndarray, " k"] | None = None,
    labels: int = CLUSTERS,
    permutations: int = 999,
    seed: int = 0,
) -> InputCoherence:
    """Whether the neurons of a cluster have similar visualised inputs.

    Args:
      cluster_k: Each neuron's cluster; negative: none.
      input_kd: Its visualised input; zeros: it has none.
      group_k: Each neuron's layer. Only neurons of one layer are compared, and
        permutations stay within layers.
      labels: Groups of similar inputs, at most.
      permutations: Of the clusters.
      seed: Of k-means and permutations.

    Raises:
      AssertionError: The ranks differ from these.
    """
    chex.assert_rank([cluster_k, input_kd], [1, 2])
    group_k = np.zeros(len(cluster_k), int) if group_k is None else group_k
    used_k = (cluster_k >= 0) & input_kd.any(axis=1)
    unit_kd = np.zeros(input_kd.shape)
    for group in np.unique(group_k[used_k]):
        mine_k = used_k & (group_k == group)
        unit_kd[mine_k] = _unit(input_kd[mine_k] - input_kd[mine_k].mean(axis=0))
    label_k = np.full(len(cluster_k), -1)
    count = min(labels, len(np.unique(unit_kd[used_k], axis=0)))
    if count:
        k_means = KMeans(count, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]
        label_k[used_k] = k_means.fit_predict(unit_kd[used_k])
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(used_k)
    rows = rows[np.argsort(group_k[rows], kind="stable")]
    within, *permuted = (
        _within(cluster_k[order], unit_kd[rows], group_k[rows])
        for order in (rows, *_permuted(rows, group_k, permutations, rng))
    )
    return InputCoherence(
        coherence(cluster_k, label_k, group_k, permutations, seed), within, np.array(permuted)
    )


def _permuted(rows, group_k, permutations: int, rng):
    """The rows, which are sorted by group, in random orders within each group."""
    for _ in range(permutations):
        yield rows[np.lexsort((rng.random(len(rows)), group_k[rows]))]


def _within(cluster_k, unit_kd, group_k) -> float:
    """Mean cosine of pairs that share a cluster and a group."""
    _, cell_k = np.unique(np.stack([cluster_k, group_k]), axis=1, return_inverse=True)
    count_c = np.bincount(cell_k)
    sum_cd = np.zeros((len(count_c), unit_kd.shape[1]))
    np.add.at(sum_cd, cell_k, unit_kd)
    # The square of a sum holds every pair twice, and each vector with itself.
    pairs = (count_c * (count_c - 1)).sum()
    own = (unit_kd**2).sum()
    return float(((sum_cd**2).sum() - own) / pairs) if pairs else float("nan")


def _unit(row_kd: np.ndarray) -> np.ndarray:
    length_k1 = np.linalg.norm(row_kd, axis=1, keepdims=True)
    return row_kd / np.where(length_k1 > 1e-12, length_k1, 1.0)
