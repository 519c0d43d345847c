"""From frames of runs to findings: what is measured to judge each claim.

The limits are ours, set before these runs were measured; the paper describes
its results in words and figures. One value per seed is a mean over the settings
of its sweep, so that a learning rate at which little is learned counts too.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from toymono.frames import spectrum
from toymono.frames.spectrum.patches import COLLAPSED
from toymono.papers.findings import Finding, finite, rank_correlation

TOY_LAYERS = ("hidden", "hidden_mono", "hidden_poly", "output")
"""Layers of toy models whose exponent and action are in the evidence."""

NETWORK_LAYERS = (0, 1, 2, 3, 4)
"""Layers of classifiers that are; 0 are the pixels."""

_HIDDEN = NETWORK_LAYERS[1:]


def _by_seed(runs: pd.DataFrame, column: str) -> pd.Series:
    """The mean of a column over the settings, for each seed."""
    return runs.groupby("seed")[column].mean()


def _found(setting: str, measure: str, values: Iterable[float], **more) -> list[Finding]:
    numbers = finite(list(values))
    return [Finding(setting, measure, numbers, settled=None, **more)] if numbers else []


def _of_sweeps(sweeps: dict[str, pd.DataFrame], column: str, measure: str, **more):
    found = []
    for setting, runs in sweeps.items():
        found += _found(setting, measure, _by_seed(runs, column), **more)
    return found


def _named(lr1: pd.DataFrame, lr3: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {"initial bias 0": lr1, "initial bias -1": lr3}


def less_redundant(
    lr1: pd.DataFrame, lr3: pd.DataFrame, digits: pd.DataFrame, mnist: pd.DataFrame
) -> list[Finding]:
    """Participation ratios, trained over untrained; those of classifiers are shown beside."""
    measure = "participation ratio of the hidden layer, trained / untrained"
    found = _of_sweeps(_named(lr1, lr3), "participation_gain", measure, low=1.5)
    last = _HIDDEN[-1]
    for name, runs in {"digits": digits, "MNIST": mnist}.items():
        ratio = runs[f"participation_ratio_{last}"] / runs[f"untrained_participation_ratio_{last}"]
        why = "a classifier's last layer has ten classes to tell"
        measure = "participation ratio of the last hidden layer, trained / untrained"
        found += _found(name, measure, ratio, low=1.5, not_judged=why)
    measure = "participation ratio of the hidden layer, trained / its weights rotated at random"
    more = {"low": 1.5, "not_judged": "a baseline"}
    return found + _of_sweeps(_named(lr1, lr3), "participation_gain_rotated", measure, **more)


def one_power_law(lr1: pd.DataFrame, lr3: pd.DataFrame) -> list[Finding]:
    """Error of a broken law over that of a straight one, at ranks that were not fitted."""
    measure = "cross-validated error of a broken power law / of a straight one"
    return _of_sweeps(_named(lr1, lr3), "broken_error_ratio", measure, low=0.5)


def falls_with_depth(mnist: pd.DataFrame, patches: pd.DataFrame) -> list[Finding]:
    """Rank correlation of depth and exponent. With four layers it is -1, -0.8 or more."""
    sets = {"MNIST classifiers": mnist}
    for rate, runs in patches.groupby("dropout_rate"):
        sets[f"autoencoders of patches, dropout {rate:g}"] = runs
    measure = "rank correlation of depth and exponent α, hidden layers 1 to 4"
    found = []
    for setting, runs in sets.items():
        values = _depth_correlations(runs, "exponent")
        found += _found(setting, measure, values, high=-0.81, not_judged=_collapsed(runs))
    untrained = {
        "MNIST classifiers, untrained": mnist,
        "autoencoders, untrained": patches[patches["dropout_rate"] == 0],
    }
    for setting, runs in untrained.items():
        values = _depth_correlations(runs, "untrained_exponent")
        found += _found(setting, measure, values, high=-0.81, not_judged="a baseline")
    return found


def _depth_correlations(runs: pd.DataFrame, column: str) -> list[float]:
    """By run, the rank correlation of a hidden layer's depth and its exponent."""
    names = [f"{column}_{layer}" for layer in _HIDDEN]
    depth = pd.Series(_HIDDEN, names)
    whole = runs[names].dropna()
    return [rank_correlation(depth, exponents) for _, exponents in whole.iterrows()]


def _collapsed(runs: pd.DataFrame) -> str:
    """Why autoencoders are shown only: they do not reconstruct."""
    if "error_share" not in runs or runs["error_share"].max() < COLLAPSED:
        return ""
    return f"squared error / variance is {runs['error_share'].mean():.2g}: collapsed"


