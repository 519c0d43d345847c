"""What each neuron responds to: one panel per model, neurons in the paper's order."""

import itertools
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono.plots import selection, style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

# Most panels of a grid of two fields, and of one field in rows of four.
_COLUMNS, _ROWS, _MOST = 6, 3, 8

# Neurons or features that an inch can show; if there are more, some share a dot.
_FINEST = 120

# The two capacities of a feature, and their words in the legend.
_CAPACITIES = (
    ("response_capacity", "among the neurons' responses"),
    ("weight_capacity", "among the input weights"),
)

# Where features stand that no neuron responds to most, apart from all scores.
_NONE = -0.2

# The range of colours in the paper's program; a neuron of a single feature comes close to 1.
_LOWEST, _HIGHEST = 0.0, 1.02


@drawn
def single_feature_activations(
    responses: pd.DataFrame,
    by: str | None = None,
    height: float = 2.4,
    head: str = "",
    note: str = "",
) -> Figure:
    """Each neuron's activation on each single feature, both in the paper's order.

    A monosemantic neuron is one bright point in its row, and the first of them
    make a diagonal; a polysemantic neuron is a bright row.

    Args:
      responses: From `frames.sorted_responses`. Of several seeds, the first is
        shown.
      by: The field that differs from panel to panel. If the runs differ in a
        second field, there is a row of panels for each of its values.
      height: Of a panel, in inches.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 4, 10 and 20.
    """
    responses = selection.first_seeds(responses)
    figure, panels, missing = _panels(responses, by, "Feature, sorted", "Neuron, sorted", height)
    note += missing
    finest = max(256, int(_FINEST * height))
    for panel, of_model in panels:
        response_kn = of_model["response_kn"].iloc[0]
        k, n = response_kn.shape
        image = panel.imshow(
            largest(response_kn, finest),
            extent=(0, n, k, 0),
            aspect="auto",
            interpolation="none",
            vmin=_LOWEST,
            vmax=_HIGHEST,
        )
        panel.spines[:].set_visible(True)
    images = responses["response_kn"]
    under = any(response_kn.min() < _LOWEST for response_kn in images)
    over = any(response_kn.max() > _HIGHEST for response_kn in images)
    figure.colorbar(
        image,
        ax=[panel for panel, _ in panels],
        location="top",
        orientation="horizontal",
        label="Activation on a single feature at full strength",
        extend={(1, 1): "both", (1, 0): "min", (0, 1): "max", (0, 0): "neither"}[under, over],
        aspect=40,
        shrink=0.8,
        ticks=np.linspace(0, 1, 6),
    )
    if any(max(response_kn.shape) > finest for response_kn in images):
        note += " Each pixel: the maximum over the neurons and features it covers."
    style.caption(figure, responses, note, head=head)
    return figure


@drawn
def sorted_biases(
    neurons: pd.DataFrame,
    by: str | None = None,
    height: float = 1.7,
    head: str = "",
    note: str = "",
) -> Figure:
    """Each neuron's bias, the most monosemantic neuron first.

    Args:
      neurons: From `frames.per_neuron`. Of several seeds, the first is shown.
      by: As in `single_feature_activations`.
      height: Of a panel, in inches.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 5 and 11.
    """
    neurons = selection.first_seeds(neurons)
    figure, panels, missing = _panels(neurons, by, "Neuron, sorted", "Bias", height)
    note += missing
    least, (low, high) = _limits(neurons)
    for panel, of_model in panels:
        for kind, of_kind in of_model.groupby("neuron_kind"):
            look = {"color": style.KINDS[kind], "linestyle": "", "rasterized": True}
            visible = of_kind[of_kind["bias"] >= least]
            panel.plot(visible["rank"], visible["bias"], marker="o", markersize=1.8, **look)
            below = of_kind["rank"][of_kind["bias"] < least]
            edge = low + 0.02 * (high - low)
            panel.plot(below, [edge] * len(below), marker="v", markersize=3, **look)
        panel.axhline(0, **style.REFERENCE)
        panel.axvline(of_model["n"].iloc[0], **style.REFERENCE)
        panel.set_ylim(low, high)
    note += " Dotted: a bias of 0, and as many neurons as features."
    if (neurons["bias"] < least).any():
        lowest = style.value("bias", neurons["bias"].min())
        note += f" Triangles: dead neurons with a lower bias, down to {lowest}."
    style.kinds(figure)
    style.caption(figure, neurons, note, head=head)
    return figure


