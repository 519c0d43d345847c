"""The rule of the verdicts, every claim on made-up runs, and what is measured of a run."""

import numpy as np
import pandas as pd
import pytest

from toymono import Model, World, catalog
from toymono.reproduction import document, evidence, findings, verdicts
from toymono.reproduction.claims import CLAIMS
from toymono.reproduction.findings import Finding
from toymono.reproduction.verdicts import Verdict

# The rule

INSIDE = Finding("s", "m", (1.0, 3.0), settled=True, low=1.5, high=2.5)
OUTSIDE = Finding("s", "m", (1.0, 5.0), settled=True, low=1.5, high=2.5)
STILL_MOVING = Finding("s", "m", (1.0, 5.0), settled=False, high=2.5)
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
        ([OUTSIDE, STILL_MOVING], True, Verdict.DIFFERS),
        ([INSIDE, STILL_MOVING], True, Verdict.NOT_REACHED),
        ([EMPTY], True, Verdict.NOT_REACHED),
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


# Claims, on runs made up to be what the paper reports


def as_published(name, point):
    """Numbers of a run of a sweep, about as in the paper's figures and section 5."""
    n, m, k = (point[field] for field in ("n", "m", "k"))
    rank = {rate: i / 5 for i, rate in enumerate((0.001, 0.003, 0.005, 0.007, 0.01, 0.03))}
    mono, loss = 1.0, 0.9
    if name in ("LR1", "LR2"):
        mono = 513 / 512 * rank[point["learning_rate"]] ** 2
    elif name.startswith("B"):
        mono = 0.8 if point["init_bias"] <= -(point["eps"] ** 0.5) else 0.2
    elif name == "GELU":
        mono = np.exp(-4 * (point["init_bias"] + 1) ** 2)
    elif name in ("K0", "K1"):
        mono = 0.4 * k / n if k < n else {1: 0.7, 2: 1.05, 4: 1.2}[k // n]
        gain = 0 if k < n / 2 else 0.02 if k <= n else -0.01
        loss = 1 + gain * (name == "K1")
    elif name.startswith("E"):
        slow = ["E1", "E2", "E3", "E4"].index(name)
        near = {-9: 0.1, -8: 0.1, -7: 0.5, -6: 0.8, -5: 1.0, -4: 0.7}
        mono = near.get(np.log2(point["eps"]), 0.0)
        mono += 0.1 * slow * (point["eps"] <= 2**-8)
    elif name == "LR5":
        mono, loss = 30 * point["learning_rate"], 2 - point["learning_rate"]
    elif name == "D1":
        mono = 2 - 30 * point["bias_decay"]
    sparse = name == "E3" and point["eps"] == 2**-8
    return {
        "loss": loss,
        "loss_share": loss / (512 / 64 / 3),
        "mono_per_feature": mono,
        "mono_per_neuron": mono * n / k,
        "monosemantic": mono * n,
        "mean_bias": -mono,
        "mono_bias": -0.5 if mono else np.nan,
        "poly_bias": 0.05,
        "served_1": 503 / 512 * n,
        "served_2": 5 / 512 * n,
        "nearly": 4 / 512 * n,
        "positive_bias": round(65 / 64 * m),
        "bias_above_005": round(65 / 64 * m),
        "effective_rank": m,
        "in_band": 1.0,
        "largest_singular": 1.01,
        "slope": 0.125,
        "slope_low": 0.1,
        "slope_high": 0.15,
        "slope_change": 0.008,
        "offset": 0.004,
        "first_kink": 0.3 if sparse else 0.4,
        "two_first": 0.3 if sparse else 0.4,
        "two_second": 0.6 if sparse else 0.8,
        "rise": 0.05 if name == "LR2" else 0.0,
        "fall": 0.01,
    }


def made_up(numbers, settled=True, seeds=2):
    """Every sweep of the catalog at the paper's scale, with `numbers` of each run."""
    sweeps = {}
    for name, entry in catalog.SWEEPS.items():
        points = [
            {"n": 512, "m": 64, "eps": 1 / 64, "l1": 0.0, **point}
            for point in entry.points("paper")
        ]
        rows = [
            {**point, "seed": seed, "settled": settled, **numbers(name, point)}
            for point in points
            for seed in range(seeds)
        ]
        sweeps[name] = evidence.Sweep(name, len(points), len(points), pd.DataFrame(rows))
    return sweeps


MEASURED = [claim for claim in CLAIMS if claim.measure]


def test_claims_are_told_apart_and_name_sweeps_of_the_catalog():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    for claim in CLAIMS:
        assert set(claim.sweeps) <= set(catalog.SWEEPS)
        assert bool(claim.measure) == (not claim.unmeasured)


@pytest.fixture(scope="module")
def published():
    return made_up(as_published)


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.name)
def test_what_the_paper_reports_agrees(claim, published):
    judged = document.judge(claim, published)
    assert judged.verdict == Verdict.AGREES, [f for f in judged.findings if not f.met]
    assert all(len(finding.values) == 2 for finding in judged.findings)


def reversed_(name, point):
    """The contrary of what the paper reports."""
    numbers = as_published(name, point)
    away = {column: 3 - value for column, value in numbers.items()}
    mono = 0.7 * (1 - numbers["mono_per_feature"])
    away |= {"mono_per_feature": mono, "monosemantic": mono * point["n"]}
    away |= {"mono_per_neuron": mono * point["n"] / point["k"], "mean_bias": -mono}
    return away | {"fall": 0.5, "mono_bias": 1.0, "loss": 3 - numbers["loss"]}


@pytest.mark.parametrize(
    ("settled", "expected"), [(True, Verdict.DIFFERS), (False, Verdict.NOT_REACHED)]
)
def test_what_it_does_not_report_differs_once_training_has_settled(settled, expected):
    sweeps = made_up(reversed_, settled)
    said = {claim.name: document.judge(claim, sweeps).verdict for claim in MEASURED}
    contrary = {name for name, verdict in said.items() if verdict == expected}
    # Equal losses, reversed, are equal; so is a correlation of two that are reversed.
    assert set(said) - contrary == {"equal_loss", "k_small", "abs_loss"}


def test_a_claim_whose_runs_are_missing_is_not_measured(published):
    [claim] = [claim for claim in CLAIMS if claim.name == "k_small"]
    none = evidence.Sweep("K1", wanted=9, kept=0, frame=pd.DataFrame())
    judged = document.judge(claim, {**published, "K1": none})
    assert (judged.verdict, judged.findings, judged.lacking) == (Verdict.NOT_MEASURED, (), ("K1",))
    few = evidence.Sweep("K1", wanted=9, kept=8, frame=published["K1"].frame.query("k > 16"))
    judged = document.judge(claim, {**published, "K1": few})
    assert judged.verdict == Verdict.NOT_MEASURED
    assert len(judged.findings) == 3


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
    assert (told["fall"], told["settled"]) == (0, told["rise"] <= evidence.SETTLED_RISE)
    assert told["loss_share"] == pytest.approx(1 / (16 / 4 / 3))


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
