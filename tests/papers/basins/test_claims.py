"""Claims about basins: judged on made-up numbers, and the page from evidence alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

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

MONO = {
    "mono_per_feature": 0.8,
    "kind_barrier": 0.02,
    "kind_reduction": 0.95,
    "mixed_barrier": 0.2,
    "mixed_excess": 0.1,
    "mixed_ratio": 10.0,
}
POLY = {**MONO, "mono_per_feature": 0.0, "kind_barrier": 0.1, "mixed_ratio": 2.0}
BETWEEN = dict.fromkeys(MONO, np.nan) | {"mono_per_feature": 0.3}

CURVES = {"start_mono": 0.8, "target_mono": 0.8, "curve_barrier": 0.0, "curve_excess": 0.0}
PULLED = {"hop_share": 0.3, "hopped": 0.0, "pull_ratio": 0.0}

BROKEN = {
    "mono_connected": ({"kind_barrier": 0.04}, {}),
    "poly_apart": ({}, {"kind_barrier": 0.03}),
    "kinds_apart": ({"mixed_ratio": 2.0}, {}),
    "ordering": ({}, {"mixed_barrier": 0.05}),
}
"""For each claim what changes in mono- and in polysemantic models, so that it differs."""


def basin_runs(mono=MONO, poly=POLY):
    rows = [
        {
            **numbers,
            "setting": f"{world} {bias}",
            "world_seed": world,
            "init_bias": bias,
            "seed": seed,
            "task_loss": 0.5,
        }
        for world in range(3)
        for bias, numbers in ((-1.0, mono), (-0.1, BETWEEN), (0.0, poly))
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def seeds(*settings, count=3):
    """Several seeds of each setting. Later seeds have higher losses, so that a run beside one of
    another seed gives another ratio.
    """
    rows = [
        {"world_seed": 0, "setting": str(i), "seed": seed}
        | {name: v * (1 + seed / 10) if name in LOSSES else v for name, v in setting.items()}
        for i, setting in enumerate(settings)
        for seed in range(count)
    ]
    return pd.DataFrame(rows)


LOSSES = ("loss", "task_loss", "low_step", "start_loss", "target_loss")


def curve_runs(same=0.0, mixed=0.1):
    poly = {"start_mono": 0.0, "target_mono": 0.0}
    both = {"target_mono": 0.0, "curve_excess": mixed}
    return seeds(*({**CURVES, "curve_barrier": same, **ends} for ends in ({}, poly, both)))


def equal_runs(barrier=0.1, excess=0.05, curve=0.03, poly=0.1):
    """Curves between a monosemantic model and a long-trained polysemantic one, and between two of
    these, with a curve whose ends differ too much in loss.
    """
    mixed = {"start_mono": 0.8, "target_mono": 0.0, "start_loss": 0.5, "target_loss": 0.5}
    mixed |= {"log2_steps": 13}
    mixed |= {"line_barrier": barrier, "line_excess": excess, "curve_excess": curve}
    apart = {**mixed, "target_loss": 0.6, "line_barrier": 0.0, "line_excess": 0.0}
    two = {**mixed, "start_mono": 0.0, "line_barrier": poly}
    short = {**mixed, "log2_steps": 11, "curve_excess": 0.0}
    rows = seeds(*({**ends, "origin": "curve"} for ends in (mixed, apart, two, short)))
    return pd.concat([rows, seeds({"origin": "fresh"}).assign(setting="fresh")])


def hop_runs(ratio=2.0, control=0.05):
    """Models that go over at a pull of `ratio` barriers and above, not at half of it."""
    pulls = (
        (0.0, 0.0, control),
        (1e-3, ratio / 2, control),
        (2e-3, ratio, 0.9),
        (1e-2, 5 * ratio, 1.0),
    )
    return seeds(
        *(
            {**PULLED, "init_bias": bias, "match_parents": "weights", "attraction": weight}
            | {"pull_ratio": size, "hop_share": share, "hopped": float(share > 0.5)}
            for bias in (0.0, -1.0)
            for weight, size, share in pulls
        )
    )


def connected(mono=0.6, loss=0.5):
    numbers = {"init_bias": 0.0, "mono_per_feature": mono, "task_loss": loss, "end_barrier": 0.2}
    return seeds(
        *(
            {**numbers, "line_loss": goal, "match_parents": matched}
            for goal in (1.333, 0.83)
            for matched in ("weights", "none")
        )
    )


def forked(barrier=0.0):
    return seeds(
        *(
            {"fork_step": step, "init_bias": bias, "end_barrier": value}
            for step, value in ((0.0, 0.2), (2048.0, barrier))
            for bias in (-1.0, 0.0)
        )
    )


PLAIN = {"firing_step": 700.0, "low_step": 4000.0, "mono_per_feature": 0.8, "loss": 0.5}
PLAIN |= {"positive_bias": 33.0, "m": 32}


def started(low_step=3000.0, **changed):
    at_once = {**PLAIN, "firing_step": 100.0, "low_step": low_step, **changed}
    return seeds({**PLAIN, "bias_start": "shifted"}, {**at_once, "bias_start": "below_each"})


def decayed(loss=0.4, mono=0.9):
    plain = {**PLAIN, "bias_start": "shifted", "decay_rule": "all"}
    return seeds(plain, {**plain, "loss": loss, "mono_per_feature": mono, "decay_rule": "silent"})


def pulled(mono=0.8, loss=0.5):
    weak, strong = (
        {"pull_weight": weight, **PLAIN, "mono_per_feature": count, "loss": loss}
        for weight, count in ((0.01, 0.0), (1.0, mono))
    )
    return seeds({**weak, "loss": 0.6}, strong)


def sparse_runs(fixed=0.8, regrown=0.5):
    """One density beside dense weights, and sparse input weights alone."""
    loss = {"none": 0.5, "erdos_renyi": fixed, "set": regrown, "rigl": regrown}
    return seeds(
        *(
            {"sparsity": rule, "density": 0.5, "density_rule": "uniform", "k": 8, "loss": value}
            for rule, value in loss.items()
        ),
        {"sparsity": "erdos_renyi", "density": 0.5, "density_rule": "input", "k": 8, "loss": 0.1},
    )


def erk_runs(loss=0.8):
    numbers = {"sparsity": "erdos_renyi", "density": 0.5, "density_rule": "erk", "k": 8}
    return seeds({**numbers, "loss": loss})


def skip_runs(positive=1, mono=0.97, loss=0.5):
    path = {"path_rank": 32, "positive_bias": positive, "mono_per_live": mono, "loss": loss}
    without = {"path_rank": 0, "positive_bias": 33, "mono_per_live": 0.8, "loss": 0.5}
    same = {"m": 32, "skip_effective_rank": 30.0}
    return seeds(*({**same, "init_bias": b, **row} for b in (-1.0, 0.0) for row in (path, without)))


def ticket_runs(mono=0.8, control=0.6, loss=0.5):
    """Tickets as good as the dense runs, and worse controls."""
    plain = {"density": 0.5, "ticket_control": "none", "loss": loss, "mono_per_feature": mono}
    controls = ("random_masks", "new_weights", "matched")
    runs = seeds(plain, *({**plain, "ticket_control": c, "loss": control} for c in controls))
    dense = {**plain, "loss": 0.5, "mono_per_feature": 0.8}
    dense_runs = seeds(dense).assign(sparsity="none", setting="dense")
    return pd.concat([dense_runs, runs.assign(sparsity="pruned")])


def rewound_runs(loss=0.5):
    """Tickets of two steps; those of the earlier one are as good as the dense runs."""
    early, late = ticket_runs(), ticket_runs(loss=loss)
    late = late[late["sparsity"] == "pruned"].assign(rewind_step=2048, setting="late")
    return pd.concat([early.assign(rewind_step=512), late])


def expanded_runs(loss=0.4, gain=0.1):
    """Divided models beside those trained on, which start at -1 or 0."""
    plain = {"origin": "continued", "k": 8, "density": 0.25, "loss": 0.5, "mono_per_feature": 0.2}
    parts = {**plain, "origin": "expand", "k": 16, "density": 0.5, "loss": loss}
    parts["mono_per_feature"] = 0.2 + gain
    return seeds(*({**row, "init_bias": b} for b in (-1.0, 0.0) for row in (plain, parts)))


def exponent_runs(served_rank=2.0, ignored_rank=12.0, steeper=0.2):
    """Frequent features monosemantic, rare ones ignored, the more the steeper the law."""
    numbers = {"n": 16, "served_share": 0.2, "poly_share": 0.2}
    numbers |= {"served_rank": served_rank, "poly_rank": 6.0, "ignored_rank": ignored_rank}
    return seeds(
        *(
            {**numbers, "k": k, "exponent": e, "ignored_share": 0.1 + steeper * e}
            for k in (4, 8)
            for e in (0.5, 1.0, 2.0)
        )
    )


def paper_runs(rise=0.0, served=0.1):
    """Runs of the paper: some features monosemantic, some shared; their number has settled."""
    numbers = {"n": 32, "k": 8, "learning_rate": 0.01, "mono_per_feature": 0.8, "settled": True}
    return seeds({**numbers, "mono_rise": rise, "served_share": served, "poly_share": 0.5})


AGREEING = {
    "BASIN": basin_runs, "ANNEAL": basin_runs, "NOISE": basin_runs,
    "CURVE": curve_runs, "HOP": hop_runs, "CONNECT": connected,
    "ONWARD": lambda: seeds({"init_bias": 0.0, "mono_per_feature": 0.0, "task_loss": 0.6}),
    "FORK": forked, "START": started, "RULE": decayed, "PULL": pulled,
    "SPARSE": sparse_runs, "SKIP": skip_runs, "TICKET": ticket_runs, "EQUAL": equal_runs,
    "REWIND": rewound_runs, "EXPAND": expanded_runs,
    "EXPONENT": exponent_runs, "ERK": erk_runs,
    "K2": paper_runs, "LR1": paper_runs, "LR3": paper_runs,
}  # fmt: skip
"""Runs of every sweep with which all claims agree."""


def evidence(**changed):
    frames = {name: changed.get(name, make()) for name, make in AGREEING.items()}
    return Evidence(
        {name: Sweep(name, rows["setting"].nunique(), rows) for name, rows in frames.items()}
    )


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
