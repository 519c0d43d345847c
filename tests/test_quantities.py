"""Quantities: one record for every column of every frame, with its range and format."""

import itertools
import math

import jax
import numpy as np
import pytest
from pandas.api.types import is_numeric_dtype
from settings import POINTS

from toymono import Config, Hyperparams, fit, frames
from toymono.classifiers import train as training
from toymono.classifiers.config import ClassifierConfig, ClassifierHyperparams
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY
from toymono.frames import classifiers as classifier_frames
from toymono.frames import neurons as neuron_frames
from toymono.frames import parts as part_frames
from toymono.frames import penalty as penalty_frames
from toymono.frames import summary
from toymono.quantities import INDEX_COLUMNS, QUANTITIES, Quantity
from toymono.quantities.formats import general, plain

TOY_FRAMES = [
    frames.per_run,
    frames.per_snapshot,
    frames.per_neuron,
    frames.per_feature,
    frames.per_active,
    frames.per_bin,
    frames.per_bin_minimum,
    frames.per_snapshot_neuron,
    frames.sorted_responses,
    part_frames.feature_outputs,
    part_frames.linear_maps,
    penalty_frames.part_losses,
    penalty_frames.mean_outputs,
    neuron_frames.snapshot_neurons,
    neuron_frames.snapshot_responses,
]

STRUCTURE = classifier_frames.Structure(clusters=3, shuffles=2, ablations=2, permutations=9)
CLASSIFIER_FRAMES = {
    "per_run": lambda runs: classifier_frames.per_run(runs, STRUCTURE),
    "per_layer": classifier_frames.per_layer,
    "per_neuron": classifier_frames.per_neuron,
    "per_epoch": classifier_frames.per_epoch,
    "sorted_firing": classifier_frames.sorted_firing,
    "per_shuffle": lambda runs: classifier_frames.per_shuffle(runs, STRUCTURE),
    "cluster_classes": lambda runs: classifier_frames.cluster_classes(runs, STRUCTURE),
    "per_ablation": lambda runs: classifier_frames.per_ablation(runs, STRUCTURE),
}


@pytest.fixture(scope="module")
def toy_runs(diverged_run):
    """Trained runs of every task and nonlinearity, one with a penalty, and one that diverged."""
    runs = [diverged_run]
    for task, nonlinearity in itertools.product(("decoder", "reproject", "abs"), ("relu", "gelu")):
        config = Config(task, 16, 4, 24, nonlinearity, batch_size=8, log2_steps=4)
        runs.append(fit(config, POINTS[0], jax.random.key(0)))
    config = Config("decoder", 16, 4, 24, penalty="soft", batch_size=8, log2_steps=4)
    runs.append(fit(config, Hyperparams(eps=0.25, init_bias=-0.5), jax.random.key(1)))
    return runs


@pytest.fixture(scope="module")
def classifier_runs(digits):
    config = ClassifierConfig(sizes=(16, 12), batch_size=32, epochs=8)
    hyperparams = [ClassifierHyperparams(a, 0.01).checked() for a in (0.0, -10.0)]
    return [training.fit(config, h, digits, jax.random.key(0)) for h in hyperparams]


def check(frame):
    """Every column is described, and its values are in range, or NaN where that has a meaning."""
    assert len(frame)
    for name in frame:
        assert name in QUANTITIES or name in INDEX_COLUMNS, name
        if name not in QUANTITIES:
            continue
        quantity, values = QUANTITIES[name], frame[name].dropna()
        if quantity.choices:
            assert set(values) <= set(quantity.choices), name
        elif is_numeric_dtype(values) and len(values):
            margin = 1e-6 * max(1, abs(values).max())
            assert quantity.low - margin <= values.min(), name
            assert values.max() <= quantity.high + margin, name
        finite = frame[frame["diverged"].isna()] if "diverged" in frame else frame
        assert quantity.none or finite[name].notna().all(), name


