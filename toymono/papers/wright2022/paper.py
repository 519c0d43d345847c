"""Wright (2022): the classifiers and toy models that judge its claims, and its page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, fields, store
from toymono.classifiers import data
from toymono.classifiers.fields import CLASSIFIER
from toymono.frames import classifiers, penalty, summary
from toymono.papers import evidence
from toymono.papers.evidence import Evidence, Source
from toymono.papers.paper import Paper
from toymono.papers.wright2022 import tables
from toymono.papers.wright2022.claims import CLAIMS
from toymono.store import StoredRun

SWEEPS = ("PEN", "PEN2")
"""Of toy models, in the catalog."""

DIGITS: dict[str, dict[str, tuple]] = {
    "digits": {"alpha": (0.0, 1.0, -1.0, 0.1, 0.01, -0.001, -0.01)},
    "digits_pruned": {"alpha": (0.0, 0.1), "prune_epochs": (20,)},
    "digits_long": {"alpha": (0.0, 1.0), "epochs": (100,)},
    "digits_widths": catalog.WIDTHS,
}
"""Grids of classifiers; fields not named have their defaults, which are those published."""

_SEEDS = 5  # as published

_STRUCTURE = (
    *("n_cut", "shuffled_mean", "left_p"),
    *("coherence", "coherence_p", "ablation_p_mean"),
)
_HISTORY = ("accuracy", "cross_entropy", "penalty_sum")
_CLASSIFIER = ("status", *_HISTORY, "monosemanticity", *_STRUCTURE)
_TOY = (
    *("loss", "loss_fall", "mono_rise", "monosemantic", "mono_per_feature", "dead"),
    *("sampled_loss", "sampled_loss_mono", "single_feature_loss", "single_feature_loss_mono"),
    *("features_per_neuron", "multi_feature_share"),
    *("activated_by_others", "pair_monosemanticity"),
)


def _sources(scale: str) -> tuple[Source, ...]:
    return (
        Source(
            "wright2022-digits", "classifier", _CLASSIFIER, _HISTORY, _find_digits, _measure_digits
        ),
        Source("wright2022-small", "toy", ("settled", *_TOY), _TOY, _find_toy, _measure_toy),
    )


def _find_digits(runs_dir: str | Path) -> list[StoredRun]:
    fingerprint = data.load("digits").fingerprint
    settings = {setting for grid in DIGITS.values() for setting in _settings(grid)}
    return [
        run
        for run in store.find(runs_dir, kind="classifier", data="digits")
        if run.fingerprint == fingerprint and _setting(run.fields) in settings
    ]


def _find_toy(runs_dir: str | Path) -> list[StoredRun]:
    settings = {setting for name in SWEEPS for setting in store.positions(name, "small")}
    return [run for run in store.find(runs_dir) if run.setting in settings]
