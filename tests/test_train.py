"""Training: one step against its definition, and the loop against itself."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.errors import KeyReuseError
from settings import NONLINEARITIES

from toymono import (
    Config,
    Hyperparams,
    Model,
    World,
    advance,
    begin,
    features,
    fit,
    fit_many,
    replay,
    stack,
    train,
    train_step,
    unstack,
)
from toymono.penalties import PENALTIES, activation_l1

sample_many = jax.jit(jax.vmap(features.sample, (None, None, 0)))


def batches(config, hyperparams, key):
    """The batches that training draws from the state's key, `[t b n]`."""
    keys = jax.vmap(lambda step: jax.random.fold_in(key, step))(jnp.arange(config.steps))
    return sample_many(config, hyperparams.checked(), keys)


def test_replay_of_the_same_batches_is_fit(config, points, run):
    world, state = begin(config, points[0], jax.random.key(0))
    features_tbn = batches(config, points[0], state.key)
    model, loss_t = replay(config, points[0], world, state.model, features_tbn)
    np.testing.assert_allclose(loss_t, run.loss_t, rtol=1e-5)
    chex.assert_trees_all_close(model, run.final, rtol=1e-4, atol=1e-6)


def test_replay_takes_task_and_nonlinearity_from_the_config():
    config = Config(task="abs", nonlinearity="gelu", n=4, m=2, k=3)
    rng = np.random.default_rng(0)
    embed_nm = jnp.asarray(rng.normal(size=(4, 2)), jnp.float32)
    weights = [jnp.asarray(rng.normal(size=s), jnp.float32) for s in [(2, 3), (3,), (3, 4)]]
    features_tbn = jnp.asarray(rng.uniform(-1, 1, (5, 6, 4)), jnp.float32)
    plain = replay(config, Hyperparams(), World(embed_nm), Model(*weights), features_tbn)
    chex.assert_trees_all_close(plain[1][0], loss_of(config, embed_nm, weights, features_tbn[0]))
    assert plain[0].nonlinearity == "gelu"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sparsity": "rigl"}, r"^sparsity=rigl: replay takes sparsity=none alone$"),
        ({"origin": "pull"}, r"^origin=pull: replay takes origin=fresh alone$"),
    ],
)
def test_replay_refuses_settings_that_it_would_ignore(config, run, changed, message):
    batch_tbn = jnp.zeros((1, 2, config.n))
    other = dataclasses.replace(config, **changed)
    with pytest.raises(ValueError, match=message):
        replay(other, Hyperparams(), run.world, run.final, batch_tbn)


def test_a_progress_bar_trains_with_the_limits_of_the_device(config, points, monkeypatch):
    """Without them a GPU waits in every step for loops whose length depends on the data."""
    new = dataclasses.replace(config, log2_steps=2, batch_size=7)  # traced here for the first time
    limits, given, sample = features.Limits(rounds=4, certain=0), [], features.sample
    monkeypatch.setattr(features, "limits_on_device", lambda config, hyperparams: limits)
    monkeypatch.setattr(features, "sample", lambda *args: given.append(args[3]) or sample(*args))
    fit_many(new, stack(points), jax.random.split(jax.random.key(0), 3), progress=True)
    assert set(given) == {limits}


def assert_close(runs, others, **tolerance):
    """Both equal within a tolerance, keys included."""
    bare = [run.replace(key=jax.random.key_data(run.key)) for run in (runs, others)]
    chex.assert_trees_all_close(*bare, **tolerance)


def loss_of(config, embed_nm, weights, features_bn):
    w_mk, b_k, w_ko = map(np.asarray, weights)
    features_bn = np.asarray(features_bn)
    h_bk = NONLINEARITIES[config.nonlinearity](features_bn @ np.asarray(embed_nm) @ w_mk + b_k)
    target_bo = np.abs(features_bn) if config.task == "abs" else features_bn
    return ((h_bk @ w_ko - target_bo) ** 2).sum(1).mean().astype(np.float32)


# One step.


