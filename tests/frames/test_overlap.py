"""Sparse runs in frames: numbers of weights in use, and pairs of runs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from settings import TINY, TINY_HYPERPARAMS

from toymono import frames, masks, pruning
from toymono.alignment import permute
from toymono.frames import overlap
from toymono.quantities import INDEX_COLUMNS, QUANTITIES


@pytest.fixture(scope="module")
def sparse_run(untrained):
    """Of density 1/4, its masks those of the untrained model."""
    run = untrained(TINY, TINY_HYPERPARAMS, 3)
    used = pruning.prune(run.final, None, 0.75)
    snapshots = jax.vmap(lambda model: masks.applied(used, model))(run.snapshots)
    config = dataclasses.replace(TINY, sparsity="erdos_renyi")
    return run.replace(config=config, snapshots=snapshots, masks=used)


def permuted(run, order_k):
    return run.replace(
        snapshots=jax.vmap(permute, (0, None))(run.snapshots, order_k),
        masks=pruning.permuted(run.masks, order_k),
        key=jax.random.key(7),
    )


def test_numbers_of_weights_in_use(sparse_run, run):
    sparse, dense = frames.per_run([sparse_run, run]).to_dict("records")
    size = 24 * (4 + 16)
    assert (sparse["nonzero_weights"], dense["nonzero_weights"]) == (size / 4, size)
    for column, share in (("weight_density", 1), ("input_density", 1), ("output_density", 1)):
        assert (sparse[column], dense[column]) == (share / 4, share)
    live = dense["monosemantic"] + dense["polysemantic"]
    assert dense["mono_per_live"] == dense["monosemantic"] / live


def test_the_densities_are_those_of_each_tensor(sparse_run):
    used = sparse_run.masks.replace(w_mk=jnp.ones_like(sparse_run.masks.w_mk))
    [row] = frames.per_run([sparse_run.replace(masks=used)]).to_dict("records")
    assert (row["input_density"], row["output_density"]) == (1, 0.25)
    assert row["nonzero_weights"] == 24 * 4 + 24 * 4
    assert row["weight_density"] == pytest.approx(192 / 480)


def test_without_living_neurons_there_is_no_share_of_them(run):
    dead = run.snapshots.replace(b_k=jnp.full_like(run.snapshots.b_k, -9.0))
    [row] = frames.per_run([run.replace(snapshots=dead)]).to_dict("records")
    assert row["dead"] == 24
    assert np.isnan(row["mono_per_live"])


def test_a_pair_of_one_model_in_two_orders(sparse_run):
    [row] = overlap.per_pair([sparse_run, permuted(sparse_run, jnp.arange(24)[::-1])]).to_dict(
        "records"
    )
    for of in ("input", "output"):
        assert row[f"{of}_aligned_overlap"] == 1
        assert row[f"{of}_overlap"] < 0.4
        assert row[f"{of}_chance_overlap"] == pytest.approx(1 / 7, abs=1e-3)
        assert row[f"{of}_chance_overlap"] < row[f"{of}_null_overlap"] < 0.8
    assert (row["seed"], row["other_seed"]) == (3, 7)
    unknown = set(row) - set(QUANTITIES) - set(INDEX_COLUMNS)
    assert not unknown


def test_dense_runs_are_compared_by_their_largest_weights(run):
    turned = run.replace(
        snapshots=jax.vmap(permute, (0, None))(run.snapshots, jnp.arange(24)[::-1]),
        key=jax.random.key(7),
    )
    [row] = overlap.per_pair([run, turned], share=0.25).to_dict("records")
    assert row["output_aligned_overlap"] == 1
    assert row["output_chance_overlap"] == pytest.approx(1 / 7, abs=1e-3)


def test_a_dense_and_a_sparse_run_are_no_pair(sparse_run):
    dense = sparse_run.replace(config=TINY, masks=None)
    assert overlap.per_pair([sparse_run, dense]).empty
    elsewhere = sparse_run.replace(
        world=sparse_run.world.replace(embed_nm=-sparse_run.world.embed_nm)
    )
    assert overlap.per_pair([sparse_run, elsewhere]).empty
