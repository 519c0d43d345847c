"""The row of numbers per run that claims read: by hand, and against other frames."""

import dataclasses

import numpy as np
import pytest

from toymono import Model, World, frames, store
from toymono.frames import summary


def test_settled_flag(untrained):
    run = untrained()
    row = summary.row(run)
    # 16 steps, a loss of 1/t: its last 2 against the 2 up to step 8.
    halfway, end = (1 / 7 + 1 / 8) / 2, (1 / 15 + 1 / 16) / 2
    assert row["loss_fall"] == pytest.approx(1 - end / halfway, rel=1e-5)
    assert not row["settled"]
    level = run.replace(loss_t=np.ones(16), snapshots=run.snapshots.replace(b_k=-np.ones((5, 24))))
    row = summary.row(level)
    assert (row["loss_fall"], row["mono_rise"], row["settled"]) == (0, 0, True)
    assert row["loss_share"] == pytest.approx(1 / (16 / 4 / 3))
    rising = level.replace(loss_t=np.linspace(1, 1.1, 16))
    assert not summary.row(rising)["settled"]


def test_halfway_is_the_run_after_half_of_its_steps(run, config):
    half = summary.halfway(run)
    assert half.config == dataclasses.replace(config, log2_steps=config.log2_steps - 1)
    np.testing.assert_array_equal(half.loss_t, run.loss_t[:8])
    np.testing.assert_array_equal(half.final.w_mk, run.snapshots.w_mk[-2])
    whole, row = summary.row(run), summary.row(half)
    before = frames.per_snapshot([run])["mono_per_feature"].iloc[-2]
    assert row["mono_per_feature"] == before == whole["mono_per_feature"] - whole["mono_rise"]


def test_a_stored_run_has_the_row_of_the_run_in_memory(run, tmp_path):
    store.save(tmp_path, run)
    [stored] = store.find(tmp_path)
    found = summary.row(stored, decomposed=True)
    assert found == pytest.approx(summary.row(run, decomposed=True), nan_ok=True)


def test_mean_biases_need_enough_neurons(untrained):
    run = untrained()
    dead = run.replace(snapshots=run.snapshots.replace(b_k=0 * run.snapshots.b_k - 100))
    row = summary.row(dead)
    assert np.isnan(row["mono_bias"])
    assert np.isnan(row["broad_bias"])
    broad = run.replace(snapshots=run.snapshots.replace(b_k=0 * run.snapshots.b_k + 100))
    assert summary.row(broad)["broad_bias"] == pytest.approx(100)


def test_the_linear_part_of_a_model_by_hand():
    w_mk, w_ko = np.array([[0.5, 0], [0, 0.5]]), np.array([[0.25, 0], [0, 0.25]])
    found = summary.anatomy(Model(w_mk, np.array([0.002, 0.001]), w_ko), World(np.eye(2)))
    expected = {
        "slope_mean": 0.125,
        "slope_q05": 0.125,
        "slope_q95": 0.125,
        "slope_change": 0,
        "largest_singular": 0.125,
        "singular_in_band": 0,
        "effective_rank": 2,
        "poly_offset": 0.0005,
    }
    assert {name: float(found[name]) for name in expected} == pytest.approx(expected, abs=1e-6)


def test_the_kinks_of_features_with_one_neuron_and_with_two():
    w_mk = np.array([[1.0, 0, 0], [0, 1, 1]])
    model = Model(w_mk, np.array([-0.4, -0.25, -0.75]), np.array([[1.5, 0], [0, 2], [0, -1]]))
    found = summary.anatomy(model, World(np.eye(2)))
    names = ("one_kink", "one_output", "two_first_kink", "two_second_kink")
    assert [float(found[name]) for name in names] == pytest.approx([0.4, 0.9, 0.25, 0.75], abs=1e-6)
    assert (int(found["two_kink_features"]), float(found["singular_in_band"])) == (1, 1)
