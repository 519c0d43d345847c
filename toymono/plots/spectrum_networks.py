"""The coding-theory lens on classifiers and autoencoders: spectra and redundancy by layer."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono.autoencoders.fields import AUTOENCODER
from toymono.frames import spectrum as frames
from toymono.plots import style
from toymono.plots.classifiers import title
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import MissingRuns, OfClassifiers, Selected

_TRAINED_BY = "python -m toymono.classifiers --data digits --alpha 0,0.1,-0.001 --seeds 5"
_PATCHES = "python -m toymono.autoencoders --dropout_rate 0,0.2,0.5,0.8 --seeds 5"


@drawn
def network_spectra(ranks: pd.DataFrame) -> Drawing:
    """Eigenspectra of classifiers' hidden layers on log-log axes, trained and untrained.

    Args:
      ranks: From `frames.spectrum.per_network_rank`.
    """
    layers = sorted(ranks["layer"].unique())
    figure = plt.figure(figsize=(2.4 + 1.9 * len(layers), 3.0), layout="constrained")
    panels = figure.subplots(1, len(layers), sharey=True)
    for panel, layer in zip(panels, layers, strict=True):
        of_layer = ranks[ranks["layer"] == layer]
        for (weights, alpha, _), run in of_layer.groupby(["weights", "alpha", "run"]):
            look = {"color": _color(ranks, weights, alpha), "linewidth": 0.9}
            panel.loglog(run["spectrum_index"], run["eigenvalue_share"], **look)
        ends = np.array([1, 200])
        panel.plot(ends, 0.5 / ends, **{**style.REFERENCE, "linestyle": "--"})
        panel.set_title(f"Layer {layer}" if layer else "Pixels", fontsize=9)
        panel.set(xlabel="Rank", ylim=(1e-7, 1))
    panels[0].set_ylabel("Eigenvalue / variance")
    _legend(figure, ranks)
    title(figure, ranks, "Every run, on the training images. Dashes: slope −1.")
    return figure


@drawn
def redundancy_by_layer(layers: pd.DataFrame) -> Drawing:
    """Participation ratio, exponent and action of classifiers' layers, trained and untrained.

    Args:
      layers: From `frames.spectrum.per_network_layer`.
    """
    columns = ("participation_ratio", "spectrum_exponent", "normalised_action")
    figure = plt.figure(figsize=(10.0, 3.0), layout="constrained")
    shown = [column for column in columns if layers[column].notna().any()]
    for panel, column in zip(figure.subplots(1, len(shown)), shown, strict=True):
        for (weights, alpha), rows in layers.groupby(["weights", "alpha"]):
            rows = rows.dropna(subset=[column])
            look = {"color": _color(layers, weights, alpha), "marker": "o", "markersize": 4}
            sns.lineplot(rows, x="layer", y=column, ax=panel, **look, **style.SEEDS)
        panel.set(xlabel="Layer (0: pixels)", ylabel=style.label(column))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if column == "participation_ratio":
            style.from_zero(panel)
        else:
            level = -1 if column == "spectrum_exponent" else 1
            panel.axhline(level, **style.REFERENCE)
    _legend(figure, layers)
    note = "Lines: mean of seeds; bands: their range. Dotted: exponent −1; a circle."
    if "spectrum_exponent" not in shown:
        note += " Too few images for an exponent."
    title(figure, layers, note)
    return figure


@drawn
def patch_spectra(ranks: pd.DataFrame) -> Drawing:
    """Eigenspectra of autoencoders' layers by rate of dropout; dashed: collapsed runs.

    Args:
      ranks: From `frames.spectrum.per_patch_rank`.

    Reference:
      Marshall & Kirchner (2024), figures 3b and 5.
    """
    shown = ranks[ranks["weights"] == "trained"]
    palette = style.colors(shown, "dropout_rate")
    layers = sorted(shown["layer"].unique())
    figure = plt.figure(figsize=(2.4 + 1.9 * len(layers), 3.0), layout="constrained")
    panels = figure.subplots(1, len(layers), sharey=True)
    for panel, layer in zip(panels, layers, strict=True):
        of_layer = shown[shown["layer"] == layer]
        for (rate, _), run in of_layer.groupby(["dropout_rate", "run"]):
            look = {"color": palette[rate], "linewidth": 0.9, "linestyle": _dashes(run)}
            panel.loglog(run["spectrum_index"], run["eigenvalue_share"], **look)
        ends = np.array([1, 100])
        panel.plot(ends, 0.5 / ends, **style.REFERENCE)
        panel.set_title(f"Layer {layer}" if layer else "Pixels", fontsize=9)
        panel.set(xlabel="Rank", ylim=(1e-7, 1))
    panels[0].set_ylabel("Eigenvalue / variance")
    style.legend(figure, "dropout_rate", palette, title="Dropout")
    _patch_title(figure, shown, "Every run, dropout off. Dotted: slope −1.")
    return figure


@drawn
def redundancy_by_dropout(layers: pd.DataFrame) -> Drawing:
    """Exponent, curvature and participation ratio of autoencoders' layers, by rate of dropout.

    Args:
      layers: From `frames.spectrum.per_patch_layer`.

    Reference:
      Marshall & Kirchner (2024), figures 3c and 5.
    """
    columns = ("leading_exponent", "leading_curvature", "participation_ratio")
    palette = style.colors(layers, "dropout_rate")
    figure = plt.figure(figsize=(9.6, 3.0), layout="constrained")
    for panel, column in zip(figure.subplots(1, len(columns)), columns, strict=True):
        for (weights, rate), rows in layers.groupby(["weights", "dropout_rate"]):
            if weights == "untrained" and rate != layers["dropout_rate"].min():
                continue  # an untrained network does not know its rate
            color = palette[rate] if weights == "trained" else style.BASELINE
            look = {"color": color, "marker": "o", "markersize": 4, "linestyle": _dashes(rows)}
            sns.lineplot(rows, x="layer", y=column, ax=panel, **look, **style.SEEDS)
        panel.set(xlabel="Layer (0: pixels)", ylabel=style.label(column))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if column != "participation_ratio":
            panel.axhline(-1 if column == "leading_exponent" else 0, **style.REFERENCE)
    handles = [
        Line2D([], [], color=color, label=f"{rate:g}", marker="o", markersize=4)
        for rate, color in palette.items()
    ]
    handles.append(Line2D([], [], color=style.BASELINE, label="untrained"))
    style.legend_of(figure, handles, "Dropout")
    _patch_title(figure, layers, "Lines: mean of seeds; bands: their range. Dropout off.")
    return figure


def _dashes(rows: pd.DataFrame) -> str:
    return "--" if (rows["collapsed"] & (rows["weights"] == "trained")).any() else "-"


def _patch_title(figure: Drawing, frame: pd.DataFrame, note: str) -> None:
    """Writes above the panels what the runs have in common."""
    side = frame["patch"].iloc[0]
    words = f"{frame['data'].iloc[0]}, patches of {side} x {side}, {frame['sizes'].iloc[0]}"
    words += f", {frame['seed'].nunique()} seeds. {note} Dashed: error over variance at least 0.5."
    style.small_print(figure, words)


@dataclasses.dataclass(frozen=True)
class OfAutoencoders:
    """Selects the largest set of autoencoders that differ in their rate of dropout alone."""

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        if by:
            raise MissingRuns(f"it is not compared by {by}")
        if runs.empty:
            raise MissingRuns("no autoencoder")
        shared = [name for name in AUTOENCODER if name != "dropout_rate"]
        groups = [group for _, group in runs.groupby([*shared, "fingerprint"], sort=False)]
        return Selected(max(groups, key=len))


def _color(frame: pd.DataFrame, weights: str, alpha: float):
    if weights != "trained":
        return style.CATEGORICAL[2]
    return style.signed_colors(frame["alpha"])[alpha]


def _legend(figure: Drawing, frame: pd.DataFrame) -> None:
    handles = [
        Line2D([], [], color=color, label=f"trained, α = {style.value('alpha', alpha)}")
        for alpha, color in style.signed_colors(frame["alpha"]).items()
    ]
    handles.append(Line2D([], [], color=style.CATEGORICAL[2], label="untrained"))
    style.legend_of(figure, handles, "Penalty weight")


def _figure(draw, frame) -> Figure:
    summary = draw.__doc__.partition("\n")[0]
    select, kind = OfClassifiers(), "classifier"
    return Figure(
        draw.__name__, summary, draw, (frame,), select, _TRAINED_BY, kind=kind, compares=False
    )


def _of_patches(draw, frame) -> Figure:
    summary = draw.__doc__.partition("\n")[0]
    select, kind = OfAutoencoders(), "autoencoder"
    return Figure(
        draw.__name__, summary, draw, (frame,), select, _PATCHES, kind=kind, compares=False
    )


FIGURES: tuple[Figure, ...] = (
    _figure(network_spectra, frames.per_network_rank),
    _figure(redundancy_by_layer, frames.per_network_layer),
    _of_patches(patch_spectra, frames.per_patch_rank),
    _of_patches(redundancy_by_dropout, frames.per_patch_layer),
)
"""Figures of classifiers and of autoencoders."""
