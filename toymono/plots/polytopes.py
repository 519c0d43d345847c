"""Figures of the polytope lens, for toy runs and classifiers alike.

Frames of `toymono.frames.polytopes` and `toymono.frames.classifier_polytopes`
in, matplotlib figures out. Colours are those of the network and of its copies.
"""

import dataclasses
import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from toymono import catalog
from toymono.frames import classifier_polytopes as of_classifiers
from toymono.frames import polytopes as of_toy
from toymono.plots import style
from toymono.plots.figure import Figure, drawn
from toymono.plots.polytope_planes import caption, polytope_slice
from toymono.plots.selection import MissingRuns, OfClassifiers, Selected, members
from toymono.quantities import QUANTITIES

_LOOKS: dict[str, tuple[str, Any]] = dict(zip(of_toy.COPIES, style.COPIES.values(), strict=True))
_COPIES = {copy: color for copy, (_, color) in _LOOKS.items()}
_DIRECTIONS = {
    "data": "through examples",
    "features": "along features",
    "gaussian": "in random directions",
}
_DISTANCE = "Distance from the origin\n(data's mean length = 1)"

# Nonlinearities with spline codes.
_PIECEWISE = ("relu", "tent")


def _copies(figure: Drawing, frame: pd.DataFrame, field: str = "copy") -> None:
    shown = [copy for copy in _COPIES if copy in set(frame[field])]
    handles = [Line2D([], [], color=_COPIES[copy], label=_LOOKS[copy][0]) for copy in shown]
    style.legend_of(figure, handles, "Network")


@drawn
def polytope_density(radii: pd.DataFrame) -> Drawing:
    """Boundaries of polytopes per unit length, by distance from the origin.

    Args:
      radii: From `frames.polytopes.per_radius` or `frames.classifier_polytopes.per_radius`.
    """
    directions = [d for d in _DIRECTIONS if d in set(radii["direction"])]
    shape = rows, columns = style.row_by_row(len(directions), 2)
    figure = plt.figure(figsize=(6.5, 1.0 + 2.1 * rows), layout="constrained")
    panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(directions) :]:
        panel.set_visible(False)
    for panel, direction in zip(panels.flat, directions, strict=False):
        sns.lineplot(
            radii[radii["direction"] == direction],
            x="ray_position",
            y="boundary_density",
            hue="copy",
            palette=_COPIES,
            ax=panel,
            legend=False,
            **style.SEEDS,
        )
        panel.axvline(1, **style.REFERENCE)
        panel.set_title(f"Rays {_DIRECTIONS[direction]}", fontsize=9)
        panel.set(xlabel=_DISTANCE, ylabel=style.label("boundary_density"), xlim=(0, 5))
        panel.set_yscale("symlog", linthresh=10, linscale=0.6)
        panel.set_yticks([0, 10, 100], ["0", "10", "100"])
        panel.set_ylim(bottom=-0.5)
        panel.label_outer()
    for panel in panels.flat[len(directions) - columns : columns]:  # nothing is below
        panel.tick_params(labelbottom=True)
        panel.set_xlabel(_DISTANCE)
    _copies(figure, radii)
    caption(figure, radii, "Dotted: mean length of the data.")
    return figure


@drawn
def polytope_pairs(kinds: pd.DataFrame) -> Drawing:
    """Boundary density between features, over that between examples of one.

    Copies with less than one boundary per unit length within a feature, as before
    training with a large negative bias, are left out: their ratio is noise.

    Args:
      kinds: From `frames.polytopes.per_pair_kind`.
    """
    kinds = kinds[kinds["density_within"] >= 1]
    figure = plt.figure(figsize=(6.5, 3.2), layout="constrained")
    panel = figure.subplots()
    order = list(dict.fromkeys(kinds["pair_kind"]))
    shown = [copy for copy in _COPIES if copy in set(kinds["copy"])]
    for number, copy in enumerate(shown):
        ratios = kinds[kinds["copy"] == copy].groupby("pair_kind")["density_ratio"]
        mean = ratios.mean()
        at = np.array([order.index(kind) for kind in mean.index])
        at = at + 0.12 * (number - (len(shown) - 1) / 2)
        reach = [mean - ratios.min(), ratios.max() - mean]
        panel.errorbar(at, mean, reach, fmt="o", color=_COPIES[copy], markersize=5, linewidth=1.2)
    panel.axhline(1, **style.REFERENCE)
    panel.set(xlabel="Examples of a pair: the feature, and what else is active")
    panel.set_ylabel(style.label("density_ratio"))
    panel.set_xticks(range(len(order)), [kind.replace(" ", "\n", 1) for kind in order])
    _copies(figure, kinds)
    caption(
        figure,
        kinds,
        "Above 1: denser between features. Left out: less than one boundary per unit length.",
        seeds=("Points", "lines"),
    )
    return figure


