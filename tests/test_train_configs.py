"""Every config trains, and compiles once."""

import dataclasses
import itertools

import chex
import jax
import pytest

from toymono import (
    Config,
    Hyperparams,
    advance,
    begin,
    fit,
    fit_many,
)
from toymono.fields import TOY_CONFIG
from toymono.tasks import TASKS

# What compiles.


def test_hyperparameters_and_seeds_do_not_recompile(config, points, runs, compilations):
    keys = [jax.random.key(seed) for seed in range(3)]
    # The runs that the tests share may be of another test's JAX configuration.
    fit(config, points[0], keys[0])
    fit_many(config, runs.hyperparams, runs.key)
    with compilations() as compiled:
        for hyperparams, key in zip(points[1:], keys[1:], strict=True):
            fit(config, hyperparams, key)
        fit_many(
            config, jax.tree.map(lambda hyperparam: hyperparam[::-1], runs.hyperparams), runs.key
        )
    assert not [name for name in compiled if "fit" in name]


def test_the_initial_state_has_no_weak_types(begun):
    """A step would make a weak type strong, and compile again."""
    world, state = begun
    assert not any(leaf.weak_type for leaf in jax.tree.leaves((world, state.replace(key=None))))


def test_segment_lengths_do_not_recompile(config, points, begun, compilations):
    world, state = begun
    state = advance(config, points[0], world, state, 1)
    with compilations() as compiled:
        for steps in (2, 3, 4):
            state = advance(config, points[0], world, state, steps)
    assert compiled == []


def test_a_config_compiles_once(points, key, compilations):
    with compilations() as compiled:
        for _ in range(2):
            begin(Config(n=8, m=4, k=8), points[0], key)
    assert compiled.count("jit(begin)") == 1


# Every config trains.


EVERY_CONFIG = [
    Config(task, 16, 4, 24, nonlinearity, law, batch_size=8, log2_steps=3)
    for task, nonlinearity, law in itertools.product(
        *(TOY_CONFIG[name].choices for name in ("task", "nonlinearity", "feature_law"))
    )
]


def words(config):
    return f"{config.task}-{config.nonlinearity}-{config.feature_law}"


@pytest.mark.parametrize("config", EVERY_CONFIG, ids=words)
def test_every_config_has_its_shapes(config):
    task = TASKS[config.task]

    def traced(key):
        run = fit(config, Hyperparams(), key)
        w_mk, b_k, w_ko = run.final.w_mk, run.final.b_k, run.final.w_ko
        chex.assert_shape(
            [w_mk, b_k, w_ko],
            [(task.inputs(config), 24), (24,), (24, task.outputs(config))],
        )
        chex.assert_tree_shape_prefix(run.snapshots, (4,))
        assert (run.world.task, run.final.nonlinearity) == (config.task, config.nonlinearity)
        assert (run.world.reproject_nm is None) == (not task.second_embedding)
        return run.loss_t

    assert jax.eval_shape(traced, jax.random.key(0)).shape == (8,)


def even(config):
    """Whether the words' numbers have an even sum: half of all, in which every two words meet."""
    fields = ("task", "nonlinearity", "feature_law")
    return sum([*TOY_CONFIG[f].choices].index(getattr(config, f)) for f in fields) % 2 == 0


# With either optimiser and schedule.
@pytest.mark.parametrize("config", [*filter(even, EVERY_CONFIG)], ids=words)
def test_every_config_trains(config):
    if config.nonlinearity == "gelu":
        config = dataclasses.replace(config, optimizer="adam", schedule="constant")
    run = fit(config, Hyperparams(eps=0.25), jax.random.key(0))
    assert run.diverged is None
    assert all((leaf[0] != leaf[-1]).any() for leaf in jax.tree.leaves(run.snapshots))


def test_the_loss_falls():
    config = Config(n=16, m=8, k=48, batch_size=32, log2_steps=9)
    loss_t = fit(config, Hyperparams(eps=1 / 16), jax.random.key(0)).loss_t
    assert loss_t[-64:].mean() < 0.5 * loss_t[:8].mean()
