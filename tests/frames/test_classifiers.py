"""Frames of classifier runs: against the arrays they come from, stored and in memory."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from toymono import scores, stack, store, unstack
from toymono.analysis import class_responses
from toymono.classifiers import data
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.frames import classifiers as frames

STRUCTURE = frames.Structure(clusters=3, shuffles=2, ablations=2, permutations=9)
ALPHAS = (0.0, -10.0)  # the second collapses


@pytest.fixture(scope="module")
def runs(digits):
    """Two seeds of each weight, and one network whose parameters are not finite."""
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=8)
    points = list(itertools.product(ALPHAS, range(2)))
    hyperparams = stack([ClassifierHyperparams(a, learning_rate=0.01).checked() for a, _ in points])
    keys = stack([jax.random.key(seed) for _, seed in points])
    trained = unstack(training.fit_many(config, hyperparams, digits, keys))
    spoiled = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), trained[0].params)
    other = ClassifierHyperparams(0.5, learning_rate=0.01).checked()
    return [*trained, trained[0].replace(params=spoiled, hyperparams=other)]


@pytest.fixture(scope="module")
def stored(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for run in runs:
        store.save(folder, run)
    return store.find(folder, kind="classifier")


@pytest.fixture(scope="module")
def per_run(stored):
    return frames.per_run(stored, STRUCTURE)


FUNCTIONS = [
    frames.per_run,
    frames.per_layer,
    frames.per_neuron,
    frames.per_epoch,
    frames.sorted_firing,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_folder_and_runs_in_memory_give_one_frame(function, runs, stored):
    by = ["alpha", "seed"]
    found, given = (
        function(some).sort_values(by, kind="stable", ignore_index=True) for some in (stored, runs)
    )
    pd.testing.assert_frame_equal(found, given, check_dtype=False)
    start = [*frames.SETTING[:-1], "seed", "fingerprint", "run", "status"]
    assert list(found.columns[: len(start)]) == start
    assert set(found["run"]) == {run.name for run in stored}
    assert set(found["sizes"]) == {"16-12"}


def test_frames_have_a_row_for_each(stored):
    rows = {
        frames.per_run: 5,
        frames.per_layer: 5 * 2,
        frames.sorted_firing: 5 * 2,
        frames.per_neuron: 5 * 28,
        frames.per_epoch: 5 * 8,
    }
    assert {function: len(function(stored)) for function in rows} == rows


def test_the_status_tells_what_became_of_a_run(per_run):
    status = per_run.groupby("alpha")["status"].agg(set)
    assert status[0.0] == {"learned"}
    assert "learned" not in status[-10.0]
    assert status[0.5] == {"diverged"}
    assert set(frames.learned(per_run)["alpha"]) == {0.0}


def test_per_run_matches_direct_computation(runs, per_run):
    run, dataset = runs[0], data.load("digits")
    [row] = per_run[(per_run["alpha"] == 0) & (per_run["seed"] == 0)].to_dict("records")
    layers = class_responses.responses(
        run.config, run.params, dataset.test_bhw, dataset.test_label_b
    )
    fires_k = np.concatenate([np.asarray(layer.count_ky).any(axis=1) for layer in layers])
    mono_k = np.concatenate([scores.monosemanticity(layer.response_ky) for layer in layers])
    assert row["dead_share"] == pytest.approx(1 - fires_k.mean())
    assert row["mean_monosemanticity"] == pytest.approx(mono_k[fires_k].mean(), rel=1e-5)
    overlaps = [float(class_responses.overlap(layer.count_ky)) for layer in layers]
    assert row["mean_overlap"] == pytest.approx(np.mean(overlaps), rel=1e-5)
    assert row["accuracy"] == pytest.approx(float(run.history.accuracy[-1]))
    assert row["error"] == pytest.approx(1 - row["accuracy"])
    assert row["width"] == 16


def test_only_inactive_neurons_have_no_class(stored):
    neurons = frames.per_neuron(stored)
    neurons = neurons[neurons["status"] != "diverged"]
    assert (neurons["class_count"].eq(0) == neurons["strongest_class"].eq(-1)).all()
    assert (neurons["firing_share"].eq(0) == neurons["class_count"].eq(0)).all()


def test_structure_is_in_range_and_nan_for_diverged_runs(per_run):
    columns = ["n_cut", "n_cut_p", "coherence", "coherence_p", "shuffled_n_cut_mean"]
    diverged = per_run["status"] == "diverged"
    assert per_run.loc[diverged, columns].isna().all(axis=None)
    finite = per_run[~diverged]
    assert finite["n_cut"].between(0, 3).all()
    assert set((finite["n_cut_p"] * 3).round(6)) <= {1, 2, 3}
    assert finite["coherence_p"].between(0.1, 1).all()
    assert (finite["ablation_p_mean"].notna() == (finite["status"] == "learned")).all()


def test_without_structure_nothing_is_analysed(stored, monkeypatch):
    monkeypatch.setattr(frames, "_cut", None)
    assert "n_cut" not in frames.per_run(stored)


def test_the_frames_of_structure_agree_with_the_row_per_run(stored, per_run):
    by_run = per_run.set_index("run")
    shuffles = frames.per_shuffle(stored, STRUCTURE)
    assert shuffles.groupby("run")["shuffle"].agg(list).map(lambda found: found == [0, 1]).all()
    means = shuffles.groupby("run")["shuffled_n_cut"].mean()
    np.testing.assert_allclose(means, by_run["shuffled_n_cut_mean"][means.index])
    clusters = frames.cluster_classes(stored, STRUCTURE).set_index("run")
    np.testing.assert_array_equal(clusters["coherence"], by_run["coherence"][clusters.index])
    for share_cy in clusters["share_cy"]:
        total_c = share_cy.sum(axis=1)
        assert share_cy.shape == (3, 10)
        np.testing.assert_allclose(total_c[~np.isnan(total_c)], 1)
    ablated = frames.per_ablation(stored, STRUCTURE)
    assert set(ablated["status"]) == {"learned"}
    means = ablated.groupby("run")["ablation_p"].mean()
    np.testing.assert_allclose(means, by_run["ablation_p_mean"][means.index])


def test_an_analysis_of_a_stored_run_is_computed_once(stored, per_run, monkeypatch):
    monkeypatch.setattr(frames.clustering, "clusterabilities", None)
    monkeypatch.setattr(frames.ablation, "ablate_clusters", None)
    pd.testing.assert_frame_equal(frames.per_run(stored, STRUCTURE), per_run)


def test_a_run_of_other_data_is_refused(runs):
    other = runs[0].replace(fingerprint="0" * 16)
    with pytest.raises(ValueError, match=r"trained on digits data with fingerprint '0{16}', not"):
        frames.per_run([other])


def test_a_sorted_layer_is_ordered_by_class(runs):
    [first, _] = frames.sorted_firing(runs[:1])["share_ky"]
    dataset = data.load("digits")
    layer, _ = class_responses.responses(
        runs[0].config, runs[0].params, dataset.test_bhw, dataset.test_label_b
    )
    order_k = np.asarray(class_responses.neuron_order(jnp.asarray(layer.response_ky)))
    np.testing.assert_array_equal(first, np.asarray(layer.share_ky)[order_k])
