"""Runs that start from stored runs: what they begin with, what pulls on them, how they resume."""

import dataclasses
import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import Model, advance, begin, features, fit, optimizers, origins, store, train_step
from toymono.alignment import align, interpolate, permute, square_distance
from toymono.analysis import connectivity
from toymono.job import Job
from toymono.origins import ORIGINS, StepContext
from toymono.sweep import jobs, plan, trainer

WORLD = dataclasses.replace(TINY, world_seed=5)


@pytest.fixture(scope="module")
def runs():
    """Two models of one world."""
    return [fit(WORLD, TINY_HYPERPARAMS, jax.random.key(seed)) for seed in (0, 1)]


def child(origin, **changed):
    return dataclasses.replace(WORLD, origin=origin, log2_steps=3, **changed)


def begun(origin, runs, **hyperparams):
    config = child(origin)
    parents = origins.gather(config, runs)
    numbers = TINY_HYPERPARAMS.replace(**hyperparams).checked()
    world, state = begin(config, numbers, jax.random.key(9), parents)
    return config, numbers, world, state


def stepped(origin, runs, steps=1, **hyperparams):
    config, numbers, world, state = begun(origin, runs, **hyperparams)
    for step in range(steps):
        batch_bn = features.sample(config, numbers, jax.random.key(step))
        state, metrics = train_step(config, numbers, world, state, batch_bn)
    return state, metrics


def test_a_run_starts_with_its_parents_weights_and_reads_its_world(runs):
    for origin in set(ORIGINS) - {"fresh", "curve", "ticket", "expand"}:
        _, _, world, state = begun(origin, runs[: ORIGINS[origin].parents])
        chex.assert_trees_all_equal(state.model, runs[0].final)
        chex.assert_trees_all_equal(world, runs[0].world)


def test_the_second_parent_is_aligned_to_the_first(runs):
    first, second = (run.final for run in runs)
    parents = origins.gather(child("pull"), runs)
    chex.assert_trees_all_equal(parents.models[1], permute(second, align(first, second)))
    as_is = origins.gather(child("pull", match_parents="none"), runs)
    chex.assert_trees_all_equal(as_is.models[1], second)
    assert align(first, second).tolist() != list(range(TINY.k))


def test_a_curve_starts_as_the_line_and_has_exact_ends(runs):
    _, _, _, state = begun("curve", runs)
    start, end = state.anchors
    for t in (0.0, 0.3, 0.5, 0.9, 1.0):
        on_curve = origins.bezier(start, state.model, end, t)
        chex.assert_trees_all_close(on_curve, interpolate(start, end, t), atol=1e-6)
    moved = jax.tree.map(lambda leaf: leaf + 1.0, state.model)
    chex.assert_trees_all_equal(origins.bezier(start, moved, end, 0.0), start)
    chex.assert_trees_all_equal(origins.bezier(start, moved, end, 1.0), end)


def test_a_curve_is_the_quadratic_of_its_three_points():
    rng = np.random.default_rng(0)
    shapes = ((2, 3), (3,), (3, 2))
    a, c, b = (
        Model(*(jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes))
        for _ in range(3)
    )
    for t in (0.2, 0.7):
        w_mk = (1 - t) ** 2 * a.w_mk + 2 * t * (1 - t) * c.w_mk + t**2 * b.w_mk
        np.testing.assert_allclose(origins.bezier(a, c, b, t).w_mk, w_mk, atol=1e-6)


def test_the_ends_of_a_curve_stay(runs):
    state, _ = stepped("curve", runs, steps=3)
    chex.assert_trees_all_equal(state.anchors[0], runs[0].final)
    assert not np.array_equal(state.model.w_mk, begun("curve", runs)[3].model.w_mk)


