"""Made-up runs of the sweeps about basins, with which all claims agree by default."""

import numpy as np
import pandas as pd

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
