"""Wright (2022): the classifiers and toy models that judge its claims, and its page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, fields, store
from toymono.classifiers import data
from toymono.classifiers.fields import CLASSIFIER
from toymono.frames import classifiers, penalty, summary
from toymono.job import Job
from toymono.kinds import KINDS
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

_ANALYSED = ("digits", "digits_pruned")
"""Grids whose clusters and ablations are analysed, which takes seconds per run."""

_SEEDS = 5  # as published

_STRUCTURE = (
    *("n_cut", "shuffled_n_cut_mean", "n_cut_p"),
    *("coherence", "coherence_p", "ablation_p_mean"),
)
_HISTORY = ("accuracy", "cross_entropy", "penalty_sum")
_CLASSIFIER = ("status", *_HISTORY, "mean_monosemanticity", *_STRUCTURE)
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


def _setting(values: Mapping[str, Any]) -> str:
    """The name of a classifier's setting, whatever the data's fingerprint."""
    kind = KINDS["classifier"]
    return Job(*kind.split({name: values[name] for name in kind.fields if name in values}), 0).name


def _settings(grid: Mapping[str, tuple]) -> list[str]:
    return [_setting(point) for point in fields.grid(grid)]


def _measure_digits(stored: StoredRun) -> dict[str, Any]:
    """The columns of `frames.classifiers.per_run`, and what the history has at half of training."""
    run = store.load(stored)
    analysed = {setting for name in _ANALYSED for setting in _settings(DIGITS[name])}
    structure = classifiers.Structure() if _setting(stored.fields) in analysed else None
    [ends] = classifiers.per_run([stored], structure).to_dict("records")
    half = run.config.steps // 2 - 1
    halves = {
        "accuracy": run.history.accuracy[half],
        "cross_entropy": run.history.cross_entropy[half],
        "penalty_sum": run.history.penalty_l[half].sum(),
    }
    return {**ends, **{name + evidence.HALF: float(value) for name, value in halves.items()}}


def _measure_toy(stored: StoredRun) -> dict[str, Any]:
    if stored.diverged is not None:
        return {}
    ends, halves = store.cached(_toy_row, stored), store.cached(_toy_half_row, stored)
    return {**ends, **{name + evidence.HALF: value for name, value in halves.items()}}


def _toy_row(run: Any) -> dict[str, Any]:
    [losses] = penalty.part_losses([run]).to_dict("records")
    return {**losses, **summary.row(run)}


def _toy_half_row(run: Any) -> dict[str, Any]:
    return _toy_row(summary.halfway(run))


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    digits, toy = frames["wright2022-digits"], frames["wright2022-small"]
    sweeps = {
        name: evidence.sweep(name, digits, _settings(grid), _command(grid), with_diverged=True)
        for name, grid in DIGITS.items()
    }
    sweeps |= {name: evidence.sweep(name, toy, store.positions(name, "small")) for name in SWEEPS}
    return Evidence(sweeps)


def _command(grid: Mapping[str, Iterable[Any]]) -> str:
    """What trains a grid of classifiers."""
    flags = " ".join(
        f"--{name} {','.join(CLASSIFIER[name].text(value) for value in values)}"
        for name, values in grid.items()
    )
    return f"python -m toymono.classifiers --data digits {flags} --seeds {_SEEDS}"


def _caveats(scale: str) -> Sequence[str]:
    return (
        "**The classifiers here are trained on scikit-learn's digits**, 1437 examples of 8 by 8 "
        "pixels, not on MNIST: networks, learning rate and batch size are as published, so that "
        "20 epochs are 220 steps where the published runs took 9360. Toy models have half the "
        "published n, m and k. Where no run learned at the published weight of 1, numbers are of "
        "the largest weight at which all seeds did; they are shown and not judged.",
        "The published 82 % accuracy at alpha -1 is chance. It is the mean over ten outputs of "
        "whether each is right; a network that always answers the same class has "
        "1 - 2 · 0.9 / 10 = 0.82 by it, and 0.10 by arg-max. Published accuracies on this page are "
        "converted to arg-max, 1 - 5 (1 - a); ours are arg-max. The published cross-entropy of "
        "14.5 is that of the same answer, 0.9 · -ln 1e-7.",
    )


PAPER = Paper(
    name="wright2022",
    title="The polysemantic penalty: published claims and our runs",
    reference="Wright (2022), polysemantic-neurons: classifiers on MNIST and Fashion-MNIST, and "
    "in its branch `polysemantic_penalisation` the toy model.",
    claims=CLAIMS,
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start=_command(DIGITS["digits"]),
    caveats=_caveats,
    tables=tables.sections,
)