def test_a_trained_curve_has_a_lower_barrier_than_the_line():
    """Trained with a rate that falls to 0, on many more samples than it has weights.

    The ends are trained models whose neurons are not matched: the line between them has a barrier.
    """
    trained = dataclasses.replace(WORLD, log2_steps=8)
    ends = [fit(trained, TINY_HYPERPARAMS, jax.random.key(seed)) for seed in (0, 1)]
    config = dataclasses.replace(
        trained, origin="curve", optimizer="adam", batch_size=512, match_parents="none"
    )
    parents = origins.gather(config, ends)
    numbers = TINY_HYPERPARAMS.replace(learning_rate=0.003, cosine_period=512.0).checked()
    world, state = begin(config, numbers, jax.random.key(9), parents)
    start, end = state.anchors
    samples = features.sample(
        dataclasses.replace(config, batch_size=4096), numbers, jax.random.key(1)
    )

    @jax.jit
    def barrier(middle):
        t_p = jnp.linspace(0, 1, 25)
        curve = jax.vmap(lambda t: origins.bezier(start, middle, end, t))(t_p)
        return connectivity.path_of(curve, t_p, world, samples).barrier

    line = connectivity.barrier(start, end, world, samples)
    np.testing.assert_allclose(barrier(state.model), line, atol=1e-5)
    assert line > 0.1
    state = jax.jit(advance, static_argnums=0)(config, numbers, world, state, config.steps)
    assert barrier(state.model) < line / 2


def test_a_pull_of_weight_0_is_plain_training(runs):
    """Bit for bit: also the unaligned and the decoupled form."""
    plain, _ = stepped("continued", runs[:1], steps=5)
    for origin in ("pull", "decoupled_pull"):
        pulled, _ = stepped(origin, runs, steps=5, attraction=0.0)
        chex.assert_trees_all_equal(pulled.model, plain.model)
        chex.assert_trees_all_equal(pulled.optimizer, plain.optimizer)


def test_a_pull_acts_in_the_first_half_and_brings_the_models_together(runs):
    def distance(origin, attraction, steps):
        state, _ = stepped(origin, runs, steps, attraction=attraction)
        return float(square_distance(state.model, state.anchors[1]))

    for origin in ("pull", "decoupled_pull"):
        assert distance(origin, 1.0, 4) < distance(origin, 0.0, 4)
    held = [StepContext((), jnp.int32(step), 8, jax.random.key(0)) for step in range(8)]
    assert [bool(origins._pull_active(context)) for context in held] == [True] * 4 + [False] * 4


def test_the_pulls_gradient_is_the_distance_times_its_weight(runs):
    model, target = (run.final for run in runs)
    context = StepContext((model, target), jnp.int32(0), 8, jax.random.key(0))
    numbers = TINY_HYPERPARAMS.replace(attraction=0.25)
    loss = ORIGINS["pull"].loss
    grads = jax.grad(lambda net: loss(numbers, jnp.zeros(()), net, context))(model)
    expected = jax.tree.map(lambda a, b: 0.25 * (a - b), model, target)
    chex.assert_trees_all_close(grads, expected, atol=1e-6)
    at_target = StepContext((model, model), jnp.int32(0), 8, jax.random.key(0))
    still = jax.grad(lambda net: loss(numbers, jnp.zeros(()), net, at_target))(model)
    assert not any(leaf.any() for leaf in jax.tree.leaves(still))


def test_a_decoupled_pull_of_full_strength_lands_on_the_target_in_one_step(runs):
    rate = float(optimizers.schedule(child("decoupled_pull"), TINY_HYPERPARAMS)(jnp.int32(0)))
    state, _ = stepped("decoupled_pull", runs, attraction=1 / rate)
    chex.assert_trees_all_close(state.model, state.anchors[1], atol=1e-6)


def test_connecting_alternates_between_the_line_and_the_model(runs):
    config, numbers, world, state = begun("connect", runs, line_loss=7.0)
    batch_bn = features.sample(config, numbers, jax.random.key(3))

    def loss_of(model):
        return ((model(world.inputs(batch_bn)) - world.targets(batch_bn)) ** 2).sum(axis=-1).mean()

    for step in (0, 1):
        context = StepContext(state.anchors, jnp.int32(step), 8, jax.random.key(step))
        net = ORIGINS["connect"].evaluated(numbers, state.model, context)
        value = ORIGINS["connect"].loss(numbers, loss_of(net), state.model, context)
        if step % 2:
            chex.assert_trees_all_equal(net, state.model)
            assert float(value) == float(loss_of(state.model))
        else:
            # Where on the line: between a quarter and three quarters.
            whole = state.anchors[1].w_mk - state.model.w_mk
            share = ((net.w_mk - state.model.w_mk) * whole).sum() / (whole**2).sum()
            assert 0.25 - 1e-5 <= share <= 0.75 + 1e-5
            np.testing.assert_allclose(value, 7.0 - loss_of(net), rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"k": 8}, "k=8, but a parent has k=24"),
        ({"nonlinearity": "gelu"}, "nonlinearity=gelu, but a parent has nonlinearity=relu"),
    ],
)
def test_parents_of_another_shape_are_refused(runs, changed, message):
    with pytest.raises(ValueError, match=message):
        origins.gather(dataclasses.replace(child("pull"), **changed), runs)


