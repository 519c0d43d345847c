"""The training loop against itself: segments, groups, seeds, keys, compilations."""

import dataclasses
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import KeyReuseError
from settings import NONLINEARITIES

from toymono import (
    Dials,
    Model,
    Setup,
    World,
    advance,
    begin,
    fit,
    fit_many,
    replay,
    stack,
    train,
    unstack,
)
from toymono import world as worlds
from toymono.config import CHOICES
from toymono.train import advance_many, begin_many

sample_many = jax.jit(jax.vmap(worlds.sample, (None, None, 0)))


def batches(setup, dials, key):
    """The batches that training draws from the state's key, `[t b n]`."""
    keys = jax.vmap(lambda step: jax.random.fold_in(key, step))(jnp.arange(setup.steps))
    return sample_many(setup, dials.checked(), keys)


def test_replay_goes_where_fit_went(setup, points, run):
    world, state = begin(setup, points[0], jax.random.key(0))
    features_tbn = batches(setup, points[0], state.key)
    model, loss_t = replay(setup, points[0], world, state.model, features_tbn)
    np.testing.assert_allclose(loss_t, run.loss_t, rtol=1e-5)
    chex.assert_trees_all_close(model, run.final, rtol=1e-4, atol=1e-6)


def test_replay_takes_task_and_nonlinearity_from_the_setup():
    setup = Setup(task="abs", nonlinearity="gelu", n=4, m=2, k=3)
    rng = np.random.default_rng(0)
    embed_nm = jnp.asarray(rng.normal(size=(4, 2)), jnp.float32)
    weights = [jnp.asarray(rng.normal(size=s), jnp.float32) for s in [(2, 3), (3,), (3, 4)]]
    features_tbn = jnp.asarray(rng.uniform(-1, 1, (5, 6, 4)), jnp.float32)
    plain = replay(setup, Dials(), World(embed_nm), Model(*weights), features_tbn)
    chex.assert_trees_all_close(plain[1][0], loss_of(setup, embed_nm, weights, features_tbn[0]))
    assert plain[0].nonlinearity == "gelu"


def assert_close(runs, others, **tolerance):
    """Both equal within a tolerance, keys included."""
    bare = [run.replace(key=jax.random.key_data(run.key)) for run in (runs, others)]
    chex.assert_trees_all_close(*bare, **tolerance)


def loss_of(setup, embed_nm, weights, features_bn):
    w_mk, b_k, w_ko = map(np.asarray, weights)
    features_bn = np.asarray(features_bn)
    h_bk = NONLINEARITIES[setup.nonlinearity](features_bn @ np.asarray(embed_nm) @ w_mk + b_k)
    wanted_bo = np.abs(features_bn) if setup.task == "abs" else features_bn
    return ((h_bk @ w_ko - wanted_bo) ** 2).sum(1).mean().astype(np.float32)


# One loop, composed in several ways.


@pytest.mark.parametrize("cuts", [(16,), (1, 15), (5, 0, 4, 7)])
def test_segments_change_nothing(setup, points, run, cuts):
    world, state = begin(setup, points[0], jax.random.key(0))
    for steps in cuts:
        state = advance(setup, points[0], world, state, steps)
    assert state.step == setup.steps
    chex.assert_trees_all_equal((world, state.model), (run.world, run.final))
    chex.assert_trees_all_equal(state.loss_t, run.loss_t)


def test_segments_of_many_change_nothing(setup, runs):
    world, state = begin_many(setup, runs.dials, runs.key)
    for steps in (5, 0, 4, 7):
        state = advance_many(setup, runs.dials, world, state, steps)
    chex.assert_trees_all_equal((world, state.model), (runs.world, runs.final))
    chex.assert_trees_all_equal(state.loss_t, runs.loss_t)


def test_snapshots_are_the_models_after_powers_of_two(setup, points, run):
    world, state = begin(setup, points[0], jax.random.key(0))
    for c, step in enumerate([1, 2, 4, 8, 16]):
        state = advance(setup, points[0], world, state, step - state.step)
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[c], run.snapshots), state.model)  # noqa: B023