def dropout_steepens(patches: pd.DataFrame) -> list[Finding]:
    """Exponent and curvature of the deepest layer, with dropout minus without, by seed."""
    by_rate = {rate: runs.set_index("seed") for rate, runs in patches.groupby("dropout_rate")}
    last, found = _HIDDEN[-1], []
    for rate in sorted(set(by_rate) - {0.0}):
        runs = by_rate[rate]
        why = _collapsed(runs) or ("" if rate == 0.5 else "limits are of dropout 0.5")
        for name, limits in {"exponent": {"high": -0.2}, "curvature": {"low": 0.1}}.items():
            change = (runs[f"{name}_{last}"] - by_rate[0.0][f"{name}_{last}"]).dropna()
            words = (
                "change of the exponent α"
                if name == "exponent"
                else "size of the change of curvature"
            )
            values = change if name == "exponent" else change.abs()
            setting = f"dropout {rate:g} minus 0, layer {last}"
            found += _found(setting, words, values, not_judged=why, **limits)
    return found


def action_by_exponent(
    lr1: pd.DataFrame, lr3: pd.DataFrame, mnist: pd.DataFrame, patches: pd.DataFrame
) -> list[Finding]:
    """Whether flatter spectra go with more action, over the layers and runs of each seed."""
    found = []
    measure = "rank correlation of exponent α and action relative to a circle's"
    sets = {setting: (runs, TOY_LAYERS) for setting, runs in _named(lr1, lr3).items()}
    trained = patches[patches["error_share"] < COLLAPSED]
    deep = {"MNIST classifiers": (mnist, _HIDDEN), "autoencoders": (trained, _HIDDEN)}
    for setting, (runs, layers) in {**sets, **deep}.items():
        found += _found(setting, measure, _by_layer(runs, layers), low=0.0)
    values = _by_layer(mnist, _HIDDEN, "untrained_")
    more = {"low": 0.0, "not_judged": "a baseline"}
    return found + _found("MNIST classifiers, untrained", measure, values, **more)


def _by_layer(runs: pd.DataFrame, layers: Iterable[Any], prefix: str = "") -> list[float]:
    """By seed, the rank correlation of exponent and action over layers and runs."""
    values = []
    for _, rows in runs.groupby("seed"):
        pairs = pd.concat(
            pd.DataFrame({name: rows[f"{prefix}{name}_{layer}"] for name in ("exponent", "action")})
            for layer in layers
        ).dropna()
        if len(pairs) > 2:
            values.append(rank_correlation(pairs["exponent"], pairs["action"]))
    return values


_FLOOR = 1.25
"""Dimensions per feature up to this multiple of m / n are due to the floor: our choice."""


def dimensions_by_sparsity(dim10: pd.DataFrame) -> list[Finding]:
    """D* over the entropy optimum: not below it at 8 bits, near it at 23 bits if dense."""
    found = []
    for density, runs in sorted(dim10.groupby("eps"), reverse=True):
        setting = f"density {density:g}"
        of_8 = runs["feature_dimensions"] / runs["optimum_8"]
        at_floor = (runs["feature_dimensions"] < _FLOOR * runs["dimension_floor"]).all()
        why = "as low as m / n allows" if at_floor else ""
        found += _found(setting, "D* / optimum at 8 bits", of_8, low=1.0, not_judged=why)
    for density, runs in sorted(dim10.groupby("eps"), reverse=True):
        ratio = runs["feature_dimensions"] / runs["optimum_23"]
        limits = {"high": 1.3} if density >= 0.5 else {"low": 1.3}
        found += _found(f"density {density:g}", "D* / optimum at 23 bits", ratio, **limits)
    return found


def sticky(dim10: pd.DataFrame) -> list[Finding]:
    """Over what factor of sparsity D* stays within .03 of 1/2, and D* of dense features."""
    factors, dense = [], []
    for _, runs in dim10.groupby("seed"):
        near = runs[(runs["feature_dimensions"] - 0.5).abs() <= 0.03]["eps"]
        factors.append(near.max() / near.min() if len(near) else 0.0)
        dense += runs[runs["eps"] == 1]["feature_dimensions"].tolist()
    measure = "factor of 1 / density over which D* is within .03 of 1/2"
    return [
        *_found("all densities", measure, factors, low=1.5),
        *_found("density 1", "D*", dense, low=0.98, high=1.02),
    ]


def capacity_within_bounds() -> list[Finding]:
    """By how much the exact capacity leaves the published bounds, for three sizes of neurons."""
    frame = spectrum.dropout_capacity()
    excess = np.maximum(
        frame["capacity_lower"] - frame["capacity"], frame["capacity"] - frame["capacity_upper"]
    )
    values = excess.groupby(frame["neuron_bits"]).max()
    measure = "largest excess over the bounds, neurons of 1, 3 and 8 bits (bits)"
    return _found("dropout 0 to 1", measure, values.clip(lower=0), high=1e-9)


def projections_tell_features(lr1: pd.DataFrame, lr3: pd.DataFrame) -> list[Finding]:
    """How well the best neuron, and the best random projection, tells a feature."""
    why = "published for GPT-2 XL, judged by a language model"
    found = []
    for column, words in {"neuron_auc": "neuron", "projection_auc": "random projection"}.items():
        measure = f"area under the ROC curve of the best {words}, mean over features"
        found += _of_sweeps(_named(lr1, lr3), column, measure, low=0.5, not_judged=why)
    return found
