"""How frames become findings."""

import math

import numpy as np
import pandas as pd
import pytest

from toymono.papers import findings
from toymono.papers.findings import Finding


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(1, 2, "1 to 2"), (1, np.inf, "at least 1"), (-np.inf, 0, "at most 0"), (-np.inf, np.inf, "")],
)
def test_limits_in_words(low, high, words):
    assert Finding("", "", (), False, low, high).limits == words


def test_approaching_compares_the_mean_distance_of_seeds_from_the_limits():
    assert Finding("", "", (3.0, 5.0), False, high=2, halfway=(4.0, 5.0)).approaching
    assert not Finding("", "", (3.0, 5.0), False, high=2, halfway=(3.0, 4.0)).approaching
    # The mean lies within the limits, the seeds do not.
    assert not Finding("", "", (-4.0, 6.0), False, low=0, high=2, halfway=(-3.0, 5.0)).approaching
    assert not Finding("", "", (3.0,), False, high=2).approaching


def test_the_mean_of_no_seed_is_nan():
    assert math.isnan(Finding("", "", (), False).mean)
    assert Finding("", "", (1.0, 2.0), False).mean == 1.5


def frame(**columns):
    rows = pd.DataFrame({"settled": True, **columns})
    return rows.assign(setting=rows["k"].astype(str)) if "k" in rows else rows


def test_each_takes_one_value_per_seed():
    runs = frame(k=[8, 8, 16], seed=[0, 1, 0], loss=[1.0, 3.0, np.nan])
    eight, sixteen = findings.each(runs, "k", "loss", high=2)
    assert (eight.setting, eight.values, eight.within) == ("k 8", (1.0, 3.0), 1)
    assert sixteen.values == ()


def test_values_of_settings_read_as_in_the_paper():
    [found] = findings.each(frame(eps=[1 / 64], loss=[1.0]), "eps", "loss")
    assert found.setting == "eps 1/64"


def test_a_finding_had_settled_if_half_of_its_runs_had():
    rows = frame(k=[8, 8], seed=[0, 1], loss=1.0).assign(settled=[True, False])
    assert findings.finding("", "", rows["loss"], rows).settled
    rows = frame(k=[8, 8, 8], seed=[0, 1, 2], loss=1.0).assign(settled=[True, False, False])
    assert not findings.finding("", "", rows["loss"], rows).settled


def test_over_skips_seeds_that_lack_settings():
    runs = frame(k=[8, 16, 8], seed=[0, 0, 1], loss=[1.0, 3.0, 100.0])
    [found] = findings.over(runs, "sum", lambda rows: rows["loss"].sum())
    assert found.values == (4.0,)
    each_lacks_one = frame(k=[8, 16, 16, 32], seed=[0, 0, 1, 1], loss=1.0)
    assert findings.over(each_lacks_one, "sum", lambda rows: rows["loss"].sum()) == []


def test_beside_is_settled_only_if_both_are():
    left = frame(k=[8, 16], seed=0, loss=[1.0, 2.0])
    right = frame(k=[16, 8], seed=0, loss=[20.0, 10.0]).assign(settled=[False, True])
    both = findings.beside(left, right, "k")
    assert both["loss_right"].tolist() == [10.0, 20.0]
    assert both["settled"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("other", "expected"), [([1, 4, 9], 1), ([3, 2, 1], -1), ([2, 1, 3], 0.5), ([5, 5, 5], 0)]
)
def test_rank_correlation(other, expected):
    found = findings.rank_correlation(pd.Series([1, 2, 3]), pd.Series(other))
    assert found == pytest.approx(expected)


def test_labels_are_plain_words():
    assert findings.MONO == "monosemantic neurons per feature"
    assert "$" not in findings.label("mono_per_neuron")
    assert findings.label("a column of a claim") == "a column of a claim"
