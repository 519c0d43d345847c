"""Frames of features by frequency, on runs with planted models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, Model, store
from toymono.analysis import connectivity
from toymono.frames import regimes
from toymono.quantities import INDEX_COLUMNS, QUANTITIES

CONFIG = Config("identity", n=8, m=8, k=8, feature_law="power_law", batch_size=8, log2_steps=1)
HYPERPARAMS = Hyperparams(eps=0.125, exponent=1.0)


@pytest.fixture
def planted_run(untrained):
    """An identity of the features in a mask; the other neurons are dead."""

    def make(mask_n, seed=0):
        eye = jnp.diag(jnp.asarray(mask_n, jnp.float32))
        run = untrained(CONFIG, HYPERPARAMS, seed)
        model = Model(eye, jnp.where(jnp.asarray(mask_n), 0.0, -1.0), eye)
        return run.replace(snapshots=jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), model))

    return make


def test_the_frequent_features_of_a_planted_run(planted_run):
    run = planted_run(np.arange(8) < 3)
    found = regimes.per_feature([run])
    assert found["regime"].tolist() == ["monosemantic"] * 3 + ["ignored"] * 5
    assert found["frequency_rank"].tolist() == list(range(1, 9))
    assert found["feature"].tolist() == list(range(8))
    by_hand_n = 1 / np.arange(1, 9)
    by_hand_n *= 8 / 8 / by_hand_n.sum()
    np.testing.assert_allclose(found["frequency"], by_hand_n, rtol=1e-5)
    np.testing.assert_allclose(found["recovery"], np.arange(8) < 3, atol=1e-5)
    [row] = regimes.per_run([run]).to_dict("records")
    assert (row["served_share"], row["poly_share"], row["ignored_share"]) == (3 / 8, 0, 5 / 8)
    assert row["served_rank"] == pytest.approx(6 ** (1 / 3), rel=1e-5)
    assert np.isnan(row["poly_rank"])
    assert row["ignored_rank"] == pytest.approx(6720**0.2, rel=1e-5)  # ranks 4 to 8
    assert row["served_loss"] == pytest.approx(0, abs=1e-6)
    assert row["ignored_loss"] == pytest.approx(by_hand_n[3:].sum() / by_hand_n.sum(), rel=1e-4)
    assert row["absent_loss"] == pytest.approx(0, abs=1e-6)
    assert (row["edge_half_rank"], row["edge_width"]) == (pytest.approx(12**0.5), 0)
    assert (row["edge_direction"], row["neurons_per_feature"]) == (1, 1)


def test_shares_of_the_loss_are_those_of_all_samples(run):
    """Of a trained run, whose features are shared by neurons."""
    [row] = regimes.per_run([run]).to_dict("records")
    parts = [row[f"{name}_loss"] for name in ("served", "poly", "ignored", "absent")]
    from_features = run.config.n * 0.25 / 3
    samples = (
        jax.random.uniform(jax.random.key(1), (2, 40_000, 16)) * jnp.array([4, 1])[:, None, None]
    )
    given_bn = jnp.where(samples[0] < 1, samples[1], 0)
    sampled = connectivity.loss(run.final, run.world, given_bn) / from_features
    assert sum(parts) == pytest.approx(float(sampled), rel=0.03)
    assert row["served_share"] + row["poly_share"] + row["ignored_share"] == pytest.approx(1)


def test_runs_that_diverged_have_no_numbers(diverged_run):
    columns = ["recovery", "served", "present_loss", "best_monosemanticity"]
    assert regimes.per_feature([diverged_run])[columns].isna().all(axis=None)
    assert np.isnan(regimes.per_run([diverged_run])["served_share"].item())


def test_stored_and_stacked_runs_give_the_same(runs, run, tmp_path, monkeypatch):
    assert regimes.per_run(runs)["run"].nunique() == 3
    store.save(tmp_path, run)
    stored = store.find(tmp_path)
    first = regimes.per_feature(stored)
    np.testing.assert_allclose(first["recovery"], regimes.per_feature([run])["recovery"])
    monkeypatch.setattr(regimes.regimes, "regimes", None)
    assert regimes.per_feature(stored).equals(first)


def test_every_column_is_described(run):
    for frame in (regimes.per_feature([run]), regimes.per_run([run])):
        assert set(frame) - {"diverged"} <= {*QUANTITIES, *INDEX_COLUMNS}
        for name in set(frame) & set(QUANTITIES):
            values = frame[name].dropna()
            if values.dtype.kind == "f":
                quantity = QUANTITIES[name]
                assert ((quantity.low - 1e-6 <= values) & (values <= quantity.high + 1e-6)).all()