@pytest.mark.parametrize("penalty", PENALTIES)
def test_metrics_are_those_before_the_update(penalty):
    config = Config("abs", 12, 4, 10, penalty=penalty, batch_size=8, log2_steps=2)
    hyperparams = Hyperparams(eps=0.25, l1=0.01, alpha=0.5)
    world, state = begin(config, hyperparams, jax.random.key(0))
    state = advance(config, hyperparams, world, state, 1)
    features_bn = features.sample(config, hyperparams, jax.random.key(9))
    stepped, metrics = train_step(config, hyperparams, world, state, features_bn)

    key = jax.random.fold_in(jax.random.fold_in(state.key, 1), train._PENALTY)
    value = PENALTIES[penalty].on_features(state.model, world, key)

    def loss(model):
        hidden_bk = model.neurons(world.inputs(features_bn))
        error_bo = hidden_bk @ model.w_ko - world.targets(features_bn)
        penalties = PENALTIES[penalty].on_features(model, world, key)
        l1 = activation_l1(hidden_bk)
        return (error_bo**2).sum() / len(error_bo) + 0.01 * l1 + 0.5 * penalties

    leaves = jax.tree.leaves(jax.grad(loss)(state.model))
    norm = np.sqrt(sum((np.asarray(leaf) ** 2).sum() for leaf in leaves))
    task_loss = loss_of(config, world.embed_nm, jax.tree.leaves(state.model), features_bn)
    np.testing.assert_allclose(metrics, (task_loss, value, norm), rtol=1e-5)
    assert (stepped.loss_t[1], stepped.step) == (metrics.task_loss, 2)
    assert (stepped.model.w_mk != state.model.w_mk).any()


def test_the_loop_is_a_sequence_of_steps(config, points, run, begun):
    world, state = begun
    for features_bn in batches(config, points[0], state.key):
        state, _ = train_step(config, points[0], world, state, features_bn)
    chex.assert_trees_all_close((state.model, state.loss_t), (run.final, run.loss_t), rtol=1e-4)


def test_a_step_refuses_a_stack_of_batches(config, points, begun):
    with pytest.raises(AssertionError, match="rank"):
        train_step(config, points[0], *begun, jnp.zeros((2, 8, config.n)))


# One loop, composed in several ways.


@pytest.mark.parametrize("cuts", [(16,), (1, 15), (5, 0, 4, 7)])
def test_results_do_not_depend_on_segment_lengths(config, points, run, cuts):
    world, state = begin(config, points[0], jax.random.key(0))
    for steps in cuts:
        state = advance(config, points[0], world, state, steps)
    assert state.step == config.steps
    chex.assert_trees_all_equal((world, state.model), (run.world, run.final))
    chex.assert_trees_all_equal(state.loss_t, run.loss_t)


def test_snapshots_are_the_models_after_powers_of_two(config, points, run):
    world, state = begin(config, points[0], jax.random.key(0))
    for c, step in enumerate([1, 2, 4, 8, 16]):
        state = advance(config, points[0], world, state, step - state.step)
        chex.assert_trees_all_equal(jax.tree.map(lambda leaf: leaf[c], run.snapshots), state.model)  # noqa: B023


def test_future_steps_have_nan_loss(config, points, begun):
    world, state = begun
    loss_t = advance(config, points[0], world, state, 5).loss_t
    assert jnp.isfinite(loss_t).tolist() == [True] * 5 + [False] * 11


# Many runs.


def test_many_runs_equal_those_trained_alone(config, points, runs):
    for seed, (hyperparams, one) in enumerate(zip(points, unstack(runs), strict=True)):
        alone = fit(config, hyperparams, jax.random.key(seed))
        np.testing.assert_allclose(one.loss_t, alone.loss_t, rtol=1e-5)
        assert_close(one, alone, rtol=1e-4, atol=1e-6)


def test_a_run_does_not_depend_on_its_index(config, runs):
    order_r = jnp.array([2, 0, 1])
    again = fit_many(
        *jax.tree.map(lambda leaf: leaf[order_r], (config, runs.hyperparams, runs.key))
    )
    assert_close(again, jax.tree.map(lambda leaf: leaf[order_r], runs), rtol=1e-6)


