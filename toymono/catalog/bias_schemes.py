"""Sweeps of schemes for biases, part of `catalog.basins`."""

from toymono.catalog.sweep import Sweep

PAPER = {"learning_rate": (0.003,), "bias_decay": (0.03,)}
SMALL = {"learning_rate": (0.01,), "bias_decay": (0.1,)}
OURS = dict.fromkeys(PAPER, "our choice: as in B3")
"""What these sweeps share: at the paper's scale, at a scale with few steps, and why."""

BIASES: dict[str, Sweep] = {
    "START": Sweep(
        "where biases start",
        "bias_start",
        (
            {"bias_start": ("shifted",), "init_bias": (-1.0,), **PAPER},
            {"bias_start": ("below_all", "below_each", "below_batch"), **PAPER},
        ),
        SMALL,
        OURS,
    ),
    "RULE": Sweep(
        "which biases decay",
        "decay_rule",
        (
            {"decay_rule": ("all", "silent", "moving"), "init_bias": (-1.0,), **PAPER},
            # Where no neuron fires, none moves, and a bias of -1 would never decay.
            {"decay_rule": ("moving",), "bias_start": ("below_each",), **PAPER},
        ),
        SMALL,
        OURS,
    ),
    "PULL": Sweep(
        "weight of a loss that pulls biases down, from a bias of 0",
        "pull_weight",
        ({"bias_pull": ("on",), "pull_weight": (0.01, 0.1, 1.0, 10.0), **PAPER},),
        SMALL,
        {**OURS, "pull_weight": "our choice"},
    ),
}
"""By name, as in `catalog.SWEEPS`."""
