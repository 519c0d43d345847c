"""Clusters of the weight graph: by hand, on planted networks, by invariance."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import LADDER, classifier

from toymono.analysis import clusters
from toymono.analysis.clusters import Graph
from toymono.classifiers import network


def cliques(*sizes, weight=1.0):
    """Complete graphs without edges between them."""
    graph = np.zeros((sum(sizes), sum(sizes)))
    start = 0
    for size in sizes:
        graph[start : start + size, start : start + size] = weight * (1 - np.eye(size))
        start += size
    return Graph(graph)


def network_of(seed, sizes=(7, 12, 9, 5)):
    rng = np.random.default_rng(seed)
    return [rng.random((a, b)) ** 4 for a, b in itertools.pairwise(sizes)]


def same_groups(one, other):
    """Whether two clusterings are equal up to the numbers of the clusters."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


# n-cut.


@pytest.mark.parametrize("solver", clusters.SOLVERS)
def test_two_cliques_are_found(solver):
    graph = cliques(6, 9, weight=0.1)
    # A very weak edge between them makes the eigenvectors unique.
    graph.adjacency_vv[0, 6] = graph.adjacency_vv[6, 0] = 1e-9
    cluster_v = clusters.spectral_clusters(graph, 2, solver=solver)
    assert same_groups(cluster_v, np.repeat([0, 1], [6, 9]))
    assert clusters.n_cut(graph, cluster_v) == pytest.approx(0, abs=1e-6)


def test_two_disconnected_cliques_have_an_n_cut_of_exactly_0():
    graph = cliques(5, 5)
    cluster_v = clusters.spectral_clusters(graph, 2)
    assert clusters.n_cut(graph, cluster_v) == 0


def test_n_cut_by_hand():
    # A path of four nodes, cut in the middle: each side has 1 edge that leaves and a volume of 3.
    path = np.diag(np.ones(3), 1)
    graph = Graph(path + path.T)
    assert clusters.n_cut(graph, np.array([0, 0, 1, 1])) == pytest.approx(2 / 3)
    assert clusters.n_cut(graph, np.array([0, 0, 0, 0])) == pytest.approx(0)
    assert clusters.n_cut(graph, np.array([0, 1, 2, 3])) == pytest.approx(4)


@given(st.integers(0, 50), st.floats(0.01, 100))
def test_n_cut_is_invariant_under_scale_and_order(seed, factor):
    rng = np.random.default_rng(seed)
    strengths = network_of(seed)
    graph = clusters.weight_graph(strengths)
    cluster_v = rng.integers(3, size=len(graph.adjacency_vv))
    value = clusters.n_cut(graph, cluster_v)
    scaled = Graph(graph.adjacency_vv * factor)
    assert clusters.n_cut(scaled, cluster_v) == pytest.approx(value, rel=1e-6)
    order_v = rng.permutation(len(cluster_v))
    moved = Graph(graph.adjacency_vv[np.ix_(order_v, order_v)])
    assert clusters.n_cut(moved, cluster_v[order_v]) == pytest.approx(value)
    assert 0 <= value <= 3


# Spectral clustering.


def three_modules(noise=0.02):
    """A layered network of three modules with weak connections between them."""
    rng = np.random.default_rng(0)
    module_l = [np.arange(size) % 3 for size in (9, 15, 12, 6)]
    strengths = [
        (before[:, None] == after) + noise * rng.random((len(before), len(after)))
        for before, after in itertools.pairwise(module_l)
    ]
    return strengths, np.concatenate(module_l)


def test_scale_and_order_of_neurons_do_not_change_the_clusters():
    strengths, _ = three_modules(noise=0.3)
    graph = clusters.weight_graph(strengths)
    found_v = clusters.spectral_clusters(graph, 3)
    scaled = clusters.weight_graph([7.5 * strength for strength in strengths])
    assert same_groups(clusters.spectral_clusters(scaled, 3), found_v)
    order_k = np.random.default_rng(0).permutation(15)
    moved = clusters.weight_graph([strengths[0][:, order_k], strengths[1][order_k], strengths[2]])
    order_v = np.concatenate([np.arange(9), 9 + order_k, np.arange(24, 42)])
    assert same_groups(clusters.spectral_clusters(moved, 3), found_v[order_v])


def test_the_solvers_agree():
    strengths, module_v = three_modules()
    graph = clusters.weight_graph(strengths)
    unlayered = Graph(graph.adjacency_vv)  # without layers, the whole matrix is decomposed
    dense_v = clusters.spectral_clusters(graph, 3)
    assert same_groups(dense_v, module_v)
    for other_v in (
        clusters.spectral_clusters(unlayered, 3),
        clusters.spectral_clusters(graph, 3, solver="arpack"),
    ):
        assert same_groups(dense_v, other_v)