def test_fit_many_is_vmap_of_fit(config, runs):
    mapped = jax.vmap(fit, in_axes=(None, 0, 0))(config, runs.hyperparams, runs.key)
    assert_close(mapped, runs, rtol=1e-6)


def test_a_scalar_is_shared_by_all_runs(config, runs):
    shared = fit_many(
        config, Hyperparams(eps=0.25, init_bias=jnp.array([-1.0, 0.0, 1.0])), runs.key
    )
    assert shared.hyperparams.eps.tolist() == [0.25] * 3
    assert shared.hyperparams.init_bias.tolist() == [-1, 0, 1]


def test_a_diverging_run_does_not_affect_the_others(config, points, runs):
    wild = stack([*points[:2], Hyperparams(learning_rate=1e30, eps=0.5)])
    together = unstack(fit_many(config, wild, runs.key))
    assert [one.diverged is None for one in together] == [True, True, False]
    for one, alone in zip(together[:2], unstack(runs)[:2], strict=True):
        assert_close(one, alone, rtol=1e-6)


# What a run draws depends on its seed alone.


def test_hyperparameters_share_world_weights_and_batches(config):
    one, other = (
        begin(config, hyperparams, jax.random.key(7))
        for hyperparams in (
            Hyperparams(eps=0.25),
            Hyperparams(0.1, 0.25, -1.0, 0.5, 0.1, 2.0, 64.0),
        )
    )
    chex.assert_trees_all_equal((one[0], one[1].key), (other[0], other[1].key))
    chex.assert_trees_all_equal(one[1].model.w_mk, other[1].model.w_mk)
    chex.assert_trees_all_close(one[1].model.b_k - 1, other[1].model.b_k)


def test_seeds_differ_in_world_weights_and_batches(config, points):
    one, other = (begin(config, points[0], jax.random.key(seed)) for seed in (0, 1))
    assert (one[0].embed_nm != other[0].embed_nm).any()
    assert (one[1].model.w_ko != other[1].model.w_ko).any()
    assert (jax.random.key_data(one[1].key) != jax.random.key_data(other[1].key)).any()


def test_recorded_losses_are_those_of_fresh_batches(config):
    hyperparams = Hyperparams(learning_rate=0.0, eps=0.25)
    rested = fit(config, hyperparams, jax.random.key(0))
    world, state = begin(config, hyperparams, jax.random.key(0))
    expected_t = [
        loss_of(config, world.embed_nm, jax.tree.leaves(state.model), features_bn)
        for features_bn in batches(config, hyperparams, state.key)
    ]
    np.testing.assert_allclose(rested.loss_t, expected_t, rtol=1e-5)
    assert len(set(rested.loss_t.tolist())) == config.steps


def test_rate_zero_changes_no_weight(config, begun):
    rested = fit(config, Hyperparams(learning_rate=0.0, bias_decay=1.0, l1=1.0), jax.random.key(0))
    chex.assert_trees_all_equal(rested.final, begun[1].model)


def test_recorded_loss_excludes_the_penalty(config):
    plain, punished = (
        fit(config, Hyperparams(learning_rate=0.0, eps=0.25, l1=l1), jax.random.key(0))
        for l1 in (0, 10)
    )
    chex.assert_trees_all_equal(plain.loss_t, punished.loss_t)


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_raw_and_typed_keys_give_the_same_run(config, points, seed):
    raw, typed = (
        fit(config, points[0], make(seed)) for make in (jax.random.PRNGKey, jax.random.key)
    )
    chex.assert_trees_all_equal(raw, typed)
    assert raw.seed == typed.seed == seed


def test_raw_keys_train_many(config, runs):
    raw = fit_many(config, runs.hyperparams, jax.random.key_data(runs.key))
    chex.assert_trees_all_equal(raw, runs)


def test_the_seed_identifies_the_key(run, runs):
    keys = jax.random.split(jax.random.key(0), 8)
    assert len({run.replace(key=key).seed for key in keys}) == 8
    assert [one.seed for one in unstack(runs)] == [0, 1, 2]


