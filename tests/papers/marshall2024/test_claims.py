"""The claims on spectra, and their page, from frames made by hand."""

import itertools

import pandas as pd
import pytest

from toymono.papers import claims
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.marshall2024 import tables
from toymono.papers.marshall2024.claims import CLAIMS
from toymono.papers.marshall2024.paper import _NETWORK, _PATCHES, _TOY, PAPER

SEEDS = range(3)


def toy(**columns):
    """Two learning rates, three seeds; layers of flatter spectra have more action."""
    base = dict.fromkeys(_TOY, 0.1)
    base |= {"participation_gain": 3.0, "participation_gain_rotated": 1.5, "m": 32}
    base |= {"broken_error_ratio": 0.1, "neuron_auc": 0.8}
    for place, layer in enumerate(("hidden", "hidden_mono", "hidden_poly", "output")):
        base |= {f"exponent_{layer}": -1.0 - place, f"action_{layer}": 2.0 - 0.1 * place}
    return pd.DataFrame(
        {**base, **columns, "seed": seed, "setting": str(rate), "learning_rate": rate}
        for rate, seed in itertools.product((0.01, 0.03), SEEDS)
    )


def network(**columns):
    base = dict.fromkeys(_NETWORK, 2.0)
    for layer in range(5):
        base |= {f"exponent_{layer}": -1.0 - 0.1 * layer, f"action_{layer}": 1 - 0.1 * layer}
    return pd.DataFrame({**base, **columns, "seed": seed, "setting": "a"} for seed in SEEDS)


def tied(**dimensions):
    """Five densities, D* above the optimum by a little where dense, at 1/2 for two of them."""
    rows = {
        1.0: (1.0, 1.0, 1.0),
        0.5: (0.6, 0.5435, 0.625),
        0.3: (0.51, 0.3383, 0.4),
        0.19: (0.5, 0.2, 0.3),
        0.01: (0.11, 0.0135, 0.0201),
    }
    return pd.DataFrame(
        {
            **{"eps": eps, "seed": seed, "setting": str(eps), "dimension_floor": 0.1},
            **{"feature_dimensions": dimensions.get(f"at_{eps:g}", here)},
            **{"optimum_23": at_23, "optimum_8": at_8},
        }
        for (eps, (here, at_23, at_8)), seed in itertools.product(rows.items(), SEEDS)
    )


def patches(**columns):
    """Dropout makes spectra steeper; at .8 the networks collapse."""
    rows = []
    for rate, seed in itertools.product((0.0, 0.5, 0.8), SEEDS):
        base = dict.fromkeys(_PATCHES, 2.0) | {"error_share": 1.1 if rate == 0.8 else 0.2}
        for layer in range(5):
            base |= {f"exponent_{layer}": -1 - layer * (0.1 + rate / 4)}
            base |= {f"curvature_{layer}": rate, f"action_{layer}": 2 - 0.1 * layer - rate}
        more = {"dropout_rate": rate, "seed": seed, "setting": str(rate)}
        rows.append({**base, **(columns if rate == 0.5 else {}), **more})
    return pd.DataFrame(rows)


FRAMES = {
    "patches": patches(),
    "LR1": toy(),
    "LR3": toy(),
    "DIM10": tied(),
    "digits": network(),
    "mnist": network(),
}


def judged(name, **frames):
    frames = {**FRAMES, **frames}
    evidence = Evidence(
        {key: Sweep(key, frame["setting"].nunique(), frame) for key, frame in frames.items()}
    )
    return claims.judge(CLAIMS[name], evidence)


