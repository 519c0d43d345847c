"""The coding-theory lens on classifiers: spectra and redundancy by layer."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono.frames import spectrum as frames
from toymono.plots import style
from toymono.plots.classifiers import title
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import OfClassifiers

_TRAINED_BY = "python -m toymono.classifiers --data digits --alpha 0,0.1,-0.001 --seeds 5"


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
            panel.set_yscale("log")
        else:
            level = -1 if column == "spectrum_exponent" else 1
            panel.axhline(level, **style.REFERENCE)
    _legend(figure, layers)
    note = "Lines: mean of seeds; bands: their range. Dotted: exponent −1; a circle."
    if "spectrum_exponent" not in shown:
        note += " Too few images for an exponent."
    title(figure, layers, note)
    return figure


def _color(frame: pd.DataFrame, weights: str, alpha: float):
    if weights != "trained":
        return style.WORDS[2]
    return style.signed_colors(frame["alpha"])[alpha]


def _legend(figure: Drawing, frame: pd.DataFrame) -> None:
    handles = [
        Line2D([], [], color=color, label=f"trained, α = {style.value('alpha', alpha)}")
        for alpha, color in style.signed_colors(frame["alpha"]).items()
    ]
    handles.append(Line2D([], [], color=style.WORDS[2], label="untrained"))
    style.legend_of(figure, handles, "Penalty weight")


def _figure(draw, frame) -> Figure:
    summary = draw.__doc__.partition("\n")[0]
    select, kind = OfClassifiers(), "classifier"
    return Figure(
        draw.__name__, summary, draw, (frame,), select, _TRAINED_BY, kind=kind, compares=False
    )


FIGURES: tuple[Figure, ...] = (
    _figure(network_spectra, frames.per_network_rank),
    _figure(redundancy_by_layer, frames.per_network_layer),
)
"""Figures of classifiers."""
