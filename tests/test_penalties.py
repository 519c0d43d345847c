"""The L1 norm, and the polysemantic penalties: all pairs, values by hand, invariances."""

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
from settings import EMBEDDED

from toymono import Config, Hyperparams, Model, World, begin, penalties
from toymono.fields import TOY_CONFIG
from toymono.penalties import PENALTIES

polysemantic = jax.jit(penalties.polysemantic, static_argnums=(2, 3))


def test_l1_by_hand():
    assert penalties.activation_l1(jnp.array([[1.0, -2.0], [0.0, 3.0]])) == 3


def test_l1_has_the_same_gradient_for_every_activation():
    hidden_bk = jnp.array([[1.0, -2.0], [0.1, 3.0]])
    assert jax.grad(penalties.activation_l1)(hidden_bk).tolist() == [[0.5, -0.5], [0.5, 0.5]]


def test_l1_has_no_gradient_on_inactive_neurons():
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


def test_hard_uses_a_straight_through_gradient():
    activations_bk, labels_b = jnp.array([[2.0, 1.0], [1.0, 4.0]]), jnp.array([0, 1])

    def by_hand(activations_bk):
        soft_bk = activations_bk / activations_bk.max(axis=1, keepdims=True)
        return (soft_bk[0] * jnp.ones(2)).sum() + (soft_bk[1] * jnp.ones(2)).sum()

    grads = [
        jax.grad(f)(activations_bk)
        for f in (lambda a: penalties.polysemantic(a, labels_b, "hard"), by_hand)
    ]
    np.testing.assert_allclose(*grads, atol=1e-6)


@pytest.mark.parametrize("kind", ["firm", "none", "multi_feature"])
def test_penalties_undefined_on_labelled_examples_are_rejected(kind):
    with pytest.raises(ValueError, match=rf"^kind='{kind}' is not one of soft, hard$"):
        penalties.polysemantic(jnp.ones((2, 2)), jnp.arange(2), kind)


# On the features of a toy model.


def test_every_choice_of_the_field_has_a_record():
    assert list(PENALTIES) == list(TOY_CONFIG["penalty"].choices)


@pytest.fixture
def world_of_two():
    """One neuron for each of two features, and a third for both."""
    model = Model(jnp.array([[1.0, 0.0, 1.0], [0.0, 2.0, 1.0]]), jnp.zeros(3), jnp.ones((3, 2)))
    return model, World(jnp.eye(2))


def test_features_that_share_a_neuron_are_penalised(world_of_two, key):
    # Rescaled activations on the two features: (1, 0, 1) and (0, 1, 1/2).
    assert PENALTIES["soft"].on_features(*world_of_two, key) == pytest.approx(0.5)
    assert PENALTIES["hard"].on_features(*world_of_two, key) == pytest.approx(1.0)
    # Without biases an amplitude cancels.
    assert PENALTIES["soft_random_amplitude"].on_features(*world_of_two, key) == pytest.approx(0.5)


def test_features_with_their_own_neurons_cost_nothing(key):
    world = World(jnp.eye(3))
    model = Model(jnp.eye(3), jnp.full(3, -0.01), jnp.eye(3))
    for kind in PENALTIES:
        assert PENALTIES[kind].on_features(model, world, key) == 0


def test_multi_feature_penalises_neurons_activated_by_combinations(key):
    """The neuron responds to one single feature, and to combinations of the others."""
    world = World(jnp.eye(4))
    model = Model(jnp.array([[1.0], [0.5], [0.5], [0.5]]), jnp.array([-0.51]), jnp.ones((1, 4)))
    assert PENALTIES["soft"].on_features(model, world, key) == 0
    keys = jax.random.split(key, 200)
    values = jax.vmap(lambda key: PENALTIES["multi_feature"].on_features(model, world, key))(keys)
    assert (values > 0).mean() > 0.02


