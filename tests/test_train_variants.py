"""Training with dropout, with noise, in shared worlds, and of the tied model."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
from settings import TINY

from toymono import (
    Config,
    Hyperparams,
    begin,
    features,
    fit,
    frames,
    models,
    store,
    train,
    train_step,
)
from toymono.penalties import activation_l1

# Dropout.

DROPPED = dataclasses.replace(TINY, dropout="on")


def test_dropout_is_that_of_its_key_and_step(points):
    """The loss and the gradients are those of the kept activations, doubled at rate 1/2."""
    hyperparams = points[0].replace(dropout_rate=0.5, l1=0.3)
    world, state = begin(DROPPED, hyperparams, jax.random.key(0))
    features_bn = features.sample(DROPPED, hyperparams, jax.random.key(9))
    losses = []
    for step in (0, 1):
        now = state.replace(step=jnp.int32(step))
        key = jax.random.fold_in(jax.random.fold_in(state.key, step), train._DROPOUT)
        kept_bk = jax.random.bernoulli(key, 0.5, (8, 24))

        def loss(model, kept_bk=kept_bk):
            hidden_bk = model.neurons(world.inputs(features_bn))
            error_bo = 2 * kept_bk * hidden_bk @ model.w_ko - features_bn
            # The L1 norm is that of all activations.
            task_loss = (error_bo**2).sum(axis=1).mean()
            return task_loss + 0.3 * activation_l1(hidden_bk), task_loss

        grads, task_loss = jax.grad(loss, has_aux=True)(state.model)
        _, metrics = train_step(DROPPED, hyperparams, world, now, features_bn)
        np.testing.assert_allclose(metrics.task_loss, task_loss, rtol=1e-5)
        norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(grads)))
        np.testing.assert_allclose(metrics.gradient_norm, norm, rtol=1e-5)
        losses.append(float(task_loss))
    assert losses[0] != losses[1]


def test_dropout_keeps_the_mean_and_drops_its_rate(key):
    hidden_bk = jnp.full((500, 200), 3.0)
    for rate in (0.0, 0.2, 0.8):
        dropped_bk = np.asarray(models.dropout(hidden_bk, rate, key))
        assert set(np.unique(dropped_bk)) <= {0, np.float32(3 / np.float32(1 - rate))}
        error = np.sqrt(rate * (1 - rate) / dropped_bk.size)
        assert abs((dropped_bk == 0).mean() - rate) <= 4 * error
    assert (models.dropout(hidden_bk, 0.0, key) == 3).all()


def test_dropout_at_rate_0_trains_the_same_model(config, points, run):
    dropped = fit(DROPPED, points[0].replace(dropout_rate=0.0), jax.random.key(0))
    chex.assert_trees_all_close(dropped.final, run.final, rtol=1e-4, atol=1e-6)
    half = fit(DROPPED, points[0].replace(dropout_rate=0.5), jax.random.key(0))
    assert abs(half.loss_t - run.loss_t).max() > 0.01


# Noise on the inputs, and shared worlds.

NOISY = dataclasses.replace(TINY, noise="on")


def test_a_noisy_step_descends_the_loss_on_noisy_inputs(points, begun):
    world, state = begun
    hyperparams = points[0].replace(noise_scale=0.5)
    features_bn = features.sample(NOISY, hyperparams, jax.random.key(9))
    key = jax.random.fold_in(jax.random.fold_in(state.key, 0), train._NOISE)
    x_bm = features_bn @ world.embed_nm + 0.5 * jax.random.normal(key, (8, 4))
    _, metrics = train_step(NOISY, hyperparams, world, state, features_bn)
    error_bo = state.model(x_bm) - features_bn
    np.testing.assert_allclose(metrics.task_loss, (error_bo**2).sum(axis=1).mean(), rtol=1e-5)


def test_without_dropout_and_noise_a_step_draws_nothing(config, points, begun):
    """So that runs from before these switches keep their bits."""

    def draws(config):
        features_bn = jnp.zeros((8, 16))
        traced = jax.make_jaxpr(train_step, static_argnums=0)(
            config, points[0], *begun, features_bn
        )
        return str(traced).count("random_bits")

    assert [draws(each) for each in (config, DROPPED, NOISY)] == [0, 1, 1]


def test_runs_with_a_world_seed_share_its_world_and_nothing_else(config, points):
    shared = dataclasses.replace(config, world_seed=3)
    of_3, first = begin(config, points[0], jax.random.key(3))
    for seed in (3, 4):
        world, state = begin(shared, points[0], jax.random.key(seed))
        _, own = begin(config, points[0], jax.random.key(seed))
        chex.assert_trees_all_equal(world, of_3)
        chex.assert_trees_all_equal(state.model, own.model)
        assert (jax.random.key_data(state.key) == jax.random.key_data(own.key)).all()
    assert (state.model.w_mk != first.model.w_mk).any()


# The tied model.

TIED = Config(
    "identity", 16, 4, batch_size=8, log2_steps=4, model="tied", optimizer="adamw", dropout="on"
)


def test_a_tied_step_descends_the_loss_of_its_definition():
    hyperparams = Hyperparams(eps=0.5, bias_decay=0.0, dropout_rate=0.25, l1=0.2, init_bias=0.1)
    world, state = begin(TIED, hyperparams, jax.random.key(0))
    features_bn = features.sample(TIED, hyperparams, jax.random.key(9))
    stepped, metrics = train_step(TIED, hyperparams, world, state, features_bn)
    key = jax.random.fold_in(jax.random.fold_in(state.key, 0), train._DROPOUT)
    kept_bm = np.asarray(jax.random.bernoulli(key, 0.75, (8, 4)))
    w_nm, b_n = np.asarray(state.model.w_nm, float), np.asarray(state.model.b_n, float)
    x_bn = np.asarray(features_bn, float)
    hidden_bm = x_bn @ w_nm
    read_bm = hidden_bm * kept_bm / 0.75
    output_bn = np.maximum(read_bm @ w_nm.T + b_n, 0)
    np.testing.assert_allclose(metrics.task_loss, ((output_bn - x_bn) ** 2).sum() / 8, rtol=1e-5)
    error_bn = 2 * (output_bn - x_bn) * (output_bn > 0) / 8
    hidden_grad_bm = error_bn @ w_nm * kept_bm / 0.75 + 0.2 * np.sign(hidden_bm) / 8
    grad_nm, grad_n = error_bn.T @ read_bm + x_bn.T @ hidden_grad_bm, error_bn.sum(axis=0)
    norm = np.sqrt((grad_nm**2).sum() + (grad_n**2).sum())
    np.testing.assert_allclose(metrics.gradient_norm, norm, rtol=1e-4)
    # The first step of Adam is the sign of the gradient.
    rate = 0.01 * (1 + 0.01 * abs(w_nm))
    assert (abs(np.asarray(stepped.model.w_nm) - w_nm) <= rate + 1e-6).all()
    moved = np.asarray(stepped.model.w_nm) - w_nm + 0.01 * 0.01 * w_nm
    np.testing.assert_allclose(moved, -0.01 * np.sign(grad_nm), atol=1e-4)


def test_a_tied_run_is_stored_and_scored(tmp_path):
    """Its neurons are the hidden dimensions, of which `k` says nothing."""
    run = fit(TIED, Hyperparams(eps=0.5), jax.random.key(0))
    chex.assert_tree_shape_prefix(run.snapshots, (5,))
    [stored] = [store.read(store.save(tmp_path, run))]
    loaded = store.load(stored)
    chex.assert_trees_all_equal(loaded.snapshots, run.snapshots)
    assert (loaded.final.w_nm == run.snapshots.w_nm[-1]).all()
    other = dataclasses.replace(TIED, k=7)
    assert store.name(other, run.hyperparams, 0) == stored.name
    [row] = frames.per_run([stored]).to_dict("records")
    assert row["monosemantic"] + row["polysemantic"] + row["dead"] == 4
    assert row["mono_per_neuron"] == row["monosemantic"] / 4
    assert len(frames.per_neuron([stored])) == 4
    assert row["loss"] < row["zero_loss"]


def test_a_tied_model_learns_antipodal_pairs():
    """Two features in one dimension, sparse: W = (1, -1), no bias, loss near 0 (Elhage et al.)."""
    config = dataclasses.replace(TIED, n=2, m=1, batch_size=256, log2_steps=11, dropout="off")
    config = dataclasses.replace(config, schedule="constant")
    hyperparams = Hyperparams(eps=0.05, learning_rate=1e-2, weight_decay=0.0, bias_decay=0.0)
    model = fit(config, hyperparams, jax.random.key(1)).final
    np.testing.assert_allclose(np.sort(model.w_nm.ravel()), [-1, 1], atol=0.03)
