"""The claims on the penalty, and the tables of their page, from frames made by hand."""

import itertools

import pandas as pd
import pytest

from toymono.papers import claims
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.wright2022 import tables
from toymono.papers.wright2022.claims import CLAIMS
from toymono.papers.wright2022.measures import IMAGES

ACCURACY = {-1.0: 0.1, 0.0: 0.975, 0.1: 0.98, 1.0: 0.1}


def digits(prune_epochs=0, sizes="256x4"):
    """Three networks of each weight; those of weight 1 and -1 do not learn."""
    return pd.DataFrame(
        {
            "seed": seed,
            "setting": str(alpha),
            "sizes": sizes,
            "network": "mlp",
            "penalty": "soft",
            "epochs": 20,
            "prune_epochs": prune_epochs,
            "alpha": alpha,
            "status": "learned" if accuracy > 0.5 else "collapsed",
            "accuracy": accuracy,
            "cross_entropy": 0.1 + alpha,
            "penalty_sum": 60.0 if alpha <= 0 else 0.6,
            "mean_monosemanticity": 0.3,
            "n_cut": 10.0 - 2 * alpha,
            "shuffled_n_cut_mean": 10.1,
            "n_cut_p": 0.02 if alpha > 0 else 0.5,
            "coherence": 0.01,
            "coherence_p": 0.3,
            "ablation_p_mean": 0.5 + seed / 10,
        }
        for (alpha, accuracy), seed in itertools.product(ACCURACY.items(), range(3))
    )


_TOY_COLUMNS = (
    *("penalty", "init_bias", "alpha", "monosemantic"),
    *("sampled_loss", "sampled_loss_mono"),
    *("features_per_neuron", "multi_feature_share", "activated_by_others"),
)
_TOY_ROWS = [
    ("none", 0.0, 0.0, 5, 0.6, 0.9, 40.0, 0.9, 1.0),
    ("none", -1.0, 1.0, 150, 0.5, 0.8, 30.0, 0.9, 0.9),
    ("soft", 0.0, 10.0, 250, 0.55, 0.6, 0.9, 0.0, 0.4),
    ("soft", 0.0, 0.1, 20, 0.5, 0.9, 9.0, 0.5, 0.7),
]
TOY = pd.DataFrame(
    {
        "seed": seed,
        "setting": f"{row[0]} {row[1]} {row[2]}",
        "settled": True,
        "n": 256,
        "eps": 3 / 256,  # a zero output has a loss of 1
        "dead": 0,
        "single_feature_loss": 0.1,
        "single_feature_loss_mono": 0.2,
        "pair_monosemanticity": 0.45,
        "mono_per_feature": row[3] / 256,
        **dict(zip(_TOY_COLUMNS, row, strict=True)),
    }
    for row, seed in itertools.product(_TOY_ROWS, range(3))
)


def at_1(frame):
    """As if runs had learned at the published weight."""
    learned = frame["alpha"] >= 0
    return frame.assign(
        accuracy=frame["accuracy"].where(~learned, 0.97),
        status=frame["status"].where(~learned, "learned"),
    )


def evidence(networks=None, toy=TOY, pruned=None, **more):
    """The same networks for every data set, except where `more` has others."""
    networks = at_1(digits()) if networks is None else networks
    pruned = at_1(digits(20)) if pruned is None else pruned
    frames = {
        **dict.fromkeys(("mnist", "digits"), networks),
        "fashion_mnist": networks.assign(n_cut_p=1 - networks["n_cut_p"])
        if len(networks)
        else networks,
        **{f"{images.name}_pruned": pruned for images in IMAGES},
        "digits_long": pd.DataFrame(),
        **{f"{images.name}_widths": pd.DataFrame() for images in IMAGES},
        "PEN": toy,
        "PEN2": pd.DataFrame(),
        **more,
    }
    return Evidence(
        {
            name: Sweep(name, frame["setting"].nunique() if len(frame) else 1, frame)
            for name, frame in frames.items()
        }
    )


