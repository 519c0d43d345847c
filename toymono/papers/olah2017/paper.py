"""Olah, Mordvintsev & Schubert (2017): the runs that judge feature visualisation, and its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from toymono import catalog, store
from toymono.classifiers import data
from toymono.frames import classifiers as classifier_frames
from toymono.frames import visualise, visualise_classifiers
from toymono.job import Job
from toymono.kinds import KINDS
from toymono.papers import evidence, verdict_page
from toymono.papers.claims import Judged
from toymono.papers.evidence import Evidence, Source
from toymono.papers.findings import finite
from toymono.papers.olah2017 import tables
from toymono.papers.olah2017.claims import CLAIMS
from toymono.papers.paper import Paper, Picture
from toymono.store import StoredRun

RATES = (0.01, 0.02, 0.03)
"""Of LR1 and LR3 at the small scale: at lower rates hardly any neuron has 2 to 8 features yet."""

ALPHAS = (0.0, 0.1, 1.0)

_SEEDS = 5
_FEATURES = tuple(
    f"{name} {method}" for method in visualise.METHODS for name in ("precision", "recall", "active")
)
_CLASSES = tuple(
    f"{name} {method}"
    for method in visualise_classifiers.METHODS
    for name in ("precision", "recall", "active", "agreement")
)
_CONNECTIONS = tuple(
    f"connections_{name}" for name in ("low", "median", "high", "mean", "weighted_mean", "dead")
)
_TOY = (
    *("facets_found", "mono_one_facet", "facet_cosine", "random_cosine", "virtual_diagonal"),
    *(*_CONNECTIONS, *_FEATURES),
)
_CLASSIFIER = (
    *("status", "facets_found", "blend 1", "blend deep", *_CONNECTIONS),
    *("input_coherence", "input_coherence_p", "input_similarity", "input_similarity_p"),
    *_CLASSES,
)


def _settings(sweep: str) -> list[str]:
    return [
        Job(*KINDS["toy"].split(point), 0).name
        for point in catalog.points([sweep], "small")
        if point["learning_rate"] in RATES
    ]


def _digits(values: Mapping[str, Any]) -> str:
    return Job(*KINDS["classifier"].split(values), 0).name


_DIGITS = [_digits({"data": "digits", "alpha": alpha}) for alpha in ALPHAS]


def _sources(scale: str) -> tuple[Source, ...]:
    return (
        Source("olah2017-small", "toy", _TOY, (), _find_toy, _measure_toy),
        Source("olah2017-digits", "classifier", _CLASSIFIER, (), _find_digits, _measure_digits),
    )


def _find_toy(runs_dir: str | Path) -> list[StoredRun]:
    settings = {*_settings("LR1"), *_settings("LR3")}
    return [run for run in store.find(runs_dir) if run.setting in settings and run.seed < 3]


def _find_digits(runs_dir: str | Path) -> list[StoredRun]:
    fingerprint = data.load("digits").fingerprint
    found = store.find(runs_dir, kind="classifier", data="digits", alpha=list(ALPHAS))
    names = list(KINDS["classifier"].fields)
    return [
        run
        for run in found
        if run.fingerprint == fingerprint
        and run.seed < _SEEDS
        and _digits({name: run.fields[name] for name in names if name in run.fields}) in _DIGITS
    ]


def _measure_toy(stored: StoredRun) -> dict[str, Any]:
    return {} if stored.diverged is not None else store.cached(visualise.run_row, stored)


def _measure_digits(stored: StoredRun) -> dict[str, Any]:
    [(_, responses, _)] = classifier_frames.each([stored])
    if responses.status != "learned":
        return {"status": responses.status}
    other = visualise_classifiers.second_network(stored, _find_digits(stored.path.parent))
    return {"status": responses.status, **visualise_classifiers.run_row(stored, other)}


def _gather(frames: Mapping[str, pd.DataFrame], scale: str) -> Evidence:
    toy, digits = frames["olah2017-small"], frames["olah2017-digits"]
    command = "python -m toymono.sweep --sweep {} --scale small --seeds 3"
    trains = f"python -m toymono.classifiers --data digits --alpha {_alphas()} --seeds {_SEEDS}"
    return Evidence(
        {
            "bias 0": evidence.sweep("bias 0", toy, _settings("LR1"), command.format("LR1")),
            "bias -1": evidence.sweep("bias -1", toy, _settings("LR3"), command.format("LR3")),
            "digits": evidence.sweep("digits", digits, _DIGITS, trains, with_diverged=True),
        }
    )


def _alphas() -> str:
    return ",".join(f"{alpha:g}" for alpha in ALPHAS)


def _opening(found: Evidence, judged: Sequence[Judged]) -> str:
    """What the lens shows here, what was published, and where they differ."""
    toy = pd.concat([found.sweeps[name].frame for name in ("bias 0", "bias -1")])
    digits = found.sweeps["digits"].frame
    learned = digits[digits["status"] == "learned"]
    plain = learned[learned["alpha"] == 0]

    def mean(rows: pd.DataFrame, column: str) -> str:
        values = finite(rows[column]) if column in rows else ()
        return verdict_page.three_digits(sum(values) / len(values)) if values else "no value"

    blend = " to ".join(
        f"{mean(rows, 'blend deep')} ({f'alpha {alpha:g}' if alpha else 'no penalty'})"
        for alpha, rows in learned.groupby("alpha")
    )
    on_neuron = mean(toy, "active hidden 1")
    active = "" if on_neuron == "no value" else f" ({on_neuron} of the inputs excite the neuron)"
    return (
        "In digits classifiers, four images that are kept different on the neuron's layer show "
        f"{mean(plain, 'recall hidden 1')} of the classes on which a neuron fires, four restarts "
        f"without that term {mean(plain, 'recall restarts')}; in toy models, where the features "
        "that drive a neuron are known, the term's weight decides: at the same weight twelve "
        f"inputs show {mean(toy, 'recall hidden 1')} of 2 to 8 features{active}, less than "
        f"restarts ({mean(toy, 'recall restarts')}), at a weight of 0.3 "
        f"{mean(toy, 'recall hidden 0.3')}, more than these. "
        "The article shows by example that diversity reveals facets such as cats, foxes and cars, "
        "and warns of unrelated artefacts; the explainer of polysemanticity takes it that the "
        "facets share nothing and that a blend of them does not excite the neuron. "
        "Here artefacts are common (precision "
        f"{mean(plain, 'precision hidden 1')} in classifiers, {mean(toy, 'precision inputs 1')} in "
        "toy models with the term on the inputs, "
        f"{mean(toy, 'precision grown')} for batches that grow only while every input excites the "
        "neuron), facets of a neuron are more alike than other features "
        f"(absolute cosine {mean(toy, 'facet_cosine')} against {mean(toy, 'random_cosine')}), and "
        f"a blend excites less than either facet in {blend or 'no value'} of pairs only."
    )


def _caveats(scale: str) -> Sequence[str]:
    return (
        "**A facet is a response of at least a tenth of the neuron's largest one** to a single "
        "feature, or a class on which a neuron fires at least half as often as on the class where "
        "it fires most. Precision and recall are means over up to 16 neurons (16 in each layer) "
        "with 2 to 8 facets; a label is the strongest feature of an input, or the class that the "
        "network gives it. Inputs of toy models are non-negative feature vectors of sum at most "
        "1, 12 in a batch; images are batches of 4. Weights of the diversity term are relative to "
        "an objective divided by the neuron's largest response.",
        "Classifiers were also trained with a penalty of weight 1. No claim is judged on those "
        "that collapsed; below the table of digits classifiers is how many did.",
    )


PAPER = Paper(
    name="olah2017",
    title="Feature visualisation with diversity, and what polysemantic neurons are",
    reference="Olah, Mordvintsev & Schubert (2017), "
    "[Feature Visualization](https://distill.pub/2017/feature-visualization), Distill.",
    claims=CLAIMS,
    scales=("small",),
    sources=_sources,
    gather=_gather,
    start="python -m toymono.sweep --sweep LR1,LR3 --scale {scale} --seeds 3",
    caveats=_caveats,
    tables=tables.sections,
    opening=_opening,
    picture=Picture(
        "../figures/visualised_images.png",
        "Images that maximise four neurons of a classifier, with and without diversity",
        "Four neurons of the second layer of a digits classifier: four restarts, diversity of "
        "weight 1 on the hidden layer and on the images, top training examples; last row: other "
        "neurons, of the network before training. Above each image: the class that the trained "
        "network gives it.",
    ),
    kind="statements, published ones and questions of the posts",
)
