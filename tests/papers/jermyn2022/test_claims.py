"""Every claim on made-up runs: those that the paper reports, and each limit missed."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from toymono import catalog
from toymono.papers import claims
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.jermyn2022 import reasons
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.verdicts import Verdict


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
    elif name == "SPARSE":
        loss = 0.9 if point["sparsity"] == "none" else 1.0
    sparse = name == "E3" and point["eps"] == 2**-8
    return {
        "loss": loss,
        "loss_share": loss / (512 / 64 / 3),
        "mono_per_feature": mono,
        "mono_per_neuron": mono * n / k,
        "monosemantic": mono * n,
        "mean_bias": -mono,
        "mono_bias": -0.5 if mono else np.nan,
        "broad_bias": 0.05,
        "features_with_1": 503 / 512 * n,
        "features_with_2": 5 / 512 * n,
        "nearly_mono_features": 4 / 512 * n,
        "positive_bias": round(65 / 64 * m),
        "bias_above_005": round(65 / 64 * m),
        "effective_rank": m,
        "singular_in_band": 1.0,
        "largest_singular": 1.01,
        "slope_mean": 0.125,
        "slope_q05": 0.1,
        "slope_q95": 0.15,
        "slope_change": 0.008,
        "poly_offset": 0.004,
        "one_kink": 0.3 if sparse else 0.4,
        "two_first_kink": 0.3 if sparse else 0.4,
        "two_second_kink": 0.6 if sparse else 0.8,
        "dead": 0,
        "mono_rise": 0.05 if name == "LR2" else 0.0,
        "loss_fall": 0.01,
        "served_share": 0.4,
        "poly_share": 0.4,
    }


SWEEPS = {**catalog.SWEEPS, "SPARSE": catalog.BEYOND["SPARSE"]}
DENSE = {"sparsity": "none", "density": 1.0, "density_rule": "uniform"}


def made_up(numbers, names=tuple(SWEEPS), settled=True, seeds=3):
    """Sweeps of the catalog at the paper's scale, with `numbers` of each run."""
    sweeps = {}
    for name in names:
        points = [
            {"n": 512, "m": 64, "eps": 1 / 64, "l1": 0.0, **DENSE, **point}
            for point in SWEEPS[name].points("paper")
        ]
        rows = [
            {**point, "seed": seed, "setting": index, "settled": settled, **numbers(name, point)}
            for index, point in enumerate(points)
            for seed in range(seeds)
        ]
        sweeps[name] = Sweep(name, len(points), pd.DataFrame(rows))
    return Evidence(sweeps)


def with_half(evidence, numbers):
    """The evidence, with `numbers` as those at half of training."""
    halves = made_up(numbers, evidence.sweeps)
    return Evidence(
        {
            name: dataclasses.replace(
                sweep,
                frame=sweep.frame.join(
                    halves.sweeps[name].frame[["mono_per_feature", "loss"]].add_suffix("_half")
                ),
            )
            for name, sweep in evidence.sweeps.items()
        }
    )


MEASURED = [claim for claim in CLAIMS.values() if claim.measure]


def test_claims_name_sweeps_of_the_catalog():
    for name, claim in CLAIMS.items():
        assert claim.name == name
        assert set(claim.sweeps) <= set(SWEEPS)
        assert bool(claim.measure) == (not claim.unmeasured)


def test_two_claims_of_one_name_are_refused():
    with pytest.raises(ValueError, match="same name"):
        claims.table(*MEASURED, MEASURED[0])


@pytest.fixture(scope="module")
def published():
    return made_up(as_published)


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.name)
def test_published_numbers_agree(claim, published):
    judged = claims.judge(claim, published)
    assert judged.verdict == Verdict.AGREES, [f for f in judged.findings if f.within < 3]
    assert all(len(finding.values) == 3 for finding in judged.findings)
    assert not judged.provisional
    assert judged.reason == ""


def changed(**values):
    """Replaces columns of every run: by a value, or by its function of the run's point and row."""

    def change(name, point, row):
        return {
            column: value(point, row) if callable(value) else value
            for column, value in values.items()
        }

    return change


