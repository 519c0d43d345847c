"""Whether clusters of neurons agree with the classes or features that the neurons respond to.

Works for any clustering and any label: a classifier's clusters and its neurons'
strongest classes, or a toy model's clusters and its neurons' strongest features.
"""

from typing import NamedTuple

import chex
import numpy as np
from jaxtyping import Float, Int

from toymono import scores
from toymono.analysis.clusters import CLUSTERS, spectral_clusters, weight_graph
from toymono.features import World
from toymono.models import Model
from toymono.tasks import TASKS


class Coherence(NamedTuple):
    """Mutual information of clusters and labels, compared with permuted labels."""

    score: float
    """Adjusted mutual information: 0 at the chance level, 1 if clusters and labels coincide."""
    information: float
    """Mutual information of cluster and label, in nats."""
    permuted_s: Float[np.ndarray, " s"]
    """Mutual information for each permutation of the labels."""

    @property
    def right_p(self) -> float:
        """p-value: (permutations with as much information + 1) / (permutations + 1)."""
        as_large_s = self.permuted_s >= self.information - 1e-12
        return float((as_large_s.sum() + 1) / (len(as_large_s) + 1))


def coherence(
    cluster_k: Int[np.ndarray, " k"],
    label_k: Int[np.ndarray, " k"],
    group_k: Int[np.ndarray, " k"] | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Coherence:
    """Mutual information of clusters and labels, tested by permuting labels within groups.

    The score is `(I - mean I') / ((H(cluster) + H(label)) / 2 - mean I')`, with I
    the mutual information, H the entropy and I' the information with permuted
    labels: the adjusted mutual information, with the chance level estimated
    from permutations within groups. With layers as groups, clusters that only
    follow the layers score 0.

    Args:
      cluster_k: Each neuron's cluster; neurons with a negative one are ignored.
      label_k: Each neuron's class or feature; neurons with a negative one (dead
        ones) are ignored.
      group_k: Labels are permuted among neurons of the same group; None: among all.
      permutations: Their number.
      seed: Seed of the permutations.

    Returns:
      Score and information 0, and a p-value of 1, if no neuron has both a
      cluster and a label.

    Raises:
      AssertionError: An argument is not a vector.

    Example:
      >>> cluster_k = np.array([0, 0, 0, 1, 1, 1])
      >>> found = coherence(cluster_k, np.array([7, 7, 7, 3, 3, 3]))
      >>> found.score, found.right_p < 0.2
      (1.0, True)

    Reference:
      Vinh, Epps & Bailey (2010) for the adjusted score; the question is Wright's.
    """
    chex.assert_rank([cluster_k, label_k], 1)
    used_k = (cluster_k >= 0) & (label_k >= 0)
    group_k = np.zeros(len(used_k)) if group_k is None else group_k
    cluster_k, label_k, group_k = cluster_k[used_k], label_k[used_k], group_k[used_k]
    rng = np.random.default_rng(seed)
    order_k = np.argsort(group_k, kind="stable")
    cluster_k, label_k, group_k = cluster_k[order_k], label_k[order_k], group_k[order_k]
    # Sorting by group and a random number permutes the labels within each group.
    permuted_sk = [
        label_k[np.lexsort((rng.random(len(group_k)), group_k))] for _ in range(permutations)
    ]
    information, *permuted = (
        _entropy(cluster_k) + _entropy(label_k) - _entropy(cluster_k, labels)
        for labels in (label_k, *permuted_sk)
    )
    chance = np.mean(permuted) if permutations else 0.0
    span = (_entropy(cluster_k) + _entropy(label_k)) / 2 - chance
    score = (information - chance) / span if span > 1e-9 else 0.0
    return Coherence(float(score), float(information), np.array(permuted))


def toy_coherence(
    model: Model, world: World, count: int = CLUSTERS, permutations: int = 999, seed: int = 0
) -> Coherence:
    """Whether clusters of a toy model's weight graph group a feature's neurons with its output.

    The label of a neuron is its strongest feature, that of an output the
    feature that it recovers. The input dimensions are nodes of the graph
    without a label. Labels are permuted among neurons and among outputs.

    Args:
      model: One model.
      world: Its world; in its task output i recovers feature i.
      count: Number of clusters.
      permutations: As in `coherence`.
      seed: Seed of k-means and of the permutations.

    Raises:
      ValueError: The outputs are not the features, as in the re-projector.
      AssertionError: Several models are stacked.
    """
    scores.assert_one_model(model, world)
    if not TASKS[world.task].reads_features:
        raise ValueError(f"task={world.task!r}: its outputs are not the features")
    strongest_k = np.asarray(scores.strongest(scores.responses(model, world)))
    k, n = model.w_ko.shape
    graph = weight_graph([abs(np.asarray(w, np.float64)) for w in (model.w_mk, model.w_ko)])
    cluster_v = spectral_clusters(graph, count, seed)[-(k + n) :]
    return coherence(
        cluster_v,
        np.concatenate([strongest_k, np.arange(n)]),
        np.repeat([0, 1], [k, n]),
        permutations,
        seed,
    )


def _entropy(label_k: np.ndarray, other_k: np.ndarray | int = 0) -> float:
    """Entropy of one label, or joint entropy of two, in nats."""
    count = np.bincount(label_k * (np.max(other_k, initial=0) + 1) + other_k)
    share = count[count > 0] / len(label_k)
    return float(-(share * np.log(share)).sum())