def test_steps_to_come_have_no_loss_yet(setup, points, begun):
    world, state = begun
    loss_t = advance(setup, points[0], world, state, 5).loss_t
    assert jnp.isfinite(loss_t).tolist() == [True] * 5 + [False] * 11


# Many runs are each alone.


def test_many_runs_are_those_trained_alone(setup, points, runs):
    for seed, (dials, one) in enumerate(zip(points, unstack(runs), strict=True)):
        alone = fit(setup, dials, jax.random.key(seed))
        np.testing.assert_allclose(one.loss_t, alone.loss_t, rtol=1e-5)
        assert_close(one, alone, rtol=1e-4, atol=1e-6)


def test_a_run_does_not_depend_on_its_place(setup, runs):
    order_r = jnp.array([2, 0, 1])
    again = fit_many(*jax.tree.map(lambda leaf: leaf[order_r], (setup, runs.dials, runs.key)))
    assert_close(again, jax.tree.map(lambda leaf: leaf[order_r], runs), rtol=1e-6)


def test_fit_many_is_vmap_of_fit(setup, runs):
    mapped = jax.vmap(fit, in_axes=(None, 0, 0))(setup, runs.dials, runs.key)
    assert_close(mapped, runs, rtol=1e-6)


def test_a_scalar_dial_is_shared_by_all_runs(setup, runs):
    shared = fit_many(setup, Dials(eps=0.25, init_bias=jnp.array([-1.0, 0.0, 1.0])), runs.key)
    assert shared.dials.eps.tolist() == [0.25] * 3
    assert shared.dials.init_bias.tolist() == [-1, 0, 1]


def test_a_diverging_run_leaves_its_neighbours_alone(setup, points, runs):
    wild = stack([*points[:2], Dials(learning_rate=1e30, eps=0.5)])
    together = unstack(fit_many(setup, wild, runs.key))
    assert [one.diverged is None for one in together] == [True, True, False]
    for one, alone in zip(together[:2], unstack(runs)[:2], strict=True):
        assert_close(one, alone, rtol=1e-6)


# What a run draws depends on its seed alone.


def test_dials_share_world_weights_and_batches(setup):
    one, other = (
        begin(setup, dials, jax.random.key(7))
        for dials in (Dials(eps=0.25), Dials(0.1, 0.25, -1.0, 0.5, 0.1, 2.0, 64.0))
    )
    chex.assert_trees_all_equal((one[0], one[1].key), (other[0], other[1].key))
    chex.assert_trees_all_equal(one[1].model.w_mk, other[1].model.w_mk)
    chex.assert_trees_all_close(one[1].model.b_k - 1, other[1].model.b_k)


def test_seeds_differ_in_world_weights_and_batches(setup, points):
    one, other = (begin(setup, points[0], jax.random.key(seed)) for seed in (0, 1))
    assert (one[0].embed_nm != other[0].embed_nm).any()
    assert (one[1].model.w_ko != other[1].model.w_ko).any()
    assert (jax.random.key_data(one[1].key) != jax.random.key_data(other[1].key)).any()


def test_a_resting_run_records_the_loss_of_each_fresh_batch(setup):
    dials = Dials(learning_rate=0.0, eps=0.25)
    rested = fit(setup, dials, jax.random.key(0))
    world, state = begin(setup, dials, jax.random.key(0))
    wanted_t = [
        loss_of(setup, world.embed_nm, jax.tree.leaves(state.model), features_bn)
        for features_bn in batches(setup, dials, state.key)
    ]
    np.testing.assert_allclose(rested.loss_t, wanted_t, rtol=1e-5)
    assert len(set(rested.loss_t.tolist())) == setup.steps


def test_rate_zero_changes_no_weight(setup, begun):
    rested = fit(setup, Dials(learning_rate=0.0, bias_decay=1.0, l1=1.0), jax.random.key(0))
    chex.assert_trees_all_equal(rested.final, begun[1].model)


