"""From jobs to groups: what is trained, in which groups, and what it costs."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from toymono import Config, Hyperparams, stack, store
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.sweep import cost, devices, plan
from toymono.tasks import TASKS

TOY = KINDS["toy"]


@pytest.fixture(scope="module")
def jobs(config):
    """Four of one config, two biases with two seeds each."""
    return [
        Job(config, Hyperparams(eps=0.25, init_bias=bias), seed)
        for bias, seed in itertools.product((-0.5, 0.0), (3, 7))
    ]


def seeds(made) -> list[list[int]]:
    return [[job.seed for job in group.jobs] for group in made.groups]


def test_a_job_requested_twice_is_trained_once(jobs, tmp_path):
    twice = [*jobs, Job(jobs[0].config, Hyperparams(eps=np.float32(0.25), init_bias=-0.5), 3)]
    assert plan.make(twice, tmp_path).jobs == tuple(jobs)


def test_runs_that_differ_in_a_field_without_effect_are_one(config, tmp_path):
    same = [Job(config, Hyperparams(alpha=alpha, exponent=alpha), 0) for alpha in (0.0, 1.0, 2.0)]
    assert len(plan.make(same, tmp_path).jobs) == 1


def test_runs_on_disk_are_not_trained(jobs, tmp_path, untrained):
    for job in jobs:
        store.save(tmp_path, untrained(job.config, job.hyperparams, job.seed))
    new = dataclasses.replace(jobs[0], seed=9)
    made = plan.make([*jobs, new], tmp_path)
    assert seeds(made) == [[9]]
    assert (made.to_train, len(made.stored), len(made.jobs)) == (1, 4, 5)
    assert plan.make(jobs, tmp_path).groups == ()


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(4, 2, [2, 2]), (7, 3, [2, 2, 3]), (5, 5, [5]), (5, 9, [5]), (3, 1, [1, 1, 1])],
)
def test_groups_are_as_equal_as_possible(config, tmp_path, count, size, sizes):
    made = plan.make([Job(config, Hyperparams(), s) for s in range(count)], tmp_path, size)
    assert sorted(map(len, seeds(made))) == sizes
    assert sorted(itertools.chain(*seeds(made))) == list(range(count))


def test_the_runs_of_a_group_share_their_config(config, tmp_path):
    configs = [config, dataclasses.replace(config, k=8)]
    mixed = [Job(configs[seed % 2], Hyperparams(), seed) for seed in range(6)]
    groups = plan.make(mixed, tmp_path, 2).groups
    assert len(groups) == 4
    assert all(len({job.config for job in group.jobs}) == 1 for group in groups)


def test_the_share_of_a_process_includes_what_its_runs_start_from(config, tmp_path, monkeypatch):
    """Or it would wait for ever if the process that has the parent cannot train it."""
    first = Job(config, Hyperparams(), 0)
    onward = dataclasses.replace(config, origin="continued")
    second = Job(onward, Hyperparams(), 1, parents=(first.name,))
    third = Job(onward, Hyperparams(), 2, parents=(second.name,))
    jobs = [first, second, Job(config, Hyperparams(), 5), third]
    monkeypatch.setattr(devices, "shard", lambda items: items[3::4])
    assert sorted(itertools.chain(*seeds(plan.make(jobs, tmp_path)))) == [0, 1, 2]
    monkeypatch.setattr(devices, "shard", lambda items: items[2::4])
    assert seeds(plan.make(jobs, tmp_path)) == [[5]]


def test_short_runs_share_a_program_and_long_ones_do_not():
    short = TOY.cost(Config(n=16, m=4, k=24, batch_size=8), None)
    long = TOY.cost(Config(), None)
    assert cost.group_size(short) > cost.group_size(long) == jax.local_device_count()


def test_lanes_depend_on_the_config_and_the_kind_of_device(monkeypatch):
    small, large = (TOY.cost(Config(k=k), None) for k in (16, 2**20))
    assert cost.lanes(small) == cost.lanes(large) == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert cost.lanes(small) > cost.lanes(large) == 1


# What it costs.


def step_flops(config):
    return TOY.cost(config, None).flops / config.steps


def test_flops_of_a_step_at_the_papers_size():
    assert step_flops(Config(k=1024, batch_size=2**13)) == pytest.approx(28.5e9, rel=0.002)
    for k in (256, 2048):
        assert step_flops(Config(k=k, batch_size=2**23 // k)) == pytest.approx(2.9e10, rel=0.1)


def test_flops_are_those_of_the_products():
    b, n, m, k = 3, 5, 2, 7
    config = Config("reproject", n, m, k, batch_size=b)
    assert step_flops(config) == 2 * b * (2 * n * m + 2 * m * k + 3 * k * m)


# Of weights, of a batch, of steps, of a penalty's responses and of its inputs.
LARGE = [
    Config(n=64, m=16, k=512, batch_size=8, log2_steps=4),
    Config(n=64, m=16, k=96, batch_size=512, log2_steps=4),
    Config(n=16, m=4, k=24, batch_size=8, log2_steps=16),
    Config(n=64, m=16, k=512, batch_size=8, log2_steps=4, penalty="multi_feature"),
    Config(n=256, m=16, k=32, batch_size=8, log2_steps=4, penalty="multi_feature"),
]


@pytest.mark.parametrize("config", LARGE)
def test_training_takes_about_the_memory_predicted(config):
    hyperparams, keys = stack([Hyperparams().checked()]), stack([jax.random.key(0)])
    begun = devices.begin(TOY, 1, config, hyperparams, None, keys)
    (world, world_tree), (state, state_tree) = map(jax.tree.flatten, begun)

    def advanced(world, state):
        world = jax.tree.unflatten(world_tree, world)
        state = jax.tree.unflatten(state_tree, state)
        return jax.tree.leaves(devices.advance(TOY, 1, config, hyperparams, None, world, state, 1))

    # Leaves, for JAX describes arguments in trees of its own. The state is updated in place.
    program = jax.jit(advanced, donate_argnums=1).lower(world, state).compile()
    memory = program.memory_analysis()
    taken = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    assert 1 / 1.6 < taken / TOY.cost(config, None).training_bytes < 1.6


@pytest.mark.parametrize("task", ["decoder", "reproject"])
def test_a_file_has_the_size_predicted(untrained, tmp_path, task):
    config = Config(task, n=64, m=16, k=32, batch_size=8, log2_steps=6)
    size = store.save(tmp_path, untrained(config)).stat().st_size
    assert 0 <= size - TOY.cost(config, None).stored_bytes < 3000
    assert TASKS[task].outputs(config) == {"decoder": 64, "reproject": 16}[task]
