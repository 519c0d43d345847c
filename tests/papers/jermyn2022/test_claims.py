"""Every claim on made-up runs: those that the paper reports, and each limit missed."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from published_runs import SWEEPS, as_published, made_up

from toymono import catalog
from toymono.papers import claims
from toymono.papers.evidence import Evidence
from toymono.papers.jermyn2022.claims import CLAIMS
from toymono.papers.verdicts import Verdict


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
    ("k_peak", "k / n", where(at(k=2048, init_bias=0.0), mono_per_neuron=0.9)),
    ("k_peak", "k / n", where(at(k=2048, init_bias=-1.0), mono_per_neuron=0.9)),
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
        k1 = dataclasses.replace(published.sweeps["K1"], frame=frame)
        return Evidence({**published.sweeps, "K1": k1})

    judged = claims.judge(claim, with_k1(pd.DataFrame()))
    assert (judged.verdict, judged.findings, judged.lacking) == (Verdict.NOT_MEASURED, (), ("K1",))
    judged = claims.judge(claim, with_k1(published.sweeps["K1"].frame.query("k > 16")))
    assert judged.verdict == Verdict.NOT_MEASURED
    assert len(judged.findings) == 3
    assert judged.text == "not measured"


@pytest.mark.parametrize("claim", [c for c in MEASURED if c.part], ids=lambda claim: claim.name)
def test_a_claim_needs_no_other_settings_than_those_that_it_reads(claim, published):
    def kept(sweep, wanted):
        return dataclasses.replace(sweep, frame=sweep.frame[wanted(claim.part.holds(sweep.frame))])

    def judged(wanted):
        sweeps = {name: kept(published.sweeps[name], wanted) for name in claim.sweeps}
        return claims.judge(claim, Evidence(sweeps))

    assert judged(lambda read: read).verdict == Verdict.AGREES
    assert judged(lambda read: ~read).verdict == Verdict.NOT_MEASURED
    lacking = judged(lambda read: read & (read.cumsum() > 3))  # without one setting of three seeds
    assert lacking.verdict == Verdict.NOT_MEASURED


def test_rates_are_compared_at_half_of_training_as_at_its_end():
    """Also if another rate is the most monosemantic one at half of training."""
    lr1 = CLAIMS["equal_loss"]

    def run(best):
        def numbers(name, point):
            mono = 0.9 if point["learning_rate"] == best else 0.1
            loss = 1 + point["learning_rate"]
            return {**as_published(name, point), "mono_per_feature": mono, "loss": loss}

        return numbers

    rates = sorted({point["learning_rate"] for point in catalog.points(lr1.sweeps, "paper")})
    judged = claims.judge(lr1, with_half(made_up(run(rates[-1]), lr1.sweeps), run(rates[0])))
    assert len(judged.findings) == len(rates) - 1
    assert all(len(found.halfway) == 3 for found in judged.findings)


def test_losses_are_not_compared_with_a_model_whose_neurons_died():
    """The highest rate has the most monosemantic neurons, but a high loss."""

    def numbers(name, point):
        mono = {0.01: 0.75, 0.03: 0.79}.get(point["learning_rate"], 0.1)
        return {"mono_per_feature": mono, "loss": 1.2 if point["learning_rate"] == 0.03 else 1}

    claim = CLAIMS["equal_loss"]
    runs = made_up(lambda *run: as_published(*run) | numbers(*run), claim.sweeps)
    judged = claims.judge(claim, runs)
    assert judged.verdict == Verdict.AGREES
    assert {found.setting.partition(" compared ")[2] for found in judged.findings} == {"with 0.01"}
    assert {found.values for found in judged.findings} == {(0.0,) * 3}
