"""Which runs figures compare, and the axes that follow."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono import config as settings
from toymono import fields, store
from toymono.classifiers.fields import CLASSIFIER
from toymono.plots import selection, style


def headers(*rows):
    """Headers of runs with these fields, and the defaults of the others."""
    found = []
    for row in rows:
        row = dict(row)
        seed = row.pop("seed", 0)
        found.append(store.fields(*settings.split(row), seed))
    return pd.DataFrame(found)


def test_a_comparison_is_the_largest_grid_of_two_fields():
    grid = list(fields.grid({"k": [8, 16, 32], "init_bias": [-1.0, 0.0], "seed": [0, 1]}))
    others = [{"n": 64, "m": 8, "k": k} for k in (8, 16, 32, 64)]
    runs = headers(*grid, *others)
    chosen = selection.comparison(runs)
    assert list(chosen.index) == list(range(len(grid)))
    assert selection.axes(chosen) == ("k", "init_bias")
    assert selection.axes(chosen, "init_bias") == ("init_bias", "k")


def test_a_comparison_by_a_field_holds_that_field():
    runs = headers({"k": 8}, {"k": 16}, {"k": 32}, {"eps": 0.5}, {"eps": 0.25})
    assert selection.axes(selection.comparison(runs)) == ("k", None)
    assert selection.axes(selection.comparison(runs, "eps")) == ("eps", None)
    assert selection.comparison(runs, "m").empty


def test_sweeps_that_share_a_point_are_not_a_grid():
    runs = headers({"k": 8}, {"k": 16}, {"k": 32}, {"k": 8, "eps": 0.5}, {"k": 8, "eps": 0.25})
    assert len(selection.comparison(runs)) == 3


def test_a_grid_may_have_a_gap():
    points = list(fields.grid({"k": [8, 16, 32], "eps": [0.5, 0.25]}))
    assert len(selection.comparison(headers(*points[:-1]))) == 5


def test_a_batch_size_chosen_by_k_is_not_compared():
    runs = headers(*({"k": k, "batch_size": 4096 // k} for k in (8, 16, 32)))
    assert selection.axes(runs) == ("k", None)
    assert len(selection.comparison(runs)) == 3


def test_settings_that_differ_in_many_fields_are_not_compared():
    runs = headers({"n": 32, "m": 8, "k": 64}, {}, {"seed": 1})
    chosen = selection.comparison(runs)
    assert chosen["seed"].tolist() == [0, 1]
    assert selection.one_seed(runs)["seed"].tolist() == [0]
    assert selection.by_number(runs).empty


def test_frames_that_differ_in_more_fields_are_refused():
    runs = headers({"k": 8}, {"eps": 0.5}, {"m": 8})
    with pytest.raises(ValueError, match="differ in m, k, eps; a figure compares two"):
        selection.axes(runs)


def test_categorical_fields_are_colours():
    runs = headers(*fields.grid({"task": ["decoder", "abs", "reproject"], "k": [8, 16]}))
    assert selection.axes(runs) == ("task", "k")
    assert selection.axes(runs, numeric=True) == ("k", "task")
    assert selection.values(runs, "task") == ["decoder", "reproject", "abs"]


@pytest.mark.parametrize(
    ("field", "values", "ticks"),
    [
        ("init_bias", [-1, -0.5, 0], ["−1", "−0.5", "0"]),
        ("eps", [1 / 64, 1 / 8], ["1/64", "1/8"]),
        ("l1", [0, 1e-6, 1e-4, 1e-2, 1], ["0", "10$^{-6}$", "10$^{-4}$", "10$^{-2}$", "1"]),
        ("learning_rate", [0.001, 0.0011, 0.028, 0.03], ["0.001", "0.03"]),
    ],
)
def test_an_axis_has_its_ticks_at_the_values_where_there_is_room(field, values, ticks):
    axes = mpl.figure.Figure().subplots()
    style.number_axis(axes, field, values)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ticks
    low, high = axes.get_xlim()
    assert low < min(values)
    assert max(values) < high


def test_a_crowded_linear_axis_has_its_ticks_at_round_numbers():
    axes = mpl.figure.Figure().subplots()
    style.number_axis(axes, "init_bias", [-2, -1, -0.5, -0.35, -0.18, -0.06, 0, 1])
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    np.testing.assert_allclose(ticks, [-2, -1.5, -1, -0.5, 0, 0.5, 1], atol=1e-12)
    assert "−0.5" in [tick.get_text() for tick in axes.get_xticklabels()]


# Runs of classifiers.


def classifiers(*rows):
    defaults = {name: field.default for name, field in CLASSIFIER.items()}
    defaults |= {"sizes": "16x2", "seed": 0, "fingerprint": ""}
    return pd.DataFrame([defaults | row for row in rows])


def test_one_network_is_the_largest_with_most_runs():
    alphas = [{"alpha": alpha} for alpha in (0.0, 0.1)]
    wide = [{**row, "sizes": "32x2"} for row in alphas]
    longer = [{**row, "epochs": 99, "seed": seed} for row in wide for seed in (0, 1)]
    runs = classifiers(*alphas, *wide, *longer)
    chosen = selection.OfClassifiers()(runs).runs
    assert list(chosen.index) == [4, 5, 6, 7]
    assert list(selection.OfClassifiers()(runs[:4]).runs.index) == [2, 3]


def test_widths_are_compared_where_there_are_several():
    by_width = selection.OfClassifiers(("sizes", "alpha"), "sizes", 2)
    alone = classifiers({"sizes": "64x2", "penalty": "hard"}, {"sizes": "16x2"})
    with pytest.raises(selection.MissingRuns, match="no matching runs"):
        by_width(alone)
    runs = classifiers(
        {"sizes": "64x2", "penalty": "hard"}, {"sizes": "16x2"}, {"sizes": "32x2", "alpha": 1.0}
    )
    assert list(by_width(runs).runs.index) == [1, 2]


def test_classifiers_of_other_data_are_not_mixed():
    runs = classifiers(*({"fingerprint": word} for word in "aab"))
    assert list(selection.OfClassifiers()(runs).runs.index) == [0, 1]


def test_without_classifiers_runs_are_missing():
    with pytest.raises(selection.MissingRuns):
        selection.OfClassifiers()(selection.headers([]))