def argument_of(monkeypatch, kind, n, owner, method):
    """The argument of `method` in a penalty on n neurons with one feature each."""
    model, world = Model(jnp.eye(n), jnp.zeros(n), jnp.eye(n)), World(jnp.eye(n))
    seen, original = [], getattr(owner, method)

    def watched(self, array):
        seen.append(np.asarray(array))
        return original(self, array)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, watched)
        PENALTIES[kind].on_features(model, world, jax.random.key(0))
    [array] = seen
    return array


def test_amplitudes_are_independent_and_uniform(monkeypatch):
    alone_nm = argument_of(monkeypatch, "soft_random_amplitude", 40, Model, "neurons")
    amplitude_n = np.diag(alone_nm)
    np.testing.assert_array_equal(alone_nm, np.diag(amplitude_n))
    assert len(set(amplitude_n.tolist())) == 40
    assert kstest(amplitude_n, "uniform").pvalue > 1e-3


def test_inputs_that_lack_a_feature_have_uniform_densities(monkeypatch):
    others_nn = argument_of(monkeypatch, "multi_feature", 60, World, "inputs")
    assert (np.diag(others_nn) == 0).all()
    density_n = (others_nn != 0).sum(axis=1) / 59
    assert kstest(density_n, "uniform").pvalue > 1e-3
    assert kstest(others_nn[others_nn != 0], "uniform").pvalue > 1e-3


def test_abs_counts_both_signs(key):
    model = Model(jnp.array([[1.0], [-1.0]]), jnp.zeros(1), jnp.ones((1, 2)))
    for task, value in (("decoder", 0), ("abs", 1)):
        found = PENALTIES["soft"].on_features(model, World(jnp.eye(2), task=task), key)
        assert found == pytest.approx(value)


# By hand, and what it is invariant under.

HAND_BK, HAND_LABELS_B = jnp.array([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]]), jnp.array([0, 0, 1])


def random_layer(seed, b=16, k=6, classes=4):
    rng = np.random.default_rng(seed)
    activations_bk = np.maximum(rng.normal(size=(b, k)), 0).astype(np.float32)
    return activations_bk, rng.integers(classes, size=b)


def test_polysemantic_penalty_by_hand():
    assert penalties.polysemantic(HAND_BK, HAND_LABELS_B) == pytest.approx(2 / 3)
    assert penalties.per_neuron(HAND_BK, HAND_LABELS_B).tolist() == pytest.approx([1 / 3, 1 / 3])


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_one_label_costs_nothing(kind):
    activations_bk, _ = random_layer(0)
    assert penalties.polysemantic(jnp.asarray(activations_bk), jnp.full(16, 7), kind) == 0


@given(st.integers(0, 100), st.integers(0, 15), st.floats(0.01, 100))
def test_an_examples_scale_does_not_matter(seed, row, factor):
    activations_bk, labels_b = random_layer(seed)
    scaled_bk = activations_bk.copy()
    scaled_bk[row] *= factor
    for kind in ("soft", "hard"):
        one, other = (
            penalties.polysemantic(jnp.asarray(a_bk), jnp.asarray(labels_b), kind)
            for a_bk in (activations_bk, scaled_bk)
        )
        assert one == pytest.approx(float(other), rel=1e-5)


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_an_inactive_example_has_a_finite_value_and_gradient(kind):
    activations_bk = HAND_BK.at[1].set(0.0)
    value, grad_bk = jax.value_and_grad(penalties.polysemantic)(activations_bk, HAND_LABELS_B, kind)
    assert np.isfinite(value)
    assert np.isfinite(grad_bk).all()


@given(st.integers(0, 100))
def test_the_bound_is_reached_if_all_neurons_are_equally_active(seed):
    activations_bk, labels_b = random_layer(seed)
    differ = (labels_b[:, None] != labels_b).sum() / 2 / math.comb(16, 2)
    for kind in ("soft", "hard"):
        found = penalties.polysemantic(jnp.asarray(activations_bk), jnp.asarray(labels_b), kind)
        assert 0 <= found <= 6 * differ + 1e-6
        equal = penalties.polysemantic(jnp.ones((16, 6)), jnp.asarray(labels_b), kind)
        assert equal == pytest.approx(6 * differ)