def test_the_penalty_is_not_recorded(setup):
    plain, punished = (
        fit(setup, Dials(learning_rate=0.0, eps=0.25, l1=l1), jax.random.key(0)) for l1 in (0, 10)
    )
    chex.assert_trees_all_equal(plain.loss_t, punished.loss_t)


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_a_raw_key_is_as_good_as_a_typed_one(setup, points, seed):
    raw, typed = (
        fit(setup, points[0], make(seed)) for make in (jax.random.PRNGKey, jax.random.key)
    )
    chex.assert_trees_all_equal(raw, typed)
    assert raw.seed == typed.seed == seed


def test_raw_keys_train_many(setup, runs):
    raw = fit_many(setup, runs.dials, jax.random.key_data(runs.key))
    chex.assert_trees_all_equal(raw, runs)


def test_the_seed_identifies_the_key(run, runs):
    keys = jax.random.split(jax.random.key(0), 8)
    assert len({run.replace(key=key).seed for key in keys}) == 8
    assert [one.seed for one in unstack(runs)] == [0, 1, 2]


def test_no_key_is_used_twice():
    def reuses(key):
        return jax.random.normal(key) + jax.random.uniform(key)

    with jax.debug_key_reuse(True):
        with pytest.raises(KeyReuseError):
            jax.jit(reuses)(jax.random.key(0))
        worlds.build(Setup("reproject", 8, 4), jax.random.key(0))
        setup = Setup("abs", 8, 4, 8, feature_law="power_law", batch_size=4, log2_steps=1)
        advance(setup, Dials(), *begin(setup, Dials(), jax.random.key(0)), 2)


def test_the_penalty_draws_from_a_key_of_its_own(key):
    """`fold_in(key, i)` is `split(key)[i]`, which the checker does not know."""
    of_the_batch = jax.random.key_data(jax.random.split(key)).tolist()
    of_the_penalty = jax.random.key_data(jax.random.fold_in(key, train._PENALTY)).tolist()
    assert of_the_penalty not in of_the_batch


# What compiles.


def test_dials_and_seeds_do_not_recompile(setup, points, runs, compilations):
    keys = [jax.random.key(seed) for seed in range(3)]
    # The runs that the tests share may be of another test's JAX configuration.
    fit(setup, points[0], keys[0])
    fit_many(setup, runs.dials, runs.key)
    with compilations() as compiled:
        for dials, key in zip(points[1:], keys[1:], strict=True):
            fit(setup, dials, key)
        fit_many(setup, jax.tree.map(lambda dial: dial[::-1], runs.dials), runs.key)
    assert not [name for name in compiled if "fit" in name]


def test_a_state_that_begins_is_of_the_types_that_it_goes_on_with(begun):
    """A weak one would be made strong by a step, and compile anew."""
    world, state = begun
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((world, state.replace(key=None))))


def test_segment_lengths_do_not_recompile(setup, points, begun, compilations):
    world, state = begun
    state = advance(setup, points[0], world, state, 1)
    with compilations() as compiled:
        for steps in (2, 3, 4):
            state = advance(setup, points[0], world, state, steps)
    assert compiled == []


def test_a_setup_compiles_once(points, key, compilations):
    with compilations() as compiled:
        for _ in range(2):
            begin(Setup(n=8, m=4, k=8), points[0], key)
    assert compiled.count("jit(begin)") == 1


# Every setup trains.


EVERY_SETUP = [
    Setup(task, 16, 4, 24, nonlinearity, law, batch_size=8, log2_steps=3)
    for task, nonlinearity, law in itertools.product(
        CHOICES["task"], CHOICES["nonlinearity"], CHOICES["feature_law"]
    )
]


def words(setup):
    return f"{setup.task}-{setup.nonlinearity}-{setup.feature_law}"


@pytest.mark.parametrize("setup", EVERY_SETUP, ids=words)
def test_every_setup_has_its_shapes(setup):
    def traced(key):
        run = fit(setup, Dials(), key)
        w_mk, b_k, w_ko = run.final.w_mk, run.final.b_k, run.final.w_ko
        chex.assert_shape([w_mk, b_k, w_ko], [(4, 24), (24,), (24, setup.o)])
        chex.assert_tree_shape_prefix(run.snapshots, (4,))
        assert (run.world.task, run.final.nonlinearity) == (setup.task, setup.nonlinearity)
        assert (run.world.reproject_nm is None) == (setup.task != "reproject")
        return run.loss_t

    assert jax.eval_shape(traced, jax.random.key(0)).shape == (8,)


