"""What each neuron answers to: one panel per model, neurons in the paper's order."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono import frames
from toymono.plots import selection, style
from toymono.plots.registry import figure

_TRAINED_BY = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"

# Panels in a grid of two fields, at most, and of one field, where rows of four are filled.
_COLUMNS, _ROWS, _MOST = 6, 3, 8

# Neurons and features that an inch shows one by one; beyond that some share a dot.
_FINEST = 120

# What the capacity of a feature is taken from, and its words.
_CAPACITIES = (
    ("response_capacity", "among the neurons' responses"),
    ("weight_capacity", "among the input weights"),
)

# The range of colours in the paper's program; a neuron that holds a feature alone comes near 1.
_LOWEST, _HIGHEST = 0.0, 1.02


@figure(frames.sorted_responses, choose=selection.one_seed, trained_by=_TRAINED_BY)
def single_feature_activations(
    responses: pd.DataFrame,
    by: str | None = None,
    height: float = 2.4,
    head: str = "",
    note: str = "",
) -> Figure:
    """Each neuron's activation on each feature alone, both in the order of the paper.

    A monosemantic neuron is one bright point in its row, and those that come
    first make a diagonal; a polysemantic neuron is a bright row.

    Args:
      responses: From `frames.sorted_responses`. Of several seeds, the first is
        shown.
      by: The field that differs from panel to panel. If the runs differ in a
        second field, there is a row of panels for each of its values.
      height: Of a panel, in inches.
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 4, 10 and 20.
    """
    responses = selection.first_seeds(responses)
    drawn, panels, missing = _panels(responses, by, "Feature, sorted", "Neuron, sorted", height)
    note += missing
    finest = max(256, int(_FINEST * height))
    for panel, of_model in panels:
        response_kn = of_model["response_kn"].iloc[0]
        k, n = response_kn.shape
        image = panel.imshow(
            _largest(response_kn, finest),
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
    drawn.colorbar(
        image,
        ax=[panel for panel, _ in panels],
        location="top",
        orientation="horizontal",
        label="Activation on one feature at full strength",
        extend={(1, 1): "both", (1, 0): "min", (0, 1): "max", (0, 0): "neither"}[under, over],
        aspect=40,
        shrink=0.8,
        ticks=np.linspace(0, 1, 6),
    )
    if any(max(response_kn.shape) > finest for response_kn in images):
        note += " Each dot shows the largest of the activations that share it."
    style.caption(drawn, responses, note, head=head)
    return drawn


@figure(frames.per_neuron, choose=selection.one_seed, trained_by=_TRAINED_BY)
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
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 5 and 11.
    """
    neurons = selection.first_seeds(neurons)
    drawn, panels, missing = _panels(neurons, by, "Neuron, sorted", "Bias", height)
    note += missing
    least, (low, high) = _limits(neurons)
    for panel, of_model in panels:
        for kind, of_kind in of_model.groupby("kind"):
            look = {"color": style.KINDS[kind], "linestyle": "", "rasterized": True}
            seen = of_kind[of_kind["bias"] >= least]
            panel.plot(seen["rank"], seen["bias"], marker="o", markersize=1.8, **look)
            below = of_kind["rank"][of_kind["bias"] < least]
            edge = low + 0.02 * (high - low)
            panel.plot(below, [edge] * len(below), marker="v", markersize=3, **look)
        panel.axhline(0, **style.REFERENCE)
        style.mark_features(panel, of_model["n"].iloc[0])
        panel.set_ylim(low, high)
    if (neurons["bias"] < least).any():
        lowest = style.value("bias", neurons["bias"].min())
        note += f" Triangles: dead neurons with a lower bias, down to {lowest}."
    style.kinds(drawn)
    style.caption(drawn, neurons, note, head=head)
    return drawn


