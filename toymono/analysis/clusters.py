"""How well a network's weight graph separates into clusters, compared with shuffled weights.

The nodes of the graph are neurons, its edges the strengths of their
connections. Spectral clustering partitions the nodes. The n-cut sums over the
clusters the fraction of a cluster's edge weight that leaves it: 0 for clusters
that no edge connects, and at most their number. A lower n-cut means a more
clusterable network.

*Absolute* clusterability is a low n-cut. *Relative* clusterability is an n-cut
below those of the same network with its weights shuffled within each layer. The
n-cuts of the shuffles can be bimodal, which makes a z-score unstable: report
the n-cut, the mean and spread of the shuffles, and the p-value.

Everything here is numpy on the host. Many graphs are clustered in parallel
processes of one thread each.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import chex
import joblib
import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from sklearn.cluster import KMeans, SpectralClustering
from threadpoolctl import threadpool_limits

CLUSTERS, SHUFFLES = 12, 50
"""Numbers in Wright's `run_clusterability_analysis.py`."""

SOLVERS = ("dense", "arpack")
"""Eigenvector solvers; they give the same clusters."""

# From Wright's program: restarts of k-means, and what avoids division by zero for an empty
# cluster.
_STARTS, _DELTA = 25, 1e-8

# Below this singular value (our choice) the eigenvectors are computed from the whole matrix.
_MIN_SINGULAR = 1e-5

Strengths = Sequence[Float[np.ndarray, "_ _"]]
"""Connection strengths between successive layers, one matrix per pair of layers."""


class Graph(NamedTuple):
    """An undirected weighted graph."""

    adjacency_vv: Float[np.ndarray, "v v"]
    """Symmetric, with entries of at least 0."""
    layer_v: Int[np.ndarray, " v"] | None = None
    """Each node's layer, counted from 0, if all edges connect successive layers."""


class Clusterability(NamedTuple):
    """The n-cut of a network and of its shuffles."""

    n_cut: float
    cluster_v: Int[np.ndarray, " v"]
    """Each node's cluster; -1 for a node without edges."""
    shuffled_s: Float[np.ndarray, " s"]
    """n-cut of each shuffle."""

    @property
    def left_p(self) -> float:
        """p-value: (shuffles with a lower n-cut + 1) / (shuffles + 1)."""
        return float(((self.shuffled_s < self.n_cut).sum() + 1) / (len(self.shuffled_s) + 1))


def weight_graph(strengths: Strengths) -> Graph:
    """The graph of a layered network, from the connection strengths between layers.

    For a toy model: `weight_graph([abs(model.w_mk), abs(model.w_ko)])`; for a
    classifier: `weight_graph(network.edges(params))`.

    Raises:
      AssertionError: The strengths are not matrices.

    Reference:
      Filan et al. (2021), arXiv 2103.03386, section 2.
    """
    chex.assert_rank(strengths, 2)
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
    """Sum over clusters of the weight of edges that leave, relative to the weight of all edges.

    `sum_c cut(c, rest) / vol(c)`, where an edge within c counts twice in vol(c).
    Nodes of cluster -1 are in no cluster.

    Raises:
      AssertionError: The adjacency is not a matrix, or `cluster_v` not a vector.

    Example:
      >>> two_pairs = np.kron(np.eye(2), np.ones((2, 2)) - np.eye(2))
      >>> n_cut(Graph(two_pairs), np.array([0, 0, 1, 1]))
      0.0
      >>> round(n_cut(Graph(two_pairs), np.array([0, 1, 0, 1])), 6)
      2.0
    """
    chex.assert_rank([graph.adjacency_vv, cluster_v], [2, 1])
    member_vc = (cluster_v[:, None] == np.arange(cluster_v.max() + 1)[None]).astype(float)
    volume_c = graph.adjacency_vv.sum(axis=0) @ member_vc
    within_c = np.einsum("vc,vc->c", member_vc, graph.adjacency_vv @ member_vc)
    return float(((volume_c - within_c) / (volume_c + _DELTA)).sum())


def spectral_clusters(
    graph: Graph, count: int = CLUSTERS, seed: int = 0, solver: str = "dense"
) -> Int[np.ndarray, " v"]:
    """Each node's cluster, by spectral clustering; -1 for nodes without edges.

    Nodes are embedded by the `count` lowest eigenvectors of the normalised
    Laplacian, divided by the root of the node's degree, and clustered by k-means.

    Args:
      graph: The graph; the scale of its weights has no effect.
      count: Number of clusters.
      seed: Seed of k-means.
      solver: `arpack` is scikit-learn's `SpectralClustering`, as in Wright's
        program; `dense` computes the eigenvectors directly. A layered graph has
        edges between even and odd layers only, so that its eigenvectors are the
        singular vectors of one block, a problem of half the size.

    Raises:
      ValueError: The solver is not one of `SOLVERS`, or there are too few nodes.
      AssertionError: The adjacency is not a matrix.

    Reference:
      Shi & Malik (2000); Filan et al. (2021), section 2; Wright,
      `run_clusterability_analysis.py`.
    """
    if solver not in SOLVERS:
        raise ValueError(f"solver={solver!r} is not one of {', '.join(SOLVERS)}")
    chex.assert_rank(graph.adjacency_vv, 2)
    degree_v = graph.adjacency_vv.sum(axis=0)
    connected_v = degree_v > 0
    if connected_v.sum() <= count:
        raise ValueError(f"{count} clusters of {connected_v.sum()} nodes with edges: too many")
    if not connected_v.all():
        cluster_v = np.full(len(degree_v), -1)
        adjacency_vv = graph.adjacency_vv[np.ix_(connected_v, connected_v)]
        layer_v = None if graph.layer_v is None else graph.layer_v[connected_v]
        cluster_v[connected_v] = spectral_clusters(
            Graph(adjacency_vv, layer_v), count, seed, solver
        )
        return cluster_v
    if solver == "arpack":
        return SpectralClustering(
            count,
            affinity="precomputed",
            eigen_solver="arpack",
            n_init=_STARTS,
            random_state=seed,
        ).fit_predict(graph.adjacency_vv)
    embedding_vc = _spectral_embedding(graph, count)
    k_means = KMeans(count, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]
    return k_means.fit_predict(embedding_vc)