@pytest.mark.parametrize(
    ("name", "missed"),
    [
        ("less_redundant", {"LR3": toy(participation_gain=1.2)}),
        ("one_power_law", {}),
        ("falls_with_depth", {"mnist": network(exponent_4=-0.5)}),
        ("dimensions_by_sparsity", {"DIM10": tied(**{"at_0.3": 0.3})}),
        ("dimensions_by_sparsity", {"DIM10": tied(**{"at_0.5": 0.8})}),
        ("falls_with_depth", {"patches": patches(exponent_4=-0.5)}),
        ("dropout_steepens", {"patches": patches(exponent_4=-1.5)}),
        ("dropout_steepens", {"patches": patches(curvature_4=0.05)}),
        ("sticky", {"DIM10": tied(**{"at_0.19": 0.4})}),
        ("action_by_exponent", {"LR1": toy(action_hidden=0.1, action_output=9.0)}),
    ],
)
def test_a_claim_agrees_or_not(name, missed):
    kept = {"DIM10": tied(**{"at_0.5": 0.64})} | {
        sweep: toy(broken_error_ratio=0.9) for sweep in ("LR1", "LR3")
    }
    assert judged(name, **kept).verdict.value == "agrees"
    assert judged(name, **missed).verdict.value != "agrees"


def test_a_mean_over_settings_is_one_value_per_seed():
    frame = toy()
    frame.loc[frame["learning_rate"] == 0.03, "participation_gain"] = 1.0
    found = judged("less_redundant", LR1=frame).findings[0]
    assert found.values == (2.0, 2.0, 2.0)


def test_findings_of_classifiers_and_projections_are_shown_only():
    shown = judged("less_redundant").findings
    assert [bool(each.not_judged) for each in shown] == [False, False, True, True, True, True]
    assert [f.mean for f in shown[4:]] == pytest.approx([1.5, 1.5])
    assert judged("projections").verdict.value == "not measured"
    assert judged("projections").findings[0].values == pytest.approx((0.8,) * 3)


def test_collapsed_autoencoders_are_shown_only():
    found = judged("falls_with_depth").findings
    assert [bool(each.not_judged) for each in found] == [False, False, False, True, True, True]
    assert "1.1: collapsed" in found[3].not_judged
    assert found[4].setting == "MNIST classifiers, untrained"
    assert {each.not_judged for each in judged("dropout_steepens").findings[:2]} == {""}
    flat = patches()
    flat.loc[flat["dropout_rate"] == 0.8, "action_4"] = 100.0
    assert judged("action_by_exponent", patches=flat).verdict.value == "agrees"


def test_the_bounds_hold():
    assert judged("capacity_bounds").verdict.value == "agrees"


def test_layers_without_an_exponent_do_not_count():
    few = network(exponent_2=float("nan"))
    assert "MNIST classifiers" not in {
        each.setting for each in judged("falls_with_depth", mnist=few).findings
    }
    assert len(judged("action_by_exponent", mnist=few).findings[2].values) == len(SEEDS)


def test_the_page_has_numbers_or_says_that_there_are_none():
    frames = FRAMES
    evidence = Evidence(
        {key: Sweep(key, frame["setting"].nunique(), frame) for key, frame in frames.items()}
    )
    assert PAPER.opening is not None
    opening = PAPER.opening(evidence, claims.judge_all(CLAIMS, evidence))
    assert "fills 3 times" in opening
    assert "already fill 2 times as many. A classifier's last layer fills 1 (digits)" in opening
    assert "the mean over 12 trained layers is 0.1 from 600 inputs" in opening
    assert "the bounds hold, exponents fall with depth in all settings" in opening
    assert "does not describe a toy layer (a law with one break has 0.1" in opening
    assert opening.count(". ") == 4
    text = "\n".join(tables.sections(evidence))
    assert "| LR3 | 0.03 | 3 |" in text
    assert "| 0.5 | 3 | 0.6 | 0.543 | 0.625 | 0.1 |" in text
    assert "Breaks lie at ranks 0.1 to 0.1, although spectra step down behind rank m = 32" in text
    assert "action goes from 0.9 to 0.6, and from 2 to 2 before training" in text
    assert "nan" not in text + opening

    empty = Evidence({key: Sweep(key, 1, frame[:0]) for key, frame in frames.items()})
    assert "(not measured)" in PAPER.opening(empty, claims.judge_all(CLAIMS, empty))
    assert tables.sections(empty)[1] == "No runs."


def test_every_number_that_claims_read_is_in_the_evidence():
    sources = {source.name: source for source in PAPER.sources("small")}
    for name, frame in {"small": FRAMES["LR1"], "patches": FRAMES["patches"]}.items():
        source = sources[f"marshall2024-{name}"]
        assert set(frame) <= {*source.columns, "setting"}
