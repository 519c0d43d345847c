"""Training with sparse weights keeps to its masks."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from masked import CHANGING, HYPERPARAMS, SPARSE, counts_of, sparse, tensors
from settings import TINY

from toymono import (
    Model,
    advance,
    begin,
    features,
    fit,
    fit_many,
    masks,
    optimizers,
    pruning,
    train,
    train_step,
    unstack,
)
from toymono.fields import TOY_CONFIG


@pytest.mark.parametrize("optimizer", TOY_CONFIG["optimizer"].choices)
@pytest.mark.parametrize("rule", SPARSE)
def test_training_keeps_unused_weights_and_their_moments_at_0(rule, optimizer):
    config = sparse(rule, optimizer=optimizer)
    world, state = begin(config, HYPERPARAMS, jax.random.key(0))
    start = state.masks
    expected = [round(0.3 * 4 * 24), round(0.3 * 24 * 16)]
    for steps in (1, 63, 1, 1, 190):
        before = state
        state = advance(config, HYPERPARAMS, world, state, steps)
        assert counts_of(state.masks) == expected
        models = [state.model, *(s for s in jax.tree.leaves(state.optimizer, is_leaf=of_model))]
        for model in filter(of_model, models):
            for name, weight in tensors(model).items():
                assert not weight[~tensors(state.masks)[name]].any()
        changed = any((a != b).any() for a, b in zip(*map(masks_of, (before, state)), strict=True))
        assert changed == (rule in CHANGING and 64 in range(int(before.step), int(state.step))) or (
            rule in CHANGING and steps == 190
        )
    if rule == "erdos_renyi":
        chex.assert_trees_all_equal(state.masks, start)
    assert np.isfinite(state.loss_t).all()


def of_model(part):
    return isinstance(part, Model)


def masks_of(state):
    return tensors(state.masks).values()


def step_of(config, hyperparams, state, world):
    features_bn = features.sample(config, hyperparams, jax.random.key(4))
    return train_step(config, hyperparams, world, state, features_bn)


@pytest.mark.parametrize("rule", SPARSE)
def test_at_density_1_a_step_is_that_of_dense_weights(rule):
    hyperparams = HYPERPARAMS.replace(density=1.0)
    world, state = begin(TINY, hyperparams, jax.random.key(0))
    masked_world, masked = begin(sparse(rule, 4), hyperparams, jax.random.key(0))
    chex.assert_trees_all_equal((masked_world, masked.model), (world, state.model))
    for _ in range(3):
        state, _ = step_of(TINY, hyperparams, state, world)
        masked, _ = step_of(sparse(rule, 4), hyperparams, masked, world)
        chex.assert_trees_all_close(masked.model, state.model, rtol=1e-6, atol=1e-6)


def test_masks_that_are_given_stay_and_full_ones_are_density_1_bit_for_bit():
    """A state with masks of a config without a rule, as a ticket has: one program."""
    world, state = begin(sparse("erdos_renyi"), HYPERPARAMS.replace(density=1.0), jax.random.key(0))
    full = masks.whole(state.model)
    given = train.untrained(TINY, HYPERPARAMS, state.model, 256, state.key, full)
    chex.assert_trees_all_equal(given.masks, state.masks)
    for chosen in (full, pruning.kept(state.model, full, "global", 0.5)):
        start = pruning.rewound(chosen, state.model)
        given = train.untrained(TINY, HYPERPARAMS, start, 256, state.key, chosen)
        end = advance(TINY, HYPERPARAMS, world, given, 256)
        static = advance(
            sparse("erdos_renyi"),
            HYPERPARAMS,
            world,
            state.replace(model=start, masks=chosen),
            256,
        )
        chex.assert_trees_all_equal(end.replace(key=None), static.replace(key=None))
        assert counts_of(end.masks) == [int(mask.sum()) for mask in tensors(chosen).values()]
        for name, weight in tensors(end.model).items():
            assert not weight[~tensors(chosen)[name]].any()


@pytest.mark.parametrize("rule", CHANGING)
def test_a_drop_share_of_0_is_a_fixed_mask(rule):
    hyperparams = HYPERPARAMS.replace(drop_share=0.0)
    fixed, kept = (fit(sparse(r), hyperparams, jax.random.key(0)) for r in ("erdos_renyi", rule))
    chex.assert_trees_all_equal(fixed.masks, kept.masks)
    chex.assert_trees_all_close(fixed.final, kept.final, rtol=1e-4, atol=1e-5)


def test_lamb_with_masks_is_lamb_on_the_weights_in_use():
    """Norms, moments and steps are those of the shorter tensors: pruned ones have no part."""
    config, hyperparams = sparse("erdos_renyi"), HYPERPARAMS
    world, state = begin(config, hyperparams, jax.random.key(0))
    used = tensors(state.masks)
    transform = optimizers.build(config, hyperparams)
    short = {name: weight[used[name]] for name, weight in tensors(state.model).items()}
    short["b_k"] = state.model.b_k
    optimizer = transform.init(short)
    features_bn = features.sample(config, hyperparams, jax.random.key(4))
    for _ in range(4):

        def loss(model):
            error_bo = model(world.inputs(features_bn)) - world.targets(features_bn)
            return (error_bo**2).sum(1).mean()

        dense = jax.grad(loss)(state.model)
        grads = {name: grad[used[name]] for name, grad in tensors(dense).items()}
        grads["b_k"] = dense.b_k
        updates, optimizer = transform.update(grads, optimizer, short)
        short = jax.tree.map(jnp.add, short, updates)
        state, metrics = train_step(config, hyperparams, world, state, features_bn)
        norm = np.sqrt(sum((leaf**2).sum() for leaf in grads.values()))
        np.testing.assert_allclose(metrics.gradient_norm, norm, rtol=1e-5)
        decayed = 1 - 0.1 * 0.02
        short["b_k"] = short["b_k"] * decayed
        for name, weight in tensors(state.model).items():
            np.testing.assert_allclose(weight[used[name]], short[name], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(state.model.b_k, short["b_k"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", SPARSE)
def test_densities_do_not_recompile(rule, compilations):
    config = sparse(rule)
    run_at = {}
    run_at[0.3] = fit(config, HYPERPARAMS, jax.random.key(0))
    with compilations() as compiled:
        for density in (0.1, 1.0):
            hyperparams = HYPERPARAMS.replace(density=density, drop_share=density / 2)
            run_at[density] = fit(config, hyperparams, jax.random.key(0))
    assert not [name for name in compiled if "fit" in name]
    for density, run in run_at.items():
        assert counts_of(run.masks) == [round(density * 96), round(density * 384)]


@pytest.mark.parametrize("rule", SPARSE)
def test_many_runs_are_those_of_the_loop(rule):
    """At a step where one changes masks, all do what they do alone."""
    config, keys = sparse(rule), jax.random.split(jax.random.key(5), 2)
    density = jnp.array([0.2, 0.6])
    together = fit_many(config, HYPERPARAMS.replace(density=density), keys)
    for one, run in enumerate(unstack(together)):
        alone = fit(config, HYPERPARAMS.replace(density=float(density[one])), keys[one])
        np.testing.assert_allclose(run.loss_t[:64], alone.loss_t[:64], rtol=1e-3)
        assert counts_of(run.masks) == counts_of(alone.masks)
        if rule != "rigl":  # whose choices rounding could change
            chex.assert_trees_all_equal(run.masks, alone.masks)


def test_weights_outside_given_masks_are_0_after_the_first_step():
    world, state = begin(TINY, HYPERPARAMS, jax.random.key(0))
    chosen = pruning.prune(state.model, None, 0.5)
    after, _ = step_of(TINY, HYPERPARAMS, state.replace(masks=chosen), world)
    for name, weight in tensors(after.model).items():
        assert not weight[~tensors(chosen)[name]].any()


def test_without_sparsity_there_are_no_masks(run):
    assert run.masks is None
    assert begin(TINY, HYPERPARAMS, jax.random.key(0))[1].masks is None


def test_masks_change_neither_the_world_nor_the_draws():
    """Weights in use start at the values that they have in the dense model."""
    world, state = begin(TINY, HYPERPARAMS, jax.random.key(0))
    for rule in SPARSE:
        same, masked = begin(sparse(rule, 4), HYPERPARAMS, jax.random.key(0))
        chex.assert_trees_all_equal(same, world)
        for name, weight in tensors(masked.model).items():
            expected = tensors(state.model)[name] * tensors(masked.masks)[name]
            np.testing.assert_array_equal(weight, expected)
        assert (jax.random.key_data(masked.key) == jax.random.key_data(state.key)).all()
