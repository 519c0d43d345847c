"""Pairs of runs of one world: which are compared, and what is measured on the line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import store
from toymono.alignment import permute
from toymono.analysis import connectivity as analysis
from toymono.frames import connectivity
from toymono.quantities import INDEX_COLUMNS, QUANTITIES


def permuted(run, order_k):
    return run.replace(
        snapshots=jax.vmap(permute, (0, None))(run.snapshots, order_k), key=jax.random.key(7)
    )


@pytest.fixture(scope="module")
def pair(run):
    """A run and the same one with its neurons in another order, under another key."""
    return [run, permuted(run, jnp.arange(run.config.k)[::-1])]


def test_a_permuted_copy_has_a_barrier_that_alignment_removes(pair):
    [row] = connectivity.per_pair(pair).to_dict("records")
    assert row["barrier"] == row["excess"] == row["weight_distance"] == 0
    assert row["unaligned_weight_distance"] > 0.1
    assert row["task_loss"] == pytest.approx(row["other_loss"], rel=1e-6)
    assert row["mono_per_feature"] == row["other_mono_per_feature"]
    assert row["matched_same_feature"] == row["mono_per_feature"] * pair[0].config.n
    names = {store.name(run.config, run.hyperparams, run.seed) for run in pair}
    assert {row["run"], row["other_run"]} == names


def test_paths_have_the_losses_of_the_analysis(pair):
    found = connectivity.paths(pair, points=5)
    assert len(found) == 2 * 5
    assert found["path_position"].tolist() == 2 * [0, 0.25, 0.5, 0.75, 1]
    plain = found[found["aligned"] == "no"]
    [row] = connectivity.per_pair(pair, points=5).to_dict("records")
    chord = np.interp(plain["path_position"], [0, 1], plain["path_loss"].iloc[[0, -1]])
    assert (plain["path_loss"] - chord).max() == pytest.approx(row["unaligned_barrier"], abs=1e-6)
    aligned = found[found["aligned"] == "yes"]["path_loss"]
    assert aligned.nunique() == 1


def test_only_runs_of_one_world_and_distribution_are_compared(pair):
    run, other = pair
    elsewhere = other.replace(world=other.world.replace(embed_nm=-other.world.embed_nm))
    rarer = other.replace(hyperparams=other.hyperparams.replace(eps=0.01))
    gelu = other.replace(snapshots=other.snapshots.replace(nonlinearity="gelu"))
    for changed in (elsewhere, rarer, gelu):
        assert not connectivity.comparable(run, changed)
        assert connectivity.per_pair([run, changed]).empty
    assert connectivity.comparable(run, other)


def test_diverged_runs_are_left_out(pair, diverged_run):
    assert len(connectivity.per_pair([*pair, diverged_run])) == 1


def test_the_zero_output_loss_is_the_unit_of_shares(run):
    """Between a model and one that outputs 0 the loss is that of 0 at one end."""
    silent = run.replace(
        snapshots=jax.tree.map(jnp.zeros_like, run.snapshots), key=jax.random.key(8)
    )
    [row] = connectivity.per_pair([run, silent], points=3).to_dict("records")
    assert row["barrier_share"] == pytest.approx(row["barrier"] / row["other_loss"], rel=1e-5)


def test_kinds_of_pairs():
    def pair_of(*shares):
        return connectivity.kinds_of_pair(*map(connectivity.kind, shares))

    assert pair_of(0.9, 0.6) == "monosemantic"
    assert pair_of(0.0, 0.09) == "polysemantic"
    assert pair_of(0.05, 0.8) == pair_of(0.8, 0.05) == "mixed"
    assert pair_of(0.3, 0.8) == "other"


def test_stored_pairs_are_cached(pair, tmp_path, monkeypatch):
    for each in pair:
        store.save(tmp_path, each)
    stored = store.find(tmp_path)
    first = connectivity.per_pair(stored)
    monkeypatch.setattr(analysis, "path", None)
    again = connectivity.per_pair(stored)
    assert first.equals(again)


def test_every_column_is_described(pair):
    for frame in (connectivity.per_pair(pair, points=3), connectivity.paths(pair, points=3)):
        assert set(frame) - {"diverged"} <= {*QUANTITIES, *INDEX_COLUMNS}