@pytest.mark.parametrize("function", TOY_FRAMES, ids=lambda function: function.__name__)
def test_every_column_of_a_toy_frame_is_described(function, toy_runs):
    check(function(toy_runs))


def test_every_number_of_the_summary_is_described(toy_runs):
    rows = [summary.row(run, run.config.nonlinearity == "relu") for run in toy_runs[1:]]
    for row in rows:
        assert set(row) <= {*QUANTITIES, *INDEX_COLUMNS}
        for name in set(row) & set(QUANTITIES) - set(TOY):
            quantity = QUANTITIES[name]
            if isinstance(row[name], float) and math.isnan(row[name]):
                assert quantity.none, name
            else:
                assert quantity.low - 1e-6 <= row[name] <= quantity.high + 1e-6, name


@pytest.mark.parametrize("name", CLASSIFIER_FRAMES)
def test_every_column_of_a_classifier_frame_is_described(name, classifier_runs):
    check(CLASSIFIER_FRAMES[name](classifier_runs))


def test_a_column_outside_its_range_is_noticed(toy_runs):
    frame = frames.per_run(toy_runs[1:2])
    for broken in ({"mono_per_neuron": 1.5}, {"dead": -1}, {"loss": np.nan}, {"unknown": 1}):
        with pytest.raises(AssertionError):
            check(frame.assign(**broken))


def test_fields_of_runs_are_quantities():
    assert {*TOY, *CLASSIFIER} <= set(QUANTITIES)
    assert not set(QUANTITIES) & set(INDEX_COLUMNS)
    for name, field in TOY.items():
        assert QUANTITIES[name].label == field.label
    assert QUANTITIES["penalty"].choices == tuple(TOY["penalty"].choices)
    for name, quantity in QUANTITIES.items():
        assert quantity.name == name
        assert quantity.label.strip()
        assert quantity.low < quantity.high


def test_the_label_of_the_lowest_loss_names_the_steps():
    assert f"{frames.MEAN_STEPS} steps" in plain(QUANTITIES["min_loss"].label)


@pytest.mark.parametrize(
    ("name", "value", "math_text", "text"),
    [
        ("eps", 1 / 64, "1/64", "1/64"),
        ("eps", 2**-3.5, "2$^{-3.5}$", "2^-3.5"),
        ("init_bias", -0.5, "−0.5", "−0.5"),
        ("l1", 1e-5, "10$^{-5}$", "10^-5"),
        ("alpha", -0.001, "−0.001", "−0.001"),
        ("task", "decoder", "decoder", "decoder"),
        ("feature_law", "power_law", "power law", "power law"),
        ("mono_per_feature", 0.7, "0.70", "0.70"),
        ("output", -1.62e-5, "−1.6·10$^{-5}$", "−1.6·10^-5"),
        ("monosemantic", 128, "128", "128"),
        ("sizes", (16, 16), "16x2", "16x2"),
    ],
)
def test_values_in_figures_and_in_text(name, value, math_text, text):
    assert QUANTITIES[name].math(value) == math_text
    assert QUANTITIES[name].text(value) == text


def test_settings_in_captions():
    def setting(name, value):
        return plain(QUANTITIES[name].setting(value))

    assert setting("k", 512) == "k = 512"
    assert setting("optimizer", "adam") == "optimizer = adam"
    assert setting("feature_law", "equal") == "equal frequencies"
    assert setting("log2_steps", 13) == "2^13 steps"
    assert setting("learning_rate", 1e-5) == "learning rate = 10^-5"


def test_an_axis_has_a_capital_and_a_unit():
    assert Quantity("x", "test loss", unit="nats").axis == "Test loss (nats)"
    assert QUANTITIES["log2_step"].axis == "log$_2$ of training steps"


@pytest.mark.parametrize(
    ("value", "text"), [(-1e-5, "−10$^{-5}$"), (1.5e-7, "1.5·10$^{-7}$"), (0.0, "0")]
)
def test_general_numbers(value, text):
    assert general(value) == text