@drawn
def classifier_polytope_pairs(layers: pd.DataFrame) -> Drawing:
    """Boundary density between classes over that within one, by layer, beside untrained copies.

    Args:
      layers: From `frames.classifier_polytopes.per_layer`.
    """
    panels_of = {
        "density_ratio": "Codes from the layer to the\noutput, per own-input distance",
        "own_density_ratio": "Code of the layer alone,\nper own-input distance",
        "own_pixel_ratio": "Code of the layer alone,\nper pixel distance",
    }
    figure = plt.figure(figsize=(9.2, 3.2), layout="constrained")
    panels = figure.subplots(1, len(panels_of), sharey=True)
    for panel, (column, words) in zip(panels, panels_of.items(), strict=True):
        sns.lineplot(
            layers,
            x="layer",
            y=column,
            hue="copy",
            palette=_COPIES,
            marker="o",
            markersize=5,
            ax=panel,
            legend=False,
            **style.SEEDS,
        )
        panel.axhline(1, **style.REFERENCE)
        panel.set_title(words, fontsize=9)
        panel.set(xlabel="Hidden layer", ylabel="")
        panel.set_xticks(sorted(layers["layer"].unique()))
    panels[0].set_ylabel(style.label("density_ratio"))
    _copies(figure, layers)
    caption(figure, layers, "Above 1: denser between classes.")
    return figure


@drawn
def polytope_clusters(backgrounds: pd.DataFrame) -> Drawing:
    """How clusters of codes and of activations agree with the true feature, by background.

    Args:
      backgrounds: From `frames.polytopes.per_background`.
    """
    figure = plt.figure(figsize=(7.0, 3.2), layout="constrained")
    panel = figure.subplots()
    shades = (
        style.CATEGORICAL[2],
        *style.CATEGORICAL[:2],
        style.CATEGORICAL[3],
        style.CATEGORICAL[7],
    )
    palette = dict(zip(of_toy.SOURCES, shades, strict=True))
    sns.lineplot(
        backgrounds,
        x="background",
        y="cluster_ami",
        hue="source",
        palette=palette,
        marker="o",
        markersize=5,
        ax=panel,
        legend=False,
        **style.SEEDS,
    )
    panel.axhline(0, **style.REFERENCE)
    panel.set(xlabel=style.label("background", 40), ylabel=style.label("cluster_ami"))
    panel.set_ylim(-0.05, 1.02)
    handles = [
        Line2D([], [], color=color, label=source, marker="o", markersize=4)
        for source, color in palette.items()
    ]
    style.legend_of(figure, handles, "Clusters (HDBSCAN) of")
    note = "30 features, 20 examples of each at 0.7 to 1. 1: clusters are the features; 0: chance."
    caption(figure, backgrounds, note)
    return figure