# Half of them, in which every two words meet, with either optimiser and schedule.
@pytest.mark.parametrize("setup", EVERY_SETUP[::4] + EVERY_SETUP[3::4], ids=words)
def test_every_setup_trains(setup):
    if setup.nonlinearity == "gelu":
        setup = dataclasses.replace(setup, optimizer="adam", schedule="constant")
    run = fit(setup, Dials(eps=0.25), jax.random.key(0))
    assert run.diverged is None
    assert all((leaf[0] != leaf[-1]).any() for leaf in jax.tree.leaves(run.snapshots))


def test_the_loss_falls():
    setup = Setup(n=16, m=8, k=48, batch_size=32, log2_steps=9)
    loss_t = fit(setup, Dials(eps=1 / 16), jax.random.key(0)).loss_t
    assert loss_t[-64:].mean() < 0.5 * loss_t[:8].mean()


# Runs that fail.


def test_a_diverged_run_names_the_step(diverged_run):
    step = diverged_run.diverged
    assert np.isfinite(diverged_run.loss_t[:step]).all()
    assert not np.isfinite(diverged_run.loss_t[step])
    assert 0 < step < diverged_run.setup.steps


def test_weights_lost_in_the_last_step_count(run):
    b_ck = run.snapshots.b_k.at[-1, 0].set(jnp.inf)
    assert run.diverged is None
    assert run.replace(snapshots=run.snapshots.replace(b_k=b_ck)).diverged == run.setup.steps


def test_a_dial_out_of_range_does_not_train(setup, runs):
    with pytest.raises(ValueError, match=r"^eps=2 is not in \(0, 1\]$"):
        fit(setup, Dials(eps=2.0), jax.random.key(0))
    with pytest.raises(ValueError, match="learning_rate=-1 "):
        fit_many(setup, Dials(learning_rate=jnp.array([1.0, -1.0, 0.0])), runs.key)


def test_one_run_takes_no_stack(setup, points, key, begun):
    world, state = begun
    stacked = points[0].replace(init_bias=jnp.linspace(-1, 0, setup.k))
    features_tbn = jnp.zeros((1, 8, setup.n))
    for train_one in (
        lambda: fit(setup, stacked, key),
        lambda: begin(setup, stacked, key),
        lambda: advance(setup, stacked, world, state, 1),
        lambda: replay(setup, stacked, world, state.model, features_tbn),
    ):
        with pytest.raises(ValueError, match=r"^init_bias has shape \(24,\): one run takes scal"):
            train_one()
    with pytest.raises(ValueError, match=r"^key has shape \(2,\): one run takes one key"):
        fit(setup, points[0], jax.random.split(key))


def test_a_stack_has_one_dial_for_each_key(setup, runs, key):
    two = Dials(eps=jnp.array([0.25, 0.5]))
    with pytest.raises(ValueError, match=r"^eps has shape \(2,\), and the keys have \(3,\)$"):
        fit_many(setup, two, runs.key)
    with pytest.raises(ValueError, match=r"^keys have shape \(\), not \[r\]"):
        fit_many(setup, two, key)


@pytest.mark.parametrize("train_any", [fit, fit_many])
def test_a_number_is_no_key(setup, train_any):
    with pytest.raises(TypeError, match=r"^7 is no key; jax.random.key\(seed\) makes one$"):
        train_any(setup, Dials(), 7)


def test_the_final_model_is_the_last_snapshot(runs):
    for one, final in zip(unstack(runs), unstack(runs.final), strict=True):
        chex.assert_trees_all_equal(one.final, final)
        chex.assert_trees_all_equal(final, jax.tree.map(lambda leaf: leaf[-1], one.snapshots))


@pytest.mark.parametrize("asked", ["seed", "diverged"])
def test_stacked_runs_are_to_be_parted_first(runs, asked):
    with pytest.raises(ValueError, match=rf"^{asked} is one run's, .*unstack them$"):
        getattr(runs, asked)
