"""The choice of what figures compare, and the axes that it gives them."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from toymono import config as settings
from toymono import store
from toymono.plots import selection, style


def headers(*rows):
    """Headers of runs with these fields, and the defaults of the others."""
    fields = []
    for row in rows:
        row = dict(row)
        seed = row.pop("seed", 0)
        fields.append(store.fields(*settings.split(row), seed))
    return pd.DataFrame(fields)


def test_a_comparison_is_the_largest_grid_of_two_fields():
    grid = list(settings.grid({"k": [8, 16, 32], "init_bias": [-1.0, 0.0], "seed": [0, 1]}))
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


def test_sweeps_that_share_a_point_are_no_grid():
    runs = headers({"k": 8}, {"k": 16}, {"k": 32}, {"k": 8, "eps": 0.5}, {"k": 8, "eps": 0.25})
    assert len(selection.comparison(runs)) == 3


def test_a_grid_with_a_hole_is_one():
    points = list(settings.grid({"k": [8, 16, 32], "eps": [0.5, 0.25]}))
    assert len(selection.comparison(headers(*points[:-1]))) == 5


def test_a_batch_chosen_by_k_is_no_field_of_its_own():
    runs = headers(*({"k": k, "batch_size": 4096 // k} for k in (8, 16, 32)))
    assert selection.axes(runs) == ("k", None)
    assert len(selection.comparison(runs)) == 3


def test_settings_apart_in_many_fields_are_not_compared():
    runs = headers({"n": 32, "m": 8, "k": 64}, {}, {"seed": 1})
    chosen = selection.comparison(runs)
    assert chosen["seed"].tolist() == [0, 1]
    assert selection.one_seed(runs)["seed"].tolist() == [0]
    assert selection.by_number(runs).empty


def test_frames_of_more_fields_are_refused():
    runs = headers({"k": 8}, {"eps": 0.5}, {"m": 8})
    with pytest.raises(ValueError, match="differ in m, k, eps; a figure compares two"):
        selection.axes(runs)


def test_words_are_colours_not_an_axis():
    runs = headers(*settings.grid({"task": ["decoder", "abs", "reproject"], "k": [8, 16]}))
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
