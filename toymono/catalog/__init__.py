"""Named settings: the presets of the sweep command, and sweeps as data, the paper's and ours.

A `Sweep` holds one row of the paper's Table 1: the values of the paper, those
that it does not state and we chose, and the counterpart of the row at a small
scale. The small scale halves n, m and k, which keeps n/m, m/(n eps) and k/n,
and takes 2**13 steps of 256 samples instead of 2**17 of 2**23/k; rates and
decays grow so that a run gets as far.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from toymono import config as settings
from toymono import penalties

Preset = Callable[[Mapping[str, Any]], dict[str, Any]]
"""From the fields that the user gave to the preset's values of the others."""


def _smoke(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"n": 32, "m": 8, "k": 64, "eps": 1 / 8, "batch_size": 64, "log2_steps": 6}


def _laptop(given: Mapping[str, Any]) -> dict[str, Any]:
    return {}  # the defaults of Config and Hyperparams


def _paper(given: Mapping[str, Any]) -> dict[str, Any]:
    # Sizes of section 4 and appendix A; the batch shrinks as k grows, as in the
    # paper's program. Rate and decay are those of its batch K1.
    k = given.get("k", 1024)
    return {
        "k": k,
        "batch_size": 2 ** max(0, 23 - math.ceil(math.log2(k))) if k > 0 else 1,
        "log2_steps": 17,
        "learning_rate": 0.007,
        "bias_decay": 0.03,
    }


PRESETS: dict[str, Preset] = {"smoke": _smoke, "laptop": _laptop, "paper": _paper}

SCALES = ("paper", "small")

Grid = Mapping[str, tuple]


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One row of Table 1: settings that the paper trained together."""

    title: str
    """What it varies."""
    swept: str
    """The field that it varies."""
    paper: tuple[Grid, ...]
    """Grids at the paper's scale; fields not named are those of the `paper` preset."""
    small: Grid
    """What replaces values other than 0 at the small scale, beside the sizes."""
    ours: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fields whose values the paper does not state, and how they were chosen."""

    def points(self, scale: str, **changed: Any) -> Iterator[dict[str, Any]]:
        """Every setting of the sweep at a scale, as fields of `Config` and `Hyperparams`.

        Fields that are `changed` replace the sweep's own, and what follows from
        them follows: the paper's batch from k.
        """
        for grid in self.paper:
            axes = dict(grid)
            if scale == "small":
                axes |= {"n": (256,), "m": tuple(m // 2 for m in grid.get("m", (64,)))}
                axes["k"] = tuple(k // 2 for k in grid.get("k", (1024,)))
                axes |= {name: v for name, v in self.small.items() if any(grid.get(name, ()))}
            for point in settings.grid(axes):
                size = {"batch_size": 256, "log2_steps": 13} if scale == "small" else {}
                point |= changed
                yield {**_paper(point), **size, **point}


# Section 4 names these rates; where steps are 16 times fewer others do their work.
_RATES = (0.001, 0.003, 0.005, 0.007, 0.01, 0.03)
_SMALL_RATES = (0.003, 0.005, 0.01, 0.015, 0.02, 0.03)
_ZERO_BIAS = {"init_bias": (0.0,), "bias_decay": (0.0,)}
_NEGATIVE_BIAS = {"init_bias": (-1.0,), "bias_decay": (0.03,)}
_SMALL = {"learning_rate": (0.01,), "bias_decay": (0.1,)}

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
        # At the place among the small rates that 0.007 has among the paper's.
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
    # say that the regularised models start at bias 0 and only their rival at -1.
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

# Our choice, from short trials at the small scale: above 0 from where nothing changes
# to where the loss is near that of no output, below 0 to where it is above that. The
# small scale's rate leaves a few neurons monosemantic without a penalty, to be lost or won.
_ALPHAS = (-0.1, -0.01, -0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def _penalty_sweep(title: str, alphas: tuple[float, ...], steps: int, small_steps: int) -> Sweep:
    penalised = {"learning_rate": (0.01,), "log2_steps": (steps,), **_ZERO_BIAS}
    none = {"penalty": ("none",), "alpha": (0.0,), **penalised}
    return Sweep(
        title,
        "alpha",
        (
            {
                "penalty": [kind for kind in penalties.PENALTIES if kind != "none"],
                "alpha": alphas,
                **penalised,
            },
            none,
            {**none, **_NEGATIVE_BIAS},
        ),
        {"learning_rate": (0.015,), "bias_decay": (0.1,), "log2_steps": (small_steps,)},
        {"alpha": "Wright has 1 alone"},
    )


# Wright, branch `polysemantic_penalisation`, trained the penalty at one weight, in
# models of this size at one of six rates, and set beside them a benchmark that
# starts at bias -1.
BEYOND: dict[str, Sweep] = {
    "PEN": _penalty_sweep(
        "weight of each polysemantic penalty at bias 0, beside none at bias 0 and -1",
        _ALPHAS,
        18,
        12,
    ),
    # At the small scale models without a penalty become monosemantic between 2^12 and
    # 2^13 steps: what the penalty changes is when.
    "PEN2": _penalty_sweep("the same with twice the steps", (0.1, 1.0), 19, 13),
}
"""Sweeps that the paper does not have; `all` leaves them out."""


def points(names: Sequence[str], scale: str, **changed: Any) -> Iterator[dict[str, Any]]:
    """Every setting of the named sweeps, as `Sweep.points`; `all` names those of `SWEEPS`.

    Raises:
      ValueError: A name is neither in `SWEEPS` nor in `BEYOND`.
    """
    known = {**SWEEPS, **BEYOND}
    for name in SWEEPS if "all" in names else names:
        if name not in known:
            raise ValueError(f"sweep={name!r} is not one of {', '.join(known)}, all")
        yield from known[name].points(scale, **changed)