def test_sparse_weights_are_refused(runs):
    """A run that starts from others has no masks, so that it would be dense without saying so."""
    with pytest.raises(ValueError, match="sparsity=set: a run that starts from stored runs"):
        child("continued", sparsity="set")
    sparse = runs[0].replace(config=dataclasses.replace(WORLD, sparsity="set"))
    with pytest.raises(ValueError, match="a parent has sparsity=set"):
        origins.gather(child("continued"), [sparse])


def test_parents_that_do_not_suit_are_refused(runs):
    with pytest.raises(ValueError, match="starts from 2 stored runs, not 1"):
        origins.gather(child("pull"), runs[:1])
    elsewhere = fit(dataclasses.replace(WORLD, world_seed=6), TINY_HYPERPARAMS, jax.random.key(0))
    with pytest.raises(ValueError, match="the parents have different embeddings"):
        origins.gather(child("pull"), [runs[0], elsewhere])
    nans = runs[1].replace(loss_t=runs[1].loss_t.at[3].set(jnp.nan))
    with pytest.raises(ValueError, match="a parent diverged at step 3"):
        origins.gather(child("pull"), [runs[0], nans])
    with pytest.raises(
        ValueError, match=r"pass `origins\.gather\(config, runs\)` to `begin`; fit and fit_many"
    ):
        fit(child("continued"), TINY_HYPERPARAMS, jax.random.key(0))


def pull_jobs(weights=(0.0, 0.1)):
    parents = [Job(WORLD, TINY_HYPERPARAMS, seed) for seed in (0, 1)]
    config, names = child("pull"), tuple(job.name for job in parents)
    pulled = [
        Job(config, TINY_HYPERPARAMS.replace(attraction=weight), 4, parents=names)
        for weight in weights
    ]
    return [*parents, *pulled]


def test_a_plan_trains_parents_first_and_stores_who_they_are(tmp_path):
    every = pull_jobs()
    list(trainer.run_plan(plan.make(every, tmp_path), tmp_path))
    stored = store.named(tmp_path, every)
    assert [run.name for run in stored] == [job.name for job in every]
    run = store.load(stored[-1])
    assert run.parents == every[-1].parents == stored[-1].parents
    assert run.config.origin == "pull"
    chex.assert_trees_all_equal(run.world, store.load(stored[0]).world)
    assert plan.make(every, tmp_path).to_train == 0


def test_a_run_with_parents_resumes_to_the_same_bits(tmp_path):
    every = pull_jobs()
    list(trainer.run_plan(plan.make(every, tmp_path / "whole"), tmp_path / "whole"))
    folder = tmp_path / "stopped"
    for segments in (12, 1000):  # the first stop comes while the first child trains
        answers = itertools.chain([False] * segments, itertools.repeat(True))
        made = plan.make(every, folder, group_size=1)
        list(trainer.run_plan(made, folder, stopped=functools.partial(next, answers)))
    assert len(list((tmp_path / "whole").glob("*.partial"))) == 0
    whole, again = (store.named(place, every) for place in (tmp_path / "whole", folder))
    assert len(whole) == len(again) == len(every)
    for one, other in zip(whole, again, strict=True):
        chex.assert_trees_all_equal(store.load(one).snapshots, store.load(other).snapshots)


def test_a_missing_parent_is_named(tmp_path):
    *_, orphan = pull_jobs()
    with pytest.raises(
        ValueError, match=f"parent run {orphan.parents[0]} is neither stored in .* nor requested"
    ):
        plan.make([orphan], tmp_path)


def test_a_run_whose_parent_diverged_is_left_out_with_a_warning(tmp_path):
    wild = TINY_HYPERPARAMS.replace(learning_rate=1e30)
    parent = Job(WORLD, wild, 0)
    orphan = Job(child("continued"), TINY_HYPERPARAMS, 4, parents=(parent.name,))
    with pytest.warns(UserWarning, match=f"run {orphan.name} cannot start: a parent diverged"):
        trained = list(trainer.run_plan(plan.make([parent, orphan], tmp_path), tmp_path))
    assert len(trained) == 1
    with pytest.raises(ValueError, match="a parent diverged"):
        plan.make([orphan], tmp_path)


