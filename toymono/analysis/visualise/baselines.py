"""Inputs that need no optimisation: the examples that excite a unit most, and their centroids."""

import chex
import numpy as np
from jaxtyping import Float, Int
from sklearn.cluster import KMeans

TOP = 100
"""Examples of which centroids are made; our choice."""

# Restarts of k-means: one, for time; our choice.
_STARTS = 1


def top_examples(activation_bu: Float[np.ndarray, "b u"], count: int) -> Int[np.ndarray, "u count"]:
    """Indices of the examples on which each unit is most active, the most active first.

    Raises:
      ValueError: There are fewer examples than `count`.

    Example:
      >>> top_examples(np.array([[0.1], [0.9], [0.5]]), 2).tolist()
      [[1, 2]]
    """
    chex.assert_rank(activation_bu, 2)
    if len(activation_bu) < count:
        raise ValueError(f"{count} of {len(activation_bu)} examples: too many")
    return np.argsort(-activation_bu, axis=0, kind="stable")[:count].T


def centroids(
    examples_bd: Float[np.ndarray, "b d"],
    hidden_bk: Float[np.ndarray, "b k"],
    activation_b: Float[np.ndarray, " b"],
    count: int,
    top: int = TOP,
    seed: int = 0,
) -> Float[np.ndarray, "count d"]:
    """Mean example of each k-means cluster of the hidden activations of a unit's top examples.

    Args:
      examples_bd: Examples.
      hidden_bk: The hidden layer's activations on them.
      activation_b: The unit's.
      count: Clusters. Where there are fewer distinct activations, the last
        centroids repeat the first.
      top: Examples that are clustered: those that excite the unit most.
      seed: Of k-means.

    Reference:
      Wei, Zhou, Torralba & Freeman (2015), Understanding intra-class knowledge inside CNN.
    """
    chex.assert_rank([examples_bd, hidden_bk, activation_b], [2, 2, 1])
    [chosen_b] = top_examples(activation_b[:, None], min(top, len(activation_b)))
    distinct = len(np.unique(hidden_bk[chosen_b], axis=0))
    clusters = min(count, distinct)
    k_means = KMeans(clusters, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]
    cluster_b = k_means.fit_predict(hidden_bk[chosen_b])
    means = [examples_bd[chosen_b][cluster_b == c].mean(axis=0) for c in range(clusters)]
    return np.stack([means[c % clusters] for c in range(count)])
