"""The numbers of one layer: what every frame of spectra has in its rows."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from toymono.analysis import spectrum

FRAMES = 64
"""Frames of a path: our choice, those of the finest action of `smoothness_slope`."""


MOMENTS = 2400
"""Samples that unbiased moments are of, at most, for time and memory: more change little."""


class Layer(NamedTuple):
    """What is measured of one layer with one set of weights."""

    eigenvalue_d: Float[np.ndarray, " d"]
    samples: int
    action_p: Float[np.ndarray, " p"]
    """`normalised_action` of each path; NaN for one that does not move."""
    slope_p: Float[np.ndarray, " p"]
    """`smoothness_slope` of each path."""
    unbiased: float = np.nan
    """Participation ratio by unbiased moments; NaN where the plain one is as good."""


def along_paths(path_ptd: Float[np.ndarray, "p t d"]) -> dict[str, Any]:
    """The paths' actions and slopes, as fields of `Layer`."""
    return {
        "action_p": np.array([spectrum.normalised_action(path_td) for path_td in path_ptd]),
        "slope_p": np.array([spectrum.smoothness_slope(path_td) for path_td in path_ptd]),
    }


def numbers(layer: Layer) -> dict[str, Any]:
    """The columns of one layer.

    Exponents, curvature and break are NaN with fewer samples than
    `SAMPLES_PER_DIMENSION` for each unit, since they would be the sampling's own.
    The participation ratio is then that of unbiased moments, if there is one.
    """
    value_d = layer.eigenvalue_d
    # A dead neuron has no variance that sampling could distort, up to rounding.
    ranks = spectrum.usable_ranks(value_d)
    enough = layer.samples >= spectrum.SAMPLES_PER_DIMENSION * ranks
    fitted_d = value_d if enough else np.zeros_like(value_d)
    law = spectrum.broken_power_law(fitted_d)
    straight, broken = spectrum.cross_validated_errors(fitted_d)
    plain = spectrum.participation_ratio(value_d)
    ratio = plain if np.isnan(layer.unbiased) else layer.unbiased
    return {
        "samples": layer.samples,
        "units": len(value_d),
        "layer_variance": float(value_d.sum()),
        "participation_ratio": ratio,
        "plain_participation_ratio": plain,
        "participation_share": min(ratio / len(value_d), 1.0),
        "spectrum_rank": spectrum.effective_rank(value_d),
        "usable_ranks": ranks,
        "spectrum_exponent": spectrum.power_law_exponent(fitted_d),
        "weighted_exponent": spectrum.power_law_exponent(fitted_d, method="weighted"),
        "spectrum_curvature": spectrum.curvature(fitted_d),
        "break_rank": law.break_rank,
        "head_exponent": law.head,
        "tail_exponent": law.tail,
        "broken_error_ratio": broken / straight if straight > 0 else np.nan,
        "normalised_action": mean(layer.action_p),
        "smoothness_slope": mean(layer.slope_p),
    }


def mean(value_p: Float[np.ndarray, " p"]) -> float:
    """The mean of the values that there are; NaN if there are none."""
    finite_p = value_p[np.isfinite(value_p)]
    return float(finite_p.mean()) if len(finite_p) else float("nan")


def ranks(layer: Layer) -> dict[str, np.ndarray]:
    """Columns with a row for each eigenvalue above 0: its rank, its value, its share."""
    value_d = layer.eigenvalue_d[: spectrum.usable_ranks(layer.eigenvalue_d)]
    return {
        "spectrum_index": np.arange(1, len(value_d) + 1),
        "eigenvalue": value_d,
        "eigenvalue_share": value_d / layer.eigenvalue_d.sum() if len(value_d) else value_d,
    }
