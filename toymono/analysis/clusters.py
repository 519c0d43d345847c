"""How well a network's weight graph falls into clusters, and whether better than by chance.

Neurons are nodes, the strengths of their connections are edges. Spectral
clustering cuts the graph into groups; the n-cut, the share of each group's
edges that leave it, summed over groups, says how cleanly. It is 0 for groups
that nothing connects and at most their number: lower is more clusterable.

*Absolute* clusterability is a low n-cut. *Relative* clusterability is an n-cut
lower than those of the same network with its weights shuffled within each
layer. The shuffles' n-cuts can be spread in two humps, so that a z-score is
unstable: read the n-cut, the shuffles' mean and spread, and the left p together.

Everything here is numpy on the host: many graphs are cut in parallel, each by a
process that keeps to one thread.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import joblib
import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from sklearn.cluster import KMeans, SpectralClustering
from threadpoolctl import threadpool_limits

CLUSTERS, SHUFFLES = 12, 50
"""As published (Wright, `run_clusterability_analysis.py`)."""

SOLVERS = ("dense", "arpack")
"""Ways to find the eigenvectors; they agree."""

# As published: k-means starts, and what keeps an empty group from dividing by zero.
_STARTS, _DELTA = 25, 1e-8

# Singular values below this are taken for 0, and the small problem does not serve.
_SMALLEST_SINGULAR = 1e-5

Strengths = Sequence[Float[np.ndarray, "_ _"]]
"""Connections of each node with each of the next layer, one matrix between two layers."""


class Graph(NamedTuple):
    """An undirected weighted graph."""

    adjacency_vv: Float[np.ndarray, "v v"]
    """Symmetric, not negative."""
    layer_v: Int[np.ndarray, " v"] | None = None
    """Where edges join neighbouring layers only: each node's layer, counted from 0."""


class Clusterability(NamedTuple):
    """A network's n-cut beside those of its shuffles."""

    n_cut: float
    cluster_v: Int[np.ndarray, " v"]
    """Each node's group; -1 for a node without edges."""
    shuffled_s: Float[np.ndarray, " s"]
    """n-cut of each shuffle."""

    @property
    def left_p(self) -> float:
        """Chance of an n-cut this low among shuffles: (those below it + 1) / (shuffles + 1)."""
        return float(((self.shuffled_s < self.n_cut).sum() + 1) / (len(self.shuffled_s) + 1))


def weight_graph(strengths: Strengths) -> Graph:
    """The graph of a layered network, from the strengths between layers (`network.edges`).

    A toy model's is `weight_graph([abs(model.w_mk), abs(model.w_ko)])`.

    Reference:
      Filan et al. (2021), arXiv 2103.03386, section 2.
    """
    sizes = [len(strengths[0]), *(strength.shape[1] for strength in strengths)]
    start_l = np.cumsum([0, *sizes])
    adjacency_vv = np.zeros((start_l[-1], start_l[-1]))
    for layer, strength in enumerate(strengths):
        before = slice(start_l[layer], start_l[layer + 1])
        after = slice(start_l[layer + 1], start_l[layer + 2])
        adjacency_vv[before, after] = strength
        adjacency_vv[after, before] = np.transpose(strength)
    return Graph(adjacency_vv, np.repeat(np.arange(len(sizes)), sizes))


def n_cut(graph: Graph, cluster_v: Int[np.ndarray, " v"]) -> float:
    """Sum over clusters of the weight of edges that leave, over the weight of all edges.

    `sum_c cut(c, rest) / vol(c)`, where an edge within c counts twice in vol(c).
    Nodes of cluster -1 are in none.

    Example:
      >>> two_pairs = np.kron(np.eye(2), np.ones((2, 2)) - np.eye(2))
      >>> n_cut(Graph(two_pairs), np.array([0, 0, 1, 1]))
      0.0
      >>> round(n_cut(Graph(two_pairs), np.array([0, 1, 0, 1])), 6)
      2.0
    """
    member_vc = (cluster_v[:, None] == np.arange(cluster_v.max() + 1)).astype(float)
    volume_c = graph.adjacency_vv.sum(axis=0) @ member_vc
    within_c = np.einsum("vc,vc->c", member_vc, graph.adjacency_vv @ member_vc)
    return float(((volume_c - within_c) / (volume_c + _DELTA)).sum())