def verdicts(found):
    return {name: claims.judge(claim, found).verdict.value for name, claim in CLAIMS.items()}


def test_what_was_published_agrees():
    assert set(verdicts(evidence()).values()) == {"agrees"}


def test_every_statement_is_judged_on_every_data_set():
    names = [name for name in CLAIMS if not name.startswith("toy_")]
    assert len(names) == 9 * len(IMAGES)
    for images in IMAGES:
        assert sum(name.startswith(f"{images.name}_") for name in names) == 9


def test_another_weight_than_the_published_gives_no_verdict():
    found = evidence(digits=digits(), digits_pruned=digits(20))
    of_claims = verdicts(found)
    assert of_claims["digits_penalised"] == "differs"  # it collapses at 1
    assert {name for name, verdict in of_claims.items() if verdict == "not measured"} == {
        f"digits_{name}"
        for name in (
            *("cross_entropy_rises", "penalty_falls", "n_cut_falls"),
            *("n_cut_beyond_shuffles", "ablations_same"),
        )
    }
    [finding] = claims.judge(CLAIMS["digits_penalty_falls"], found).findings
    assert finding.setting == "alpha 0.1 over alpha 0"  # the largest at which all learned
    assert finding.values == pytest.approx((0.01,) * 3)
    assert finding.not_judged == "no run learned at the published alpha 1"
    pruned = claims.judge(CLAIMS["digits_pruned"], found).findings
    assert [f.setting for f in pruned if f.counts] == ["alpha 0, pruned"] * 2
    assert [f.setting for f in pruned if not f.counts] == ["alpha 0.1, pruned"] * 2


def test_gaps_of_toy_losses_are_fractions_of_the_loss_of_a_zero_output():
    [finding] = claims.judge(CLAIMS["toy_loss"], evidence()).findings
    assert finding.setting == "soft penalty, alpha 10"  # the most monosemantic
    assert finding.values == pytest.approx((0.05,) * 3)
    [finding] = claims.judge(CLAIMS["toy_mono_loss"], evidence()).findings
    assert finding.values == pytest.approx((0.2,) * 3)


def test_at_half_of_training_the_weight_is_that_of_the_end():
    # Halfway the weaker penalty had more monosemantic neurons.
    half = TOY["alpha"].map({10.0: 1, 0.1: 9, 0.0: 0, 1.0: 0})
    toy = TOY.assign(monosemantic_half=half, multi_feature_share_half=0.75)
    [finding] = claims.judge(CLAIMS["toy_features"], evidence(toy=toy)).findings
    assert finding.halfway == (0.75,) * 3


@pytest.mark.parametrize(
    ("claim", "column", "value"),
    [
        ("toy_loss", "sampled_loss", 0.45),
        ("toy_loss", "sampled_loss", 0.65),
        ("toy_mono_loss", "sampled_loss_mono", 0.9),
        ("toy_features", "multi_feature_share", 0.2),
        ("toy_together", "activated_by_others", 0.0),
    ],
)
def test_each_toy_claim_can_be_missed_alone(claim, column, value):
    toy = TOY.assign(**{column: TOY[column].where(TOY["alpha"] != 10, value)})
    missed = {name for name, verdict in verdicts(evidence(toy=toy)).items() if verdict == "differs"}
    assert missed == {claim}


@pytest.mark.parametrize(
    ("claim", "change", "where"),
    [
        ("plain", {"accuracy": 0.5}, 0),
        ("penalised", {"accuracy": 0.5}, 1),
        ("encouraged", {"accuracy": 0.5}, -1),
        ("cross_entropy_rises", {"cross_entropy": 0.1}, 1),
        ("penalty_falls", {"penalty_sum": 60.0}, 1),
        ("n_cut_falls", {"n_cut": 9.99}, 1),
        ("n_cut_beyond_shuffles", {"n_cut_p": 0.06}, 1),
        ("ablations_same", {"ablation_p_mean": 0.1}, 1),
        ("ablations_same", {"ablation_p_mean": 0.9}, 1),
    ],
)
def test_each_claim_on_classifiers_can_be_missed_alone(claim, change, where):
    frame = at_1(digits())
    for column, value in change.items():
        frame[column] = frame[column].where(frame["alpha"] != where, value)
    found = verdicts(evidence(mnist=frame))
    missed = {name for name, verdict in found.items() if verdict == "differs"}
    assert missed == {f"mnist_{claim}"}


