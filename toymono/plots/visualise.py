"""Figures of feature visualisation: what was found, for toy models and classifiers.

Frames of `toymono.frames.visualise` and `visualise_classifiers` in, matplotlib
figures out.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono.frames import visualise as toy_frames
from toymono.frames import visualise_classifiers as classifier_frames
from toymono.plots import figure as figures
from toymono.plots import style
from toymono.plots.classifiers import first_of_each_alpha, title
from toymono.plots.figure import drawn
from toymono.plots.selection import OfClassifiers, OfSweeps, Selected

_COLORS = style.CATEGORICAL
# Words for methods, in the order in which they are shown.
_WORDS = {
    "restarts": "independent",
    "hidden 0.3": "diverse activations, weight 0.3",
    "hidden 1": "diverse activations, weight 1",
    "hidden 3": "diverse activations, weight 3",
    "inputs 0.3": "diverse inputs, weight 0.3",
    "inputs 1": "diverse inputs, weight 1",
    "inputs 3": "diverse inputs, weight 3",
    "grown": "grown batch",
    "greedy": "greedy",
    "examples": "top examples",
    "centroids": "centroids",
    "untrained": "untrained network",
}

_INTERVAL = {"errorbar": ("ci", 95), "n_boot": 500, "seed": 0}
"""How seaborn shows the mean over neurons: with a bootstrap interval."""


@drawn
def visualised_images(pictures: pd.DataFrame) -> Figure:
    """Images that maximise a classifier's neurons, with and without diversity.

    One network, its first seed that learned at the lowest weight of the penalty.
    Each block of four images is one batch; the number above an image is the
    class that the network gives it. The neurons of the last row, of the network
    before training, are others.

    Args:
      pictures: From `frames.visualise_classifiers.pictures`.
    """
    shown = first_of_each_alpha(pictures)
    shown = shown[shown["alpha"] == shown["alpha"].abs().min()]
    methods = [method for method in _WORDS if method in set(shown["method"])]
    count = shown[shown["method"] == methods[0]]["neuron"].nunique()
    size = max(map(len, shown["images_bhw"]))
    figure = plt.figure(figsize=(6.5, 0.95 + 0.6 * len(methods)))
    top = 1 - 0.9 / figure.get_figheight()
    figure.subplots_adjust(left=0.21, right=0.995, bottom=0.02, top=top)
    outer = figure.add_gridspec(len(methods), count, wspace=0.08, hspace=0.35)
    for i, method in enumerate(methods):
        of_method = shown[shown["method"] == method]
        for j, (_, row) in enumerate(of_method.iterrows()):
            cells = outer[i, j].subgridspec(1, size, wspace=0.06)
            for b, (image_hw, label) in enumerate(
                zip(row["images_bhw"], row["label_b"], strict=True)
            ):
                panel = figure.add_subplot(cells[b])
                panel.imshow(image_hw, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                panel.set(xticks=[], yticks=[])
                panel.set_title(str(label), fontsize=7.5, pad=1.5)
                if b == 0 and j == 0:
                    panel.set_ylabel(
                        _WORDS[method].replace(", ", ",\n", 1),
                        rotation=0,
                        ha="right",
                        va="center",
                        fontsize=8.5,
                    )
                if i == 0 and b == 0 and method != "untrained":
                    words = f"neuron {row['neuron']}, {row['facet_count']} classes"
                    panel.annotate(
                        words,
                        (0, 1),
                        (0, 12),
                        xycoords="axes fraction",
                        textcoords="offset points",
                        fontsize=7.5,
                    )
    alpha = shown["alpha"].iloc[0]
    weight = f", α = {style.value('alpha', alpha)}" if alpha else ""
    note = (
        f"Layer {shown['layer'].iloc[0]}{weight}. Above an image: the class that the trained "
        "network gives it. Last row: other neurons, of the network before training."
    )
    title(figure, shown, note)
    return figure


@drawn
def visualised_features(inputs: pd.DataFrame) -> Figure:
    """Feature vectors that maximise a toy model's neurons, with and without diversity.

    Each panel is one batch: a row for each input, a column for each of the
    neuron's strongest features, in the order of its responses, which the line
    above shows; the last column is the sum of all other features. The first
    columns, up to the red line, are the neuron's facets. A cross marks inputs on
    which the neuron is inactive.

    Args:
      inputs: From `frames.visualise.visualised`. Of several runs, the first that
        has neurons with several facets is shown.
    """
    shown = inputs[inputs["run"] == inputs["run"].iloc[0]]
    methods = [method for method in _WORDS if method in set(shown["method"])]
    neurons = shown["neuron"].unique()
    figure = plt.figure(
        figsize=(1.4 + 1.75 * len(neurons), 1.2 + 1.1 * len(methods)), layout="constrained"
    )
    heights = [0.5, *[1.0] * len(methods)]
    panels = figure.subplots(
        len(methods) + 1, len(neurons), squeeze=False, sharex="col", height_ratios=heights
    )
    for j, neuron in enumerate(neurons):
        of_neuron = shown[shown["neuron"] == neuron].set_index("method")
        count, response_n = of_neuron["facet_count"].iloc[0], of_neuron["response_n"].iloc[0]
        panels[0, j].plot(
            np.arange(len(response_n)), response_n, drawstyle="steps-mid", color="0.2"
        )
        panels[0, j].axhline(0, **style.REFERENCE)
        panels[0, j].set_title(f"neuron {neuron}: {count} facets", fontsize=9)
        for i, method in enumerate(methods, 1):
            panel, row = panels[i, j], of_neuron.loc[method]
            image = panel.imshow(
                row["features_bn"], aspect="auto", cmap="Blues", vmin=0, vmax=1, rasterized=True
            )
            inactive = np.flatnonzero(~row["active_b"])
            edge = row["features_bn"].shape[1] - 0.3
            panel.plot([edge] * len(inactive), inactive, "x", color=_COLORS[1], markersize=3.5)
            panel.spines[:].set_visible(True)
            panel.set_yticks([])
        for panel in panels[:, j]:
            panel.axvline(count - 0.5, color=_COLORS[3], linewidth=1)
            panel.set_xlim(-0.5, len(response_n) + 1)
        panels[-1, j].set_xlabel("Feature, by response")
    panels[0, 0].set_ylabel("Response", fontsize=8)
    for i, method in enumerate(methods, 1):
        panels[i, 0].set_ylabel(_WORDS[method].replace(", ", ",\n"), fontsize=8)
    figure.colorbar(image, ax=panels, label="Strength of the feature", shrink=0.6)
    style.caption(
        figure,
        shown,
        "Rows of a panel: the inputs of one batch; left of the red line: the neuron's facets; "
        "last column: all other features; crosses: inactive, or not needed.",
        beside=True,
    )
    return figure


@drawn
def facets_by_method(neurons: pd.DataFrame) -> Figure:
    """Precision and recall of visualised inputs of toy models, by method.

    Args:
      neurons: From `frames.visualise.per_neuron`.
    """
    figure = plt.figure(figsize=(8.2, 3.6), layout="constrained")
    several = neurons[neurons["facet_group"] == "2-8"]
    _precision_and_recall(figure, several, "init_bias")
    count = several.drop_duplicates(["run", "neuron"]).shape[0]
    style.caption(
        figure,
        several,
        f"{count} neurons with 2 to 8 features; points: their mean, bars: 95 % bootstrap "
        "interval over neurons. Numbers: weight of the diversity term.",
        beside=True,
        seeds=("", ""),
    )
    return figure


@drawn
def image_facets_by_method(neurons: pd.DataFrame) -> Figure:
    """Precision and recall of visualised images of classifiers, by method.

    Facets are the classes on which a neuron fires.

    Args:
      neurons: From `frames.visualise_classifiers.per_neuron`.
    """
    figure = plt.figure(figsize=(8.2, 3.6), layout="constrained")
    _precision_and_recall(figure, neurons, "alpha", ("label_agreement",))
    trained = neurons[neurons["method"] != "untrained"]
    count = trained.drop_duplicates(["run", "layer", "neuron"]).shape[0]
    title(
        figure,
        neurons,
        f"{count} neurons with 2 to 8 classes of runs that learned; bars: 95 % bootstrap interval "
        "over neurons.",
    )
    return figure


def _precision_and_recall(
    figure: Figure, neurons: pd.DataFrame, field: str, more: Sequence[str] = ()
) -> None:
    """A panel each for recall and precision, a row for each method, colours for a field."""
    methods = [method for method in _WORDS if method in set(neurons["method"])]
    columns = ("facet_recall", "facet_precision", *more)
    palette = (
        style.signed_colors(neurons[field]) if field == "alpha" else style.colors(neurons, field)
    )
    for panel, column in zip(figure.subplots(1, len(columns), sharey=True), columns, strict=True):
        for shift, (value, color) in enumerate(palette.items()):
            rows = neurons[neurons[field] == value]
            offset = 0.16 * (shift - (len(palette) - 1) / 2)
            for i, method in enumerate(methods):
                values = rows.loc[rows["method"] == method, column].dropna()
                if len(values):
                    _interval(panel, values.to_numpy(), i + offset, color)
        panel.set(xlim=(-0.02, 1.02), xlabel=style.label(column))
        panel.set_ylim(len(methods) - 0.5, -0.5)
        panel.set_yticks(range(len(methods)), [_WORDS[method] for method in methods])
        panel.grid(axis="x", color="0.9", linewidth=0.6)
    style.legend(figure, field, palette, marker="o", markersize=4)


def _interval(panel, values: np.ndarray, height: float, color) -> None:
    """The mean of values with its bootstrap interval."""
    frame = pd.DataFrame({"value": values, "at": height})
    sns.lineplot(
        frame,
        x="value",
        y="at",
        orient="y",
        estimator="mean",
        marker="o",
        markersize=4,
        color=color,
        err_style="bars",
        err_kws={"linewidth": 1.2},
        ax=panel,
        **_INTERVAL,
    )
    panel.set_ylabel("")


@drawn
def facets_by_monosemanticity(neurons: pd.DataFrame) -> Figure:
    """Facets that growing batches find in a neuron, by its monosemanticity.

    Args:
      neurons: From `frames.visualise.per_neuron`.
    """
    grown = neurons[neurons["method"] == "grown"]
    biases = sorted(grown["init_bias"].unique())
    figure = plt.figure(figsize=(1.6 + 2.9 * len(biases), 3.2), layout="constrained")
    panels = figure.subplots(1, len(biases), sharey=True, squeeze=False)[0]
    rng = np.random.default_rng(0)
    for panel, bias in zip(panels, biases, strict=True):
        rows = grown[grown["init_bias"] == bias]
        for column, color, marker in (
            ("facets_found", _COLORS[0], "o"),
            ("facets_invented", _COLORS[1], "x"),
        ):
            some = rows if column == "facets_found" else rows[rows[column] > 0]
            jitter = some[column] + 0.25 * rng.uniform(-1, 1, len(some))
            panel.plot(some["monosemanticity"], jitter, marker, color=color, ms=3.5, alpha=0.6)
        panel.axhline(1, **style.REFERENCE)
        panel.set(xlabel=style.label("monosemanticity"), title=style.setting("init_bias", bias))
        panel.title.set_fontsize(9)
    panels[0].set_ylabel("Facets of a neuron")
    handles = [
        Line2D([], [], color=_COLORS[0], marker="o", linestyle="", ms=4, label="found"),
        Line2D([], [], color=_COLORS[1], marker="x", linestyle="", ms=4, label="invented"),
    ]
    style.legend_of(figure, handles, "Facets")
    style.caption(
        figure,
        grown,
        "Points: neurons. Batches grow until an input falls below a tenth of the neuron's "
        "maximum, to 12 at most. Up to 16 neurons each with 1, 2 to 8 and more features.",
        beside=True,
        seeds=("", ""),
    )
    return figure


@drawn
def connections_by_bias(runs: pd.DataFrame) -> Figure:
    """Pairs of features that a neuron's weights connect, by initial bias.

    Args:
      runs: From `frames.visualise.connections_per_run`.
    """
    figure = plt.figure(figsize=(7.6, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    names: dict[str, tuple[str, Any, str]] = {
        "connections_median": ("median", "-", "o"),
        "connections_weighted_mean": ("mean, weighted", "--", "s"),
        "connections_low": ("10 % quantile", ":", ""),
        "connections_high": ("90 % quantile", ":", ""),
    }
    for i, (column, (_, line, marker)) in enumerate(names.items()):
        color = _COLORS[min(i, 2)]
        sns.lineplot(
            runs,
            x="init_bias",
            y=column,
            color=color,
            linestyle=line,
            marker=marker or None,
            ax=left,
            **style.SEEDS,
        )
    left.axhline(1, **style.REFERENCE)
    left.axhline(25, **style.REFERENCE)
    left.set_yscale("log")
    left.set(xlabel=style.label("init_bias"), ylabel="Feature pairs per neuron")
    sns.lineplot(
        runs,
        x="init_bias",
        y="virtual_diagonal",
        color=style.PLAIN,
        marker="o",
        ax=right,
        **style.SEEDS,
    )
    right.set(xlabel=style.label("init_bias"), ylim=(0, 1))
    right.set_ylabel("Virtual weights from a feature\nto itself (fraction)")
    handles = [
        Line2D([], [], color=_COLORS[min(i, 2)], ls=line, marker=marker, label=words, ms=4)
        for i, (words, line, marker) in enumerate(list(names.values())[:3])
    ]
    handles[2].set_label("10 % and 90 % quantile")
    style.legend_of(figure, handles, "Over living neurons")
    style.caption(figure, runs, "Dotted: 1 pair, and 5 · 5 = 25.", beside=True)
    return figure


@dataclasses.dataclass(frozen=True)
class OfWeights(OfClassifiers):
    """Selects classifiers of few weights of the penalty, since their images take long."""

    alphas: tuple[float, ...] = (0.0, 0.1, 1.0)

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        few = runs[runs["alpha"].isin(self.alphas)] if len(runs) else runs
        return super().__call__(few, by)


# Of the small rates the one at which most neurons have several features, by its index.
_RATE = (4,)
_TWO_BIASES = "python -m toymono.sweep --sweep LR1,LR3 --scale small --seeds 3"
_BIASES = "python -m toymono.sweep --sweep B3 --scale small --seeds 3"
_CLASSIFIERS = "python -m toymono.classifiers --data digits --alpha 0,0.1,1 --seeds 5"


def _figure(draw, frame, select, trained_by: str, kind: str = "toy") -> figures.Figure:
    summary = draw.__doc__.partition("\n")[0]
    return figures.Figure(
        draw.__name__, summary, draw, (frame,), select, trained_by, kind=kind, compares=False
    )


_AT_TWO_BIASES = OfSweeps(("LR1", "LR3"), positions=_RATE, heading=False)

FIGURES: tuple[figures.Figure, ...] = (
    _figure(visualised_features, toy_frames.visualised, _AT_TWO_BIASES, _TWO_BIASES),
    _figure(facets_by_method, toy_frames.per_neuron, _AT_TWO_BIASES, _TWO_BIASES),
    _figure(facets_by_monosemanticity, toy_frames.per_neuron, _AT_TWO_BIASES, _TWO_BIASES),
    _figure(
        connections_by_bias,
        toy_frames.connections_per_run,
        OfSweeps(("B3",), heading=False),
        _BIASES,
    ),
    _figure(
        visualised_images,
        classifier_frames.pictures,
        OfWeights(alphas=(0.0,)),
        _CLASSIFIERS,
        "classifier",
    ),
    _figure(
        image_facets_by_method,
        classifier_frames.per_neuron,
        OfWeights(),
        _CLASSIFIERS,
        "classifier",
    ),
)
"""Figures of feature visualisation."""
