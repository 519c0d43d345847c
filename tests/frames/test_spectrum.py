"""Frames of the coding-theory lens: each number against the model's own arrays."""

import jax
import numpy as np
import pytest
from pandas.api.types import is_numeric_dtype

from toymono import Config, Hyperparams, store
from toymono.analysis import spectrum
from toymono.autoencoders import data as patches
from toymono.autoencoders import network as autoencoder_network
from toymono.autoencoders import train as autoencoder_training
from toymono.autoencoders.config import AutoencoderConfig, AutoencoderHyperparams
from toymono.classifiers import network
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.frames import spectrum as frames
from toymono.frames.spectrum import codes, networks, toy
from toymono.quantities import INDEX_COLUMNS, QUANTITIES

SAMPLES = 4096


@pytest.fixture(scope="module")
def some(untrained):
    """A run with dead neurons and positive biases, and its baselines."""
    run_ = untrained(Config(n=12, m=4, k=10), Hyperparams(eps=0.25, init_bias=0.1), 3)
    b_ck = run_.snapshots.b_k.at[:, -2:].set(-100.0)
    return run_.replace(snapshots=run_.snapshots.replace(b_k=b_ck))


@pytest.fixture(scope="module")
def layers(some):
    return frames.per_layer([some], SAMPLES).set_index(["weights", "layer_name"])


def check_columns(frame):
    """Every column is described, and its values are in range, or NaN where that has a meaning."""
    for name in frame:
        assert name in QUANTITIES or name in INDEX_COLUMNS, name
        if name in QUANTITIES and not QUANTITIES[name].choices:
            values, quantity = frame[name].dropna(), QUANTITIES[name]
            assert quantity.none or len(values) == len(frame), name
            if len(values) and is_numeric_dtype(values):
                assert quantity.low - 1e-9 <= values.min(), name
                assert values.max() <= quantity.high + 1e-9, name


def test_the_spectrum_of_the_hidden_layer(some, layers):
    features_bn = np.asarray(toy._features(some, 0))
    x_bm = features_bn @ np.asarray(some.world.embed_nm)
    hidden_bk = np.maximum(x_bm @ np.asarray(some.final.w_mk) + np.asarray(some.final.b_k), 0)
    expected = spectrum.eigenspectrum(hidden_bk)
    ranks = frames.per_rank([some], SAMPLES)
    ranks = ranks[(ranks["weights"] == "trained") & (ranks["layer_name"] == "hidden")]
    assert ranks["spectrum_index"].tolist() == [*range(1, len(ranks) + 1)]
    np.testing.assert_allclose(ranks["eigenvalue"], expected[: len(ranks)], rtol=1e-4)
    assert len(ranks) <= 8
    row = layers.loc["trained", "hidden"]
    assert row["layer_variance"] == pytest.approx(hidden_bk.var(axis=0).sum(), rel=1e-4)
    assert row["participation_ratio"] == pytest.approx(
        spectrum.participation_ratio(expected), rel=1e-4
    )
    parts = layers.loc["trained"].loc[["hidden_mono", "hidden_poly"]]
    assert parts["units"].sum() == 10
    assert parts["layer_variance"].sum() == pytest.approx(row["layer_variance"])
    assert layers.loc["trained", "input"]["normalised_action"] == pytest.approx(1, abs=1e-3)


def test_baselines_are_beside_the_trained_layer(some, layers):
    run = frames.per_run([some], SAMPLES).iloc[0]
    trained = layers.loc["trained", "hidden"]
    assert run["participation_ratio"] == trained["participation_ratio"]
    for column, weights in (
        ("participation_gain", "untrained_spread"),
        ("participation_gain_own", "untrained"),
        ("participation_gain_rotated", "rotated"),
    ):
        baseline = layers.loc[weights, "hidden"]["participation_ratio"]
        assert run[column] == pytest.approx(trained["participation_ratio"] / baseline)
    assert 0.5 < run["projection_auc"] <= 1
    assert 0.5 < run["neuron_auc"] <= 1


def test_columns_are_described(some, diverged_run):
    runs = [diverged_run, some]
    for frame in (
        frames.per_run(runs, SAMPLES),
        frames.per_layer(runs, SAMPLES),
        frames.per_rank(runs, SAMPLES),
        frames.explanations(runs),
        frames.sample_sizes(runs),
    ):
        assert frame["run"].nunique() == 1
        check_columns(frame)


def test_few_samples_steepen_the_spectrum_and_hide_dimensions(some):
    sizes = frames.sample_sizes([some])
    assert sizes["samples"].tolist() == list(toy.SIZES)
    [last] = frames.per_run([some], SAMPLES)["participation_ratio"]
    assert sizes["participation_ratio"].iloc[-1] == pytest.approx(last, rel=0.1)
    assert sizes["few_exponent"].notna().all()


def test_a_dead_layer_has_conventions_instead_of_numbers(some):
    b_ck = some.snapshots.b_k - 1000
    dead = some.replace(snapshots=some.snapshots.replace(b_k=b_ck))
    row = frames.per_run([dead], SAMPLES).iloc[0]
    assert row["participation_ratio"] == row["usable_ranks"] == 0
    assert np.isnan(row["spectrum_exponent"])
    assert np.isnan(row["normalised_action"])
    assert row["neuron_auc"] == 0.5
    check_columns(frames.per_run([dead], SAMPLES))


def test_results_are_cached_beside_stored_runs(some, tmp_path, monkeypatch):
    store.save(tmp_path, some)
    stored = store.find(tmp_path)
    first = frames.per_layer(stored, SAMPLES)
    monkeypatch.setattr(toy, "_features", None)
    assert frames.per_layer(stored, SAMPLES).equals(first)


