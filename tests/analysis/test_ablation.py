"""Ablations of clusters: by hand and on a planted classifier."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import classifier

from toymono.analysis import ablation
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig


@pytest.fixture
def two_way():
    """A network with two input pixels, one per class: neurons 0-1 detect class 0, 2-3 class 1."""
    config = ClassifierConfig(sizes=(4,))
    params = network.init(config, (1, 2), jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    params["hidden_0"]["kernel"] = jnp.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    weights = jnp.zeros((4, 10)).at[:2, 0].set(1.0).at[2:, 1].set(1.0)
    params["output"]["kernel"] = weights
    params["output"]["bias"] = (
        jnp.full(10, -1.0).at[2].set(0.5)
    )  # class 2 if all neurons are silent
    images_bhw = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]] * 3)
    return config, params, images_bhw, jnp.array([0, 1] * 3)


def test_ablating_the_neurons_of_a_class_damages_that_class(two_way):
    found = ablation.ablate_clusters(*two_way, [np.array([0, 0, 1, -1])], random_ablations=12)
    assert [(each.cluster, each.size) for each in found] == [(0, 2), (1, 1)]
    assert found[0].damage_y[:3].tolist() == [1, 0, 0]
    assert found[0].random_sy.shape == (12, 10)
    # One active neuron leaves the logit of the class at 0, below the 0.5 of class 2.
    assert found[1].damage_y[:3].tolist() == [0, 1, 0]
    for each in found:
        assert 1 / 13 <= each.right_p_mean <= 1
        assert 1 / 13 <= each.right_p_range <= 1


def test_a_cluster_that_is_a_whole_layer_is_not_ablated(two_way):
    assert ablation.ablate_clusters(*two_way, [np.zeros(4, int)]) == []


def test_random_ablations_have_the_same_size(two_way, monkeypatch):
    masks = []
    original = ablation._accuracies

    def recording(config, layer, params, images, labels, keep_sk):
        masks.append(np.asarray(keep_sk))
        return original(config, layer, params, images, labels, keep_sk)

    monkeypatch.setattr(ablation, "_accuracies", recording)
    ablation.ablate_clusters(*two_way, [np.array([0, 0, 0, 1])], random_ablations=3)
    silent = (4 - np.concatenate(masks[1:]).sum(axis=1))[:8].tolist()
    assert silent == [3] * 4 + [1] * 4


def test_ablations_of_a_planted_classifier_damage_their_class():
    planted = classifier()
    found = ablation.ablate_clusters(
        planted.config,
        planted.params,
        planted.images_bhw,
        planted.label_b,
        planted.class_lk,
        random_ablations=20,
    )
    assert [(each.layer, each.cluster) for each in found] == [
        (layer, cluster) for layer in (0, 1) for cluster in range(10)
    ]
    for each in found:
        # The network predicts the last class if all its neurons are silent.
        assert each.damage_y.tolist() == [float(y == each.cluster and y < 9) for y in range(10)]
        assert each.random_sy.max() <= 1
    # In the first layer a class keeps one of its two neurons in most random ablations.
    p_values = [each.right_p_range for each in found if each.layer == 0 and each.cluster < 9]
    assert max(p_values) < 0.3
    # In the second one every neuron is the only one of its class.
    p_values = [each.right_p_range for each in found if each.layer == 1]
    assert min(p_values) > 0.5
