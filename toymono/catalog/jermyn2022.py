"""The rows of Table 1 of Jermyn, Schiefer & Hubinger (2022), as data.

A `Sweep` holds one row: the values of the paper, those that it does not state
and we chose, and what replaces learning rates and decays at the scales with
fewer steps, `paper14` and `small`: larger ones, to compensate. The scales `half`
and `small` halve n, m and k, which keeps n/m, m/(n eps) and k/n.
"""

from toymono.catalog.sweep import Sweep

# Section 4 names these rates; with 16 times fewer steps larger rates take their place.
_RATES = (0.001, 0.003, 0.005, 0.007, 0.01, 0.03)
_SMALL_RATES = (0.003, 0.005, 0.01, 0.015, 0.02, 0.03)
_ZERO_BIAS = {"init_bias": (0.0,), "bias_decay": (0.0,)}
_NEGATIVE_BIAS = {"init_bias": (-1.0,), "bias_decay": (0.03,)}

_RATES_ZERO = {"learning_rate": _RATES, **_ZERO_BIAS}
_RATES_NEGATIVE = {"learning_rate": _RATES, **_NEGATIVE_BIAS}
_SMALL_RATES_ZERO = {"learning_rate": _SMALL_RATES}
_SMALL_RATES_NEGATIVE = {"learning_rate": _SMALL_RATES, "bias_decay": (0.1,)}

_K = (16, 32, 64, 128, 256, 384, 512, 1024, 2048)
_BIASES = (-2.0, -1.0, -0.5, -0.35, -0.25, -0.18, -0.125, -0.06, 0.0, 1.0)

_STEPS = {"log2_steps": "not stated; 17, as the file names of LR1-LR4 say"}
_BIAS_GRID = {
    "init_bias": "axis from -2 to 1 in figure 8, many in -0.4 … 0 in figure 9; the rest ours"
}


def _bias_sweep(eps: float, decay: float, small_decay: float) -> Sweep:
    return Sweep(
        title=f"initial bias at eps = 1/{round(1 / eps)}",
        swept="init_bias",
        paper=(
            {
                "eps": (eps,),
                "learning_rate": (0.003,),
                "bias_decay": (decay,),
                "init_bias": _BIASES,
            },
        ),
        small={"learning_rate": (0.01,), "bias_decay": (small_decay,)},
        ours=_STEPS | _BIAS_GRID,
    )


def _eps_sweep(decay: float, small_decay: float) -> Sweep:
    return Sweep(
        title=f"sparsity at bias decay {decay:g}",
        swept="eps",
        paper=(
            {
                "eps": tuple(2.0**-e for e in (9, 8, 7, 6, 5, 4, 3.5, 3, 2.5, 2)),
                "learning_rate": (0.003,),
                "bias_decay": (decay,),
                "init_bias": (-1.0,),
            },
        ),
        small={"learning_rate": (0.01,), "bias_decay": (small_decay,)},
        ours=_STEPS | {"eps": "half octaves printed for E1, the span for E3; the rest ours"},
    )


def _k_sweep(title: str, **fields: tuple) -> Sweep:
    return Sweep(
        title=title,
        swept="k",
        paper=({"k": _K, "learning_rate": (0.007,), **fields},),
        # The small rate that corresponds to 0.007.
        small={"learning_rate": (0.015,), "bias_decay": (0.1,)},
        ours=_STEPS,
    )