def where(condition, **values):
    """As `changed`, where a condition on the sweep's name and the run's point holds."""
    change = changed(**values)
    return lambda name, point, row: change(name, point, row) if condition(name, point) else {}


def of(sweep):
    return lambda name, point: name == sweep


def at(**wanted):
    return lambda name, point: all(point.get(field) == value for field, value in wanted.items())


PER = "monosemantic neurons per feature"
UNMET = [
    ("basins", f"fewest {PER}", changed(mono_per_feature=0.8)),
    ("basins", f"most {PER}", changed(mono_per_feature=0.2)),
    ("equal_loss", "loss, relative difference", where(at(learning_rate=0.001), loss=1.2)),
    ("bias_sign", "mean bias of monosemantic neurons", changed(mono_bias=0.1)),
    ("bias_sign", "quarter of the features", changed(broad_bias=-0.1)),
    ("negative_start", PER, where(at(learning_rate=0.001), mono_per_feature=0.7)),
    ("more_neurons", "smallest increase", where(at(k=64), monosemantic=300)),
    ("more_neurons", PER, where(at(k=1024), mono_per_feature=0.9)),
    ("low_rank", "bias above 0", changed(positive_bias=lambda point, row: 2 * point["m"])),
    ("low_rank", "effective rank", changed(effective_rank=lambda point, row: point["m"] / 2)),
    ("holds_to_limit", PER, where(at(eps=2**-5), mono_per_feature=0.5)),
    ("rate", f"learning rate and {PER}", changed(mono_per_feature=0.5)),
    (
        "rate",
        "learning rate and mean bias",
        changed(mean_bias=lambda point, row: -row["mean_bias"]),
    ),
    (
        "bias_threshold",
        ", mean over initial biases from -1",
        changed(mono_per_feature=lambda point, row: 0.6 * row["mono_per_feature"]),
    ),
    ("bias_threshold", "biases of 0 and above", changed(mono_per_feature=0.8)),
    ("power_law", "minus those at bias 0", where(of("LR4"), mono_per_feature=0.0)),
    ("power_law_late", "rise of monosemantic", changed(mono_rise=0.0)),
    ("power_law_late", "fall of the loss", changed(loss_fall=0.05)),
    (
        "gelu_peak",
        "initial bias with the most",
        changed(mono_per_feature=lambda point, row: np.exp(-4 * (point["init_bias"] - 1) ** 2)),
    ),
    (
        "gelu_peak",
        "over the peak",
        changed(mono_per_feature=lambda point, row: 0.6 + 0.4 * row["mono_per_feature"]),
    ),
    ("l1_baseline", "ratio", where(at(l1=0.0), mono_per_feature=0.7)),
    ("l1_baseline", "loss, relative", where(at(l1=0.0), loss=1.0)),
    (
        "k_small",
        "loss at bias -1",
        where(of("K1"), loss=1.05),
    ),
    ("k_middle", "loss at bias -1", where(of("K1"), loss=0.98)),
    ("k_large", "loss at bias -1", where(of("K1"), loss=1.01)),
    ("k_peak", "k / n", where(at(k=2048), mono_per_neuron=0.9)),
    ("k_peak", "monosemantic fraction of neurons", where(at(k=256), mono_per_neuron=0.2)),
    ("eps_peak", "log2 of the eps", where(at(eps=2**-3), mono_per_feature=2.0)),
    ("eps_dense", PER, where(at(eps=2**-2), mono_per_feature=0.1)),
    ("eps_sparse", "minus those of the fastest", where(of("E1"), mono_per_feature=0.5)),
    ("reprojector", PER, where(at(learning_rate=0.001), mono_per_feature=0.7)),
    ("abs_loss", "and task loss", changed(loss=lambda point, row: row["mono_per_feature"])),
    (
        "abs_rate",
        "rank correlation",
        changed(mono_per_feature=lambda point, row: 0.4 - point["learning_rate"]),
    ),
    (
        "abs_rate",
        PER,
        changed(mono_per_feature=lambda point, row: 0.6 + point["learning_rate"]),
    ),
    ("abs_decay", "rank correlation", changed(mono_per_feature=1.0)),
    ("one_each", "exactly one", changed(features_with_1=lambda point, row: 0.92 * point["n"])),
    (
        "one_each",
        "with two monosemantic",
        changed(features_with_2=lambda point, row: 0.04 * point["n"]),
    ),
    (
        "one_each",
        "nearly monosemantic",
        changed(nearly_mono_features=lambda point, row: 0.04 * point["n"]),
    ),
    ("one_each", PER, where(at(learning_rate=0.03), mono_per_feature=1.1)),
    ("positive_bias", "above 0", changed(positive_bias=75)),
    ("positive_bias", "above .05", changed(bias_above_005=60)),
    ("positive_bias_by_m", "above 0", where(at(m=128), positive_bias=150)),
    ("positive_bias_by_m", "above .05", where(at(m=32), bias_above_005=30)),
    ("plateau", "that of an output of 0", changed(loss_share=0.4)),
    ("singular_values", "fraction of M", changed(singular_in_band=0.9)),
    ("singular_values", "largest singular", changed(largest_singular=1.05)),
    ("slopes", "mean slope", changed(slope_mean=0.08)),
    ("slopes", "5 % quantile", changed(slope_q05=0.08)),
    ("slopes", "95 % quantile", changed(slope_q95=0.2)),
    ("linear_range", "change of that slope", changed(slope_change=0.02)),
    ("linear_range", "output of the poly part", changed(poly_offset=0.006)),
    ("first_kink", "median kink", changed(one_kink=0.6)),
    ("two_kinks", "first kink", changed(two_first_kink=0.6)),
    ("two_kinks", "second kink", changed(two_second_kink=0.6)),
    ("sparser_kinks", "median kink", changed(one_kink=0.45)),
    ("sparser_kinks", "second kink", changed(two_second_kink=0.8)),
    ("sparse_weights", "over the highest", where(at(sparsity="erdos_renyi"), loss=0.91)),
    ("mixed_regimes", "with a monosemantic neuron", changed(served_share=0.0)),
    ("mixed_regimes", "recovered by other neurons", changed(poly_share=0.05)),
    ("count_converges", "rise of monosemantic", changed(mono_rise=0.1)),
]
"""A claim, words of one of its measures, and what puts that measure outside its limits."""


