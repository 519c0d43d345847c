"""The wide tables at the end of the page: every weight of the penalty, every width."""

from collections.abc import Mapping, Sequence

import pandas as pd

from toymono.frames.classifiers import learned
from toymono.markdown import table
from toymono.papers import verdict_page
from toymono.papers.claims import Judged, judge
from toymono.papers.evidence import Evidence
from toymono.papers.findings import finite
from toymono.papers.wright2022.claims import CLAIMS
from toymono.papers.wright2022.measures import IMAGES, MNIST, Images


def sections(evidence: Evidence) -> Sequence[str]:
    """Titles, tables and what their columns mean."""
    runs = {name: sweep.frame for name, sweep in evidence.sweeps.items()}
    return (
        "## Classifiers, verdicts by data set",
        _by_data(evidence),
        "## Classifiers, every weight",
        *(part for images in IMAGES for part in _section(images, _weights(images, runs))),
        "Mean over the runs that learned, with the smallest and largest; the other runs are "
        "counted and enter no mean. Mono score: mean monosemanticity of the neurons that fire. "
        "n-cut: lower is more clusterable; beside it the mean of shuffles of the same weights, "
        "and the number of runs with a left p of at most .05. Coherence: agreement of clusters "
        "of neurons with their strongest classes, 0 at chance and 1 if they are the same; beside "
        "it the number of runs in which a permutation test gives at most .05.",
        "## Classifiers, accuracy by width",
        *(
            part
            for images in IMAGES
            for part in _section(images, _widths(runs[f"{images.name}_widths"]))
        ),
        "The question, published without a measurement: does encouraging polysemantic neurons "
        "let a smaller network do as well, and does penalising them take a larger one? Accuracy "
        "of the runs that learned, and how many did if not all.",
        "## Toy models, every weight",
        _toy(runs["PEN"]),
        "## Toy models, twice the steps",
        _toy(runs["PEN2"]),
        "The rows without a penalty show what the steps do by themselves: compare with them for "
        "what a penalty changes in the end, and with the table before for what it changes on the "
        "way. Columns: loss on new inputs, of the model and of its mono part (the neurons that "
        "respond to at most one feature); loss on single features, of both; features per neuron; "
        "fraction of living neurons that respond to several features, each alone; of the neurons "
        "that respond to exactly one feature, the fraction that some of 256 random groups of four "
        "other features activate; mean monosemanticity of living neurons on pairs of features; "
        "monosemantic neurons per feature; dead neurons. Published, with twice n, m and k and six "
        "learning rates: baseline (bias -1) .846 … .876, mono part 1.38 … 1.50, single features "
        ".011 … .023, 35 … 50 features per neuron; with the penalty (a variant that multiplies "
        "where it means to divide) .931 … .966, the same, .015 … .041, .50. A zero output has a "
        "loss of 2.667 there and 1.333 here.",
    )


def _by_data(evidence: Evidence) -> str:
    """The statements on classifiers, and the verdict on each data set."""
    rows = []
    for name in CLAIMS:
        if not name.startswith(f"{MNIST.name}_"):
            continue
        what = name.removeprefix(f"{MNIST.name}_")
        judged = [judge(CLAIMS[f"{images.name}_{what}"], evidence) for images in IMAGES]
        rows.append((what.replace("_", " "), *map(_cell, judged)))
    return table(("", *(images.title for images in IMAGES)), rows)


def _cell(judged: Judged) -> str:
    """A verdict with the means behind it."""
    means = ", ".join(verdict_page.three_digits(f.mean) for f in judged.findings if f.counts)
    return f"{judged.text}{f': {means}' if means else ''}"


def _section(images: Images, text: str) -> tuple[str, ...]:
    """A table of one data set with its heading; nothing without runs."""
    return (f"### {images.title}", text) if text else ()


def _weights(images: Images, runs: Mapping[str, pd.DataFrame]) -> str:
    """The sweeps of one data set, but for that of widths."""
    frame = pd.concat(
        frame
        for name, frame in runs.items()
        if f"{name}_".startswith(f"{images.name}_") and name != f"{images.name}_widths"
    )
    if frame.empty:
        return ""
    frame = frame.sort_values(["network", "prune_epochs", "epochs", "penalty", "alpha"])
    by = ["network", "penalty", "epochs", "prune_epochs", "alpha"]
    rows = []
    for (network, penalty, epochs, after, alpha), rows_of in frame.groupby(by, sort=False):
        good = learned(rows_of)
        rows.append(
            (
                network,
                penalty if alpha else "none",
                f"{epochs} + {after} pruning" if after else str(epochs),
                f"{alpha:g}",
                f"{len(good)} of {len(rows_of)}",
                *(_spread(good, c) for c in ("accuracy", "cross_entropy", "penalty_sum")),
                _spread(good, "mean_monosemanticity"),
                _spread(good, "n_cut", 4),
                _spread(good, "shuffled_n_cut_mean", 4),
                _significant(good, "n_cut_p"),
                _spread(good, "coherence", 2),
                _significant(good, "coherence_p"),
            )
        )
    head = ("network", "penalty", "epochs", "alpha", "learned", "accuracy", "cross-entropy")
    head += ("value of the penalty", "mono score", "n-cut", "shuffled", "p ≤ .05")
    return table((*head, "coherence", "p ≤ .05"), rows)


def _widths(runs: pd.DataFrame) -> str:
    if runs.empty:
        return ""
    alphas = sorted(runs["alpha"].unique())
    rows = []
    for width in sorted(runs["sizes"].unique(), key=lambda words: int(words.split("x")[0])):
        cells = []
        for alpha in alphas:
            of_both = runs[(runs["sizes"] == width) & (runs["alpha"] == alpha)]
            good = learned(of_both)
            count = "" if len(good) == len(of_both) else f", {len(good)} of {len(of_both)}"
            cells.append(_spread(good, "accuracy") + count)
        rows.append((width, *cells))
    return table(("layers", *(f"alpha {alpha:g}" for alpha in alphas)), rows)


def _toy(runs: pd.DataFrame) -> str:
    if runs.empty:
        return "No runs."
    columns = {
        "sampled_loss": "loss",
        "sampled_loss_mono": "mono part",
        "single_feature_loss": "single features",
        "single_feature_loss_mono": "mono part",
        "features_per_neuron": "features per neuron",
        "multi_feature_share": "several features",
        "activated_by_others": "activated by four others",
        "pair_monosemanticity": "mono score of pairs",
        "mono_per_feature": "mono neurons per feature",
        "dead": "dead",
    }
    # Without a penalty its weight has no effect, and runs differ in it by chance.
    runs = runs.assign(alpha=runs["alpha"].where(runs["penalty"] != "none", 0.0))
    rows = [
        (kind, f"{bias:g}", f"{alpha:g}", str(len(of)), *(_spread(of, name) for name in columns))
        for (kind, bias, alpha), of in runs.groupby(["penalty", "init_bias", "alpha"])
    ]
    return table(("penalty", "bias", "alpha", "seeds", *columns.values()), rows)


def _spread(rows: pd.DataFrame, column: str, digits: int = 3) -> str:
    """Mean, least and largest of the values that there are."""
    values = finite(rows[column])
    if not values:
        return "-"
    low, high = min(values), max(values)
    ends = f" ({low:.{digits}g} … {high:.{digits}g})" if high > low else ""
    return f"{sum(values) / len(values):.{digits}g}{ends}"


def _significant(rows: pd.DataFrame, column: str) -> str:
    """How many p values are at most .05."""
    values = finite(rows[column])
    return f"{sum(value <= 0.05 for value in values)} of {len(values)}" if values else "-"
