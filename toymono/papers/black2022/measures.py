"""From frames of runs to findings: what is measured to judge each claim.

The authors published no numbers, so that all limits are ours, set after first
measurements on other runs and before these. Of toy sweeps a finding has one
value per seed, the mean over the settings of the sweep; of classifiers, one per
network.
"""

from collections.abc import Callable, Iterable

import pandas as pd

from toymono.papers.findings import Finding, finite, label

TOY, CLASSIFIERS = ("LR1", "LR3"), ("digits", "mnist")
"""Sweeps of toy models, and data of classifiers."""

_NAMES = (*TOY, *CLASSIFIERS)


def _measured(setting: str, measure: str, values: Iterable[float], **limits) -> list[Finding]:
    """A finding; whether training had settled is not asked."""
    numbers = finite(list(values))
    return [Finding(setting, measure, numbers, settled=None, **limits)] if numbers else []


def _by_seed(frame: pd.DataFrame, values: pd.Series) -> pd.Series:
    """The mean over settings for each seed; values of runs without the number are left out."""
    return values.groupby(frame["seed"]).mean()


def of_sweeps(names: tuple[str, ...], column: str, measure: str = "", **limits) -> Callable:
    """A finding for each sweep: a column, by seed."""

    def measured(*frames: pd.DataFrame) -> list[Finding]:
        return [
            found
            for name, frame in zip(names, frames, strict=True)
            for found in _measured(
                name, measure or label(column), _by_seed(frame, frame[column]), **limits
            )
        ]

    return measured


def several(*measures: Callable) -> Callable:
    """The findings of several measures of the same frames."""
    return lambda *frames: [found for measure in measures for found in measure(*frames)]


classes_apart = of_sweeps(
    CLASSIFIERS,
    "boundary_density_gap",
    "density ratio of classes (different / same, pixels to output) minus the untrained one",
    low=0.05,
)

firmer_with_depth = several(
    of_sweeps(
        CLASSIFIERS,
        "depth_correlation",
        "rank correlation of layer and ratio, codes from the layer to the output, distance in "
        "the layer's input",
        low=0.8,
    ),
    *(
        of_sweeps(CLASSIFIERS, column, words, low=0.8, not_judged="another denominator")
        for column, words in (
            ("own_depth_correlation", "the same of the layer's own code"),
            ("pixel_depth_correlation", "the same of its own code over pixel distance"),
        )
    ),
)

features_apart = several(
    of_sweeps(
        TOY,
        "density_ratio",
        "density ratio of features (different / same, other backgrounds)",
        low=1.02,
    ),
    of_sweeps(TOY, "boundary_density_gap", "the same minus that of rotated weights", low=0.02),
    of_sweeps(
        TOY,
        "density_ratio_alone",
        "density ratio of features that come alone",
        low=1.02,
        not_judged="inputs of training have other features",
    ),
    of_sweeps(
        TOY,
        "rotated_density_ratio_alone",
        "the same of rotated weights",
        low=1.02,
        not_judged="a baseline",
    ),
)

shell = several(
    of_sweeps(_NAMES, "shell", "share of runs with a shell, rays through data", low=0.95),
    of_sweeps(_NAMES, "gaussian_shell", "share of runs with a shell, random rays", low=0.95),
    of_sweeps(
        _NAMES,
        "rotated_shell",
        "share of runs whose rotated weights have a shell",
        low=0.95,
        not_judged="a baseline",
    ),
)


def shell_inside(*frames: pd.DataFrame) -> list[Finding]:
    return [
        found
        for name, frame in zip(_NAMES, frames, strict=True)
        for found in _measured(
            name,
            "radius of the shell over the data's mean length, runs with a shell",
            _by_seed(frame, frame["shell_radius"].where(frame["shell"] == 1)),
            high=1,
        )
    ]


absent_untrained = several(
    of_sweeps(
        _NAMES, "untrained_shell", "share of untrained copies with a shell, own bias", high=0.05
    ),
    of_sweeps(
        _NAMES,
        "spread_shell",
        "share of untrained copies with a shell, bias 0 ± spread",
        high=0.05,
    ),
)

changes_are_dense = several(
    of_sweeps(
        CLASSIFIERS,
        "change_excess",
        "density at class changes minus that of other rays at the same scale, over the latter",
        low=0.05,
    ),
    of_sweeps(
        CLASSIFIERS,
        "spread_change_excess",
        "the same of untrained copies, bias 0 ± spread",
        low=0.05,
        not_judged="a baseline",
    ),
)

codes_cluster = several(
    of_sweeps(
        _NAMES,
        "code_ami_gap",
        "AMI of code clusters with features or classes, minus that of rotated weights",
        low=0.2,
    ),
    *(
        of_sweeps(_NAMES, column, words, low=0.2, not_judged="a part of the difference")
        for column, words in (
            ("code_ami", "AMI of code clusters with features or classes"),
            ("rotated_code_ami", "the same of rotated weights"),
        )
    ),
)

hamming_tracks = of_sweeps(_NAMES, "transformation_correlation", low=0.9)