@pytest.mark.parametrize(
    ("name", "measure", "change"), UNMET, ids=[f"{name}, {measure}" for name, measure, _ in UNMET]
)
def test_each_limit_can_fail_independently(name, measure, change):
    def numbers(sweep, point):
        row = as_published(sweep, point)
        return row | change(sweep, point, row)

    claim = CLAIMS[name]
    judged = claims.judge(claim, made_up(numbers, claim.sweeps))
    assert judged.verdict == Verdict.DIFFERS
    assert {measure in found.measure for found in judged.findings if not found.within} == {True}


def test_every_measure_has_a_failing_case(published):
    for claim in MEASURED:
        for found in claims.judge(claim, published).findings:
            assert any(c == claim.name and m in found.measure for c, m, _ in UNMET), found.measure


def test_unsettled_training_gives_not_reached():
    claim = CLAIMS["negative_start"]

    def mono(value):
        return lambda name, point: {**as_published(name, point), "mono_per_feature": value}

    for halfway, end, settled, expected in [
        (0.3, 0.7, False, Verdict.NOT_REACHED),
        (0.3, 0.7, True, Verdict.DIFFERS),
        (0.72, 0.7, False, Verdict.DIFFERS),
        (0.3, 0.8, False, Verdict.AGREES),
    ]:
        runs = with_half(made_up(mono(end), claim.sweeps, settled), mono(halfway))
        judged = claims.judge(claim, runs)
        assert judged.verdict == expected
        assert {found.halfway for found in judged.findings} == {(halfway,) * 3}


def test_seeds_that_straddle_a_limit_leave_a_claim_undecided():
    runs = made_up(as_published, ("LR3",))
    frame = runs.sweeps["LR3"].frame
    frame["mono_per_feature"] = frame["mono_per_feature"].where(frame["seed"] > 0, 0.5)
    judged = claims.judge(CLAIMS["negative_start"], runs)
    assert judged.verdict == Verdict.UNDECIDED
    assert judged.text == "undecided"


