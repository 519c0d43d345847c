"""From settings to kept runs: what is trained, in which groups, and how it goes on."""

import dataclasses
import itertools
import tempfile

import chex
import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toymono import Config, Hyperparams, fit, stack, store, train
from toymono.sweep import plan
from toymono.sweep.plan import Job


@pytest.fixture(scope="module")
def jobs(config):
    """Four of one config, two biases with two seeds each."""
    return [
        Job(config, Hyperparams(eps=0.25, init_bias=bias), seed)
        for bias, seed in itertools.product((-0.5, 0.0), (3, 7))
    ]


def carried_out(jobs, folder, group_size=2, stopped=lambda: False):
    return list(plan.run_plan(plan.make(jobs, folder, group_size), folder, stopped=stopped))


def assert_same(run, other, **tolerance):
    plain = [
        one.replace(hyperparams=one.hyperparams.checked(), key=jax.random.key_data(one.key))
        for one in (run, other)
    ]
    if tolerance:
        chex.assert_trees_all_close(*plain, **tolerance)
    else:
        chex.assert_trees_all_equal(*plain)


def assert_same_files(folder, other):
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in other.iterdir())
    for path in folder.iterdir():
        assert_same(store.load(path), store.load(other / path.name))


@pytest.fixture(scope="module")
def whole(jobs, tmp_path_factory):
    """A folder with the four runs, trained two at a time without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    assert len(carried_out(jobs, folder)) == 4
    return folder


# What is to train.


def test_a_job_asked_for_twice_is_trained_once(jobs, tmp_path):
    twice = [*jobs, Job(jobs[0].config, Hyperparams(eps=np.float32(0.25), init_bias=-0.5), 3)]
    assert plan.make(twice, tmp_path).jobs == tuple(jobs)


def test_what_is_kept_is_not_trained(jobs, whole):
    new = dataclasses.replace(jobs[0], seed=9)
    made = plan.make([*jobs, new], whole)
    assert made.groups == ((new,),)
    assert (made.to_train, made.kept, len(made.jobs)) == (1, 4, 5)
    assert plan.make(jobs, whole).groups == ()


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(4, 2, [2, 2]), (7, 3, [2, 2, 3]), (5, 5, [5]), (5, 9, [5]), (3, 1, [1, 1, 1])],
)
def test_groups_are_as_equal_as_can_be(config, tmp_path, count, size, sizes):
    groups = plan.make([Job(config, Hyperparams(), s) for s in range(count)], tmp_path, size).groups
    assert sorted(map(len, groups)) == sizes
    assert sorted(job.seed for group in groups for job in group) == list(range(count))


def test_a_group_is_of_runs_as_sparse_as_can_be(config, tmp_path):
    mixed = [
        Job(config, Hyperparams(eps=eps), seed) for seed in range(2) for eps in (0.5, 0.125, 0.25)
    ]
    groups = plan.make(mixed, tmp_path, 2).groups
    assert [[job.hyperparams.eps for job in group] for group in groups] == [
        [e] * 2 for e in (1 / 8, 1 / 4, 1 / 2)
    ]


def test_a_group_shares_its_setup(config, tmp_path):
    setups = [config, dataclasses.replace(config, k=8)]
    mixed = [Job(setups[seed % 2], Hyperparams(), seed) for seed in range(6)]
    groups = plan.make(mixed, tmp_path, 2).groups
    assert len(groups) == 4
    assert all(len({job.config for job in group}) == 1 for group in groups)


def test_large_setups_train_in_smaller_groups():
    small, large = Config(n=16, m=4, k=24, batch_size=8), Config(k=2**16, batch_size=2**13)
    assert plan.auto_group_size(small) > plan.auto_group_size(large) == jax.local_device_count()


# Training.


def test_kept_runs_are_those_of_fit(jobs, whole):
    for job in jobs:
        assert_same(
            store.load(job.path(whole)),
            fit(job.config, job.hyperparams, jax.random.key(job.seed)),
            rtol=1e-4,
            atol=1e-6,
        )


def test_runs_are_yielded_as_they_are_kept(jobs, tmp_path):
    for run in plan.run_plan(plan.make(jobs[:2], tmp_path, 2), tmp_path):
        assert_same(run, store.load(store.path(tmp_path, run.config, run.hyperparams, run.seed)))


def assert_grouping_changes_nothing(jobs, order, size, whole):
    """`whole` trained them two by two, in their own order."""
    mixed = [jobs[place] for place in order]
    groups = tuple(tuple(mixed[start : start + size]) for start in range(0, len(mixed), size))
    with tempfile.TemporaryDirectory() as folder:
        runs = list(plan.run_plan(plan.Plan(tuple(mixed), groups, 0), folder))
    assert len(runs) == len(jobs)
    for run in runs:
        kept = store.load(store.path(whole, run.config, run.hyperparams, run.seed))
        assert_same(run, kept, rtol=1e-4, atol=1e-6)


@settings(max_examples=6)
@given(st.permutations(range(4)), st.sampled_from([1, 2]))
def test_a_run_does_not_depend_on_its_group(jobs, whole, order, size):
    assert_grouping_changes_nothing(jobs, order, size, whole)


@pytest.mark.slow
@pytest.mark.parametrize("size", [3, 4])
def test_a_run_does_not_depend_on_a_larger_group(jobs, whole, size):
    assert_grouping_changes_nothing(jobs, (2, 0, 3, 1), size, whole)


def test_progress_is_reported_to_the_last_step(jobs, tmp_path):
    reports = []
    made = plan.make(jobs, tmp_path, 2)
    list(plan.run_plan(made, tmp_path, lambda *report: reports.append(report)))
    for group in (0, 1):
        assert sum(steps for index, steps, _ in reports if index == group) == 2 * 16
    losses = [loss for _, steps, loss in reports if steps]
    assert np.isfinite(losses).all()


def test_a_diverging_run_is_kept_and_the_rest_goes_on(config, tmp_path):
    wild, tame = Job(config, Hyperparams(1e30, 0.5), 0), Job(config, Hyperparams(eps=0.5), 0)
    carried_out([wild, tame], tmp_path)
    assert {
        kept.hyperparams.learning_rate: kept.diverged is None for kept in store.find(tmp_path)
    } == {
        float(str(np.float32(1e30))): False,
        0.01: True,
    }


def test_the_mean_loss_is_that_of_the_segment(compilations):
    loss_rt = (
        jax.random.normal(jax.random.key(0), (3, 20)).at[1, 4].set(np.nan).at[:, 12:].set(np.nan)
    )
    with compilations() as compiled:
        for start, end in [(0, 1), (5, 12), (2, 8)]:
            wanted_r = np.asarray(loss_rt)[:, start:end].mean(axis=1)
            np.testing.assert_allclose(plan._mean_loss(loss_rt, start, end), wanted_r, rtol=1e-5)
    assert len(compiled) == 1


# Stopping and going on.


def stop_after(segments):
    asked = itertools.count(1)
    return lambda: next(asked) >= segments


@pytest.mark.parametrize("segments", [1, 3])
def test_a_stopped_plan_goes_on_to_the_same_runs(jobs, whole, tmp_path, segments):
    assert carried_out(jobs, tmp_path, stopped=stop_after(segments)) == []
    assert store.find(tmp_path) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"] * 2
    assert len(carried_out(jobs, tmp_path)) == 4
    assert_same_files(tmp_path, whole)


def test_a_stop_is_asked_for_once_a_segment(jobs, tmp_path):
    """Or a Ctrl-C between two answers would end the training with nothing kept."""
    answers = itertools.chain([False, True], itertools.repeat(False))
    assert carried_out(jobs[:2], tmp_path, stopped=lambda: next(answers)) == []
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"] * 2


def test_what_is_kept_from_time_to_time_outlives_a_crash(jobs, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "_SAVE_SECONDS", 0)
    calls = itertools.count()

    def crash(*report):
        if next(calls) == 3:  # the first call tells what was resumed
            raise MemoryError

    with pytest.raises(MemoryError):
        list(plan.run_plan(plan.make(jobs[:2], tmp_path, 2), tmp_path, crash))
    for job in jobs[:2]:
        kept = store.load_partial(tmp_path, job.config, job.hyperparams, job.seed)
        assert 0 < kept["step"] < job.config.steps
    carried_out(jobs[:2], tmp_path)
    for job in jobs[:2]:
        assert_same(store.load(job.path(tmp_path)), store.load(job.path(whole)))


def test_a_plan_stopped_at_every_segment_comes_to_its_end(jobs, whole, tmp_path):
    for _ in range(40):
        carried_out(jobs[:2], tmp_path, stopped=lambda: True)
        if len(store.find(tmp_path)) == 2:
            break
    for job in jobs[:2]:
        assert_same(store.load(job.path(tmp_path)), store.load(job.path(whole)))


def test_what_was_stopped_goes_on_in_another_group(jobs, whole, tmp_path):
    """Beside a run that had not begun, from which it is then told apart."""
    carried_out(jobs[:2], tmp_path, stopped=stop_after(2))
    carried_out([jobs[0], jobs[2]], tmp_path)
    for job in (jobs[0], jobs[2]):
        assert_same(
            store.load(job.path(tmp_path)), store.load(job.path(whole)), rtol=1e-4, atol=1e-6
        )


# What it costs.


def test_a_step_at_the_papers_size_takes_28_gflop():
    assert plan.step_flops(Config(k=1024, batch_size=2**13)) == pytest.approx(28.5e9, rel=0.002)
    for k in (256, 2048):
        assert plan.step_flops(Config(k=k, batch_size=2**23 // k)) == pytest.approx(2.9e10, rel=0.1)


def test_flops_are_those_of_the_products():
    b, n, m, k = 3, 5, 2, 7
    config = Config("reproject", n, m, k, batch_size=b)
    assert plan.step_flops(config) == 2 * b * (2 * n * m + 2 * m * k + 3 * k * m)


# Of weights, of a batch, of steps, of a penalty's responses and of its inputs.
LARGE = [
    Config(n=64, m=16, k=512, batch_size=8, log2_steps=4),
    Config(n=64, m=16, k=96, batch_size=512, log2_steps=4),
    Config(n=16, m=4, k=24, batch_size=8, log2_steps=16),
    Config(n=64, m=16, k=512, batch_size=8, log2_steps=4, penalty="multi_feature"),
    Config(n=256, m=16, k=32, batch_size=8, log2_steps=4, penalty="multi_feature"),
]


@pytest.mark.parametrize("config", LARGE)
def test_training_takes_about_the_memory_foretold(config):
    hyperparams, keys = stack([Hyperparams().checked()] * 2), stack([jax.random.key(0)] * 2)
    trees = []

    def begun():
        flat = [jax.tree.flatten(part) for part in train.begin_many(config, hyperparams, keys)]
        trees[:] = [tree for _, tree in flat]
        return [leaves for leaves, _ in flat]

    def advanced(*flat):
        world, state = map(jax.tree.unflatten, trees, flat)
        return jax.tree.leaves(train.advance_many(config, hyperparams, world, state, 1))

    lowered = jax.jit(advanced, donate_argnums=1).lower(*jax.eval_shape(begun))
    told = lowered.compile().memory_analysis()
    taken = told.argument_size_in_bytes + told.temp_size_in_bytes  # the state is updated in place
    assert 1 / 1.6 < taken / 2 / plan.training_bytes(config) < 1.6


@pytest.mark.parametrize("task", ["decoder", "reproject"])
def test_a_file_has_the_size_foretold(untrained, tmp_path, task):
    config = Config(task, n=64, m=16, k=32, batch_size=8, log2_steps=6)
    size = store.save(tmp_path, untrained(config)).stat().st_size
    assert 0 <= size - plan.stored_bytes(config) < 3000
    assert plan.parameters(config) == 16 * 32 + 32 + 32 * config.o