def test_the_gradient_passes_through_the_maximum():
    """Raising a row's largest activation lowers its others, relative to it."""
    grad_bk = jax.grad(penalties.polysemantic)(jnp.array([[2.0, 1.0], [1.0, 1.0]]), jnp.arange(2))
    # p = x_0 · x_1 with x_0 = (1, a_01 / a_00) and x_1 = (1, 1).
    assert grad_bk[0].tolist() == pytest.approx([-0.25, 0.5])


def test_normalisation_by_the_strongest_neuron():
    """A strong neuron that is active on every example costs 1, and the rest are rescaled to 0."""
    strong_bk = jnp.concatenate([jnp.full((8, 1), 1000.0), jnp.ones((8, 5))], axis=1)
    labels_b = jnp.arange(8)
    assert penalties.polysemantic(strong_bk, labels_b) == pytest.approx(1, abs=1e-4)
    assert penalties.polysemantic(strong_bk, labels_b, "hard") == pytest.approx(6)


def test_neurons_that_respond_to_all_features_cost_1_each(key):
    model = Model(jnp.ones((5, 7)), jnp.zeros(7), jnp.ones((7, 5)))
    world = World(jnp.eye(5))
    for kind, expected in (("soft", 7), ("hard", 7), ("soft_random_amplitude", 7)):
        assert PENALTIES[kind].on_features(model, world, key) == pytest.approx(expected)
    assert 7 <= PENALTIES["multi_feature"].on_features(model, world, key) <= 14 + 1e-5


def test_soft_on_features_is_polysemantic_with_a_label_each(key):
    world, state = begin(Config(n=16, m=4, k=24, batch_size=8, log2_steps=1), Hyperparams(), key)
    response_nk = state.model.neurons(world.embed_nm)
    expected = penalties.polysemantic(response_nk, jnp.arange(16))
    assert PENALTIES["soft"].on_features(state.model, world, key) == pytest.approx(float(expected))


@pytest.mark.parametrize("task", EMBEDDED)
def test_every_penalty_has_bounded_values_and_finite_gradients(task):
    config = Config(task=task, n=12, m=4, k=10, batch_size=8, log2_steps=1)
    keys = jax.random.split(jax.random.key(0), 2)
    worlds_r, states_r = jax.vmap(begin, (None, None, 0))(config, Hyperparams(), keys)
    for kind, penalty in PENALTIES.items():
        run = jax.value_and_grad(penalty.on_features)
        value_r, grads_r = jax.vmap(run)(states_r.model, worlds_r, keys)
        assert ((value_r >= 0) & (value_r <= 20)).all()
        one, _ = run(*jax.tree.map(lambda leaf: leaf[0], (states_r.model, worlds_r, keys)))
        assert value_r[0] == pytest.approx(float(one), rel=1e-5)
        assert np.isfinite(grads_r.w_mk).all()
        largest_r = abs(grads_r.w_mk).max(axis=(1, 2))
        assert (largest_r == 0).all() if kind == "none" else (largest_r > 0).all()


def test_only_penalties_that_draw_depend_on_the_key():
    world, state = begin(Config(n=12, m=4, k=10), Hyperparams(), jax.random.key(0))
    for kind in PENALTIES:
        one, other = (
            PENALTIES[kind].on_features(state.model, world, jax.random.key(seed)) for seed in (1, 2)
        )
        assert (one == other) == (not PENALTIES[kind].draws)


def test_penalty_memory_estimates():
    assert PENALTIES["none"].elements(8, 4) == 0
    for kind in ("soft", "hard", "soft_random_amplitude"):
        assert PENALTIES[kind].elements(8, 4) == 3 * 8 * 4
    assert PENALTIES["multi_feature"].elements(8, 4) == 7 * 8 * 4 + 5 * 8 * 8
