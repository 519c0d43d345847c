"""Claims on visualisation with diversity: judged on made-up numbers; the page from evidence."""

import pandas as pd
import pytest

from toymono.frames import visualise, visualise_classifiers
from toymono.papers.claims import judge, judge_all
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.olah2017 import tables
from toymono.papers.olah2017.claims import CLAIMS
from toymono.papers.olah2017.paper import PAPER
from toymono.papers.verdicts import Verdict
from toymono.quantities import QUANTITIES

SEEDS = range(3)
OWN = ("hidden 1", "inputs 1")


def methods(names, **of_method):
    """Every number of each method .95, recall of restarts .5, unless said otherwise."""
    numbers = {f"{name} {method}": 0.95 for method in names for name in ("precision", "recall")}
    numbers |= {f"active {method}": 0.95 for method in names}
    return {**numbers, "recall restarts": 0.5, **of_method}


CONNECTIONS = {
    f"connections_{name}": 10.0
    for name in ("low", "median", "high", "mean", "weighted_mean", "dead")
}


def toy(init_bias, **columns):
    """Two rates and three seeds of one bias; without the bias ten times the connections."""
    base = {**methods(visualise.METHODS), **CONNECTIONS, "init_bias": init_bias}
    base |= {"facet_cosine": 0.1, "random_cosine": 0.2, "mono_one_facet": 1.0}
    base |= {"virtual_diagonal": 0.3}
    if init_bias == 0:
        base |= {"connections_median": 100.0, "connections_weighted_mean": 100.0}
    return pd.DataFrame(
        {**base, **columns, "learning_rate": rate, "seed": seed, "setting": str(rate)}
        for rate in (0.01, 0.03)
        for seed in SEEDS
    )


def digits(**columns):
    """Three weights of the penalty; the largest collapses and has no numbers."""
    base = {**methods(visualise_classifiers.METHODS), **CONNECTIONS}
    base |= {f"agreement {method}": 0.8 for method in visualise_classifiers.METHODS}
    base |= {"blend 1": 0.0, "blend deep": 0.99, "input_similarity_p": 0.01}
    base |= {"input_coherence": 0.1} | columns
    rows = []
    for alpha in (0.0, 0.1, 1.0):
        for seed in SEEDS:
            less = {"connections_median": 5.0, "connections_weighted_mean": 5.0} if alpha else {}
            numbers = {**base, **{k: v for k, v in less.items() if k not in columns}}
            if alpha == 1:
                numbers = dict.fromkeys(base, float("nan"))
            status = "collapsed" if alpha == 1 else "learned"
            rows.append({**numbers, "alpha": alpha, "seed": seed, "status": status})
    return pd.DataFrame(rows).assign(setting=lambda frame: frame["alpha"].map(str))


def evidence(zero=None, negative=None, of_digits=None):
    frames = {
        "bias 0": toy(0.0, **(zero or {})),
        "bias -1": toy(-1.0, **(negative or {})),
        "digits": digits(**(of_digits or {})),
    }
    return Evidence({name: Sweep(name, f["setting"].nunique(), f) for name, f in frames.items()})


def both(**columns):
    return {"zero": columns, "negative": columns}


BROKEN = {
    "more_facets_toy": both(**{"recall hidden 1": 0.5}),
    "more_facets_classifiers": {"of_digits": {"recall inputs 1": 0.55}},
    "no_invention_toy": both(**{"precision inputs 1": 0.8}),
    "no_invention_classifiers": {"of_digits": {"precision hidden 1": 0.8}},
    "no_blend": {"of_digits": {"blend deep": 0.9}},
    "no_similarity": both(facet_cosine=0.3),
    "one_facet": both(mono_one_facet=0.9),
    "more_connections": {"zero": {"connections_median": 9.0}},
    "fewer_when_penalised": {"of_digits": {"connections_median": 10.0}},
    "clusters_by_input": {"of_digits": {"input_similarity_p": 0.2}},
}
"""One number for each claim beyond its limit."""


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_agrees_within_its_limits_and_differs_beyond(name):
    assert judge(CLAIMS[name], evidence()).verdict == Verdict.AGREES
    if name == "fewer_when_penalised":  # equal is still within: at most 1
        broken = digits()
        broken.loc[broken["alpha"] == 0.1, "connections_median"] = 20.0
        sweeps = {**evidence().sweeps, "digits": Sweep("digits", 3, broken)}
        assert judge(CLAIMS[name], Evidence(sweeps)).verdict == Verdict.DIFFERS
    else:
        assert judge(CLAIMS[name], evidence(**BROKEN[name])).verdict == Verdict.DIFFERS


def test_only_the_term_at_the_objectives_own_size_is_judged():
    """Other weights, rivals and baselines are shown."""
    for name in ("more_facets_toy", "no_invention_classifiers"):
        judged = [f.measure for f in judge(CLAIMS[name], evidence()).findings if f.counts]
        assert {words.partition("weight ")[2][:2].strip(" m") for words in judged} == {"1"}
    weak = both(**{"recall hidden 0.3": 0.0, "recall examples": 0.0})
    assert judge(CLAIMS["more_facets_toy"], evidence(**weak)).verdict == Verdict.AGREES


def test_collapsed_classifiers_are_not_judged_and_counted_on_the_page():
    for name in ("more_facets_classifiers", "no_blend", "fewer_when_penalised"):
        assert not any("alpha 1" in f.setting for f in judge(CLAIMS[name], evidence()).findings)
    assert tables.collapsed(digits()).endswith("left out: 3 of 3 at alpha = 1")
    assert tables.collapsed(digits()[:3]).endswith("left out: none")


def test_connections_are_compared_at_equal_rate_and_seed():
    findings = judge(CLAIMS["more_connections"], evidence()).findings
    assert len(findings) == 4  # two rates, median and weighted mean
    assert {f.values for f in findings} == {(10.0,) * 3}


def test_every_number_that_claims_read_is_in_the_evidence():
    made = {"olah2017-small": toy(0.0), "olah2017-digits": digits()}
    for source in PAPER.sources("small"):
        assert set(made[source.name]) <= {*source.columns, "setting"}
        named = [name for name in source.quantities if " " not in name and name != "status"]
        assert set(named) <= set(QUANTITIES)


def test_the_page_has_numbers_or_says_that_there_are_none():
    assert PAPER.opening is not None
    found = evidence(**both(**{"recall hidden 1": 0.125, "active hidden 1": 0.25}))
    opening = PAPER.opening(found, judge_all(CLAIMS, found))
    assert "show 0.125 of 2 to 8 features (0.25 of the inputs excite the neuron)" in opening
    old = evidence(**both(**{f"active {method}": float("nan") for method in visualise.METHODS}))
    assert "excite the neuron)" not in PAPER.opening(old, judge_all(CLAIMS, old))
    toy_table, nets = tables.sections(old)[1], tables.sections(old)[3]
    assert "active" not in toy_table  # rows from before it was measured
    assert "active, alpha 0.1" in nets
    assert "alpha 1" not in nets
    assert "| bias 0, rate 0.01 | 3 | 10 | 100 |" in tables.sections(old)[6]
    text = "\n".join(tables.sections(old)) + opening
    assert "nan" not in text
    empty = Evidence({name: Sweep(name, 1, s.frame[:0]) for name, s in found.sweeps.items()})
    assert "no value" in PAPER.opening(empty, judge_all(CLAIMS, empty))
    assert tables.sections(empty)[1] == "No runs."
