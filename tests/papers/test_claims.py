"""Every claim on made-up runs: those that the paper reports, and each limit missed."""

import numpy as np
import pandas as pd
import pytest

from toymono import catalog
from toymono.papers import evidence, page
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


def made_up(numbers, names=tuple(catalog.SWEEPS), settled=True, seeds=2):
    """Sweeps of the catalog at the paper's scale, with `numbers` of each run."""
    sweeps = {}
    for name in names:
        entry = catalog.SWEEPS[name]
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
    judged = page.judge(claim, published)
    assert judged.verdict == Verdict.AGREES, [f for f in judged.findings if not f.met]
    assert all(len(finding.values) == 2 for finding in judged.findings)


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
    ("bias_sign", "quarter of all features", changed(poly_bias=-0.1)),
    ("negative_start", PER, where(at(learning_rate=0.001), mono_per_feature=0.7)),
    ("more_neurons", "least growth", where(at(k=64), monosemantic=300)),
    ("more_neurons", PER, where(at(k=1024), mono_per_feature=0.9)),
    ("low_rank", "bias above 0", changed(positive_bias=lambda point, row: 2 * point["m"])),
    ("low_rank", "effective rank", changed(effective_rank=lambda point, row: point["m"] / 2)),
    ("holds_to_limit", PER, where(at(eps=2**-5), mono_per_feature=0.5)),
    ("rate", f"the rate and {PER}", changed(mono_per_feature=0.5)),
    ("rate", "the rate and mean bias", changed(mean_bias=lambda point, row: -row["mean_bias"])),
    (
        "bias_threshold",
        "from -1 to",
        changed(mono_per_feature=lambda point, row: 0.6 * row["mono_per_feature"]),
    ),
    ("bias_threshold", "at biases of 0", changed(mono_per_feature=0.8)),
    ("power_law", "less that at bias 0", where(of("LR4"), mono_per_feature=0.0)),
    ("power_law_late", "rise in the last octave", changed(rise=0.0)),
    ("power_law_late", "fall of the loss", changed(fall=0.05)),
    (
        "gelu_peak",
        "bias of most",
        changed(mono_per_feature=lambda point, row: np.exp(-4 * (point["init_bias"] - 1) ** 2)),
    ),
    (
        "gelu_peak",
        "over the peak",
        changed(mono_per_feature=lambda point, row: 0.6 + 0.4 * row["mono_per_feature"]),
    ),
    ("l1_rival", "ratio", where(at(l1=0.0), mono_per_feature=0.7)),
    ("l1_rival", "loss, relative", where(at(l1=0.0), loss=1.0)),
    (
        "k_small",
        "loss at bias -1",
        where(of("K1"), loss=1.05),
    ),
    ("k_middle", "loss at bias -1", where(of("K1"), loss=0.98)),
    ("k_large", "loss at bias -1", where(of("K1"), loss=1.01)),
    ("k_peak", "k / n", where(at(k=2048), mono_per_neuron=0.9)),
    ("k_peak", "share of neurons", where(at(k=256), mono_per_neuron=0.2)),
    ("eps_peak", "log2 of the eps", where(at(eps=2**-3), mono_per_feature=2.0)),
    ("eps_dense", PER, where(at(eps=2**-2), mono_per_feature=0.1)),
    ("eps_sparse", "less the fastest", where(of("E1"), mono_per_feature=0.5)),
    ("reprojector", PER, where(at(learning_rate=0.001), mono_per_feature=0.7)),
    ("abs_loss", "and the loss", changed(loss=lambda point, row: row["mono_per_feature"])),
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
    ("one_each", "exactly one", changed(served_1=lambda point, row: 0.92 * point["n"])),
    ("one_each", "with two", changed(served_2=lambda point, row: 0.04 * point["n"])),
    ("one_each", "mostly", changed(nearly=lambda point, row: 0.04 * point["n"])),
    ("one_each", PER, where(at(learning_rate=0.03), mono_per_feature=1.1)),
    ("positive_bias", "above 0", changed(positive_bias=75)),
    ("positive_bias", "above .05", changed(bias_above_005=60)),
    ("positive_bias_by_m", "above 0", where(at(m=128), positive_bias=150)),
    ("positive_bias_by_m", "above .05", where(at(m=32), bias_above_005=30)),
    ("plateau", "that of an output of 0", changed(loss_share=0.4)),
    ("singular_values", "share of M", changed(in_band=0.9)),
    ("singular_values", "largest singular", changed(largest_singular=1.05)),
    ("slopes", "mean slope", changed(slope=0.08)),
    ("slopes", "lie below", changed(slope_low=0.08)),
    ("slopes", "lie above", changed(slope_high=0.2)),
    ("linear_range", "change of that slope", changed(slope_change=0.02)),
    ("linear_range", "output of the poly part", changed(offset=0.006)),
    ("first_kink", "median kink", changed(first_kink=0.6)),
    ("two_kinks", "first kink", changed(two_first=0.6)),
    ("two_kinks", "second kink", changed(two_second=0.6)),
    ("sparser_kinks", "median kink", changed(first_kink=0.45)),
    ("sparser_kinks", "second kink", changed(two_second=0.8)),
]
"""A claim, words of one of its measures, and what puts that measure outside its limits."""


