"""The rule of the verdicts, what makes findings, and what is measured of a run."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from toymono import Model, World, frames
from toymono.papers import evidence, findings, verdicts
from toymono.papers.findings import Finding
from toymono.papers.verdicts import Verdict

# The rule

INSIDE = Finding("s", "m", (1.0, 3.0), settled=True, low=1.5, high=2.5)
OUTSIDE = Finding("s", "m", (1.0, 5.0), settled=True, low=1.5, high=2.5)
APPROACHING = Finding("s", "m", (1.0, 5.0), settled=False, high=2.5, halfway=4.0)
LEAVING = Finding("s", "m", (1.0, 5.0), settled=False, high=2.5, halfway=2.0)
UNKNOWN = Finding("s", "m", (1.0, 5.0), settled=False, high=2.5)
EMPTY = Finding("s", "m", (), settled=False, low=0)


def test_a_finding_is_met_by_its_mean():
    assert INSIDE.mean == 2
    assert INSIDE.met
    assert not OUTSIDE.met
    assert not EMPTY.met


@pytest.mark.parametrize(
    ("found", "complete", "expected"),
    [
        ([INSIDE, INSIDE], True, Verdict.AGREES),
        ([INSIDE, OUTSIDE], True, Verdict.DIFFERS),
        ([OUTSIDE, APPROACHING], True, Verdict.DIFFERS),
        ([INSIDE, APPROACHING], True, Verdict.NOT_REACHED),
        ([LEAVING, APPROACHING], True, Verdict.DIFFERS),
        ([UNKNOWN], True, Verdict.DIFFERS),
        ([EMPTY], True, Verdict.NOT_MEASURED),
        ([EMPTY, INSIDE], True, Verdict.AGREES),
        ([INSIDE], False, Verdict.NOT_MEASURED),
        ([OUTSIDE], False, Verdict.NOT_MEASURED),
        ([], True, Verdict.NOT_MEASURED),
    ],
)
def test_the_rule(found, complete, expected):
    assert verdicts.verdict(found, complete) == expected


def test_every_verdict_has_its_explanation():
    assert list(verdicts.RULES) == list(Verdict)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1, 2, "1 to 2"), (1, np.inf, "at least 1"), (-np.inf, 0, "at most 0")],
)
def test_limits_in_words(low, high, said):
    assert Finding("", "", (), False, low, high).limits == said


# What makes findings


def frame(**columns):
    return pd.DataFrame({"settled": True, **columns})


def test_each_takes_one_value_per_seed():
    runs = frame(k=[8, 8, 16], seed=[0, 1, 0], loss=[1.0, 3.0, np.nan])
    eight, sixteen = findings.each(runs, "k", "loss", high=2)
    assert (eight.setting, eight.values, eight.met) == ("k 8", (1.0, 3.0), True)
    assert (sixteen.values, sixteen.met) == ((), False)


def test_over_leaves_out_seeds_that_lack_settings():
    runs = frame(k=[8, 16, 8], seed=[0, 0, 1], loss=[1.0, 3.0, 100.0])
    [found] = findings.over(runs, "sum", lambda rows: rows["loss"].sum())
    assert found.values == (4.0,)
    each_lacks_one = frame(k=[8, 16, 16, 32], seed=[0, 0, 1, 1], loss=1.0)
    assert findings.over(each_lacks_one, "sum", lambda rows: rows["loss"].sum()) == []


def test_beside_has_settled_where_both_have():
    left = frame(k=[8, 16], seed=0, loss=[1.0, 2.0], settled=[True, True])
    right = frame(k=[16, 8], seed=0, loss=[20.0, 10.0], settled=[False, True])
    both = findings.beside(left, right, "k")
    assert both["loss_right"].tolist() == [10.0, 20.0]
    assert both["settled"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("other", "expected"), [([1, 4, 9], 1), ([3, 2, 1], -1), ([2, 1, 3], 0.5), ([5, 5, 5], 0)]
)
def test_rank_correlation(other, expected):
    found = findings.rank_correlation(pd.Series([1, 2, 3]), pd.Series(other))
    assert found == pytest.approx(expected)


# Evidence


def test_a_row_says_whether_training_had_settled(untrained):
    run = untrained()
    told = evidence.row(run)
    # 16 steps, a loss of 1/t: its last 2 against the 2 up to step 8.
    halfway, end = (1 / 7 + 1 / 8) / 2, (1 / 15 + 1 / 16) / 2
    assert told["fall"] == pytest.approx(1 - end / halfway, rel=1e-5)
    assert not told["settled"]
    level = run.replace(loss_t=np.ones(16), snapshots=run.snapshots.replace(b_k=-np.ones((5, 24))))
    told = evidence.row(level)
    assert (told["fall"], told["rise"], told["settled"]) == (0, 0, True)
    assert told["loss_share"] == pytest.approx(1 / (16 / 4 / 3))
    rising = level.replace(loss_t=np.linspace(1, 1.1, 16))
    assert not evidence.row(rising)["settled"]


def test_halfway_is_the_run_of_half_the_steps(run, config):
    half = evidence.halfway(run)
    assert half.config == dataclasses.replace(config, log2_steps=config.log2_steps - 1)
    np.testing.assert_array_equal(half.loss_t, run.loss_t[:8])
    np.testing.assert_array_equal(half.final.w_mk, run.snapshots.w_mk[-2])
    whole, told = evidence.row(run), evidence.row(half)
    before = frames.per_snapshot([run])["mono_per_feature"].iloc[-2]
    assert told["mono_per_feature"] == before == whole["mono_per_feature"] - whole["rise"]


def test_the_linear_part_of_a_model_by_hand():
    w_mk, w_ko = np.array([[0.5, 0], [0, 0.5]]), np.array([[0.25, 0], [0, 0.25]])
    told = evidence.anatomy(Model(w_mk, np.array([0.002, 0.001]), w_ko), World(np.eye(2)))
    expected = {
        "slope": 0.125,
        "slope_low": 0.125,
        "slope_change": 0,
        "largest_singular": 0.125,
        "in_band": 0,
        "effective_rank": 2,
        "offset": 0.0005,
    }
    assert {name: float(told[name]) for name in expected} == pytest.approx(expected, abs=1e-6)


def test_the_kinks_of_features_with_one_neuron_and_with_two():
    w_mk = np.array([[1.0, 0, 0], [0, 1, 1]])
    model = Model(w_mk, np.array([-0.4, -0.25, -0.75]), np.array([[1.5, 0], [0, 2], [0, -1]]))
    told = evidence.anatomy(model, World(np.eye(2)))
    got = [float(told[name]) for name in ("first_kink", "top", "two_first", "two_second")]
    assert got == pytest.approx([0.4, 0.9, 0.25, 0.75], abs=1e-6)
    assert (int(told["two_features"]), float(told["in_band"])) == (1, 1)
