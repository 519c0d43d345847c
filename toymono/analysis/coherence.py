"""Whether clusters of neurons are coherent with what the neurons answer to.

Written for any grouping and any label: a network's clusters and its neurons'
strongest classes, a toy model's clusters and its neurons' strongest features.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from toymono import scores
from toymono.analysis.clusters import CLUSTERS, spectral_clusters, weight_graph
from toymono.features import World
from toymono.models import Model


class Coherence(NamedTuple):
    """How much a neuron's cluster tells of its label, beside permuted labels."""

    score: float
    """0 where it tells no more than by chance, 1 where cluster and label are the same."""
    information: float
    """Mutual information of cluster and label, in nats."""
    permuted_s: Float[np.ndarray, " s"]
    """The same for labels permuted within the groups."""

    @property
    def right_p(self) -> float:
        """Chance of as much information: (permutations with as much + 1) / (permutations + 1)."""
        return float(
            ((self.permuted_s >= self.information - 1e-12).sum() + 1) / (len(self.permuted_s) + 1)
        )


def coherence(
    cluster_k: Int[np.ndarray, " k"],
    label_k: Int[np.ndarray, " k"],
    group_k: Int[np.ndarray, " k"] | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Coherence:
    """Mutual information of clusters and labels, tested by permuting labels within groups.

    The score is `(I - mean I') / ((H(cluster) + H(label)) / 2 - mean I')`, with I' over the
    permutations: the adjusted mutual information, with the chance level of
    permutations that keep each group's labels. With layers for groups, clusters
    that follow the layers are no evidence.

    Args:
      cluster_k: Each neuron's cluster; neurons below 0 are left out.
      label_k: Each neuron's class or feature; neurons below 0 (dead ones) are
        left out.
      group_k: What each neuron's label is exchanged within; None for all.
      permutations: How many.
      seed: Of the permutations.

    Returns:
      Score and information of 0, and a p of 1, where there is nothing to tell.

    Example:
      >>> cluster_k = np.array([0, 0, 0, 1, 1, 1])
      >>> found = coherence(cluster_k, np.array([7, 7, 7, 3, 3, 3]))
      >>> found.score, found.right_p < 0.2
      (1.0, True)

    Reference:
      Vinh, Epps & Bailey (2010) for the adjusted score; the question is Wright's.
    """
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
    by_chance = np.mean(permuted) if permutations else 0.0
    span = (_entropy(cluster_k) + _entropy(label_k)) / 2 - by_chance
    score = (information - by_chance) / span if span > 1e-9 else 0.0
    return Coherence(float(score), float(information), np.array(permuted))


def toy_coherence(
    model: Model, world: World, count: int = CLUSTERS, permutations: int = 999, seed: int = 0
) -> Coherence:
    """Whether the clusters of a toy model's weight graph bring a feature's neurons together.

    A neuron's label is the feature that it answers to most, an output's the
    feature that it recovers: it is their sharing of clusters that is tested.
    The graph has the embedding's dimensions as well, which have no label.

    Args:
      model: One trained model; its outputs are the features (not the re-projector's).
      world: Its world.
      count: Clusters.
      permutations: See `coherence`.
      seed: Of k-means and the permutations.

    Raises:
      ValueError: The outputs are not the features.
    """
    response_kn = np.asarray(scores.responses(model, world))
    k, n = response_kn.shape
    if model.w_ko.shape[1] != n:
        raise ValueError(f"task={world.task!r}: its outputs are not the features")
    graph = weight_graph([abs(np.asarray(w, np.float64)) for w in (model.w_mk, model.w_ko)])
    cluster_v = spectral_clusters(graph, count, seed)[-(k + n) :]
    strongest_k = np.where(response_kn.max(axis=1) > 0, response_kn.argmax(axis=1), -1)
    return coherence(
        cluster_v,
        np.concatenate([strongest_k, np.arange(n)]),
        graph.layer_v[-(k + n) :],
        permutations,
        seed,
    )


def _entropy(label_k, other_k=0) -> float:
    """Entropy in nats of a label, or of two together."""
    count = np.bincount(label_k * (np.max(other_k, initial=0) + 1) + other_k)
    share = count[count > 0] / len(label_k)
    return float(-(share * np.log(share)).sum())
