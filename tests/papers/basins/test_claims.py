"""Claims about basins: judged on made-up numbers, and the page from evidence alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from basin_runs import (
    AGREEING,
    CURVES,
    MONO,
    PLAIN,
    POLY,
    PULLED,
    basin_runs,
    connected,
    curve_runs,
    decayed,
    equal_runs,
    erk_runs,
    expanded_runs,
    exponent_runs,
    forked,
    hop_runs,
    paper_runs,
    pulled,
    rewound_runs,
    seeds,
    skip_runs,
    sparse_runs,
    started,
    ticket_runs,
)

from toymono import Hyperparams, catalog, store
from toymono.alignment import permute
from toymono.frames import connectivity
from toymono.papers.basins import measures, paper, regimes, tickets
from toymono.papers.basins.claims import CLAIMS
from toymono.papers.basins.paper import PAPER
from toymono.papers.claims import judge
from toymono.papers.evidence import Evidence, Sweep
from toymono.papers.verdicts import Verdict
from toymono.quantities import QUANTITIES

BROKEN = {
    "mono_connected": ({"kind_barrier": 0.04}, {}),
    "poly_apart": ({}, {"kind_barrier": 0.03}),
    "kinds_apart": ({"mixed_ratio": 2.0}, {}),
    "ordering": ({}, {"mixed_barrier": 0.05}),
}
"""For each claim what changes in mono- and in polysemantic models, so that it differs."""


def evidence(**changed):
    frames = {name: changed.get(name, make()) for name, make in AGREEING.items()}
    sweeps = {}
    for name, rows in frames.items():
        settings = rows.drop_duplicates("setting").set_index("setting")
        sweeps[name] = Sweep(name, len(settings), rows, settings=settings)
    return Evidence(sweeps)


OTHERS = {
    "same_kind_joined": {"CURVE": curve_runs(same=0.05)},
    "kinds_apart_on_curves": {"CURVE": curve_runs(mixed=0.01)},
    "equal_kinds_apart": {"EQUAL": equal_runs(excess=0.01)},
    "equal_kinds_apart_on_curves": {"EQUAL": equal_runs(curve=0.01)},
    "long_poly_apart": {"EQUAL": equal_runs(poly=0.04)},
    "mixed_regimes": {"K2": paper_runs(served=0.0)},
    "count_converges": {"LR1": paper_runs(rise=0.1)},
    "hop": {"HOP": hop_runs(ratio=100.0)},
    "fine_tuned": {"CONNECT": connected(mono=0.1)},
    "fixed_early": {"FORK": forked(barrier=0.05)},
    "starts": {"START": started(low_step=3900.0)},
    "rules": {"RULE": decayed(loss=0.5)},
    "pulled_down": {"PULL": pulled(loss=0.55)},
    "sparse_costs": {"SPARSE": sparse_runs(fixed=0.505, regrown=0.4)},
    "erk_costs": {"ERK": erk_runs(loss=0.4)},
    "regrown": {"SPARSE": sparse_runs(regrown=0.8)},
    "tickets_mono": {"TICKET": ticket_runs(mono=0.5)},
    "tickets_match": {"TICKET": ticket_runs(loss=0.55)},
    "late_tickets_match": {"REWIND": rewound_runs(loss=0.55)},
    "expanded_loss": {"EXPAND": expanded_runs(loss=0.5)},
    "expanded_mono": {"EXPAND": expanded_runs(gain=0.01)},
    "tickets_beat_controls": {"TICKET": ticket_runs(control=0.5)},
    "skip_takes_over": {"SKIP": skip_runs(positive=20)},
    "skip_rest_mono": {"SKIP": skip_runs(mono=0.9)},
    "frequent_served": {"EXPONENT": exponent_runs(served_rank=8.0)},
    "rarest_ignored": {"EXPONENT": exponent_runs(ignored_rank=5.0)},
    "steeper_ignores": {"EXPONENT": exponent_runs(steeper=-0.01)},
}
"""For each of the other claims the sweep whose runs contradict it."""


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_agrees_within_its_limits_and_differs_beyond(name):
    assert judge(CLAIMS[name], evidence()).verdict == Verdict.AGREES
    if name in BROKEN:
        mono, poly = BROKEN[name]
        changed = evidence(BASIN=basin_runs({**MONO, **mono}, {**POLY, **poly}))
    else:
        changed = evidence(**OTHERS[name])
    assert judge(CLAIMS[name], changed).verdict == Verdict.DIFFERS


def test_a_threshold_lies_between_the_last_pull_without_and_the_first_with_a_hop():
    """At 1 and 2 barriers: the geometric mean, in both directions."""
    found = [f for f in measures.hop(hop_runs(ratio=2.0)) if "threshold" in f.measure]
    assert [f.values for f in found] == [pytest.approx((2**0.5,) * 3)] * 2


def test_models_that_never_hop_have_no_threshold():
    runs = hop_runs().assign(hopped=0.0)
    found = measures.hop(runs)
    assert [f.values for f in found if "went over" in f.measure] == [(0.0,) * 3] * 2


def test_models_with_more_weights_in_use_are_shown_and_not_judged():
    findings = judge(CLAIMS["sparse_costs"], evidence()).findings
    even, alone = sorted(findings, key=lambda found: not found.counts)
    assert even.setting == "density 0.5, k = 8"
    assert even.values == pytest.approx((0.8 / 0.6, 0.88 / 0.6, 0.96 / 0.6))  # dense: at most .6
    assert alone.setting == "density 0.5, input weights alone, k = 8"
    assert not alone.counts


def test_runs_are_compared_with_those_of_their_seed():
    """A ticket with the dense run that it starts from: of seed 3, that is seed 0."""
    dense = ticket_runs().query("sparsity == 'none'")
    runs = seeds({"density": 0.5, "ticket_control": "none", "mono_per_feature": 0.8}, count=5)
    losses = dense["loss"].tolist()
    runs["loss"] = [losses[seed % 3] * (1 + seed) for seed in range(5)]
    both = pd.concat([dense, runs.assign(sparsity="pruned")])
    [loss], [mono] = tickets.match(both), tickets.stay_mono(both)
    assert loss.values == pytest.approx((1, 2, 3, 4, 5))
    assert mono.values == pytest.approx((1,) * 5)
    for name in ("regrown", "tickets_beat_controls"):
        for finding in judge(CLAIMS[name], evidence()).findings:
            assert len(set(np.round(finding.values, 9))) == 1, finding


def test_only_models_of_equal_loss_are_compared():
    """The pair whose losses differ by a fifth has no barrier, and would break the claim."""
    found = measures.equal_kinds_apart(equal_runs())
    assert [(len(f.values), f.counts) for f in found] == [(3, False)] * 2 + [(3, True)] * 2
    far = equal_runs()[lambda runs: runs["target_loss"] > runs["start_loss"] + 0.05]
    assert measures.equal_kinds_apart(far) == []


def test_tickets_are_judged_by_the_step_rewound_to():
    found = tickets.late_match(rewound_runs(loss=0.55))
    assert [(f.setting, f.values) for f in found] == [
        ("rewound to step 512, density 0.5", pytest.approx((1.0,) * 3)),
        ("rewound to step 2048, density 0.5", pytest.approx((1.1,) * 3)),
    ]


def test_regimes_are_compared_where_both_have_features():
    """With one feature in a thousand, a mean rank is chance."""
    runs = exponent_runs()
    assert len(regimes.frequent_served(runs)) == 6  # by exponent and k
    [ratio] = {found.values for found in regimes.frequent_served(runs)}
    assert ratio == pytest.approx((3.0,) * 3)
    few = runs.assign(served_share=0.001)
    assert regimes.frequent_served(few) == []
    assert len(regimes.rarest_ignored(few)) == 6
    assert regimes.rarest_ignored(runs.assign(n=4)) == []  # as many neurons as features


def test_models_in_between_are_of_no_kind():
    [first, *_] = judge(CLAIMS["mono_connected"], evidence()).findings
    assert (first.setting, first.values) == ("world 0, monosemantic models", (0.02,) * 3)


def test_the_ordering_has_one_value_for_each_world():
    judged = judge(CLAIMS["ordering"], evidence())
    assert {found.setting for found in judged.findings} == {
        "each world, polysemantic models from a bias of 0"
    }
    for finding, step in zip(judged.findings, (0.08, 0.1), strict=True):
        assert finding.values == pytest.approx((step,) * 3)


def test_every_number_that_claims_read_is_in_the_evidence():
    sources = PAPER.sources("small")
    assert set(MONO) <= set(sources[0].quantities)
    assert {*CURVES, *PULLED, "end_barrier", "task_loss"} <= set(sources[3].quantities)
    assert set(PLAIN) <= {*sources[4].columns}
    of = (skip_runs, ticket_runs, equal_runs, expanded_runs, exponent_runs, sparse_runs)
    for source, runs in enumerate(of, 5):
        assert set(runs()) <= {*sources[source].columns, "setting"}
    for source in sources:
        assert set(source.quantities) <= set(QUANTITIES)


def test_a_stored_run_is_measured_beside_the_others_of_its_world(
    untrained, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(store, "positions", lambda sweep, scale: {run.setting: 0 for run in kept})
    order_k = jnp.arange(config.k)[::-1]
    first = untrained(config, Hyperparams(eps=0.25))
    second = first.replace(
        snapshots=jax.vmap(permute, (0, None))(first.snapshots, order_k), key=jax.random.key(1)
    )
    for run in (first, second):
        store.save(tmp_path, run)
    kept = store.find(tmp_path)
    found = [paper._measure("BASIN", run) for run in kept]
    assert [row["run"] for row in found] == [run.name for run in kept]
    for row in found:
        if row["mono_per_feature"] <= connectivity.POLY:
            assert row["kind_barrier"] == 0
        assert np.isnan(row["mixed_barrier"])


def test_a_part_of_a_world_replaces_no_numbers_of_the_whole(
    untrained, config, tmp_path, monkeypatch
):
    points = [{"world_seed": world, "init_bias": b} for world in (0, 1) for b in (-1.0, 0.0)]
    monkeypatch.setattr(catalog, "points", lambda names, scale: points)
    for point in points[:-1]:
        one = dataclasses.replace(config, world_seed=point["world_seed"])
        store.save(tmp_path, untrained(one, Hyperparams(init_bias=point["init_bias"], eps=0.25)))
    names = {run.setting: 0 for run in store.find(tmp_path)}
    monkeypatch.setattr(store, "positions", lambda sweep, scale: names)
    assert [run.fields["world_seed"] for run in paper._find_worlds("BASIN", tmp_path)] == [0, 0]
