"""Marshall & Kirchner (2024): the runs that judge its claims, and its page."""

import functools
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
from toymono.papers.verdicts import Verdict
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

DROPOUT = (0.0, 0.2, 0.5, 0.8)
"""Rates of the autoencoders of image patches; other fields by default."""

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
_PATCHES = (
    "error_share",
    *(
        f"{prefix}{name}_{layer}"
        for layer in NETWORK_LAYERS
        for prefix in ("", "untrained_")
        for name in ("participation_ratio", "exponent", "curvature", "action")
    ),
    *(f"{name}_{layer}" for layer in NETWORK_LAYERS[1:] for name in ("noisy", "shared")),
)
_SHORT = {
    "exponent": "spectrum_exponent",
    "action": "normalised_action",
    "curvature": "spectrum_curvature",
    "participation_ratio": "participation_ratio",
}


def _sources(scale: str) -> tuple[Source, ...]:
    find_toy, find_tied = (
        functools.partial(evidence.stored_of, sweeps, "small") for sweeps in (SWEEPS, [TIED])
    )
    return (
        Source("marshall2024-small", "toy", _TOY, (), find_toy, _measure_toy),
        Source("marshall2024-tied", "toy", _DIMENSIONS, (), find_tied, _measure_tied),
        Source(
            "marshall2024-patches", "autoencoder", _PATCHES, (), _find_patches, _measure_patches
        ),
        Source("marshall2024-networks", "classifier", _NETWORK, (), _find_networks, _measure),
    )


def _find_networks(runs_dir: str | Path) -> list[StoredRun]:
    settings = {_setting("classifier", values) for values in NETWORKS.values()}
    return _of_settings(runs_dir, "classifier", settings)


def _find_patches(runs_dir: str | Path) -> list[StoredRun]:
    return _of_settings(runs_dir, "autoencoder", set(_patch_settings()))


def _patch_settings() -> list[str]:
    return [_setting("autoencoder", {"dropout_rate": rate}) for rate in DROPOUT]


def _of_settings(runs_dir: str | Path, kind: str, settings: set[str]) -> list[StoredRun]:
    return [
        run
        for run in store.find(runs_dir, kind=kind)
        if _setting(kind, {name: run.fields[name] for name in KINDS[kind].fields}) in settings
    ]


def _setting(kind: str, values: Mapping[str, Any]) -> str:
    """The name of a run's setting, whatever the data's fingerprint."""
    return Job(*KINDS[kind].split(dict(values)), seed=0).name


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


