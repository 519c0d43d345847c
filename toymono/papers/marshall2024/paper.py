"""Marshall & Kirchner (2024): the runs that judge its claims, and its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import store
from toymono.frames import spectrum
from toymono.frames.spectrum.toy import SIZES
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.papers import evidence
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Source
from toymono.papers.marshall2024 import tables
from toymono.papers.marshall2024.claims import CLAIMS
from toymono.papers.marshall2024.measures import NETWORK_LAYERS, TOY_LAYERS
from toymono.papers.paper import Paper, Picture
from toymono.store import StoredRun

SWEEPS = ("LR1", "LR3")
"""Of toy models, in the catalog."""

TIED = "DIM10"
"""The sweep of tied models, in the catalog."""

NETWORKS: dict[str, dict[str, Any]] = {
    "digits": {"data": "digits", "alpha": 0.0},
    "mnist": {"data": "mnist", "alpha": 0.0},
}
"""Classifiers without a penalty, by what they are called here; other fields by default."""

_SEEDS = 5

_TOY = (
    *("participation_ratio", "participation_gain", "participation_gain_own"),
    *("participation_gain_rotated", "spectrum_exponent", "weighted_exponent"),
    *("spectrum_curvature", "break_rank", "broken_error_ratio", "usable_ranks"),
    *("normalised_action", "action_gain", "smoothness_slope", "neuron_auc", "projection_auc"),
    *(f"{name}_{layer}" for layer in TOY_LAYERS for name in ("exponent", "action")),
    *(f"few_exponent_{samples}" for samples in SIZES),
    *(f"plain_participation_ratio_{samples}" for samples in SIZES),
    *(f"unbiased_participation_ratio_{samples}" for samples in SIZES),
)
_DIMENSIONS = ("feature_dimensions", "dimension_floor", "optimum_8", "optimum_23")
_NETWORK = tuple(
    f"{prefix}{name}_{layer}"
    for layer in NETWORK_LAYERS
    for prefix in ("", "untrained_")
    for name in ("participation_ratio", "exponent", "curvature", "action")
)
_SHORT = {
    "exponent": "spectrum_exponent",
    "action": "normalised_action",
    "curvature": "spectrum_curvature",
    "participation_ratio": "participation_ratio",
}


def _sources(scale: str) -> tuple[Source, ...]:
    return (
        Source("marshall2024-small", "toy", _TOY, (), _find_toy, _measure_toy),
        Source("marshall2024-tied", "toy", _DIMENSIONS, (), _find_tied, _measure_tied),
        Source("marshall2024-networks", "classifier", _NETWORK, (), _find_networks, _measure),
    )


def _find_toy(runs_dir: str | Path) -> list[StoredRun]:
    return _of_sweeps(runs_dir, SWEEPS)


def _find_tied(runs_dir: str | Path) -> list[StoredRun]:
    return _of_sweeps(runs_dir, [TIED])


def _of_sweeps(runs_dir: str | Path, sweeps: Sequence[str]) -> list[StoredRun]:
    settings = {setting for name in sweeps for setting in store.positions(name, "small")}
    return [run for run in store.find(runs_dir) if run.setting in settings]


def _find_networks(runs_dir: str | Path) -> list[StoredRun]:
    settings = {_setting(values) for values in NETWORKS.values()}
    return [
        run
        for run in store.find(runs_dir, kind="classifier")
        if _setting({name: run.fields[name] for name in KINDS["classifier"].fields}) in settings
    ]


def _setting(values: Mapping[str, Any]) -> str:
    """The name of a classifier's setting, whatever the data's fingerprint."""
    return Job(*KINDS["classifier"].split(dict(values)), seed=0).name


def _measure_toy(stored: StoredRun) -> dict[str, Any]:
    if stored.diverged is not None:
        return {}
    [row] = spectrum.per_run([stored]).to_dict("records")
    layers = spectrum.per_layer([stored])
    layers = layers[layers["weights"] == "trained"].set_index("layer_name")
    for layer in set(TOY_LAYERS) & set(layers.index):
        for name in ("exponent", "action"):
            row[f"{name}_{layer}"] = layers.loc[layer, _SHORT[name]]
    for _, few in spectrum.sample_sizes([stored]).iterrows():
        row[f"few_exponent_{few['samples']}"] = few["few_exponent"]
        row[f"plain_participation_ratio_{few['samples']}"] = few["plain_participation_ratio"]
        row[f"unbiased_participation_ratio_{few['samples']}"] = few["participation_ratio"]
    return row


def _measure_tied(stored: StoredRun) -> dict[str, Any]:
    if stored.diverged is not None:
        return {}
    return spectrum.feature_dimensions([stored]).iloc[0].to_dict()


def _measure(stored: StoredRun) -> dict[str, Any]:
    layers = spectrum.per_network_layer([stored])
    return {
        f"{'' if of['weights'] == 'trained' else 'untrained_'}{name}_{of['layer']}": of[column]
        for of in layers.to_dict("records")
        for name, column in _SHORT.items()
    }


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    toy, networks = frames["marshall2024-small"], frames["marshall2024-networks"]
    sweeps = {name: evidence.sweep(name, toy, store.positions(name, "small")) for name in SWEEPS}
    tied = frames["marshall2024-tied"]
    command = f"python -m toymono.sweep --sweep {TIED} --scale small --seeds {_SEEDS}"
    sweeps[TIED] = evidence.sweep(TIED, tied, store.positions(TIED, "small"), command)
    for name, values in NETWORKS.items():
        command = f"python -m toymono.classifiers --data {name} --alpha 0 --seeds {_SEEDS}"
        sweeps[name] = evidence.sweep(name, networks, [_setting(values)], command)
    return Evidence(sweeps)


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the lens shows here, what was published, where they differ."""
    by_name = {each.claim.name: each for each in judged}

    def mean(name: str, start: int = 0, stop: int | None = None) -> str:
        values = [value for each in by_name[name].findings[start:stop] for value in each.values]
        return f"{sum(values) / len(values):.2g}" if values else "(not measured)"

    return (
        "Seen through its spectrum, training a toy model undoes redundancy: the variance of its "
        f"hidden layer fills {mean('less_redundant', 0, 2)} times as many dimensions as that of an "
        "untrained copy, and a feature's best neuron tells it with an area under the ROC curve of "
        f"{mean('projections', 0, 2)}, its best random projection with {mean('projections', 2)}. "
        "Marshall & Kirchner published that layers have power-law spectra whose exponents fall "
        "with depth and go with the smoothness of the code, and bounds on what a neuron carries "
        "under dropout. The bounds hold, but one power law does not describe a trained toy layer "
        f"(a law with one break has {mean('one_power_law')} of its error), and an exponent of few "
        "samples is the sampling's own."
    )