def _spectral_embedding(graph: Graph, count: int) -> Float[np.ndarray, "v count"]:
    """Lowest eigenvectors of the Laplacian, each entry over the root of the node's degree."""
    root_v = np.sqrt(graph.adjacency_vv.sum(axis=0))
    # The smaller of the two sides of a bipartite graph: even or odd layers.
    small = None if graph.layer_v is None else graph.layer_v % 2 == 1
    if small is not None and small.mean() > 0.5:
        small = ~small
    if small is not None and count <= small.sum():
        block = graph.adjacency_vv[np.ix_(~small, small)]
        block = block / root_v[~small, None] / root_v[None, small]
        squares, vectors = _top_eigenvectors(block.T @ block, count)
        if squares.min() > _MIN_SINGULAR**2:
            embedding_vc = np.empty((len(root_v), count))
            embedding_vc[small] = vectors
            embedding_vc[~small] = block @ vectors / np.sqrt(squares)
            return embedding_vc / root_v[:, None] / np.sqrt(2)
    # The lowest eigenvectors of the Laplacian 1 - A are the highest of A.
    normalised_vv = graph.adjacency_vv / root_v[:, None] / root_v[None]
    return _top_eigenvectors(normalised_vv, count)[1] / root_v[:, None]


def _top_eigenvectors(matrix, count: int):
    """The `count` highest eigenvalues of a symmetric matrix, and their eigenvectors."""
    last = len(matrix) - 1
    return scipy.linalg.eigh(matrix, subset_by_index=[last - count + 1, last])


def shuffled(strengths: Strengths, rng: np.random.Generator) -> Strengths:
    """The strengths permuted at random within each matrix."""
    return [rng.permuted(strength.ravel()).reshape(strength.shape) for strength in strengths]


def clusterability(
    strengths: Strengths,
    count: int = CLUSTERS,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Clusterability:
    """The n-cut of one network and of its shuffles; for many networks use `clusterabilities`."""
    [result] = clusterabilities([strengths], count, shuffles, [seed], processes=1)
    return result


_IDLE_SECONDS = 3600
"""After these idle processes end. If one ends at the moment in which it is given new work,
joblib 1.6.0 may wait for it for ever (mended in loky after it, pull request 653), and its default
of 300 s is a likely pause between two calls."""


def clusterabilities(
    networks: Sequence[Strengths],
    count: int = CLUSTERS,
    shuffles: int = SHUFFLES,
    seeds: Sequence[int] | None = None,
    processes: int = -1,
) -> Iterator[Clusterability]:
    """The clusterability of each network in turn, computed in parallel processes.

    Args:
      networks: Connection strengths of each network.
      count: Number of clusters.
      shuffles: Shuffles per network.
      seeds: Seed of k-means and shuffles for each network; 0 by default.
      processes: Parallel processes; -1: one per core.

    Yields:
      The results in the order of the networks, each as soon as it is complete.
    """
    if not networks:
        return
    seeds = [0] * len(networks) if seeds is None else seeds
    tasks = (
        joblib.delayed(_cut)(strengths, count, seed, shuffle)
        for strengths, seed in zip(networks, seeds, strict=True)
        for shuffle in range(shuffles + 1)
    )
    cuts = cast(
        Iterator[tuple[float, np.ndarray]],
        joblib.Parallel(processes, return_as="generator", idle_worker_timeout=_IDLE_SECONDS)(tasks),
    )
    for _ in networks:
        value, cluster_v = next(cuts)
        shuffled_s = np.array([next(cuts)[0] for _ in range(shuffles)])
        yield Clusterability(value, cluster_v, shuffled_s)
    next(cuts, None)  # exhausts the generator: joblib warns about an unfinished one


def _cut(strengths, count: int, seed: int, shuffle: int):
    """n-cut and clusters of shuffle number `shuffle`; number 0 is the network itself."""
    rng = np.random.default_rng([seed, shuffle])
    with threadpool_limits(1):
        graph = weight_graph(shuffled(strengths, rng) if shuffle else strengths)
        cluster_v = spectral_clusters(graph, count, seed=int(rng.integers(2**31)))
        return n_cut(graph, cluster_v), cluster_v
