"""Sweep of power laws by their exponent, for the question which features a model ignores."""

from toymono.catalog.sweep import Sweep

FREQUENCIES: dict[str, Sweep] = {
    "EXPONENT": Sweep(
        "exponent of a power law, by neurons, at bias -1",
        "exponent",
        (
            {
                "feature_law": ("power_law",),
                "exponent": (0.5, 1.0, 1.5, 2.0),
                "k": (64, 128, 256, 512, 1024),
                "learning_rate": (0.007,),
                "init_bias": (-1.0,),
                "bias_decay": (0.03,),
            },
        ),
        # As in K2, whose exponent is 1.
        {"learning_rate": (0.015,), "bias_decay": (0.1,)},
        {
            "exponent": "asked for without values; 1 is the paper's",
            "k": "every other of K2's",
            "log2_steps": "as in K2",
        },
    ),
}
"""By name, as in `catalog.SWEEPS`."""
