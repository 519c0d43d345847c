"""What joins the loss: the L1 norm, and the polysemantic penalties against all pairs."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import kstest

from toymono import Model, World, penalties

polysemantic = jax.jit(penalties.polysemantic, static_argnums=(2, 3))


def test_l1_by_hand():
    assert penalties.activation_l1(jnp.array([[1.0, -2.0], [0.0, 3.0]])) == 3


def test_l1_pulls_each_activation_alike():
    hidden_bk = jnp.array([[1.0, -2.0], [0.1, 3.0]])
    assert jax.grad(penalties.activation_l1)(hidden_bk).tolist() == [[0.5, -0.5], [0.5, 0.5]]


def test_l1_leaves_silent_neurons_alone():
    assert jax.grad(penalties.activation_l1)(jnp.array([[0.0, -0.0, 2.0]])).tolist() == [[0, 0, 1]]


# Polysemantic penalties.

# Of one shape, so that little is compiled.
activations = hnp.arrays(np.float32, (5, 3), elements=st.sampled_from([0, 0.5, 1, 3]))
labels = hnp.arrays(int, 5, elements=st.integers(0, 3))


def all_pairs(x_bk, labels_b):
    """Mean over pairs of the dot product of those that differ, pair by pair."""
    pairs = itertools.combinations(range(len(x_bk)), 2)
    shared = sum(x_bk[i] @ x_bk[j] for i, j in pairs if labels_b[i] != labels_b[j])
    return shared / math.comb(len(x_bk), 2)


@given(activations, labels)
def test_the_penalty_is_that_of_all_pairs(activations_bk, labels_b):
    soft_bk = activations_bk / (activations_bk.max(axis=1, keepdims=True) + 1e-9)
    for kind, x_bk in (("soft", soft_bk), ("hard", (activations_bk > 0).astype(float))):
        for classes in (None, 4):
            found = polysemantic(jnp.asarray(activations_bk), jnp.asarray(labels_b), kind, classes)
            assert found == pytest.approx(all_pairs(x_bk, labels_b), rel=1e-5, abs=1e-6)


def test_hard_has_the_gradient_of_soft_at_the_counts():
    activations_bk, labels_b = jnp.array([[2.0, 1.0], [1.0, 4.0]]), jnp.array([0, 1])

    def by_hand(activations_bk):
        soft_bk = activations_bk / activations_bk.max(axis=1, keepdims=True)
        return (soft_bk[0] * jnp.ones(2)).sum() + (soft_bk[1] * jnp.ones(2)).sum()

    grads = [
        jax.grad(f)(activations_bk)
        for f in (lambda a: penalties.polysemantic(a, labels_b, "hard"), by_hand)
    ]
    np.testing.assert_allclose(*grads, atol=1e-6)


def test_a_wrong_kind_is_named(world_of_two, key):
    message = r"^kind='firm' is not one of soft, hard"
    with pytest.raises(ValueError, match=message):
        penalties.polysemantic(jnp.ones((2, 2)), jnp.arange(2), "firm")
    with pytest.raises(ValueError, match=message + ", soft_random_amplitude, multi_feature$"):
        penalties.on_features("firm", *world_of_two, key)


@pytest.fixture
def world_of_two():
    """One neuron for each of two features, and a third for both."""
    model = Model(jnp.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]), jnp.zeros(3), jnp.ones((3, 2)))
    return model, World(jnp.eye(2))


def test_features_that_share_a_neuron_are_charged(world_of_two, key):
    # Rescaled activations on the two features: (1, 0, 1) and (0, 1, 1/2).
    assert penalties.on_features("soft", *world_of_two, key) == pytest.approx(0.5)
    assert penalties.on_features("hard", *world_of_two, key) == pytest.approx(1.0)
    # Without biases an amplitude cancels.
    assert penalties.on_features("soft_random_amplitude", *world_of_two, key) == pytest.approx(0.5)


def test_features_with_neurons_of_their_own_are_free(key):
    world = World(jnp.eye(3))
    model = Model(jnp.eye(3), jnp.full(3, -0.01), jnp.eye(3))
    for kind in penalties.KINDS:
        assert penalties.on_features(kind, model, world, key) == 0


def test_a_neuron_that_company_wakes_is_charged_by_multi_feature(key):
    """Its bias hides from single features what it answers to in company."""
    world = World(jnp.eye(4))
    model = Model(jnp.array([[1.0], [0.5], [0.5], [0.5]]), jnp.array([-0.51]), jnp.ones((1, 4)))
    assert penalties.on_features("soft", model, world, key) == 0
    keys = jax.random.split(key, 200)
    charges = jax.vmap(lambda key: penalties.on_features("multi_feature", model, world, key))(keys)
    assert (charges > 0).mean() > 0.02


def drawn(monkeypatch, kind, n, owner, method):
    """What `method` is called with in a penalty on n neurons that answer to one feature each."""
    model, world = Model(jnp.eye(n), jnp.zeros(n), jnp.eye(n)), World(jnp.eye(n))
    seen, original = [], getattr(owner, method)

    def watched(self, array):
        seen.append(np.asarray(array))
        return original(self, array)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, watched)
        penalties.on_features(kind, model, world, jax.random.key(0))
    [array] = seen
    return array


def test_each_feature_has_an_amplitude_of_its_own(monkeypatch):
    alone_nm = drawn(monkeypatch, "soft_random_amplitude", 40, Model, "neurons")
    amplitude_n = np.diag(alone_nm)
    np.testing.assert_array_equal(alone_nm, np.diag(amplitude_n))
    assert len(set(amplitude_n.tolist())) == 40
    assert kstest(amplitude_n, "uniform").pvalue > 1e-3


def test_inputs_that_lack_a_feature_are_of_any_density(monkeypatch):
    others_nn = drawn(monkeypatch, "multi_feature", 60, World, "inputs")
    assert (np.diag(others_nn) == 0).all()
    density_n = (others_nn != 0).sum(axis=1) / 59
    assert kstest(density_n, "uniform").pvalue > 1e-3
    assert kstest(others_nn[others_nn != 0], "uniform").pvalue > 1e-3


def test_abs_counts_both_signs(key):
    model = Model(jnp.array([[1.0], [-1.0]]), jnp.zeros(1), jnp.ones((1, 2)))
    for task, charge in (("decoder", 0), ("abs", 1)):
        found = penalties.on_features("soft", model, World(jnp.eye(2), task=task), key)
        assert found == pytest.approx(charge)