@drawn
def classifier_polytope_clusters(runs: pd.DataFrame) -> Drawing:
    """How clusters of codes and of activations agree with classes, and boundaries of steps.

    Args:
      runs: From `frames.classifier_polytopes.per_run`.
    """
    panels_of = {
        "Agreement with classes (AMI)": {
            "code_ami": "codes",
            "rotated_code_ami": "codes,\nrotated",
            "activation_ami": "activations",
        },
        "Boundaries per unit length": {
            "adversarial_density": "adversarial\nsteps",
            "random_density": "random\nsteps",
        },
    }
    figure = plt.figure(figsize=(7.4, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, width_ratios=(3, 2))
    for panel, (words, columns) in zip(panels, panels_of.items(), strict=True):
        values = runs[list(columns)].rename(columns=columns).melt().dropna()
        sns.stripplot(
            values, x="variable", y="value", ax=panel, color=style.PLAIN, jitter=0.1, size=5
        )
        panel.set(xlabel="", ylabel=words)
        panel.set_ylim(bottom=min(0, *values["value"]))
    note = "One point per network. Left: clusters of the last hidden layer."
    caption(figure, runs, note, seeds=("", ""))
    return figure


@drawn
def polytope_transformations(pairs: pd.DataFrame) -> Drawing:
    """Hamming distance of two codes, against the distance of their maps.

    Args:
      pairs: From `frames.polytopes.per_code_pair` or `frames.classifier_polytopes.per_code_pair`.
    """
    pairs = pairs[pairs["run"] == pairs["run"].iloc[0]]
    figure = plt.figure(figsize=(5.6, 3.4), layout="constrained")
    panel = figure.subplots()
    panel.plot(pairs["hamming"], pairs["map_distance"], ".", color=style.PLAIN, markersize=4)
    bits = np.linspace(0, pairs["hamming"].max())
    scale = (pairs["map_distance"] / np.sqrt(pairs["hamming"])).median()
    panel.plot(bits, scale * np.sqrt(bits), color="0.2", linewidth=1, linestyle="--")
    panel.set(xlabel=QUANTITIES["hamming"].axis, ylabel=style.label("map_distance"))
    panel.set(xlim=(0, None), ylim=(0, None))
    caption(figure, pairs, "Pairs of examples. Dashes: root of the number of bits.")
    return figure


@dataclasses.dataclass(frozen=True)
class OneSetting:
    """Selects the seeds of one setting of the catalog's sweeps, of models with spline codes.

    It is one with about as many neurons as features, so that single boundaries can
    be seen; of several, the one with most seeds.
    """

    sweeps: tuple[str, ...] = ("K1", "LR1", "LR3")
    """The first of them with runs counts."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if by:
            raise MissingRuns(f"it is not compared by {by}")
        if runs.empty:
            raise MissingRuns("no matching runs")
        runs = runs[runs["nonlinearity"].isin(_PIECEWISE)]
        for sweep, scale in itertools.product(self.sweeps, reversed(catalog.SCALES)):
            found = members(runs, sweep, scale)
            if len(found):
                few = -found["position"].map(found["position"].value_counts())
                ratio = abs(np.log2((found["k"] / found["n"]).astype(float)))
                rank = pd.DataFrame({"ratio": ratio, "few": few})
                best = rank.sort_values(list(rank), kind="stable").index[0]
                return Selected(found[found["position"] == found["position"][best]], scale)
        raise MissingRuns("no matching runs")


@dataclasses.dataclass(frozen=True)
class OneClassifier:
    """Selects the seeds of one setting of dense classifiers with spline codes, without a penalty.

    Of several settings it is the one with the largest network, then the one with
    most runs.
    """

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if len(runs):
            piecewise = runs["nonlinearity"].isin(_PIECEWISE) & (runs["layer_norm"] == "off")
            runs = runs[piecewise & (runs["network"] == "mlp") & (runs["alpha"] == 0)]
        return OfClassifiers(free=())(runs, by)


_TOY = "python -m toymono.sweep --sweep K1 --scale small --seeds 3"
_CLASSIFIERS = "python -m toymono.classifiers --data digits --alpha 0 --seeds 5"


def _summary(draw) -> str:
    return draw.__doc__.partition("\n")[0]


def _toy(draw, frame) -> Figure:
    chosen = OneSetting()
    return Figure(draw.__name__, _summary(draw), draw, (frame,), chosen, _TOY, compares=False)


def _classifier(draw, frame, name: str = "") -> Figure:
    return Figure(
        name or draw.__name__,
        _summary(draw),
        draw,
        (frame,),
        OneClassifier(),
        _CLASSIFIERS,
        kind="classifier",
        compares=False,
    )


FIGURES: tuple[Figure, ...] = (
    _toy(polytope_density, of_toy.per_radius),
    _toy(polytope_slice, of_toy.feature_square),
    _toy(polytope_pairs, of_toy.per_pair_kind),
    _toy(polytope_clusters, of_toy.per_background),
    _toy(polytope_transformations, of_toy.per_code_pair),
    _classifier(polytope_density, of_classifiers.per_radius, "classifier_polytope_density"),
    _classifier(polytope_slice, of_classifiers.image_plane, "classifier_polytope_slice"),
    _classifier(classifier_polytope_pairs, of_classifiers.per_layer),
    _classifier(classifier_polytope_clusters, of_classifiers.per_run),
    _classifier(
        polytope_transformations,
        of_classifiers.per_code_pair,
        "classifier_polytope_transformations",
    ),
)
"""Figures of the lens, toy runs first."""
