"""Responses of a classifier's neurons to classes: by hand, on a planted network, by brute force."""

import itertools

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from planted import classifier

from toymono import scores
from toymono.analysis import ablation, class_responses
from toymono.classifiers import network
from toymono.classifiers.config import ClassifierConfig


def test_responses_by_hand():
    config = ClassifierConfig(sizes=(3,))
    params = jax.tree.map(jnp.zeros_like, network.init(config, (1, 2), jax.random.key(0)))
    params["hidden_0"]["kernel"] = jnp.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    images_bhw = jnp.array([[[1.0, 0.0]], [[0.5, 0.0]], [[0.0, 1.0]]])
    [found] = class_responses.responses(config, params, images_bhw, jnp.array([0, 0, 1]))
    assert found.count_ky[:, :3].tolist() == [[2, 0, 0], [2, 1, 0], [0, 0, 0]]
    assert found.share_ky[:, :2].tolist() == [[1, 0], [1, 1], [0, 0]]
    assert found.response_ky[:, :2].tolist() == [[1.5, 0], [0.75, 1], [0, 0]]
    # Rescaled activations (1, .5), (1, .5), (0, 1): neuron 1 shares 0.5 + 0.5 over 3 pairs.
    assert found.penalty_k.tolist() == pytest.approx([0, 1 / 3, 0])
    score_k = scores.monosemanticity(found.response_ky)
    assert score_k.tolist() == pytest.approx([1, 1 / 1.75, 0])
    assert class_responses.neuron_order(found.response_ky).tolist() == [0, 1, 2]


def test_a_planted_classifier_is_monosemantic():
    planted = classifier()
    layers = class_responses.responses(
        planted.config, planted.params, planted.images_bhw, planted.label_b
    )
    for found, class_k in zip(layers, planted.class_lk, strict=True):
        assert scores.strongest(found.response_ky).tolist() == class_k.tolist()
        np.testing.assert_allclose(scores.monosemanticity(found.response_ky), 1, rtol=1e-6)
        np.testing.assert_array_equal(found.share_ky, class_k[:, None] == np.arange(10)[None])
        assert class_responses.overlap(found.count_ky) == 0
        assert not found.penalty_k.any()
        assert class_responses.neuron_order(found.response_ky).tolist() == list(range(len(class_k)))


def test_responses_follow_the_order_of_neurons_and_classes():
    config = ClassifierConfig(sizes=(6,))
    images_key, label_key, init_key = jax.random.split(jax.random.key(0), 3)
    images_bhw = jax.random.uniform(images_key, (30, 2, 3))
    label_b = jax.random.randint(label_key, (30,), 0, 10)
    params = network.init(config, (2, 3), init_key)
    [found] = class_responses.responses(config, params, images_bhw, label_b)
    order_k, order_y = (np.random.default_rng(0).permutation(size) for size in (6, 10))
    hidden = {"kernel": params["hidden_0"]["kernel"][:, order_k], "bias": jnp.zeros(6)}
    [permuted] = class_responses.responses(
        config,
        {"hidden_0": hidden, "output": params["output"]},
        images_bhw,
        jnp.argsort(jnp.asarray(order_y))[label_b],
    )
    for one, other in zip(found[:3], permuted[:3], strict=True):
        np.testing.assert_allclose(other, one[order_k][:, order_y], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(permuted.penalty_k, found.penalty_k[order_k], rtol=1e-5)


def test_overlap_is_the_mean_over_pairs_of_classes():
    count_ky = np.random.default_rng(0).integers(0, 30, size=(7, 10))
    scaled_yk = (count_ky / count_ky.max(axis=0)[None]).T
    pairs = list(itertools.combinations(range(10), 2))
    assert len(pairs) == 45
    expected = np.mean([scaled_yk[one] @ scaled_yk[other] for one, other in pairs])
    assert class_responses.overlap(jnp.asarray(count_ky)) == pytest.approx(expected, rel=1e-5)


def test_neurons_are_ordered_by_class_then_monosemanticity():
    response_ky = jnp.array([[0.0, 0, 0], [1, 1, 5], [4, 1, 1], [9, 0, 0], [1, 1, 0]])
    assert class_responses.neuron_order(response_ky).tolist() == [3, 2, 4, 1, 0]


def test_stacked_networks_and_examples_are_refused():
    planted = classifier()
    twice = lambda tree: jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), tree)  # noqa: E731
    jaxtyping.config.update("jaxtyping_disable", True)  # the assertions alone
    try:
        for params, images_bhw, label_b in (
            (twice(planted.params), planted.images_bhw, planted.label_b),
            (planted.params, twice(planted.images_bhw), planted.label_b),
            (planted.params, planted.images_bhw, twice(planted.label_b)),
        ):
            examples = (planted.config, params, images_bhw, label_b)
            with pytest.raises(AssertionError, match="rank"):
                class_responses.responses(*examples)
            with pytest.raises(AssertionError, match="rank"):
                ablation.ablate_clusters(*examples, planted.class_lk)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