def _measure_patches(stored: StoredRun) -> dict[str, Any]:
    layers = spectrum.per_patch_layer([stored])
    short = {**_SHORT, "exponent": "leading_exponent", "curvature": "leading_curvature"}
    found = {
        f"{'' if of['weights'] == 'trained' else 'untrained_'}{name}_{of['layer']}": of[column]
        for of in layers.to_dict("records")
        for name, column in short.items()
    }
    for of in layers[layers["weights"] == "trained"].to_dict("records"):
        found["error_share"] = of["error_share"]
        found[f"noisy_{of['layer']}"] = of["noisy_exponent"]
        found[f"shared_{of['layer']}"] = of["shared_exponent"]
    return found


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    toy, networks = frames["marshall2024-small"], frames["marshall2024-networks"]
    sweeps = {name: evidence.sweep(name, toy, store.positions(name, "small")) for name in SWEEPS}
    tied = frames["marshall2024-tied"]
    command = f"python -m toymono.sweep --sweep {TIED} --scale small --seeds {_SEEDS}"
    sweeps[TIED] = evidence.sweep(TIED, tied, store.positions(TIED, "small"), command)
    for name, values in NETWORKS.items():
        command = f"python -m toymono.classifiers --data {name} --alpha 0 --seeds {_SEEDS}"
        sweeps[name] = evidence.sweep(name, networks, [_setting("classifier", values)], command)
    rates = ",".join(f"{rate:g}" for rate in DROPOUT)
    command = f"python -m toymono.autoencoders --dropout_rate {rates} --seeds {_SEEDS}"
    patches = frames["marshall2024-patches"]
    sweeps["patches"] = evidence.sweep("patches", patches, _patch_settings(), command)
    return Evidence(sweeps)


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the lens shows here, what was published, where they differ."""
    by_name = {each.claim.name: each for each in judged}

    def mean(name: str, *settings: str) -> str:
        """Of a claim's findings in settings that begin so; of all without any."""
        values = [
            value
            for each in by_name[name].findings
            if each.setting.startswith(settings or "")
            for value in each.values
        ]
        return f"{sum(values) / len(values):.2g}" if values else "(not measured)"

    def holds(name: str, words: str, not_words: str) -> str:
        return words if by_name[name].verdict == Verdict.AGREES else not_words

    toy = pd.concat([found.sweeps[name].frame for name in SWEEPS])
    gain, of_rotated = (
        (f"{values.mean():.{digits}g}" if len(toy) else "(not measured)")
        for values, digits in (
            (toy["participation_gain"], 2),
            (toy["participation_gain"] / toy["participation_gain_rotated"], 3),
        )
    )
    ends = (toy["participation_gain"].min(), toy["participation_gain"].max())
    ends = f" ({ends[0]:.2g} to {ends[1]:.2g} by run)" if len(toy) else ""
    few, many = (
        f"{toy[f'few_exponent_{samples}'].mean():.2g}" if len(toy) else "(not measured)"
        for samples in (SIZES[0], SIZES[-1])
    )
    return (
        "Seen through its spectrum, training makes the code of a toy model less redundant and that "
        "of a classifier more redundant. The variance of the toy model's hidden layer fills "
        f"{gain} times{ends} as many dimensions as that of an untrained copy with biases around "
        "0; the trained weights rotated at random, which know nothing of the features, already "
        f"fill {of_rotated} times as many. A classifier's last layer fills "
        f"{mean('less_redundant', 'digits')} (digits) and {mean('less_redundant', 'MNIST')} "
        "(MNIST) times as many. "
        "Marshall & Kirchner published that networks move towards less redundant codes, that "
        "layers have power-law spectra whose exponents fall with depth and with dropout and go "
        "with the smoothness of the code, and bounds on what a neuron carries under dropout. "
        f"Here the bounds {holds('capacity_bounds', 'hold', 'do not hold')}, exponents fall with "
        f"depth {holds('falls_with_depth', 'in all', 'in some')} settings, untrained networks "
        f"among them, and {holds('dropout_steepens', 'fall', 'do not fall clearly')} with dropout; "
        f"flatter spectra {holds('action_by_exponent', 'go', 'do not go')} with less smooth codes, "
        f"one power law {holds('one_power_law', 'describes', 'does not describe')} a toy layer (a "
        f"law with one break has {mean('one_power_law')} of its error), and exponents depend on "
        f"the number of inputs: the mean over {len(toy)} trained layers is {few} from {SIZES[0]} "
        f"inputs and {many} from {SIZES[-1]}."
    )


def _caveats(scale: str) -> Sequence[str]:
    return (
        "**The published analysis code is not available**: three files of the supplement hold "
        "copies of a fourth. Which ranks were fitted, Huber's ε, centring, and frames and size of "
        "the moving dot are our choices. The published networks are variational autoencoders on "
        "CIFAR-10 and GPT-2 XL; these are toy models of half the size of Jermyn et al.'s, with "
        "known features, classifiers of digits and MNIST, and dense autoencoders of patches of two "
        "photographs with dropout after each layer.",
        "An exponent is given only for at least 100 samples per unit; digits have too few images, "
        "so that their participation ratios are by unbiased moments and have no exponent. "
        "Untrained copies of toy models have the weights from before training and biases around "
        "0; with initial biases of -1 hardly a neuron would be active. Actions are divided by that "
        "of a circle of the same variance.",
        "**Claim 1 is judged on toy models alone.** Classifiers contradict it: training makes "
        "their last hidden layer more redundant. They are shown and not judged, since a layer that "
        "is read for ten classes needs no more than nine dimensions. Of the gain of toy models a "
        "large part needs no features: rotating the trained weights at random keeps it.",
    )


PAPER = Paper(
    name="marshall2024",
    title="Polysemanticity through coding theory: published claims and our runs",
    reference='Marshall & Kirchner (2024), "Understanding polysemanticity in neural networks '
    'through coding theory", [arXiv:2401.17975](https://arxiv.org/abs/2401.17975), and its '
    "supplement.",
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
        "linear layer would. Training raises what lies behind the step. At bias 0 an untrained "
        "network has biases around 0: the two lines coincide.",
    ),
)
