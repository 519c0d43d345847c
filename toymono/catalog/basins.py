"""Sweeps for what readers asked under the paper: whether models lie in different basins.

Models can be compared weight by weight only if they share a world, so these
sweeps vary the seed beside a fixed `world_seed`.
"""

from toymono.catalog.sweep import Sweep

_CHOICE = "our choice: as in B3"

BASINS: dict[str, Sweep] = {
    "BASIN": Sweep(
        "initial bias in three shared worlds",
        "init_bias",
        (
            {
                "world_seed": (0, 1, 2),
                "init_bias": (-1.0, -0.1, 0.0),
                "learning_rate": (0.003,),
                "bias_decay": (0.03,),
            },
        ),
        {"learning_rate": (0.01,), "bias_decay": (0.1,)},
        {"learning_rate": _CHOICE, "bias_decay": _CHOICE},
    ),
}
"""By name, as in `catalog.SWEEPS`."""