@pytest.mark.parametrize(
    ("name", "measure", "change"), UNMET, ids=[f"{name}, {measure}" for name, measure, _ in UNMET]
)
def test_each_limit_of_a_claim_can_be_missed_by_itself(name, measure, change):
    def numbers(sweep, point):
        row = as_published(sweep, point)
        return row | change(sweep, point, row)

    [claim] = [claim for claim in CLAIMS if claim.name == name]
    judged = page.judge(claim, made_up(numbers, claim.sweeps))
    assert judged.verdict == Verdict.DIFFERS
    assert {measure in found.measure for found in judged.findings if not found.met} == {True}


def test_every_measure_is_put_outside_its_limits(published):
    for claim in MEASURED:
        for found in page.judge(claim, published).findings:
            assert any(c == claim.name and m in found.measure for c, m, _ in UNMET), found.measure


def test_a_claim_is_not_reached_where_training_was_still_on_its_way():
    [claim] = [claim for claim in CLAIMS if claim.name == "negative_start"]

    def with_mono(value, settled=False):
        rows = made_up(
            lambda name, point: {**as_published(name, point), "mono_per_feature": value},
            claim.sweeps,
            settled,
        )
        return rows["LR3"].frame

    for halfway, end, settled, expected in [
        (0.3, 0.7, False, Verdict.NOT_REACHED),
        (0.3, 0.7, True, Verdict.DIFFERS),
        (0.72, 0.7, False, Verdict.DIFFERS),
        (0.3, 0.8, False, Verdict.AGREES),
    ]:
        sweep = evidence.Sweep("LR3", 6, 6, with_mono(end, settled), with_mono(halfway))
        judged = page.judge(claim, {"LR3": sweep})
        assert judged.verdict == expected
        assert {found.halfway for found in judged.findings} == {halfway}


def test_a_claim_whose_runs_are_missing_is_not_measured(published):
    [claim] = [claim for claim in CLAIMS if claim.name == "k_small"]
    none = evidence.Sweep("K1", wanted=9, kept=0, frame=pd.DataFrame())
    judged = page.judge(claim, {**published, "K1": none})
    assert (judged.verdict, judged.findings, judged.lacking) == (Verdict.NOT_MEASURED, (), ("K1",))
    few = evidence.Sweep("K1", wanted=9, kept=8, frame=published["K1"].frame.query("k > 16"))
    judged = page.judge(claim, {**published, "K1": few})
    assert judged.verdict == Verdict.NOT_MEASURED
    assert len(judged.findings) == 3
