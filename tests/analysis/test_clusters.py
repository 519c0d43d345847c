"""Clusterability, coherence and ablations: by hand, by invariance, by brute force."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from toymono import Model, World
from toymono.analysis import ablation, clusters, coherence
from toymono.analysis.clusters import Graph
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig


def cliques(*sizes, weight=1.0):
    """Complete graphs, side by side."""
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
    """Whether two clusterings differ in the clusters' names alone."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


# n-cut.


@pytest.mark.parametrize("solver", clusters.SOLVERS)
def test_two_cliques_are_found_and_cost_nothing(solver):
    graph = cliques(6, 9, weight=0.1)
    # A whisper between them, for the eigenvectors to be unique.
    graph.adjacency_vv[0, 6] = graph.adjacency_vv[6, 0] = 1e-9
    cluster_v = clusters.spectral_clusters(graph, 2, solver=solver)
    assert same_groups(cluster_v, np.repeat([0, 1], [6, 9]))
    assert clusters.n_cut(graph, cluster_v) == pytest.approx(0, abs=1e-6)


def test_two_disconnected_cliques_cost_exactly_nothing():
    graph = cliques(5, 5)
    cluster_v = clusters.spectral_clusters(graph, 2)
    assert clusters.n_cut(graph, cluster_v) == 0


def test_n_cut_by_hand():
    # A path of four nodes, cut in the middle: each side has 1 edge out and a volume of 3.
    path = np.diag(np.ones(3), 1)
    graph = Graph(path + path.T)
    assert clusters.n_cut(graph, np.array([0, 0, 1, 1])) == pytest.approx(2 / 3)
    assert clusters.n_cut(graph, np.array([0, 0, 0, 0])) == pytest.approx(0)
    assert clusters.n_cut(graph, np.array([0, 1, 2, 3])) == pytest.approx(4)


@given(st.integers(0, 50), st.floats(0.01, 100))
def test_n_cut_does_not_know_scale_or_order(seed, factor):
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


def placed_in_blocks(noise=0.02):
    """A layered network of three modules with little between them."""
    rng = np.random.default_rng(0)
    module_l = [np.arange(size) % 3 for size in (9, 15, 12, 6)]
    strengths = [
        (before[:, None] == after) + noise * rng.random((len(before), len(after)))
        for before, after in itertools.pairwise(module_l)
    ]
    return strengths, np.concatenate(module_l)


def test_scale_and_order_of_neurons_do_not_change_the_clusters():
    strengths, _ = placed_in_blocks(noise=0.3)
    graph = clusters.weight_graph(strengths)
    found_v = clusters.spectral_clusters(graph, 3)
    scaled = clusters.weight_graph([7.5 * strength for strength in strengths])
    assert same_groups(clusters.spectral_clusters(scaled, 3), found_v)
    order_k = np.random.default_rng(0).permutation(15)
    moved = clusters.weight_graph([strengths[0][:, order_k], strengths[1][order_k], strengths[2]])
    order_v = np.concatenate([np.arange(9), 9 + order_k, np.arange(24, 42)])
    assert same_groups(clusters.spectral_clusters(moved, 3), found_v[order_v])


def test_the_solvers_agree():
    strengths, module_v = placed_in_blocks()
    graph = clusters.weight_graph(strengths)
    plain = Graph(graph.adjacency_vv)  # not known to be layered: the whole problem
    dense_v = clusters.spectral_clusters(graph, 3)
    assert same_groups(dense_v, module_v)
    for other_v in (
        clusters.spectral_clusters(plain, 3),
        clusters.spectral_clusters(graph, 3, solver="arpack"),
    ):
        assert same_groups(dense_v, other_v)


