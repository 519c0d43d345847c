"""Runs to tidy data frames: one row per run, snapshot, neuron, feature or bin of the loss.

The frames of toy runs and statistics over runs are here by their short names;
`frames.parts`, `frames.penalty` and `frames.classifiers` hold more specialised
ones, `frames.summary` one row of numbers per run for the claims of the papers.
`toymono.quantities` describes every column.
"""

from toymono.frames.registered import SCORES, Score
from toymono.frames.statistics import RUN_FIELDS, SETTING, course, excess, half_lost, swept
from toymono.frames.toy import (
    MEAN_STEPS,
    Runs,
    each,
    per_active,
    per_bin,
    per_bin_minimum,
    per_feature,
    per_neuron,
    per_run,
    per_snapshot,
    per_snapshot_neuron,
    sorted_responses,
)

__all__ = [
    "MEAN_STEPS",
    "RUN_FIELDS",
    "SCORES",
    "SETTING",
    "Runs",
    "Score",
    "course",
    "each",
    "excess",
    "half_lost",
    "per_active",
    "per_bin",
    "per_bin_minimum",
    "per_feature",
    "per_neuron",
    "per_run",
    "per_snapshot",
    "per_snapshot_neuron",
    "sorted_responses",
    "swept",
]
