"""Frames of models with a penalty: each column against loops over the model's own arrays."""

import jax
import numpy as np
import pytest

from toymono import Config, Hyperparams, features, frames, scores
from toymono.analysis import parts
from toymono.frames import penalty as penalty_frames


@pytest.fixture(scope="module", params=["decoder", "abs"])
def some(request, untrained):
    """A run whose first neurons respond to one feature each, and whose last never fire."""
    run_ = untrained(Config(request.param, n=12, m=4, k=10), Hyperparams(eps=0.25), 3)
    w_cmk, b_ck = run_.snapshots.w_mk, run_.snapshots.b_k
    w_cmk = w_cmk.at[:, :, :4].set(10 * run_.world.embed_nm[:4].T)
    b_ck = b_ck.at[:, :4].set(-9.0).at[:, -2:].set(-100.0)
    return run_.replace(snapshots=run_.snapshots.replace(w_mk=w_cmk, b_k=b_ck))


def outputs(run, features_bn, kept_k):
    w_mk, b_k, w_ko = (np.asarray(run.final.__dict__[name]) for name in ("w_mk", "b_k", "w_ko"))
    hidden_bk = np.maximum(features_bn @ np.asarray(run.world.embed_nm) @ w_mk + b_k, 0)
    return (hidden_bk * kept_k) @ w_ko


def test_losses_of_the_parts_by_hand(some):
    response_kn = np.asarray(scores.responses(some.final, some.world))
    count_k = (response_kn > 0).sum(axis=1)
    assert set(count_k) >= {0, 1}
    assert count_k.max() > 1
    [row] = penalty_frames.part_losses([some], samples=64).to_dict("records")
    assert row["features_per_neuron"] == pytest.approx(count_k.mean())
    batch = features.sample(
        Config(some.config.task, n=12, m=4, k=10, batch_size=64),
        some.hyperparams,
        jax.random.key(64),
    )
    inputs = {"sampled_loss": np.asarray(batch), "single_feature_loss": np.eye(12)}
    for name, features_bn in inputs.items():
        target_bn = abs(features_bn) if some.config.task == "abs" else features_bn
        for column, kept_k in {name: count_k >= 0, f"{name}_mono": count_k <= 1}.items():
            error_bn = outputs(some, features_bn, kept_k) - target_bn
            assert row[column] == pytest.approx((error_bn**2).sum(axis=1).mean(), rel=1e-4)


def test_fractions_of_neurons_by_counting(some):
    row = penalty_frames.part_losses([some], samples=64).iloc[0]
    count_k = np.asarray((scores.responses(some.final, some.world) > 0).sum(axis=1))
    key = jax.random.key(64)
    four, two = (
        scores.multi_feature_monosemanticity(
            some.final, some.world, active, jax.random.fold_in(key, active)
        )
        for active in (4, 2)
    )
    living = [k for k in range(10) if count_k[k] > 0]
    ones = [k for k in living if count_k[k] == 1]
    assert 0 < len(ones) < len(living) < 10
    assert row["multi_feature_share"] == pytest.approx(1 - len(ones) / len(living))
    activated_by_others = [k for k in ones if four.silent_k[k] < 1]
    assert row["activated_by_others"] == pytest.approx(len(activated_by_others) / len(ones))
    assert len(activated_by_others) < len(living) - len(ones) + len(
        activated_by_others
    )  # the mask matters
    assert row["pair_monosemanticity"] == pytest.approx(
        np.mean([two.monosemanticity_k[k] for k in living])
    )


def test_no_key_is_used_twice(some):
    with jax.debug_key_reuse(True):
        penalty_frames.part_losses([some], samples=32)


def test_mean_outputs_are_the_means_of_profiles(some):
    frame = penalty_frames.mean_outputs([some], 3)
    response_kn = scores.responses(some.final, some.world)
    mono_k = (response_kn > 0).sum(axis=1) <= 1
    amplitude_b = frame["amplitude"].to_numpy()
    assert amplitude_b.tolist() == [0, 0.5, 1]
    own = np.mean(
        [
            [
                np.asarray(part_bo)[:, feature]
                for part_bo in parts.along(
                    some.final, some.world, feature, amplitude_b, mono_k=mono_k
                )
            ]
            for feature in range(12)
        ],
        axis=0,
    )
    columns = ["mean_output", "mean_output_mono", "mean_output_poly", "mean_target"]
    np.testing.assert_allclose(frame[columns].T, own, atol=1e-5)
    total = frame["mean_output_mono"] + frame["mean_output_poly"]
    np.testing.assert_allclose(total, frame["mean_output"], atol=1e-5)


@pytest.mark.parametrize("function", [penalty_frames.part_losses, penalty_frames.mean_outputs])
def test_every_frame_begins_with_what_determines_a_run(function, some):
    frame = function([some])
    start = [*frames.RUN_FIELDS, "run", "diverged"]
    assert list(frame.columns[: len(start)]) == start
