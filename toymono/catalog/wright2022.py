"""Sweeps of the polysemantic penalty: on toy models, and on classifiers.

Wright, polysemantic-neurons (2022). The paper of the toy models does not have
these; `--sweep all` leaves them out.
"""

from typing import Any

from toymono.catalog.sweep import Sweep

PENALTIES = ("soft", "hard", "soft_random_amplitude", "multi_feature")

_ZERO_BIAS = {"init_bias": (0.0,), "bias_decay": (0.0,)}
_NEGATIVE_BIAS = {"init_bias": (-1.0,), "bias_decay": (0.03,)}

# Our choice, from short trials at the small scale: positive weights from no visible
# effect to a loss near that of predicting zero, negative ones to a loss above that. At
# this learning rate a few neurons are monosemantic without a penalty, so both signs can
# have an effect.
_ALPHAS = (-0.1, -0.01, -0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)


def _penalty_sweep(title: str, alphas: tuple[float, ...], steps: int, small_steps: int) -> Sweep:
    penalised = {"learning_rate": (0.01,), "log2_steps": (steps,), **_ZERO_BIAS}
    none = {"penalty": ("none",), "alpha": (0.0,), **penalised}
    return Sweep(
        title,
        "alpha",
        (
            {"penalty": PENALTIES, "alpha": alphas, **penalised},
            none,
            {**none, **_NEGATIVE_BIAS},
        ),
        {"learning_rate": (0.015,), "bias_decay": (0.1,), "log2_steps": (small_steps,)},
        {"alpha": "Wright has 1 alone"},
    )


# Wright, branch `polysemantic_penalisation`, trained the penalty at one weight, in
# models of this size at one of six rates, and set beside them a benchmark that
# starts at bias -1.
PENALISED: dict[str, Sweep] = {
    "PEN": _penalty_sweep(
        "weight of each polysemantic penalty at bias 0, beside none at bias 0 and -1",
        _ALPHAS,
        18,
        12,
    ),
    # At the small scale models without a penalty become monosemantic between 2^12 and
    # 2^13 steps: the penalty only makes this happen earlier.
    "PEN2": _penalty_sweep("the same with twice the steps", (0.1, 1.0), 19, 13),
}
"""Sweeps that the paper does not have; `all` leaves them out."""

CLASSIFIER_ALPHAS = (0.0, 0.1, -0.001)
"""Default weights of the classifiers command: our choice, strong enough to show and weak
enough that digits are learned in 20 epochs."""

WIDTHS: dict[str, Any] = {
    "sizes": tuple((width,) * 4 for width in (4, 8, 16, 32, 64, 128)),
    "alpha": (-0.01, -0.001, 0.0, 0.01, 0.1),
    "epochs": (60,),
}
"""Tests whether a negative weight lets narrower classifiers reach the same accuracy: our choice,
from widths where accuracy suffers to widths where it no longer does."""
