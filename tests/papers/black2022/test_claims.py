"""Claims of the polytope lens: judged on made-up numbers, and the page from evidence alone."""

import pandas as pd
import pytest

from toymono.frames import classifier_polytopes, polytopes
from toymono.papers.black2022.claims import CLAIMS
from toymono.papers.black2022.paper import PAPER, VARIANTS
from toymono.papers.claims import judge
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.verdicts import Verdict
from toymono.quantities import QUANTITIES

SWEEPS = ("LR1", "LR3", "digits", "mnist")

AGREEING = {
    "boundary_density_gap": 0.2,
    "density_ratio": 1.3,
    "depth_correlation": 0.9,
    "own_depth_correlation": 0.0,
    "pixel_depth_correlation": 0.0,
    "shell": 1.0,
    "gaussian_shell": 1.0,
    "shell_radius": 0.5,
    "untrained_shell": 0.0,
    "spread_shell": 0.0,
    "density_ratio_alone": 1.5,
    "rotated_density_ratio_alone": float("nan"),
    "rotated_shell": 1.0,
    "change_excess": 0.2,
    "spread_change_excess": 0.0,
    "code_ami": 0.9,
    "rotated_code_ami": 0.5,
    "code_ami_gap": 0.4,
    "transformation_correlation": 0.95,
}
"""Numbers with which every claim agrees."""

BROKEN = {
    "classes_apart": {"boundary_density_gap": 0.04},
    "firmer_with_depth": {"depth_correlation": 0.7},
    "features_apart": {"density_ratio": 1.01},
    "shell": {"gaussian_shell": 0.0},
    "shell_inside": {"shell_radius": 1.2},
    "absent_untrained": {"spread_shell": 1.0},
    "changes_are_dense": {"change_excess": 0.04},
    "codes_cluster": {"code_ami_gap": 0.1},
    "hamming_tracks": {"transformation_correlation": 0.8},
}
"""One number for each claim beyond its limit."""


def evidence(**changed):
    """Two settings and three seeds of each sweep, all with the same numbers."""
    rows = [
        {**AGREEING, **changed, "setting": setting, "seed": seed}
        for setting in "ab"
        for seed in range(3)
    ]
    return Evidence({name: Sweep(name, 2, pd.DataFrame(rows)) for name in SWEEPS})


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_agrees_within_its_limits_and_differs_beyond(name):
    assert judge(CLAIMS[name], evidence()).verdict == Verdict.AGREES
    assert judge(CLAIMS[name], evidence(**BROKEN[name])).verdict == Verdict.DIFFERS


def test_the_toy_gap_is_judged_against_rotated_weights_too():
    judged = judge(CLAIMS["features_apart"], evidence(boundary_density_gap=0.01))
    assert judged.verdict == Verdict.DIFFERS


def test_the_radius_of_runs_without_a_shell_does_not_count():
    judged = judge(CLAIMS["shell_inside"], evidence(shell=0.0, shell_radius=3.0))
    assert judged.verdict == Verdict.NOT_MEASURED


def test_a_finding_has_the_mean_over_settings_for_each_seed():
    found = evidence()
    frame = found.sweeps["LR1"].frame
    frame.loc[frame["setting"] == "b", "code_ami_gap"] = 0.6
    [first, *_] = judge(CLAIMS["codes_cluster"], found).findings
    assert first.setting == "LR1"
    assert first.values == pytest.approx((0.5,) * 3)


def test_every_number_that_claims_read_is_in_the_evidence():
    for source in PAPER.sources("small"):
        measures = polytopes.MEASURES if source.kind == "toy" else classifier_polytopes.MEASURES
        assert set(measures) <= set(source.quantities)
        assert set(measures) <= set(QUANTITIES)


def test_baselines_are_shown_and_not_judged():
    shown = judge(CLAIMS["codes_cluster"], evidence()).findings
    assert [f.values[0] for f in shown if not f.counts] == [0.9] * 4 + [0.5] * 4
    assert [f.mean for f in judge(CLAIMS["changes_are_dense"], evidence()).findings[2:]] == [0, 0]
    alone = judge(CLAIMS["features_apart"], evidence()).findings[-2:]
    assert [f.mean for f in alone] == [1.5, 1.5]  # older rows have no rotated ones


def test_tables_leave_out_radii_without_a_shell_and_columns_without_a_number():
    columns = {name: 0.5 for name in (*polytopes.MEASURES, *classifier_polytopes.MEASURES)}
    columns |= {"learning_rate": 0.01, "rescaled_bits": 0.25, "untrained_shell": 1.0}
    columns |= {"shell_radius": 3.25, "untrained_shell_radius": 6.25, "pca_cosine": float("nan")}
    found = evidence(**{**columns, "shell": 0.0})
    sweeps = {**found.sweeps, **{name: found.sweeps["digits"] for name in VARIANTS}}
    text = "\n".join(PAPER.tables(Evidence(sweeps)))
    assert "6.25" in text
    assert "3.25" not in text
    assert "| NMF | random directions |" in text
    assert "changes a fraction 0.25 of the bits with relu" in text
    assert "nan" not in text