@pytest.mark.parametrize("seed", range(3))
def test_half_the_problem_has_the_same_eigenvectors(seed):
    graph = clusters.weight_graph(network_of(seed))
    half_vc = clusters._places(graph, 4)
    whole_vc = clusters._places(Graph(graph.adjacency_vv), 4)
    np.testing.assert_allclose(
        abs(half_vc / np.linalg.norm(half_vc, axis=0)),
        abs(whole_vc / np.linalg.norm(whole_vc, axis=0)),
        atol=1e-8,
    )
    np.testing.assert_allclose(np.linalg.norm(half_vc, axis=0), np.linalg.norm(whole_vc, axis=0))


def test_random_networks_have_the_same_n_cut_by_either_solver():
    """Where there are no clusters, k-means decides; the n-cuts are still close."""
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


def test_nodes_without_edges_are_left_out():
    strengths, module_v = placed_in_blocks()
    strengths[0][:, 4] = 0
    strengths[1][4] = 0  # neuron 4 of the first hidden layer
    cluster_v = clusters.spectral_clusters(clusters.weight_graph(strengths), 3)
    assert cluster_v[9 + 4] == -1
    joined_v = np.arange(len(cluster_v)) != 9 + 4
    assert same_groups(cluster_v[joined_v], module_v[joined_v])


def test_what_cannot_be_clustered_is_named():
    with pytest.raises(ValueError, match=r"solver='magic' is not one of dense, arpack"):
        clusters.spectral_clusters(cliques(3, 3), 2, solver="magic")
    with pytest.raises(ValueError, match=r"12 clusters of 6 nodes with edges: too many"):
        clusters.spectral_clusters(cliques(3, 3))


# Shuffles.


def test_a_shuffle_keeps_each_layers_strengths():
    strengths = network_of(0)
    mixed = clusters.shuffled(strengths, np.random.default_rng(0))
    for before, after in zip(strengths, mixed, strict=True):
        np.testing.assert_array_equal(np.sort(before, axis=None), np.sort(after, axis=None))
        assert (before != after).any()


def test_modules_are_more_clusterable_than_their_shuffles():
    strengths, _ = placed_in_blocks()
    found = clusters.clusterability(strengths, 3, shuffles=9)
    assert found.n_cut < found.shuffled_s.min()
    assert found.left_p == pytest.approx(1 / 10)
    noise = clusters.clusterability(network_of(5), 3, shuffles=9)
    assert round(noise.left_p * 10) in range(1, 11)
    assert noise.left_p * 10 == pytest.approx(round(noise.left_p * 10))


def test_many_networks_give_what_each_gives_alone():
    networks = [network_of(seed) for seed in range(2)]
    many = list(clusters.clusterabilities(networks, 3, 4, seeds=[0, 1], processes=1))
    for seed, found in enumerate(many):
        alone = clusters.clusterability(networks[seed], 3, 4, seed=seed)
        assert found.n_cut == alone.n_cut
        np.testing.assert_array_equal(found.shuffled_s, alone.shuffled_s)
    assert list(clusters.clusterabilities([])) == []


# Coherence.


def test_clusters_that_are_classes_are_coherent():
    label_k = np.repeat(np.arange(4), 10)
    found = coherence.coherence(3 - label_k, label_k, permutations=99)
    assert found.score == pytest.approx(1)
    assert found.information == pytest.approx(np.log(4))
    assert found.right_p == 1 / 100


def test_without_groups_the_score_is_the_adjusted_mutual_information():
    rng = np.random.default_rng(0)
    label_k = rng.integers(5, size=300)
    cluster_k = np.where(rng.random(300) < 0.5, label_k, rng.integers(5, size=300))
    found = coherence.coherence(cluster_k, label_k, permutations=499)
    expected = adjusted_mutual_info_score(cluster_k, label_k)
    assert found.score == pytest.approx(expected, abs=0.005)


def test_chance_is_neither_coherent_nor_sure():
    rng = np.random.default_rng(1)
    scores = [
        coherence.coherence(rng.integers(4, size=80), rng.integers(5, size=80), permutations=99)
        for _ in range(40)
    ]
    assert abs(np.mean([found.score for found in scores])) < 0.02
    assert 0.3 < np.mean([found.right_p for found in scores]) < 0.7