@pytest.fixture
def no_cache_writes():
    """Writing a program that was traced under the key checker to the cache crashed XLA once."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, 1e9)
    yield
    jax.config.update(name, before)


@pytest.mark.usefixtures("no_cache_writes")
def test_no_key_is_used_twice():
    def reuses(key):
        return jax.random.normal(key) + jax.random.uniform(key)

    with jax.debug_key_reuse(True):
        with pytest.raises(KeyReuseError):
            jax.jit(reuses)(jax.random.key(0))
        features.build(Config("reproject", 8, 4), jax.random.key(0))
        config = Config("abs", 8, 4, 8, feature_law="power_law", batch_size=4, log2_steps=1)
        advance(config, Hyperparams(), *begin(config, Hyperparams(), jax.random.key(0)), 2)


def test_the_penalty_has_its_own_key(key):
    """`fold_in(key, i)` is `split(key)[i]`, which the checker does not know."""
    batch_words = jax.random.key_data(jax.random.split(key)).tolist()
    penalty_words = jax.random.key_data(jax.random.fold_in(key, train._PENALTY)).tolist()
    assert penalty_words not in batch_words


# Runs that fail.


def test_diverged_is_the_first_step_without_a_finite_loss(diverged_run):
    step = diverged_run.diverged
    assert np.isfinite(diverged_run.loss_t[:step]).all()
    assert not np.isfinite(diverged_run.loss_t[step])
    assert 0 < step < diverged_run.config.steps


def test_nonfinite_final_weights_count_as_divergence(run):
    b_ck = run.snapshots.b_k.at[-1, 0].set(jnp.inf)
    assert run.diverged is None
    assert run.replace(snapshots=run.snapshots.replace(b_k=b_ck)).diverged == run.config.steps


def test_a_hyperparameter_out_of_range_is_refused(config, runs):
    with pytest.raises(ValueError, match=r"^eps=2 is not in \(0, 1\]$"):
        fit(config, Hyperparams(eps=2.0), jax.random.key(0))
    with pytest.raises(ValueError, match="learning_rate=-1 "):
        fit_many(config, Hyperparams(learning_rate=jnp.array([1.0, -1.0, 0.0])), runs.key)


def test_one_run_refuses_stacks(config, points, key, begun):
    world, state = begun
    stacked = points[0].replace(init_bias=jnp.linspace(-1, 0, config.k))
    features_tbn = jnp.zeros((1, 8, config.n))
    for train_one in (
        lambda: fit(config, stacked, key),
        lambda: begin(config, stacked, key),
        lambda: advance(config, stacked, world, state, 1),
        lambda: replay(config, stacked, world, state.model, features_tbn),
    ):
        with pytest.raises(ValueError, match=r"^init_bias has shape \(24,\): one run takes scal"):
            train_one()
    with pytest.raises(ValueError, match=r"^key has shape \(2,\): one run takes one key"):
        fit(config, points[0], jax.random.split(key))


def test_stacks_have_one_value_for_each_key(config, runs, key):
    two = Hyperparams(eps=jnp.array([0.25, 0.5]))
    with pytest.raises(ValueError, match=r"^eps has shape \(2,\), but there are 3 keys$"):
        fit_many(config, two, runs.key)
    with pytest.raises(ValueError, match=r"^keys have shape \(\), not \[r\]"):
        fit_many(config, two, key)


@pytest.mark.parametrize("train_any", [fit, fit_many])
def test_an_integer_key_is_rejected(config, train_any):
    with pytest.raises(
        TypeError, match=r"^key is not a PRNG key; jax.random.key\(seed\) makes one$"
    ):
        train_any(config, Hyperparams(), 7)


def test_the_final_model_is_the_last_snapshot(runs):
    for one, final in zip(unstack(runs), unstack(runs.final), strict=True):
        chex.assert_trees_all_equal(one.final, final)
        chex.assert_trees_all_equal(final, jax.tree.map(lambda leaf: leaf[-1], one.snapshots))


@pytest.mark.parametrize("name", ["seed", "diverged"])
def test_seed_and_diverged_raise_for_stacked_runs(runs, name):
    with pytest.raises(
        ValueError, match=rf"^{name} is defined for a single run; separate stacked runs with"
    ):
        getattr(runs, name)