SWEEPS: dict[str, Sweep] = {
    "LR1": Sweep("learning rate at bias 0", "learning_rate", (_RATES_ZERO,), _SMALL_RATES_ZERO),
    "LR2": Sweep(
        "learning rate at bias 0, power law",
        "learning_rate",
        ({"feature_law": ("power_law",), **_RATES_ZERO},),
        _SMALL_RATES_ZERO,
    ),
    "LR3": Sweep(
        "learning rate at bias -1", "learning_rate", (_RATES_NEGATIVE,), _SMALL_RATES_NEGATIVE
    ),
    "LR4": Sweep(
        "learning rate at bias -1, power law",
        "learning_rate",
        ({"feature_law": ("power_law",), **_RATES_NEGATIVE},),
        _SMALL_RATES_NEGATIVE,
    ),
    # Table 1 gives B1 ten times the decay of B2-B5.
    "B1": _bias_sweep(1 / 16, 0.03, 0.1),
    "B2": _bias_sweep(1 / 32, 0.003, 0.03),
    "B3": _bias_sweep(1 / 64, 0.003, 0.03),
    "B4": _bias_sweep(1 / 128, 0.003, 0.03),
    "B5": _bias_sweep(1 / 256, 0.003, 0.03),
    # Table 1 calls this row B3 a second time.
    "GELU": Sweep(
        "initial bias of gelu neurons, by rate",
        "init_bias",
        (
            {
                "nonlinearity": ("gelu",),
                "learning_rate": (0.001, 0.003, 0.01),
                "bias_decay": (0.03,),
                "init_bias": (-3.0, -2.0, -1.5, -1.0, -0.75, -0.5, 0.0, 1.0, 3.0),
            },
        ),
        {"learning_rate": (0.005, 0.01, 0.02), "bias_decay": (0.1,)},
        _STEPS
        | {
            "learning_rate": "three rates in 0.001 … 0.01, by figure 13's colour bar",
            "init_bias": "axis from -3 to 3 in figure 13; the values ours",
        },
    ),
    "E1": _eps_sweep(0.03, 0.15),
    "E2": _eps_sweep(0.01, 0.05),
    "E3": _eps_sweep(0.003, 0.015),
    "E4": _eps_sweep(0.001, 0.005),
    "K0": _k_sweep("neurons at bias 0", **_ZERO_BIAS),
    "K1": _k_sweep("neurons at bias -1", **_NEGATIVE_BIAS),
    "K2": _k_sweep("neurons at bias -1, power law", feature_law=("power_law",), **_NEGATIVE_BIAS),
    # Table 1 says bias -1 and decay 0.03 for the row; section 4.1.3 and figure 14
    # say that the regularised models start at bias 0 and only the baseline without L1 at -1.
    "RG1": Sweep(
        "L1 regularisation at bias 0, beside none at bias -1",
        "l1",
        (
            {
                "learning_rate": (0.005,),
                "l1": tuple(10.0**e for e in range(-6, 1)),
                **_ZERO_BIAS,
            },
            {"learning_rate": (0.005,), "l1": (0.0,), **_NEGATIVE_BIAS},
        ),
        {"learning_rate": (0.01,), "bias_decay": (0.1,)},
        _STEPS | {"k": "blank in Table 1; 1024", "bias_decay": "0 where the bias starts at 0"},
    ),
    "RP1": Sweep(
        "learning rate of the re-projector",
        "learning_rate",
        ({"task": ("reproject",), **_RATES_NEGATIVE, "learning_rate": _RATES[:-1]},),
        {"learning_rate": _SMALL_RATES[:-1], "bias_decay": (0.1,)},
        _STEPS | {"k": "blank in Table 1; 1024"},
    ),
    "LR5": Sweep(
        "learning rate of the absolute value",
        "learning_rate",
        (
            {
                "task": ("abs",),
                "k": (2048,),
                **_RATES_NEGATIVE,
                "learning_rate": (0.002, 0.003, 0.005, 0.01, 0.02, 0.035),
            },
        ),
        {"learning_rate": (0.003, 0.005, 0.007, 0.01, 0.015, 0.02), "bias_decay": (0.1,)},
        _STEPS | {"learning_rate": "ends read off figure 22's colour bar; the rest ours"},
    ),
    "D1": Sweep(
        "bias decay of the absolute value",
        "bias_decay",
        (
            {
                "task": ("abs",),
                "k": (2048,),
                "learning_rate": (0.007,),
                "bias_decay": (0.0007, 0.002, 0.005, 0.015, 0.04),
                "init_bias": (-1.0,),
            },
        ),
        {"learning_rate": (0.01,), "bias_decay": (0.06, 0.1, 0.2, 0.4, 1.0)},
        _STEPS | {"bias_decay": "ends read off figure 23's colour bar; the rest ours"},
    ),
    # Section 4's other embedding dimensions, which Table 1 leaves out.
    "M": Sweep(
        "embedding dimension at bias -1",
        "m",
        ({"m": (32, 64, 128), "learning_rate": (0.005,), **_NEGATIVE_BIAS},),
        {"learning_rate": (0.01,), "bias_decay": (0.1,)},
        _STEPS | {"learning_rate": "not stated; one of LR3's"},
    ),
}
"""Table 1 by the names of its rows."""
