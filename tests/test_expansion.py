"""Runs that start from a stored run whose neurons are divided."""

import dataclasses

import chex
import jax
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import begin, features, fit, frames, origins, pruning, store, train_step
from toymono.job import Job
from toymono.sweep import plan, trainer

DENSE = dataclasses.replace(TINY, world_seed=5)
WIDE = dataclasses.replace(DENSE, origin="expand", sparsity="pruned", k=2 * TINY.k)
NUMBERS = TINY_HYPERPARAMS.replace(density=0.5)


@pytest.fixture(scope="module")
def dense():
    return fit(DENSE, TINY_HYPERPARAMS, jax.random.key(0))


def begun(dense, config=WIDE):
    return begin(config, NUMBERS.checked(), jax.random.key(9), origins.gather(config, [dense]))


def test_a_divided_model_has_the_world_and_as_many_weights_as_its_parent(dense):
    world, state = begun(dense)
    chex.assert_trees_all_equal(world, dense.world)
    assert state.anchors == ()
    for name in ("w_mk", "w_ko"):
        assert getattr(state.masks, name).sum() == getattr(dense.final, name).size
    # The parts of each neuron's inputs add up to its inputs.
    both = np.asarray(state.model.w_mk).reshape(TINY.m, 2, TINY.k).sum(axis=1)
    np.testing.assert_array_equal(both, dense.final.w_mk)
    np.testing.assert_array_equal(2 * state.model.b_k, np.tile(dense.final.b_k, 2))


def test_one_part_each_is_the_parent_itself(dense):
    """The limit of division: every weight stays in use and the function is the parent's."""
    model, masks = pruning.expanded(dense.final, None, 1, jax.random.key(0))
    chex.assert_trees_all_equal(model, dense.final)
    assert all(mask.all() for mask in jax.tree.leaves(masks))


def test_weights_that_are_not_in_use_stay_zero(dense):
    world, state = begun(dense)
    for step in range(3):
        batch_bn = features.sample(WIDE, NUMBERS, jax.random.key(step))
        state, _ = train_step(WIDE, NUMBERS.checked(), world, state, batch_bn)
    assert not np.asarray(state.model.w_mk)[~np.asarray(state.masks.w_mk)].any()
    assert not np.asarray(state.model.w_ko)[~np.asarray(state.masks.w_ko)].any()


def test_divided_runs_are_stored_and_measured(tmp_path):
    parent = Job(DENSE, TINY_HYPERPARAMS, 0)
    child = Job(WIDE, NUMBERS, 0, parents=(parent.name,))
    list(trainer.run_plan(plan.make([parent, child], tmp_path), tmp_path))
    stored = {run.name: run for run in store.find(tmp_path)}
    row = frames.per_run([stored[child.name]]).iloc[0]
    assert row["k"] == 2 * TINY.k
    assert row["weight_density"] == 0.5
    assert row["nonzero_weights"] == TINY.k * (TINY.m + TINY.n)


@pytest.mark.parametrize(
    ("changed", "density", "message"),
    [
        ({"k": TINY.k}, 0.5, f"k={TINY.k} is no multiple of a parent's k={TINY.k}"),
        ({"k": TINY.k + 1}, 0.5, f"k={TINY.k + 1} is no multiple"),
        ({}, 0.25, f"density=0.25, but {2 * TINY.k} neurons made of {TINY.k} have 0.5"),
        ({"m": TINY.m + 1}, 0.5, f"m={TINY.m + 1}, but a parent has m={TINY.m}"),
    ],
)
def test_what_does_not_follow_from_the_parent_is_refused(changed, density, message):
    job = Job(
        dataclasses.replace(WIDE, **changed), NUMBERS.replace(density=density), 0, ("0" * 16,)
    )
    with pytest.raises(ValueError, match=message):
        origins.check_parents(job, [Job(DENSE, TINY_HYPERPARAMS, 0)])