def test_what_starts_from_a_run_that_could_not_start_is_left_out_too(tmp_path):
    """Otherwise training would wait for it for ever."""
    first = Job(WORLD, TINY_HYPERPARAMS.replace(learning_rate=1e30), 0)
    second = Job(child("continued"), TINY_HYPERPARAMS, 4, parents=(first.name,))
    third = Job(child("continued"), TINY_HYPERPARAMS, 4, parents=(second.name,))
    with pytest.warns(UserWarning, match="cannot start") as caught:
        trained = list(trainer.run_plan(plan.make([first, second, third], tmp_path), tmp_path))
    assert len(trained) == 1
    assert [str(warning.message) for warning in caught] == [
        f"run {second.name} cannot start: a parent diverged at step {trained[0].diverged}",
        f"run {third.name} cannot start: a parent could not start",
    ]


def test_a_parent_that_is_gone_and_that_nobody_trains_is_not_waited_for(tmp_path):
    """Its file is moved away after the plan was made."""
    parent = Job(WORLD, TINY_HYPERPARAMS, 0)
    orphan = Job(child("continued"), TINY_HYPERPARAMS, 4, parents=(parent.name,))
    list(trainer.run_plan(plan.make([parent], tmp_path), tmp_path))
    made = plan.make([parent, orphan], tmp_path)
    store.path(tmp_path, parent).rename(tmp_path / "moved")
    answers = itertools.chain([False] * 3, itertools.repeat(True))  # so that a wait ends
    with pytest.warns(UserWarning, match=f"its parent {parent.name} is not stored, and no process"):
        assert list(trainer.run_plan(made, tmp_path, stopped=lambda: next(answers))) == []
    assert next(answers) is False  # it was not asked while waiting


def test_a_parent_that_another_process_trains_is_waited_for(tmp_path):
    parent = Job(WORLD, TINY_HYPERPARAMS, 0)
    orphan = Job(child("continued"), TINY_HYPERPARAMS, 4, parents=(parent.name,))
    list(trainer.run_plan(plan.make([parent], tmp_path), tmp_path))
    made = plan.make([parent, orphan], tmp_path)
    store.path(tmp_path, parent).rename(tmp_path / "moved")
    lock = tmp_path / f".{parent.name}.claim"
    lock.write_text("elsewhere-1-2")

    def other_process_ends():
        if lock.exists():
            (tmp_path / "moved").rename(store.path(tmp_path, parent))
            lock.unlink()
        return False

    with pytest.warns(UserWarning, match="^waiting for 1 run that other processes"):
        [run] = trainer.run_plan(made, tmp_path, stopped=other_process_ends)
    assert run.parents == (parent.name,)


def test_forked_runs_are_the_same_up_to_the_fork():
    one, forked, late = (
        fit(
            dataclasses.replace(TINY, fork_seed=fork),
            TINY_HYPERPARAMS.replace(fork_step=step),
            jax.random.key(0),
        )
        for fork, step in ((-1, 0.0), (1, 8.0), (1, 100.0))
    )
    steps = one.snapshot_steps
    same = [
        np.array_equal(a, b) for a, b in zip(one.snapshots.w_mk, forked.snapshots.w_mk, strict=True)
    ]
    assert same == [step <= 8 for step in steps]
    chex.assert_trees_all_equal(one.snapshots, late.snapshots)


def test_forks_of_other_seeds_differ():
    losses = [
        fit(dataclasses.replace(TINY, fork_seed=seed), TINY_HYPERPARAMS, jax.random.key(0)).loss_t
        for seed in (1, 2)
    ]
    assert not np.array_equal(*losses)


def test_fresh_runs_keep_their_names():
    """The name that this run had before there were origins, as the earlier program gives it."""
    assert Job(TINY, TINY_HYPERPARAMS, 0).name == "bc76bff5dd4fdf37"


def test_sweeps_list_parents_before_children():
    for name in ("HOP", "CURVE", "CONNECT", "ONWARD", "EQUAL", "EXPAND", "TICKET", "REWIND"):
        known = set()
        for job in jobs.of_sweeps([name], "small", [0, 1]):
            assert set(job.parents) <= known
            known.add(job.name)
            assert len(job.parents) == ORIGINS[job.config.origin].parents
