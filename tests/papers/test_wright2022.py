"""The page on the penalty, from frames made by hand."""

import itertools

import pandas as pd
import pytest

from toymono.papers.wright2022 import claims as wright_claims

ACCURACY = {-1.0: 0.1, 0.0: 0.97, 0.1: 0.98, 1.0: 0.1}
LABELLED = pd.DataFrame(
    {
        "seed": seed,
        "epochs": 20,
        "prune_epochs": prune_epochs,
        "alpha": alpha,
        "status": "learned" if accuracy > 0.5 else "collapsed",
        "accuracy": accuracy,
        "cross_entropy": 0.1 + alpha,
        "penalty_sum": 60.0 if alpha <= 0 else 0.6,
        "monosemanticity": 0.3,
        "n_cut": 10.0 - 2 * alpha,
        "shuffled_mean": 10.1,
        "left_p": 0.02 if alpha > 0 else 0.5,
        "coherence": 0.01,
        "coherence_p": 0.3,
        "lesion_p_mean": 0.5 + seed / 10,
    }
    for (alpha, accuracy), seed, prune_epochs in itertools.product(
        ACCURACY.items(), (0, 1), (0, 20)
    )
)
TOY = pd.DataFrame(
    {
        "seed": 0,
        "n": 256,
        "eps": 3 / 256,  # an output of 0 costs 1
        "dead": 0,
        "alone": 0.1,
        "alone_mono": 0.2,
        "pairs": 0.45,
        **row,
        "mono_per_feature": row["monosemantic"] / 256,
    }
    for row in (
        {"penalty": "none", "init_bias": 0.0, "alpha": 0.0, "monosemantic": 5, "sampled": 0.6}
        | {
            "sampled_mono": 0.9,
            "features_per_neuron": 40.0,
            "several": 0.9,
            "activated_by_others": 1.0,
        },
        {"penalty": "none", "init_bias": -1.0, "alpha": 0.0, "monosemantic": 150, "sampled": 0.5}
        | {
            "sampled_mono": 0.8,
            "features_per_neuron": 30.0,
            "several": 0.9,
            "activated_by_others": 0.9,
        },
        {"penalty": "soft", "init_bias": 0.0, "alpha": 10.0, "monosemantic": 250, "sampled": 0.55}
        | {
            "sampled_mono": 0.6,
            "features_per_neuron": 0.9,
            "several": 0.0,
            "activated_by_others": 0.4,
        },
        {"penalty": "soft", "init_bias": 0.0, "alpha": 0.1, "monosemantic": 20, "sampled": 0.5}
        | {
            "sampled_mono": 0.9,
            "features_per_neuron": 9.0,
            "several": 0.5,
            "activated_by_others": 0.7,
        },
    )
)


WIDTHS = LABELLED[LABELLED["alpha"] >= 0].assign(sizes=["16x4", "8x4"] * 6)


def found(labelled, toy):
    return {each.claim.name: each for each in wright_claims.judged(labelled, toy)}


AT_1 = LABELLED.assign(status="learned", accuracy=LABELLED["accuracy"].clip(lower=0.97)).assign(
    accuracy=lambda runs: runs["accuracy"].where(runs["alpha"] >= 0, 0.1)
)
"""As if runs learned at the published weight."""


def test_verdicts_by_hand():
    verdicts = {name: each.verdict.value for name, each in found(AT_1, TOY).items()}
    assert verdicts.pop("images") == "not measured"
    assert set(verdicts.values()) == {"agrees"}


def test_another_weight_than_the_published_gives_no_verdict():
    judged = found(LABELLED, TOY)
    verdicts = {name: each.verdict.value for name, each in judged.items()}
    assert verdicts.pop("penalised") == "differs"  # it collapses at 1
    unjudged = {name for name, verdict in verdicts.items() if verdict == "not measured"}
    assert unjudged == {"images", "dearer", "cheaper", "absolute", "relative", "specialised"} | {
        "pruned"
    }
    assert "no run learned at alpha 1; alpha 0.1" in judged["cheaper"].claim.unmeasured
    [finding] = judged["cheaper"].findings
    assert finding.setting == "alpha 0.1 over alpha 0"  # the largest at which all learned
    assert finding.values == pytest.approx((0.01, 0.01))
    assert [f.setting for f in judged["pruned"].findings] == [
        "alpha 0, pruned",
        "alpha 0.1, pruned",
    ]
    assert [len(f.values) for f in judged["plain"].findings] == [2]  # not the pruned ones
    [finding] = judged["toy_loss"].findings
    assert (finding.setting, finding.values) == ("soft, alpha 10", pytest.approx((0.05,)))
    [finding] = judged["toy_mono_loss"].findings
    assert finding.values == pytest.approx((0.2,))


@pytest.mark.parametrize(
    ("claim", "column", "value"),
    [
        ("toy_loss", "sampled", 0.45),
        ("toy_mono_loss", "sampled_mono", 0.9),
        ("toy_features", "several", 0.2),
        ("toy_together", "activated_by_others", 0.0),
    ],
)
def test_each_toy_claim_can_fail(claim, column, value):
    other = TOY.assign(**{column: TOY[column].where(TOY["alpha"] != 10, value)})
    assert found(LABELLED, other)[claim].verdict.value == "differs"


@pytest.mark.parametrize(
    ("claim", "column", "value"),
    [
        ("plain", "accuracy", 0.5),
        ("pruned", "accuracy", 0.5),
        ("dearer", "cross_entropy", 0.1),
        ("cheaper", "penalty_sum", 60.0),
        ("absolute", "n_cut", 9.99),
        ("relative", "left_p", 0.5),
        ("specialised", "lesion_p_mean", 2 - 2 * LABELLED["alpha"]),
    ],
)
def test_each_labelled_claim_can_fail(claim, column, value):
    judged = found(AT_1.assign(**{column: value}), TOY)[claim]
    assert judged.verdict.value == "differs"
    assert "alpha 0.1" not in judged.findings[-1].setting


def test_without_runs_nothing_is_measured_and_the_commands_are_named():
    judged = found(pd.DataFrame(), pd.DataFrame())
    assert {each.verdict.value for each in judged.values()} == {"not measured"}
    page = wright_claims.write(*[pd.DataFrame()] * 4, "a command")
    assert page.count(wright_claims.TRAINED_BY) >= 2
    assert page.count(wright_claims.TOY_BY) >= 2


def test_the_page_counts_lost_runs_and_keeps_them_out_of_means():
    page = wright_claims.write(LABELLED, TOY, TOY.assign(sampled=0.4), WIDTHS, "a command")
    assert "| 20 | 1 | 0 of 2 | - |" in page
    assert "| 20 + 20 pruning | 0.1 | 2 of 2 | 0.98 |" in page
    assert "| 20 | 0.1 | 2 of 2 | 0.98 |" in page
    assert "0.82" in page
    assert "| layers | alpha 0 | alpha 0.1 | alpha 1 |" in page
    assert "| 8x4 | 0.97 | 0.98 | -, 0 of 2 |\n| 16x4 | 0.97 |" in page
    assert "| soft | 0 | 10 | 1 | 0.55 |" in page
    assert "| soft | 0 | 10 | 1 | 0.4 |" in page.split("twice the steps")[1]