def spectral_clusters(
    graph: Graph, count: int = CLUSTERS, seed: int = 0, solver: str = "dense"
) -> Int[np.ndarray, " v"]:
    """Each node's cluster, by spectral clustering; -1 for nodes without edges.

    The nodes are placed by the `count` lowest eigenvectors of the normalised
    Laplacian, divided by the root of their degree, and grouped by k-means.

    Args:
      graph: Its scale does not matter.
      count: Clusters.
      seed: Of k-means.
      solver: `arpack` is scikit-learn's `SpectralClustering`, as published;
        `dense` finds the eigenvectors directly. A layered graph has edges
        between even and odd layers only, so that its eigenvectors are the
        singular vectors of one block, a problem of half the size.

    Raises:
      ValueError: The solver is not one of `SOLVERS`, or there are too few nodes.

    Reference:
      Shi & Malik (2000); Filan et al. (2021), section 2; Wright,
      `run_clusterability_analysis.py`.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver={solver!r} is not one of {', '.join(SOLVERS)}")
    degree_v = graph.adjacency_vv.sum(axis=0)
    joined_v = degree_v > 0
    if joined_v.sum() <= count:
        raise ValueError(f"{count} clusters of {joined_v.sum()} nodes with edges: too many")
    if not joined_v.all():
        cluster_v = np.full(len(degree_v), -1)
        adjacency_vv = graph.adjacency_vv[np.ix_(joined_v, joined_v)]
        layer_v = None if graph.layer_v is None else graph.layer_v[joined_v]
        cluster_v[joined_v] = spectral_clusters(Graph(adjacency_vv, layer_v), count, seed, solver)
        return cluster_v
    if solver == "arpack":
        return SpectralClustering(
            count,
            affinity="precomputed",
            eigen_solver="arpack",
            n_init=_STARTS,
            random_state=seed,
        ).fit_predict(graph.adjacency_vv)
    return KMeans(count, n_init=_STARTS, random_state=seed).fit_predict(_places(graph, count))


def _places(graph: Graph, count: int) -> Float[np.ndarray, "v count"]:
    """Where the nodes lie: eigenvectors of the Laplacian over the root of the degree."""
    root_v = np.sqrt(graph.adjacency_vv.sum(axis=0))
    small = None if graph.layer_v is None else graph.layer_v % 2 == 1
    if small is not None and small.mean() > 0.5:
        small = ~small
    if small is not None and count <= small.sum():
        block = graph.adjacency_vv[np.ix_(~small, small)] / root_v[~small, None] / root_v[small]
        squares, vectors = _highest(block.T @ block, count)
        if squares.min() > _SMALLEST_SINGULAR**2:
            place_vc = np.empty((len(root_v), count))
            place_vc[small] = vectors
            place_vc[~small] = block @ vectors / np.sqrt(squares)
            return place_vc / root_v[:, None] / np.sqrt(2)
    # The lowest of the Laplacian, 1 - A, are the highest of A.
    return _highest(graph.adjacency_vv / root_v[:, None] / root_v, count)[1] / root_v[:, None]


def _highest(matrix, count: int):
    """The `count` highest eigenvalues of a symmetric matrix, and their vectors."""
    last = len(matrix) - 1
    return scipy.linalg.eigh(matrix, subset_by_index=[last - count + 1, last])


def shuffled(strengths: Strengths, rng: np.random.Generator) -> Strengths:
    """The same strengths between the same layers, at random places."""
    return [rng.permuted(strength.ravel()).reshape(strength.shape) for strength in strengths]


def clusterability(
    strengths: Strengths,
    count: int = CLUSTERS,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Clusterability:
    """The n-cut of one network, and of its shuffles; `clusterabilities` takes many at once."""
    [result] = clusterabilities([strengths], count, shuffles, [seed], processes=1)
    return result


def clusterabilities(
    networks: Sequence[Strengths],
    count: int = CLUSTERS,
    shuffles: int = SHUFFLES,
    seeds: Sequence[int] | None = None,
    processes: int = -1,
) -> Iterator[Clusterability]:
    """The clusterability of each network in turn, the shuffles cut in parallel.

    Args:
      networks: The strengths between layers of each.
      count: Clusters.
      shuffles: Of each network.
      seeds: What is random about each network's result; 0 for all if not given.
      processes: -1 for as many as there are cores.

    Yields:
      The results in the networks' order, each as soon as it is whole.
    """
    if not networks:
        return
    seeds = [0] * len(networks) if seeds is None else seeds
    tasks = (
        joblib.delayed(_cut)(strengths, count, seed, shuffle)
        for strengths, seed in zip(networks, seeds, strict=True)
        for shuffle in range(shuffles + 1)
    )
    cuts = joblib.Parallel(processes, return_as="generator")(tasks)
    for _ in networks:
        value, cluster_v = next(cuts)
        shuffled_s = np.array([next(cuts)[0] for _ in range(shuffles)])
        yield Clusterability(value, cluster_v, shuffled_s)
    next(cuts, None)  # or joblib takes it for broken off


def _cut(strengths, count: int, seed: int, shuffle: int):
    """n-cut and clusters of shuffle number `shuffle`; 0 is the network itself."""
    rng = np.random.default_rng([seed, shuffle])
    with threadpool_limits(1):
        graph = weight_graph(shuffled(strengths, rng) if shuffle else strengths)
        cluster_v = spectral_clusters(graph, count, seed=int(rng.integers(2**31)))
        return n_cut(graph, cluster_v), cluster_v