def _caveats(scale: str) -> Sequence[str]:
    return (
        "**The published analysis code is not available**: three files of the supplement hold "
        "copies of a fourth. Which ranks were fitted, Huber's ε, centring, and frames and size of "
        "the moving dot are our choices. The published networks are variational autoencoders on "
        "CIFAR-10 and GPT-2 XL; these are toy models of half the size of Jermyn et al.'s, with "
        "known features, and classifiers of digits and MNIST.",
        "An exponent is given only for at least 100 samples per unit; digits have too few images, "
        "so that their participation ratios are by unbiased moments and have no exponent. "
        "Untrained copies of toy models have the weights from before training and biases around "
        "0; with initial biases of -1 hardly a neuron would be active. Actions are divided by that "
        "of a circle of the same variance.",
    )


PAPER = Paper(
    name="marshall2024",
    title="Polysemanticity through coding theory: published claims and our runs",
    reference='Marshall & Kirchner (2024), "Understanding polysemanticity in neural networks '
    'through coding theory", arXiv 2401.17975, and its supplement.',
    claims=CLAIMS,
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start="python -m toymono.sweep --sweep LR1,LR3 --scale small --seeds 3",
    caveats=_caveats,
    tables=tables.sections,
    opening=_opening,
    picture=Picture(
        "../figures/toy_spectra.png",
        "Log-log eigenspectra of trained, rotated and untrained toy models",
        "Eigenvalues of the hidden layer as shares of its variance, three seeds, by "
        "`python -m toymono.plots --figure toy_spectra`. All spectra step down behind the m "
        "dimensions of the input (dotted): relu neurons carry little variance beyond what a "
        "linear layer would. Training raises what lies behind the step.",
    ),
)
