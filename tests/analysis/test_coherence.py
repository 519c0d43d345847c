"""Coherence of clusters with labels: by hand, by chance levels, on planted networks."""

import jax.numpy as jnp
import numpy as np
import pytest
from planted import LADDER, classifier
from sklearn.metrics import adjusted_mutual_info_score

from toymono import Model, World, scores
from toymono.analysis import class_responses, clusters, coherence
from toymono.classifiers import network


def test_clusters_that_equal_the_classes_have_a_score_of_1():
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


def test_random_clusters_have_a_score_near_0_and_p_values_near_one_half():
    rng = np.random.default_rng(1)
    results = [
        coherence.coherence(rng.integers(4, size=80), rng.integers(5, size=80), permutations=99)
        for _ in range(40)
    ]
    assert abs(np.mean([found.score for found in results])) < 0.02
    assert 0.3 < np.mean([found.right_p for found in results]) < 0.7


def test_clusters_that_only_follow_layers_score_0():
    layer_k = np.repeat([0, 1], 40)
    rng = np.random.default_rng(0)
    label_k = np.where(layer_k == 0, rng.integers(2, size=80), rng.integers(2, 4, size=80))
    assert coherence.coherence(layer_k, label_k, permutations=99).right_p == 1 / 100
    within = coherence.coherence(layer_k, label_k, layer_k, permutations=99)
    assert (within.score, within.right_p) == (pytest.approx(0), 1)


def test_neurons_without_cluster_or_class_are_ignored():
    label_k = np.repeat(np.arange(3), 6)
    padded = coherence.coherence(
        np.append(label_k, [-1, 0, 2]), np.append(label_k, [1, -1, -1]), permutations=9
    )
    assert padded.information == pytest.approx(np.log(3))
    empty = coherence.coherence(np.full(4, -1), np.zeros(4, int), permutations=9)
    assert (empty.score, empty.information, empty.right_p) == (0, 0, 1)


def test_a_planted_model_of_separate_features_is_coherent():
    planted = LADDER["monosemantic"]()
    found = coherence.toy_coherence(planted.model, planted.world, count=6, permutations=99)
    assert found.score == pytest.approx(1)
    # Twelve nodes in six clusters: labels are permuted within neurons and within outputs.
    assert found.right_p <= 0.05


def test_a_toy_model_of_weakly_connected_features_is_coherent():
    model = Model(jnp.eye(9) + 1e-4, jnp.zeros(9), jnp.eye(9))
    found = coherence.toy_coherence(model, World(jnp.eye(9)), count=3, permutations=99)
    assert found.right_p <= 0.05


def test_the_outputs_of_a_toy_model_must_be_the_features():
    world = World(jnp.eye(9), jnp.eye(9), "reproject")
    with pytest.raises(ValueError, match=r"task='reproject': its outputs are not the features"):
        coherence.toy_coherence(Model(jnp.eye(9), jnp.zeros(9), jnp.eye(9)), world)


def test_the_clusters_of_a_planted_classifier_are_coherent_with_its_classes():
    planted = classifier()
    graph = clusters.weight_graph(network.edges(planted.params))
    cluster_k = clusters.spectral_clusters(graph, 10)[10:-10]
    layers = class_responses.responses(
        planted.config, planted.params, planted.images_bhw, planted.label_b
    )
    strongest_k = np.concatenate([scores.strongest(layer.response_ky) for layer in layers])
    found = coherence.coherence(cluster_k, strongest_k, np.repeat([0, 1], [20, 10]), 99)
    assert found.score == pytest.approx(1)
    assert found.right_p == 1 / 100
