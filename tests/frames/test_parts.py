"""Frames of the mono and the poly part: against the model's own arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toymono import Config, Hyperparams, Model, Run, World, scores
from toymono import config as settings
from toymono.frames import parts as part_frames


@pytest.fixture(scope="module")
def one(untrained):
    """An untrained run with biases of both signs."""
    run = untrained(Config(n=16, m=4, k=24, batch_size=8, log2_steps=4), Hyperparams(eps=0.25), 5)
    bias_ck = run.snapshots.b_k + jnp.linspace(-0.8, 0.4, 24)[None]
    return run.replace(snapshots=run.snapshots.replace(b_k=bias_ck))


def test_parts_add_up_along_a_feature(one):
    frame = part_frames.feature_outputs([one], amplitudes=5)
    assert frame["panel"].tolist() == sorted([0, 1, 2, 3] * 5)
    assert frame["feature"].nunique() == 4
    np.testing.assert_allclose(
        frame["output"], frame["output_mono"] + frame["output_poly"], atol=1e-5
    )
    np.testing.assert_array_equal(frame["target"], frame["amplitude"])
    first, second = frame["first_kink"].dropna(), frame["second_kink"].dropna()
    assert first.between(0, 1).all()
    assert (first[second.index] <= second).all()


def test_features_are_chosen_by_their_monosemantic_neurons():
    weight_nk = np.zeros((4, 3), np.float32)
    weight_nk[[1, 3, 3], [0, 1, 2]] = 1.0
    config, hyperparams = settings.split({"n": 4, "m": 4, "k": 3, "log2_steps": 0})
    model = Model(jnp.asarray(weight_nk), jnp.full(3, -0.5), jnp.asarray(weight_nk.T))
    snapshots = jax.tree.map(lambda leaf: leaf[None], model)
    key = jax.random.key(0)
    run = Run(config, hyperparams.checked(), key, World(jnp.eye(4)), snapshots, jnp.ones(1))
    frame = part_frames.feature_outputs([run], amplitudes=3).drop_duplicates("panel")
    assert frame["feature"].tolist() == [1, 3, 0, 2]
    assert frame["mono_neurons"].tolist() == [1, 2, 0, 0]
    np.testing.assert_array_equal(frame["first_kink"], [0.5, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(frame["second_kink"], [np.nan, 0.5, np.nan, np.nan])


def test_the_linear_map_is_that_of_the_positive_biases(one):
    [row] = part_frames.linear_maps([one]).to_dict("records")
    model, positive_k = one.final, np.asarray(one.final.b_k) > 0
    gate_mk = np.asarray(one.final.w_mk)[:, positive_k]
    map_on = (np.asarray(one.world.embed_nm) @ gate_mk @ np.asarray(model.w_ko)[positive_k]).T
    np.testing.assert_allclose(row["map_on"], map_on, atol=1e-5)
    assert row["positive_bias"] == positive_k.sum()
    large = [value for value in np.linalg.svd(map_on, compute_uv=False) if value > 0.5]
    assert row["singular_above_half"] == len(large)
    if large:
        assert row["large_singular_min"] == pytest.approx(min(large), rel=1e-4)
    else:
        assert np.isnan(row["large_singular_min"])
    largest = np.linalg.svd(map_on, compute_uv=False).max()
    assert row["largest_singular"] == pytest.approx(largest, rel=1e-4)
    assert row["slope_min"] == pytest.approx(np.diag(map_on).min(), abs=1e-5)


def test_the_feature_outputs_are_those_of_the_model(one):
    frame = part_frames.feature_outputs([one], amplitudes=3)
    for _, rows in frame.groupby("panel"):
        feature = rows["feature"].iloc[0]
        features_bn = np.zeros((3, 16), np.float32)
        features_bn[:, feature] = [0, 0.5, 1]
        output_b = one.final(one.world.inputs(jnp.asarray(features_bn)))[:, feature]
        np.testing.assert_allclose(rows["output"], output_b, atol=1e-5)
    count_n = scores.mono_neurons_per_feature(scores.responses(one.final, one.world))
    shown = frame.drop_duplicates("panel")
    assert shown["mono_neurons"].tolist() == [int(count_n[i]) for i in shown["feature"]]