def test_clusters_that_follow_layers_alone_are_no_evidence():
    layer_k = np.repeat([0, 1], 40)
    rng = np.random.default_rng(0)
    label_k = np.where(layer_k == 0, rng.integers(2, size=80), rng.integers(2, 4, size=80))
    assert coherence.coherence(layer_k, label_k, permutations=99).right_p == 1 / 100
    within = coherence.coherence(layer_k, label_k, layer_k, permutations=99)
    assert (within.score, within.right_p) == (pytest.approx(0), 1)


def test_neurons_without_cluster_or_class_do_not_count():
    label_k = np.repeat(np.arange(3), 6)
    padded = coherence.coherence(
        np.append(label_k, [-1, 0, 2]), np.append(label_k, [1, -1, -1]), permutations=9
    )
    assert padded.information == pytest.approx(np.log(3))
    empty = coherence.coherence(np.full(4, -1), np.zeros(4, int), permutations=9)
    assert (empty.score, empty.information, empty.right_p) == (0, 0, 1)


def test_a_toy_model_of_separate_features_is_coherent():
    model = Model(jnp.eye(9), jnp.zeros(9), jnp.eye(9))
    # Just enough between features for the graph to be in one piece.
    joined = model.replace(w_mk=model.w_mk + 1e-4)
    found = coherence.toy_coherence(joined, World(jnp.eye(9)), count=3, permutations=99)
    assert found.right_p <= 0.05
    with pytest.raises(ValueError, match=r"outputs are not the features"):
        coherence.toy_coherence(model.replace(w_ko=jnp.ones((9, 2))), World(jnp.eye(9)))


# Ablations.


@pytest.fixture
def two_way():
    """A network that reads two pixels, each its class; neurons 0-1 serve class 0, 2-3 class 1."""
    config = ClassifierConfig(sizes=(4,))
    params = network.init(config, (1, 2), jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    params["hidden_0"]["kernel"] = jnp.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    weights = jnp.zeros((4, 10)).at[:2, 0].set(1.0).at[2:, 1].set(1.0)
    params["output"]["kernel"] = weights
    params["output"]["bias"] = jnp.full(10, -1.0).at[2].set(0.5)  # class 2 when all is silent
    images_bhw = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]] * 3)
    return config, params, images_bhw, jnp.array([0, 1] * 3)


def test_a_lesion_of_a_class_costs_that_class(two_way):
    found = ablation.ablations(*two_way, [np.array([0, 0, 1, -1])], random=12)
    assert [(each.cluster, each.size) for each in found] == [(0, 2), (1, 1)]
    assert found[0].damage_y[:3].tolist() == [1, 0, 0]
    assert found[0].random_sy.shape == (12, 10)
    # One neuron of a pair is enough to answer: a logit of 0 against 0.5 is not.
    assert found[1].damage_y[:3].tolist() == [0, 1, 0]
    for each in found:
        assert 1 / 13 <= each.right_p_mean <= 1
        assert 1 / 13 <= each.right_p_range <= 1


def test_a_whole_layer_is_no_lesion(two_way):
    assert ablation.ablations(*two_way, [np.zeros(4, int)]) == []


def test_random_lesions_are_as_large(two_way, monkeypatch):
    kept = []
    whole = ablation._accuracies

    def listening(config, layer, params, images, labels, keep_sk):
        kept.append(np.asarray(keep_sk))
        return whole(config, layer, params, images, labels, keep_sk)

    monkeypatch.setattr(ablation, "_accuracies", listening)
    ablation.ablations(*two_way, [np.array([0, 0, 0, 1])], random=3)
    silent = (4 - np.concatenate(kept[1:]).sum(axis=1))[:8].tolist()
    assert silent == [3] * 4 + [1] * 4