def test_on_fashion_mnist_penalised_networks_are_not_beyond_their_shuffles():
    found = verdicts(evidence(fashion_mnist=at_1(digits())))  # p = .02, as on MNIST
    missed = {name for name, verdict in found.items() if verdict == "differs"}
    assert missed == {"fashion_mnist_n_cut_beyond_shuffles"}


def test_pruned_networks_that_do_not_classify_differ():
    found = verdicts(evidence(fashion_mnist_pruned=at_1(digits(20)).assign(accuracy=0.5)))
    missed = {name for name, verdict in found.items() if verdict == "differs"}
    assert missed == {"fashion_mnist_pruned"}


def test_pruning_is_measured_beside_the_same_network_before_it():
    pruned = at_1(digits(20))
    pruned["accuracy"] -= pruned["seed"] / 100
    [_, change, *_] = claims.judge(CLAIMS["mnist_pruned"], evidence(pruned=pruned)).findings
    assert change.measure == "accuracy minus that before pruning"
    assert change.values == pytest.approx((0, -0.01, -0.02))


def test_without_runs_nothing_is_measured():
    none = pd.DataFrame()
    found = evidence(networks=none, pruned=none, toy=none)
    assert set(verdicts(found).values()) == {"not measured"}


def test_tables_count_runs_that_did_not_learn_and_leave_them_out_of_means():
    widths = pd.concat([digits(sizes="16x4"), digits(sizes="8x4")]).query("alpha >= 0")
    found = evidence(
        digits=digits(),
        digits_pruned=digits(20),
        digits_long=digits().assign(epochs=100),
        digits_widths=widths,
        mnist_cnn=digits().assign(network="cnn"),
        mnist_hard=at_1(digits()).assign(penalty="hard"),
        PEN2=TOY.assign(sampled_loss=0.4),
    )
    page = "\n\n".join(tables.sections(found))
    on_mnist, on_digits = (
        page.split("every weight")[1].split(f"### {title}")[1].split("###")[0]
        for title in ("MNIST", "scikit-learn's digits")
    )
    assert "| mlp | soft | 20 | 1 | 0 of 3 | - |" in on_digits
    assert "| mlp | soft | 20 + 20 pruning | 0.1 | 3 of 3 | 0.98 |" in on_digits
    assert "| mlp | soft | 20 | 0.1 | 3 of 3 | 0.98 |" in on_digits
    assert "| mlp | none | 20 | 0 | 3 of 3 | 0.975 |" in on_digits
    assert "| mlp | soft | 100 | 0.1 | 3 of 3 | 0.98 |" in on_digits
    assert "| cnn | soft | 20 | 0.1 | 3 of 3 | 0.98 |" in on_mnist
    assert "| mlp | hard | 20 | 1 | 3 of 3 | 0.97 |" in on_mnist
    assert "| layers | alpha 0 | alpha 0.1 | alpha 1 |" in page
    assert "| 8x4 | 0.975 | 0.98 | -, 0 of 3 |\n| 16x4 | 0.975 |" in page
    by_data = page.split("verdicts by data set")[1].split("##")[0]
    assert "| penalised | agrees: 0.97 | agrees: 0.97 | differs: 0.1 |" in by_data
    assert "| soft | 0 | 10 | 3 | 0.55 |" in page
    assert "| none | -1 | 0 | 3 | 0.5 |" in page  # without a penalty no weight is given
    assert "| soft | 0 | 10 | 3 | 0.4 |" in page.split("twice the steps")[1]
    none = pd.DataFrame()
    page = "\n\n".join(tables.sections(evidence(networks=none, pruned=none, toy=none)))
    assert "###" not in page
    assert page.count("No runs.") == 2