def test_dimensions_per_feature_of_a_tied_model(some, untrained):
    config = Config(model="tied", task="identity", n=12, m=4, k=10)
    run_ = untrained(config, Hyperparams(eps=0.5, init_scale=1.0), 3)
    frame = frames.feature_dimensions([some, run_])
    [row] = frame.to_dict("records")  # the other model is not a tied one
    squares = (np.asarray(run_.final.w_nm) ** 2).sum()
    assert row["feature_dimensions"] == pytest.approx(4 / squares)
    assert row["optimum_23"] == pytest.approx(0.5435, abs=1e-4)
    assert row["optimum_8"] == pytest.approx(0.625)
    check_columns(frame)
    with pytest.raises(ValueError, match="TiedModel has no hidden biases"):
        frames.per_run([run_], SAMPLES)


@pytest.fixture(scope="module")
def classifier(digits):
    config = ClassifierConfig(sizes=(24, 12), batch_size=32, epochs=2)
    run = training.fit(
        config, ClassifierHyperparams(0.0, 0.01).checked(), digits, jax.random.key(0)
    )
    return run.replace(fingerprint="")  # the whole data set stands for its part


def test_spectra_of_a_classifier(classifier):
    layers = frames.per_network_layer([classifier]).set_index(["weights", "layer"])
    images_bhw = networks.classifiers.dataset_of(classifier).train_bhw
    hidden = network.outputs(classifier.config, classifier.params, images_bhw).activations
    for layer, activations_bd in enumerate(hidden, 1):
        row = layers.loc["trained", layer]
        assert row["samples"] == len(images_bhw)
        expected = spectrum.participation_ratio(spectrum.eigenspectrum(np.asarray(activations_bd)))
        assert row["plain_participation_ratio"] == pytest.approx(expected, rel=1e-4)
    # 1437 images are too few for the exponent of 24 units, and enough for that of 12.
    assert np.isnan(layers.loc["trained", 1]["spectrum_exponent"])
    assert np.isfinite(layers.loc["trained", 2]["spectrum_exponent"])
    assert layers.loc["trained", 0]["units"] == 64
    assert layers.loc["trained", 0].equals(layers.loc["untrained", 0])
    check_columns(frames.per_network_layer([classifier]))
    check_columns(frames.per_network_rank([classifier]))


@pytest.fixture(scope="module")
def autoencoder():
    """A tiny one with dropout, trained for a few steps."""
    config = AutoencoderConfig(patch=3, sizes=(12, 10), batch_size=16, steps=30)
    hyperparams = AutoencoderHyperparams(dropout_rate=0.3, learning_rate=0.01).checked()
    return autoencoder_training.fit(
        config, hyperparams, patches.load("photographs", 3), jax.random.key(0)
    )


def test_spectra_of_an_autoencoder(autoencoder):
    layers = frames.per_patch_layer([autoencoder]).set_index(["weights", "layer"])
    patch_bd = patches.load("photographs", 3).patch_bd[:40_000]
    hidden = autoencoder_network.hidden(autoencoder.config, autoencoder.params, patch_bd)
    for layer, activations_bd in enumerate(hidden, 1):
        row, value_d = layers.loc["trained", layer], spectrum.eigenspectrum(activations_bd)
        assert row["participation_ratio"] == pytest.approx(
            spectrum.participation_ratio(value_d), rel=1e-3
        )
        expected = spectrum.power_law_exponent(value_d, last=9)
        assert row["leading_exponent"] == pytest.approx(expected, rel=1e-3)
        assert np.isfinite(row[["noisy_exponent", "shared_exponent"]].astype(float)).all()
        assert np.isnan(layers.loc["untrained", layer]["noisy_exponent"])
    # Layer 1 comes before any dropout, so that both repeats are the same there.
    first = layers.loc["trained", 1]
    assert first["shared_exponent"] == pytest.approx(first["leading_exponent"], rel=1e-3)
    check_columns(frames.per_patch_layer([autoencoder]))
    ranks = frames.per_patch_rank([autoencoder])
    assert ranks.groupby(["weights", "layer"]).size()["trained", 0] == 9
    check_columns(ranks)


def test_the_dot_moves_around_a_circle():
    path_thw = networks.dot_path((8, 8), 64)
    assert path_thw.shape == (64, 8, 8)
    y_t, x_t = np.unravel_index(path_thw[[0, 16, 32, 48]].reshape(4, -1).argmax(axis=1), (8, 8))
    assert x_t[0] > 4 > x_t[2]
    assert y_t[1] > 4 > y_t[3]
    assert 2 < spectrum.normalised_action(path_thw.reshape(64, -1)) < 4


def test_closed_forms_as_frames(monkeypatch):
    capacity = frames.dropout_capacity()
    assert (capacity["capacity_lower"] <= capacity["capacity"] + 1e-9).all()
    monkeypatch.setattr(codes, "_DRAWS", 40)
    monkeypatch.setattr(codes, "_ESTIMATED_LAYERS", ())  # tests/analysis has the estimate
    survival = frames.survival()
    single = survival[(survival["code"] == "monosemantic") & (survival["code_dropout"] == 0.2)]
    np.testing.assert_allclose(single["survival"], 0.8 ** np.arange(11))
    error = np.abs(survival["survival"] - survival["simulated_survival"]).max()
    assert error < 4 * np.sqrt(0.25 / codes._DRAWS)
    check_columns(capacity)
    check_columns(survival)