@pytest.mark.parametrize("seed", range(3))
def test_the_block_of_a_layered_graph_has_the_same_eigenvectors(seed):
    graph = clusters.weight_graph(network_of(seed))
    half_vc = clusters._spectral_embedding(graph, 4)
    whole_vc = clusters._spectral_embedding(Graph(graph.adjacency_vv), 4)
    np.testing.assert_allclose(
        abs(half_vc / np.linalg.norm(half_vc, axis=0)),
        abs(whole_vc / np.linalg.norm(whole_vc, axis=0)),
        atol=1e-8,
    )
    np.testing.assert_allclose(np.linalg.norm(half_vc, axis=0), np.linalg.norm(whole_vc, axis=0))


def test_random_networks_have_the_same_n_cut_by_either_solver():
    """Without clear clusters k-means decides; the n-cuts are still close."""
    graph = clusters.weight_graph(network_of(3, (20, 40, 30, 10)))
    dense, arpack = (
        clusters.n_cut(graph, clusters.spectral_clusters(graph, 4, solver=solver))
        for solver in clusters.SOLVERS
    )
    assert dense == pytest.approx(arpack, rel=0.03)


def test_more_clusters_than_the_smaller_side_has_nodes():
    graph = clusters.weight_graph([np.random.default_rng(0).random((10, 3))])
    cluster_v = clusters.spectral_clusters(graph, 5)
    assert len(np.unique(cluster_v)) == 5


def test_nodes_without_edges_have_no_cluster():
    strengths, module_v = three_modules()
    strengths[0][:, 4] = 0
    strengths[1][4] = 0  # neuron 4 of the first hidden layer
    cluster_v = clusters.spectral_clusters(clusters.weight_graph(strengths), 3)
    assert cluster_v[9 + 4] == -1
    connected_v = np.arange(len(cluster_v)) != 9 + 4
    assert same_groups(cluster_v[connected_v], module_v[connected_v])


def test_errors_name_the_solver_and_the_number_of_nodes():
    with pytest.raises(ValueError, match=r"solver='magic' is not one of dense, arpack"):
        clusters.spectral_clusters(cliques(3, 3), 2, solver="magic")
    with pytest.raises(ValueError, match=r"12 clusters of 6 nodes with edges: too many"):
        clusters.spectral_clusters(cliques(3, 3))


# Shuffles.


def test_a_shuffle_preserves_the_strengths_of_each_layer():
    strengths = network_of(0)
    mixed = clusters.shuffled(strengths, np.random.default_rng(0))
    for before, after in zip(strengths, mixed, strict=True):
        np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
        assert (before != after).any()


def test_modules_are_more_clusterable_than_their_shuffles():
    strengths, _ = three_modules()
    found = clusters.clusterability(strengths, 3, shuffles=9)
    assert found.n_cut < found.shuffled_s.min()
    assert found.left_p == pytest.approx(1 / 10)
    noise = clusters.clusterability(network_of(5), 3, shuffles=9)
    assert round(noise.left_p * 10) in range(1, 11)
    assert noise.left_p * 10 == pytest.approx(round(noise.left_p * 10))


def test_many_networks_give_the_results_of_each_alone():
    networks = [network_of(seed) for seed in range(2)]
    many = list(clusters.clusterabilities(networks, 3, 4, seeds=[0, 1], processes=1))
    for seed, found in enumerate(many):
        alone = clusters.clusterability(networks[seed], 3, 4, seed=seed)
        assert found.n_cut == alone.n_cut
        np.testing.assert_array_equal(found.shuffled_s, alone.shuffled_s)
    assert list(clusters.clusterabilities([])) == []


# Planted networks.


@pytest.mark.parametrize(
    ("name", "components"),
    [("monosemantic", 6), ("several_neurons_per_feature", 3), ("antipodal", 2)],
)
def test_separate_dimensions_of_planted_networks_are_clusters(name, components):
    model = LADDER[name]().model
    graph = clusters.weight_graph([abs(np.asarray(weight)) for weight in (model.w_mk, model.w_ko)])
    cluster_v = clusters.spectral_clusters(graph, components)
    assert clusters.n_cut(graph, cluster_v) == pytest.approx(0, abs=1e-6)
    dimension_k = abs(np.asarray(model.w_mk)).argmax(axis=0)
    m, k = model.w_mk.shape
    assert same_groups(cluster_v[m : m + k], dimension_k)


def test_the_classes_of_a_planted_classifier_are_its_clusters():
    planted = classifier()
    graph = clusters.weight_graph(network.edges(planted.params))
    cluster_v = clusters.spectral_clusters(graph, 10)
    class_v = np.concatenate([np.arange(10), *planted.class_lk, np.arange(10)])
    assert same_groups(cluster_v, class_v)
    assert clusters.n_cut(graph, cluster_v) == pytest.approx(0, abs=1e-6)
