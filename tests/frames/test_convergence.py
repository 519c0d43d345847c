"""Frames of consecutive snapshots, on planted snapshots and a trained run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, Model, store
from toymono.analysis import connectivity as lines
from toymono.frames import convergence, summary, toy
from toymono.models import permute
from toymono.quantities import INDEX_COLUMNS, QUANTITIES

CONFIG = Config("identity", n=6, m=6, k=6, batch_size=8, log2_steps=3)
EYE = jnp.eye(6)
IDENTITY = Model(EYE, jnp.zeros(6), EYE)


def course(untrained, models, loss_t=None):
    """A run whose snapshots are these models."""
    run = untrained(CONFIG, Hyperparams(eps=0.25))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    return run.replace(
        snapshots=stacked, loss_t=jnp.full(8, 0.5) if loss_t is None else jnp.asarray(loss_t)
    )


def test_a_model_that_stands_still(untrained):
    found = convergence.per_octave([course(untrained, [IDENTITY] * 4)])
    assert found["step"].tolist() == [2, 4, 8]
    assert (found["octave_jaccard"] == 1).all()
    assert (found["mono_per_feature"] == 1).all()
    zeros = ["octave_mono_change", "octave_loss_change", "weight_distance", "barrier_share"]
    zeros += ["unaligned_weight_distance", "unaligned_barrier_share", "moved_neurons", "loss_share"]
    np.testing.assert_allclose(found[zeros], 0, atol=1e-6)
    [row] = convergence.per_run([course(untrained, [IDENTITY] * 4)]).to_dict("records")
    assert (row["settled"], row["convergence"], row["last_jaccard"]) == (True, "converged", 1)


def test_neurons_that_exchange_features(untrained):
    """The count stays, two of six pairs change: Jaccard 4/8; alignment puts them back."""
    turned = permute(IDENTITY, jnp.array([1, 0, 2, 3, 4, 5]))
    run = course(untrained, [IDENTITY, IDENTITY, IDENTITY, turned])
    last = convergence.per_octave([run]).iloc[-1]
    assert last["octave_jaccard"] == pytest.approx(4 / 8)
    assert last["octave_retained"] == pytest.approx(4 / 6)
    assert last["octave_mono_change"] == 0
    assert (last["moved_neurons"], last["weight_distance"]) == (2, 0)
    # Two columns of each matrix change in two entries.
    assert last["unaligned_weight_distance"] == pytest.approx(8**0.5)
    assert last["unaligned_barrier_share"] > 0.1
    assert last["barrier_share"] == pytest.approx(0, abs=1e-6)
    assert convergence.per_run([run])["convergence"].item() == "ridge"


def test_numbers_are_those_of_the_analysis(run):
    """Of a trained run, against the path between its last two snapshots."""
    found = convergence.per_octave([run])
    before, after = (jax.tree.map(lambda leaf: leaf[c], run.snapshots) for c in (-2, -1))  # noqa: B023
    last = found.iloc[-1]
    assert last["unaligned_weight_distance"] == pytest.approx(lines.distance(before, after))
    snapshots = toy.per_snapshot([run])["mono_per_feature"]
    np.testing.assert_allclose(found["mono_per_feature"], snapshots.iloc[1:])
    np.testing.assert_allclose(found["octave_mono_change"], np.diff(snapshots), atol=1e-6)
    row = convergence.per_run([run]).iloc[0]
    for name in ("loss_fall", "mono_rise", "settled"):
        assert row[name] == summary.row(run)[name]


def test_a_falling_loss_is_not_settled(untrained):
    run = course(untrained, [IDENTITY] * 4, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    assert convergence.per_run([run])["convergence"].item() == "moving"


def test_diverged_runs_have_no_rows(run, diverged_run):
    for frame in (convergence.per_octave, convergence.per_run):
        assert frame([run, diverged_run])["run"].nunique() == 1
    assert convergence.per_octave([diverged_run]).empty


def test_stored_runs_are_cached(run, tmp_path, monkeypatch):
    store.save(tmp_path, run)
    stored = store.find(tmp_path)
    first = convergence.per_octave(stored)
    monkeypatch.setattr(lines, "path", None)
    assert convergence.per_octave(stored).equals(first)
    assert len(convergence.per_run(stored)) == 1


def test_every_column_is_described(run):
    for frame in (convergence.per_octave([run]), convergence.per_run([run])):
        assert set(frame) - {"diverged"} <= {*QUANTITIES, *INDEX_COLUMNS}
