"""The polysemantic penalty by hand: the published definition, its bounds and its invariances."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toymono import Config, Hyperparams, Model, World, begin, penalties, stack, unstack
from toymono.train import begin_many

HAND_BK, HAND_LABELS_B = jnp.array([[2.0, 0.0], [0.0, 4.0], [1.0, 1.0]]), jnp.array([0, 0, 1])


def random_layer(seed, b=16, k=6, classes=4):
    rng = np.random.default_rng(seed)
    activations_bk = np.maximum(rng.normal(size=(b, k)), 0).astype(np.float32)
    return activations_bk, rng.integers(classes, size=b)


def test_two_thirds():
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
def test_a_silent_example_has_a_finite_value_and_gradient(kind):
    activations_bk = HAND_BK.at[1].set(0.0)
    value, grad_bk = jax.value_and_grad(penalties.polysemantic)(activations_bk, HAND_LABELS_B, kind)
    assert np.isfinite(value)
    assert np.isfinite(grad_bk).all()


@given(st.integers(0, 100))
def test_the_bound_is_reached_where_all_fire_alike(seed):
    activations_bk, labels_b = random_layer(seed)
    differ = (labels_b[:, None] != labels_b).sum() / 2 / math.comb(16, 2)
    for kind in ("soft", "hard"):
        found = penalties.polysemantic(jnp.asarray(activations_bk), jnp.asarray(labels_b), kind)
        assert 0 <= found <= 6 * differ + 1e-6
        alike = penalties.polysemantic(jnp.ones((16, 6)), jnp.asarray(labels_b), kind)
        assert alike == pytest.approx(6 * differ)


def test_the_gradient_passes_through_the_maximum():
    """Raising a row's largest activation lowers its others, relative to it."""
    grad_bk = jax.grad(penalties.polysemantic)(jnp.array([[2.0, 1.0], [1.0, 1.0]]), jnp.arange(2))
    # p = x_0 · x_1 with x_0 = (1, a_01 / a_00) and x_1 = (1, 1).
    assert grad_bk[0].tolist() == pytest.approx([-0.25, 0.5])


def test_one_strong_neuron_hides_the_others():
    """The penalty's way out: a neuron that fires for all costs 1 and shields the rest."""
    shielded_bk = jnp.concatenate([jnp.full((8, 1), 1000.0), jnp.ones((8, 5))], axis=1)
    labels_b = jnp.arange(8)
    assert penalties.polysemantic(shielded_bk, labels_b) == pytest.approx(1, abs=1e-4)
    assert penalties.polysemantic(shielded_bk, labels_b, "hard") == pytest.approx(6)


def identity_model(n):
    return Model(jnp.eye(n), jnp.zeros(n), jnp.eye(n)), World(jnp.eye(n))


def test_features_with_a_neuron_each_cost_nothing(key):
    assert penalties.on_features("soft", *identity_model(5), key) == 0


def test_neurons_that_answer_to_all_cost_one_each(key):
    model = Model(jnp.ones((5, 7)), jnp.zeros(7), jnp.ones((7, 5)))
    world = World(jnp.eye(5))
    for kind, expected in (("soft", 7), ("hard", 7), ("soft_random_amplitude", 7)):
        assert penalties.on_features(kind, model, world, key) == pytest.approx(expected)
    assert 7 <= penalties.on_features("multi_feature", model, world, key) <= 14 + 1e-5


def test_soft_on_features_is_the_labelled_penalty_with_a_label_each(key):
    world, state = begin(Config(n=16, m=4, k=24, batch_size=8, log2_steps=1), Hyperparams(), key)
    response_nk = state.model.neurons(world.embed_nm)
    expected = penalties.polysemantic(response_nk, jnp.arange(16))
    assert penalties.on_features("soft", state.model, world, key) == pytest.approx(float(expected))


@pytest.mark.parametrize("task", ["decoder", "reproject", "abs"])
def test_every_kind_serves_every_task_and_many_runs_at_once(task):
    config = Config(task=task, n=12, m=4, k=10, batch_size=8, log2_steps=1)
    keys = stack([jax.random.key(seed) for seed in range(2)])
    worlds_r, states_r = begin_many(config, stack([Hyperparams()] * 2), keys)
    models_r = states_r.model

    @jax.jit
    def of_runs(models_r, worlds_r, keys):
        def of_run(model, world, key):
            ask = jax.value_and_grad(penalties.on_features, argnums=1)
            return {kind: ask(kind, model, world, key) for kind in penalties.KINDS}

        return jax.vmap(of_run)(models_r, worlds_r, keys)

    [first, *_] = zip(unstack(models_r), unstack(worlds_r), keys, strict=True)
    for kind, (values_r, grads_r) in of_runs(models_r, worlds_r, keys).items():
        assert ((values_r >= 0) & (values_r <= 20)).all()
        assert values_r[0] == pytest.approx(float(penalties.on_features(kind, *first)), rel=1e-5)
        assert np.isfinite(grads_r.w_mk).all()
        assert (abs(grads_r.w_mk).max(axis=(1, 2)) > 0).all()


def test_kinds_that_draw_depend_on_the_key():
    world, state = begin(Config(n=12, m=4, k=10), Hyperparams(), jax.random.key(0))
    for kind in penalties.KINDS:
        one, other = (
            penalties.on_features(kind, state.model, world, jax.random.key(seed)) for seed in (1, 2)
        )
        assert (one == other) == (kind in ("soft", "hard"))