def test_two_seeds_make_a_verdict_provisional():
    judged = claims.judge(CLAIMS["negative_start"], made_up(as_published, ("LR3",), seeds=2))
    assert judged.text == "agrees (provisional)"


def test_a_claim_whose_runs_are_missing_is_not_measured(published):
    claim = CLAIMS["k_small"]

    def with_k1(frame):
        return Evidence({**published.sweeps, "K1": Sweep("K1", wanted=9, frame=frame)})

    judged = claims.judge(claim, with_k1(pd.DataFrame()))
    assert (judged.verdict, judged.findings, judged.lacking) == (Verdict.NOT_MEASURED, (), ("K1",))
    judged = claims.judge(claim, with_k1(published.sweeps["K1"].frame.query("k > 16")))
    assert judged.verdict == Verdict.NOT_MEASURED
    assert len(judged.findings) == 3
    assert judged.text == "not measured"


# Reasons

LARGER = ("log2_steps", 18), ("batch_size", 2**20)


def with_larger(change, numbers, larger_numbers):
    """LR3 with some numbers, and again with a field changed and other numbers."""

    def sweep(numbers):
        return made_up(lambda name, point: as_published(name, point) | numbers, ("LR3",)).sweeps

    return Evidence(sweep(numbers), {change: sweep(larger_numbers)})


@pytest.mark.parametrize(
    ("reason", "change", "numbers", "larger", "words"),
    [
        (
            reasons.short_training,
            LARGER[0],
            {"mono_per_feature": 0.25},
            {"mono_per_feature": 0.5},
            "0.001, monosemantic neurons per feature increase from 0.25 after 2^17 steps to 0.5 "
            "after 2^18",
        ),
        (
            reasons.batch_noise,
            LARGER[1],
            {"slope_change": 0.04, "largest_singular": 1.5, "bias_above_005": 11.0},
            {"slope_change": 0.01, "largest_singular": 1.25, "bias_above_005": 31.0},
            "changes by at most 0.01 at any learning rate (with 8192: 0.04); neurons with a bias "
            "above .05 31 … 31 (with 8192: 11 … 11); largest singular value of M 1.25 … 1.25",
        ),
    ],
)
def test_reasons_take_their_numbers_from_larger_runs(reason, change, numbers, larger, words):
    assert words in reason(with_larger(change, numbers, larger))
    assert reason(with_larger(change, larger, numbers)) == ""  # the evidence speaks against it
    assert reason(Evidence(with_larger(change, numbers, larger).sweeps)) == ""


def test_dead_neurons_explain_the_loss_of_small_layers():
    def numbers(name, point):
        dies = name == "K1" and point["k"] == 16
        row = as_published(name, point)
        return row | ({"dead": 16, "loss": 1.1} if dies else {"dead": 0})

    runs = made_up(numbers, ("K0", "K1"))
    judged = claims.judge(CLAIMS["k_small"], runs)
    assert judged.verdict == Verdict.DIFFERS
    assert judged.reason == (
        "neurons that start at bias -1 can die: 3 of the 3 runs outside the limits have dead "
        "neurons (3 runs lost all of them), of the 9 runs within the limits 0 have"
    )
    runs.sweeps["K1"].frame["dead"] = 0
    assert claims.judge(CLAIMS["k_small"], runs).reason == ""


def test_dying_neurons_explain_too_few_monosemantic_ones():
    def numbers(name, point):
        top = point["learning_rate"] == 0.03
        row = {**as_published(name, point), "features_with_1": 0}
        return row | {"dead": 256 if top else 0, "mono_rise": -0.25 if top else 0.1}

    runs = made_up(numbers, ("LR1",))
    reason = claims.judge(CLAIMS["one_each"], runs).reason
    assert "25% of the neurons are dead at the end (at 0.01: 0%)" in reason
    assert "fall by 0.25" in reason
    runs.sweeps["LR1"].frame["dead"] = 0
    assert reasons.dying_neurons(runs) == ""