@drawn
def feature_capacities(features: pd.DataFrame, by: str | None = None) -> Figure:
    """Each feature's capacity, against its best neuron's monosemanticity.

    The capacity is the fraction of a dimension that a feature has to itself;
    Elhage et al. call it dimensionality. Among the neurons' responses all
    features can have a dimension each; among the input weights they share the m
    dimensions of the embedding.

    Args:
      features: From `frames.per_feature`. Of several seeds, the first is shown.
      by: As in `single_feature_activations`.

    Reference:
      Scherlis, Sachan, Jermyn, Benton & Shlegeris (2022), Polysemanticity and
      Capacity in Neural Networks; Elhage et al. (2022), Toy Models of Superposition.
    """
    features = selection.first_seeds(features)
    labels = (QUANTITIES["best_monosemanticity"].axis, "Capacity of a feature")
    figure, panels, note = _panels(features, by, *labels, 2.2)
    look: dict[str, Any] = {"linestyle": "", "marker": "o", "markeredgewidth": 0}
    dots, in_legend = {"markersize": 2.5, "alpha": 0.4, **look}, {"markersize": 4, **look}
    lacking = (features["best_monosemanticity"] == 0).any()
    for panel, of_model in panels:
        score = of_model["best_monosemanticity"]
        score = score.mask(score == 0, _NONE)
        for (column, _), color in zip(_CAPACITIES, style.CATEGORICAL, strict=False):
            panel.plot(score, of_model[column], color=color, **dots)
        panel.axhline(of_model["m"].iloc[0] / of_model["n"].iloc[0], **style.REFERENCE)
        top = features[[column for column, _ in _CAPACITIES]].to_numpy().max()
        panel.set(xlim=(-0.04, 1.04), ylim=(-0.04 * top, 1.1 * top))
        if lacking:
            panel.set_xlim(_NONE - 0.06, 1.04)
            panel.set_xticks([_NONE, 0, 0.5, 1], ["none", "0", "0.5", "1"])
    handles = [
        Line2D([], [], color=color, label=words, **in_legend)
        for (_, words), color in zip(_CAPACITIES, style.CATEGORICAL, strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    note += " Dotted: an equal share of the dimensions, m/n."
    note += " None: the feature is no neuron's strongest." if lacking else ""
    style.caption(figure, features, note)
    return figure


def _panels(
    frame: pd.DataFrame, by: str | None, xlabel: str, ylabel: str, height: float
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]], str]:
    """A figure, a titled panel with its rows for each model, and a note on omitted ones."""
    by, across = selection.axes(frame, by)
    rows = selection.spread(frame, across, _ROWS)
    columns = selection.spread(frame, by, _COLUMNS if across else _MOST)
    shape = (len(rows), len(columns)) if across else style.row_by_row(len(columns), 4)
    high, wide = shape
    if high == wide == 1:
        height *= 1.7
    width = 1.0 + (2.2 if wide < 5 else 1.7) * wide
    figure = plt.figure(figsize=(max(5.4, width), 1.3 + height * high), layout="constrained")
    grid = figure.add_gridspec(*shape)
    cells = [
        selection.part(selection.part(frame, across, row), by, column)
        for row, column in itertools.product(rows, columns)
    ]
    panels = []
    for i, of_model in enumerate(cells):
        if of_model.empty:
            continue
        panel = figure.add_subplot(grid[divmod(i, wide)])
        varied = [style.setting(field, of_model[field].iloc[0]) for field in (across, by) if field]
        panel.set_title("\n".join(varied), size="small" if wide > 4 else "medium")
        if all(cell.empty for cell in cells[i - i % wide : i]):  # first of its row
            panel.set_ylabel(ylabel)
        if i + wide >= len(cells) or cells[i + wide].empty:
            panel.set_xlabel(xlabel)
        panels.append((panel, of_model))
    note = style.omitted(frame, by, columns) + style.omitted(frame, across, rows)
    return figure, panels, note


def largest(response_kn: np.ndarray, finest: int) -> np.ndarray:
    """The image reduced to `finest` rows and columns: each dot shows the largest that it covers.

    A mean would fade the single bright dots of monosemantic neurons.
    """
    for axis, length in enumerate(response_kn.shape):
        starts = np.arange(0, length, -(-length // finest))
        response_kn = np.maximum.reduceat(response_kn, starts, axis=axis)
    return response_kn


def _limits(neurons: pd.DataFrame) -> tuple[float, tuple[float, float]]:
    """The lowest bias that is drawn at its value, and the limits of the axis.

    Biases of dead neurons far below the rest are not.
    """
    alive = neurons[neurons["neuron_kind"] != "dead"]
    bias = neurons["bias"] if alive.empty else alive["bias"]
    low, high = min(0.0, float(bias.min())), max(0.0, float(bias.max()))
    span = high - low or 1.0
    least = max(float(neurons["bias"].min()), low - span / 3)
    return least, (min(0.0, least) - span / 15, high + span / 15)
