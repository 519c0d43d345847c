"""Sweeps for what readers asked under the paper: basins, bias schemes, another architecture.

Models can be compared weight by weight only if they share a world, so `BASIN`
varies the seed beside a fixed `world_seed`.
"""

from toymono.catalog.sweep import Sweep

_PAPER = {"learning_rate": (0.003,), "bias_decay": (0.03,)}
_SMALL = {"learning_rate": (0.01,), "bias_decay": (0.1,)}
_OURS = dict.fromkeys(_PAPER, "our choice: as in B3")

BASINS: dict[str, Sweep] = {
    "BASIN": Sweep(
        "initial bias in three shared worlds",
        "init_bias",
        (
            {
                "world_seed": (0, 1, 2),
                "init_bias": (-1.0, -0.1, 0.0),
                **_PAPER,
            },
        ),
        _SMALL,
        _OURS,
    ),
    "START": Sweep(
        "where biases start",
        "bias_start",
        (
            {"bias_start": ("shifted",), "init_bias": (-1.0,), **_PAPER},
            {"bias_start": ("below_all", "below_each", "below_batch"), **_PAPER},
        ),
        _SMALL,
        _OURS,
    ),
    "RULE": Sweep(
        "which biases decay",
        "decay_rule",
        ({"decay_rule": ("all", "silent", "moving"), "init_bias": (-1.0,), **_PAPER},),
        _SMALL,
        _OURS,
    ),
    "PULL": Sweep(
        "weight of a loss that pulls biases down, from a bias of 0",
        "pull_weight",
        ({"bias_pull": ("on",), "pull_weight": (0.01, 0.1, 1.0, 10.0), **_PAPER},),
        _SMALL,
        {**_OURS, "pull_weight": "our choice"},
    ),
    # m/4, m/2 and m, beside no path.
    "SKIP": Sweep(
        "rank of a linear path beside the hidden layer",
        "skip_rank",
        (
            {"model": ("two_layer",), "init_bias": (-1.0, 0.0), **_PAPER},
            {
                "model": ("skip",),
                "skip_rank": (16, 32, 64),
                "init_bias": (-1.0, 0.0),
                **_PAPER,
            },
        ),
        _SMALL,
        {**_OURS, "skip_rank": "our choice"},
    ),
}
"""By name, as in `catalog.SWEEPS`."""
