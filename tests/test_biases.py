"""Where biases start, which of them decay, and what pulls them down."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import TINY

from toymono import Config, Hyperparams, Model, advance, begin, biases, features, train, train_step

HYPERPARAMS = Hyperparams(learning_rate=0.5, bias_decay=0.4, cosine_period=2.0)
MODEL = Model(jnp.ones((2, 3)), jnp.array([1.0, -2.0, 0.0]), jnp.ones((3, 2)))


def decayed(rule, firing_k=None, before=MODEL, model=MODEL, step=0, steps=4):
    config = Config(n=4, m=2, k=3, decay_rule=rule)
    return biases.decay(config, HYPERPARAMS, before, model, firing_k, jnp.int32(step), steps)


@pytest.mark.parametrize("steps", [1, 2, 7, 8])
def test_biases_decay_in_the_first_half_only(steps):
    for step in range(steps):
        after = decayed("all", step=step, steps=steps)
        factor = 1 - 0.4 * 0.5 if step < steps / 2 else 1
        np.testing.assert_allclose(after.b_k, factor * MODEL.b_k, rtol=1e-6)
        assert after.w_mk is MODEL.w_mk
        assert after.w_ko is MODEL.w_ko


def test_only_silent_neurons_decay():
    hyperparams = HYPERPARAMS.replace(firing_target=0.25)
    config = Config(n=4, m=2, k=3, decay_rule="silent")
    firing_k = jnp.array([0.1, 0.3, 0.0])
    after = biases.decay(config, hyperparams, MODEL, MODEL, firing_k, jnp.int32(0), 4)
    np.testing.assert_allclose(after.b_k, MODEL.b_k * np.array([0.8, 1, 0.8]), rtol=1e-6)
    late = biases.decay(config, hyperparams, MODEL, MODEL, firing_k, jnp.int32(2), 4)
    np.testing.assert_array_equal(late.b_k, MODEL.b_k)


def test_biases_decay_as_fast_as_weights_move():
    """Moves of 0, of a quarter and of twice the rate times the length of the weights."""
    moved = MODEL.replace(w_mk=MODEL.w_mk * (1 + 0.5 * jnp.array([0.0, 0.25, 2.0]))[None])
    after = decayed("moving", model=moved)
    np.testing.assert_allclose(after.b_k, MODEL.b_k * np.array([1, 0.95, 0.8]), rtol=1e-5)
    still = MODEL.replace(w_mk=jnp.zeros((2, 3)))
    np.testing.assert_array_equal(decayed("moving", before=still, model=still).b_k, MODEL.b_k)


def test_the_running_share_of_firing():
    config = Config(n=4, m=2, k=3, decay_rule="silent")
    firing_k = biases.before_firing(config)
    assert firing_k.tolist() == [0, 0, 0]
    hidden_bk = jnp.array([[1.0, 0.0, 2.0], [0.5, 0.0, 0.0]])
    firing_k = biases.firing(firing_k, hidden_bk)
    np.testing.assert_allclose(firing_k, np.array([1, 0, 0.5]) / biases.FIRING_STEPS, rtol=1e-6)
    for _ in range(3000):
        firing_k = biases.firing(firing_k, hidden_bk)
    np.testing.assert_allclose(firing_k, [1, 0, 0.5], atol=1e-4)
    assert biases.firing(None, hidden_bk) is None


@functools.cache
def started(start, margin):
    """The model that a run begins with, and the weighted inputs of the batches drawn before."""
    config = dataclasses.replace(TINY, bias_start=start)
    hyperparams = Hyperparams(eps=0.25, start_margin=margin).checked()
    world, state = begin(config, hyperparams, jax.random.key(0))
    return state.model, weighted_inputs(world, state)


@jax.jit
def weighted_inputs(world, state):
    keys = jax.random.split(jax.random.fold_in(state.key, train._START), biases.BATCHES)
    hyperparams = Hyperparams(eps=0.25)
    features_gbn = jax.lax.map(lambda key: features.sample(TINY, hyperparams, key), keys)
    return jax.vmap(world.inputs)(features_gbn) @ state.model.w_mk


@pytest.mark.parametrize("start", ["below_all", "below_each"])
def test_above_a_margin_of_0_nothing_fires(start):
    model, input_gbk = started(start, 0.01)
    assert (input_gbk + model.b_k[None, None] <= 0).all()
    model, input_gbk = started(start, -0.2)
    fires_k = (input_gbk + model.b_k[None, None] > 0).any((0, 1))
    assert fires_k.any()
    assert fires_k.all() == (start == "below_each")


def test_starts_by_hand():
    plain, input_gbk = started("shifted", 0.0)
    most_gk = input_gbk.max(axis=1)
    for start, expected in (
        ("below_all", most_gk.max() * jnp.ones(TINY.k)),
        ("below_each", most_gk.max(0)),
        ("below_batch", most_gk.mean(0)),
    ):
        model, _ = started(start, 0.5)
        np.testing.assert_allclose(model.b_k, -1.5 * expected, rtol=1e-5)
        chex.assert_trees_all_equal(model.w_mk, plain.w_mk)
    assert (started("below_all", 0.0)[0].b_k <= started("below_each", 0.0)[0].b_k).all()


def test_the_pull_is_a_term_of_the_loss():
    config = dataclasses.replace(TINY, bias_pull="on")
    pulled = Hyperparams(eps=0.25, pull_weight=2.0, pull_target=-0.1)
    world, state = begin(config, pulled, jax.random.key(0))
    features_bn = features.sample(config, pulled, jax.random.key(1))

    def loss(model, weight):
        error_bo = model(world.inputs(features_bn)) - world.targets(features_bn)
        above_k = jnp.maximum(model.b_k + 0.1, 0)
        return (error_bo**2).sum(1).mean() + weight * (above_k**2).sum() / TINY.k

    for weight in (0.0, 2.0):
        grads = jax.grad(loss)(state.model, weight)
        norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(grads)))
        now = pulled.replace(pull_weight=weight)
        _, metrics = train_step(config, now, world, state, features_bn)
        np.testing.assert_allclose(metrics.gradient_norm, norm, rtol=1e-5)


@pytest.mark.parametrize("rule", ["silent", "moving"])
def test_a_rule_that_spares_no_neuron_is_plain_decay(rule):
    """A target of 1 is above any share of firing; `moving` differs."""
    plain = Hyperparams(eps=0.25, init_bias=-0.5, bias_decay=1.0, firing_target=1.0)
    runs = [
        advance(config, plain, *begin(config, plain, jax.random.key(0)), 8)
        for config in (TINY, dataclasses.replace(TINY, decay_rule=rule))
    ]
    biases_k = [run.model.b_k for run in runs]
    if rule == "silent":
        np.testing.assert_allclose(*biases_k, rtol=1e-5)
        assert runs[1].firing_k.shape == (TINY.k,)
    else:
        assert abs(biases_k[0] - biases_k[1]).max() > 1e-4
    assert runs[0].firing_k is None


def test_a_tied_model_has_no_schemes():
    for scheme in ({"bias_start": "below_all"}, {"decay_rule": "moving"}, {"bias_pull": "on"}):
        with pytest.raises(ValueError, match=r"^model=tied has no neurons with biases"):
            Config("identity", n=8, m=4, model="tied", **scheme)
