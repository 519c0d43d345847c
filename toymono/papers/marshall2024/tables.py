"""The wide tables at the end of the page: sample sizes, baselines, layers of classifiers, codes."""

from collections.abc import Sequence

import pandas as pd

from toymono.frames.spectrum.toy import SIZES
from toymono.markdown import table
from toymono.papers.evidence import Evidence
from toymono.papers.findings import finite
from toymono.papers.marshall2024.measures import NETWORK_LAYERS
from toymono.papers.verdict_page import three_digits


def sections(evidence: Evidence) -> Sequence[str]:
    """Titles, tables and what their columns mean."""
    runs = {name: sweep.frame for name, sweep in evidence.sweeps.items()}
    return (
        "## How many samples an exponent takes",
        _samples(pd.concat([runs["LR1"], runs["LR3"]])),
        "Hidden layer of the trained toy models, all ranks, Huber's fit: the same layers, measured "
        "on more and more inputs. Means over all runs of LR1 and LR3. The plain participation "
        "ratio is far too low for few samples, the unbiased one (of at most 2400 samples) is not.",
        "## Toy models and their baselines",
        _toy(runs),
        "Mean, with the smallest and largest run. Gains: participation ratio over that of the "
        "untrained copy with biases around 0, with the run's own initial biases, and of the "
        "trained weights rotated as one body. Error ratio: of a power law with one break over "
        f"one without, at ranks that were not fitted. {_breaks(runs)}",
        "## Dimensions per feature of tied models",
        _tied(runs["DIM10"]),
        "D* = m / |W|², mean with the smallest and largest seed, beside the optimum "
        "h(S) / bits + 1 - S that entropy allows. D* of many features ends near m / n.",
        "## Classifiers by layer",
        _networks(runs),
        f"Layer 0 are the pixels. Trained, and in brackets untrained; means over seeds. "
        f"{_actions(runs['mnist'])}",
        "## Autoencoders of patches by rate of dropout",
        _patches(runs["patches"]),
        "Exponents and curvatures of ranks 1 to 64, as many as pixels; means over seeds, dropout "
        "off, but for two columns: with dropout on, of one draw of the masks, and of what two "
        "draws share (cross-validated PCA). Where the error is no less than the variance, the "
        "network has collapsed onto the mean patch.",
    )


def _samples(runs: pd.DataFrame) -> str:
    if runs.empty:
        return "No runs."
    columns = ("few_exponent", "plain_participation_ratio", "unbiased_participation_ratio")
    rows = [
        (str(samples), *(_mean(runs, f"{column}_{samples}") for column in columns))
        for samples in SIZES
    ]
    return table(("samples", "exponent α", "participation ratio, plain", "unbiased"), rows)


_TOY = {
    "participation_ratio": "participation ratio",
    "participation_gain": "gain, biases around 0",
    "participation_gain_own": "own biases",
    "participation_gain_rotated": "rotated",
    "spectrum_exponent": "exponent α",
    "weighted_exponent": "weighted 1/i",
    "spectrum_curvature": "curvature",
    "break_rank": "break at rank",
    "broken_error_ratio": "error ratio",
    "normalised_action": "action",
    "smoothness_slope": "slope of action",
    "neuron_auc": "best neuron",
    "projection_auc": "best projection",
}


def _toy(runs: dict[str, pd.DataFrame]) -> str:
    rows = [
        (name, f"{rate:g}", str(len(of)), *(_spread(of, column) for column in _TOY))
        for name in ("LR1", "LR3")
        if not runs[name].empty
        for rate, of in runs[name].groupby("learning_rate")
    ]
    return table(("sweep", "rate", "seeds", *_TOY.values()), rows) if rows else "No runs."


def _breaks(runs: dict[str, pd.DataFrame]) -> str:
    """Where the break of best fit lies, beside the step that the figure shows."""
    toy = pd.concat([runs["LR1"], runs["LR3"]])
    ranks = finite(toy["break_rank"]) if len(toy) else ()
    if not ranks:
        return ""
    sizes = " or ".join(f"{m:g}" for m in sorted(set(toy["m"])))
    return (
        f"Breaks lie at ranks {min(ranks):g} to {max(ranks):g}, although spectra step down behind "
        f"rank m = {sizes} (dotted in the figure): most ranks are in the tail, and the break of "
        "best fit follows the bends there. A law with one break is better than one without, and "
        "no description of the spectrum either."
    )


def _actions(mnist: pd.DataFrame) -> str:
    """How action changes with depth, in untrained classifiers too."""
    if mnist.empty:
        return ""
    first, last = NETWORK_LAYERS[1], NETWORK_LAYERS[-1]
    ends = [
        f"{_mean(mnist, f'{prefix}action_{first}')} to {_mean(mnist, f'{prefix}action_{last}')}"
        for prefix in ("", "untrained_")
    ]
    return (
        f"From layer {first} to {last} of MNIST classifiers action goes from {ends[0]}, and from "
        f"{ends[1]} before training: its rise with depth needs no training."
    )


def _tied(runs: pd.DataFrame) -> str:
    columns = ("feature_dimensions", "optimum_23", "optimum_8", "dimension_floor")
    rows = (
        [
            (f"{density:g}", str(len(of)), *(_spread(of, column) for column in columns))
            for density, of in sorted(runs.groupby("eps"), reverse=True)
        ]
        if not runs.empty
        else []
    )
    head = ("density", "seeds", "D*", "optimum, 23 bits", "8 bits", "m / n")
    return table(head, rows) if rows else "No runs."


def _networks(runs: dict[str, pd.DataFrame]) -> str:
    columns = ("participation_ratio", "exponent", "curvature", "action")
    rows = [
        (
            name,
            str(layer),
            *(
                f"{_mean(runs[name], f'{c}_{layer}')} "
                f"({_mean(runs[name], f'untrained_{c}_{layer}')})"
                for c in columns
            ),
        )
        for name in ("digits", "mnist")
        if not runs[name].empty
        for layer in NETWORK_LAYERS
    ]
    head = ("data", "layer", "participation ratio", "exponent α", "curvature", "action")
    return table(head, rows) if rows else "No runs."


def _patches(runs: pd.DataFrame) -> str:
    if runs.empty:
        return "No runs."
    columns = ("exponent", "curvature", "participation_ratio", "action", "noisy", "shared")
    rows = [
        (
            f"{rate:g}",
            _mean(of, "error_share"),
            str(layer),
            *(_mean(of, f"{c}_{layer}") if f"{c}_{layer}" in of else "-" for c in columns),
            _mean(of, f"untrained_exponent_{layer}"),
        )
        for rate, of in runs.groupby("dropout_rate")
        for layer in NETWORK_LAYERS
    ]
    head = ("dropout", "error / variance", "layer", "exponent α", "curvature")
    head += ("participation ratio", "action", "α, dropout on", "α, shared", "α, untrained")
    return table(head, rows)


def _mean(rows: pd.DataFrame, column: str) -> str:
    values = finite(rows[column])
    return three_digits(sum(values) / len(values)) if values else "-"


def _spread(rows: pd.DataFrame, column: str) -> str:
    """Mean, least and largest of the values that there are."""
    values = finite(rows[column])
    if not values:
        return "-"
    low, high = three_digits(min(values)), three_digits(max(values))
    ends = f" ({low} … {high})" if low != high else ""
    return f"{three_digits(sum(values) / len(values))}{ends}"