@figure(frames.per_feature, choose=selection.one_seed, trained_by=_TRAINED_BY)
def feature_capacities(features: pd.DataFrame, by: str | None = None) -> Figure:
    """Each feature's share of a dimension, against the monosemanticity of its best neuron.

    Scherlis et al. call the share capacity, Elhage et al. dimensionality. Among
    the neurons' responses all features can have a dimension each; among the
    input weights they share the m dimensions of the embedding.

    Args:
      features: From `frames.per_feature`. Of several seeds, the first is shown.
      by: As in `single_feature_activations`.

    Reference:
      Scherlis, Sachan, Jermyn, Benton & Shlegeris (2022), Polysemanticity and
      Capacity in Neural Networks; Elhage et al. (2022), Toy Models of Superposition.
    """
    features = selection.first_seeds(features)
    labels = ("Best neuron's score", "Capacity of a feature")
    drawn, panels, note = _panels(features, by, *labels, 2.2)
    look = {"linestyle": "", "marker": "o", "markersize": 2.5, "alpha": 0.4, "markeredgewidth": 0}
    for panel, of_model in panels:
        for (column, _), color in zip(_CAPACITIES, style.WORDS, strict=False):
            panel.plot(of_model["monosemanticity"], of_model[column], color=color, **look)
        panel.axhline(of_model["m"].iloc[0] / of_model["n"].iloc[0], **style.REFERENCE)
        panel.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04))
    handles = [
        Line2D([], [], color=color, label=words, **look | {"alpha": 1, "markersize": 4})
        for (_, words), color in zip(_CAPACITIES, style.WORDS, strict=False)
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    style.caption(drawn, features, f"{note} Score: monosemanticity, eq. 7. Dotted: m / n.")
    return drawn


def _panels(
    frame: pd.DataFrame, by: str | None, xlabel: str, ylabel: str, height: float
) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]], str]:
    """A figure with a titled panel for each model, that model's rows, and what was left out."""
    by, across = selection.axes(frame, by)
    rows = selection.spread(frame, across, _ROWS)
    columns = selection.spread(frame, by, _COLUMNS if across else _MOST)
    shape = (len(rows), len(columns)) if across else style.row_by_row(len(columns), 4)
    high, wide = shape
    if high == wide == 1:
        height *= 1.7
    width = 1.0 + (2.2 if wide < 5 else 1.7) * wide
    drawn = plt.figure(figsize=(max(5.4, width), 1.3 + height * high), layout="constrained")
    grid = drawn.add_gridspec(*shape)
    cells = [
        selection.part(selection.part(frame, across, row), by, column)
        for row, column in itertools.product(rows, columns)
    ]
    panels = []
    for place, of_model in enumerate(cells):
        if of_model.empty:
            continue
        panel = drawn.add_subplot(grid[divmod(place, wide)])
        varied = [style.setting(field, of_model[field].iloc[0]) for field in (across, by) if field]
        panel.set_title("\n".join(varied), size="small" if wide > 4 else "medium")
        if all(cell.empty for cell in cells[place - place % wide : place]):  # first of its row
            panel.set_ylabel(ylabel)
        if place + wide >= len(cells) or cells[place + wide].empty:
            panel.set_xlabel(xlabel)
        panels.append((panel, of_model))
    note = style.left_out(frame, by, columns) + style.left_out(frame, across, rows)
    return drawn, panels, note


def _largest(response_kn: np.ndarray, finest: int) -> np.ndarray:
    """The image thinned to `finest` rows and columns: each dot shows the largest that it covers.

    A mean would let the lone bright dots of monosemantic neurons fade.
    """
    for axis, length in enumerate(response_kn.shape):
        starts = np.arange(0, length, -(-length // finest))
        response_kn = np.maximum.reduceat(response_kn, starts, axis=axis)
    return response_kn


def _limits(neurons: pd.DataFrame) -> tuple[float, tuple[float, float]]:
    """The least bias that is shown in its place, and the limits of the axis.

    All are shown, but those of dead neurons far below the rest.
    """
    alive = neurons[neurons["kind"] != "dead"]
    bias = neurons["bias"] if alive.empty else alive["bias"]
    low, high = min(0.0, bias.min()), max(0.0, bias.max())
    span = high - low or 1.0
    least = max(neurons["bias"].min(), low - span / 3)
    return least, (min(0.0, least) - span / 15, high + span / 15)
