"""Sweeps for what readers asked under the paper: basins of the loss, bias schemes, sparse weights.

Models can be compared weight by weight only if they share a world, so `BASIN`
varies the seed beside a fixed `world_seed`. In `SPARSE` wide models with sparse
weights have as many weights in use as the dense one of half the features' number of
neurons, except where input or output weights alone are sparse.
"""

from toymono.catalog.sweep import Sweep

_PAPER = {"learning_rate": (0.003,), "bias_decay": (0.03,)}
_SMALL = {"learning_rate": (0.01,), "bias_decay": (0.1,)}
_OURS = dict.fromkeys(_PAPER, "our choice: as in B3")
_DENSE = {"init_bias": (-1.0,), **_PAPER}

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
    "SPARSE": Sweep(
        "sparse weights at equal numbers of weights in use",
        "sparsity",
        (
            {"k": (512,), **_DENSE},
            *(
                {
                    "k": (int(512 / density),),
                    "density": (density,),
                    "sparsity": ("erdos_renyi", "set", "rigl"),
                    **_DENSE,
                }
                for density in (0.5, 0.25, 0.125)
            ),
            {
                "k": (1024,),
                "density": (0.5,),
                "sparsity": ("erdos_renyi",),
                "density_rule": ("input", "output"),
                **_DENSE,
            },
        ),
        _SMALL,
        {**_OURS, "density": "our choice", "k": "our choice"},
    ),
}
"""By name, as in `catalog.SWEEPS`."""
