"""What each neuron answers to: one panel per model, neurons in the paper's order."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toymono import tables
from toymono.plots import selection, style
from toymono.plots.registry import figure

_TRAINED_BY = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"

# Panels in a grid of two fields, at most, and of one field, where rows of four are filled.
_COLUMNS, _ROWS, _MOST = 6, 3, 8

# Neurons and features that an inch shows one by one; beyond that some share a dot.
_FINEST = 120

# The range of colours in the paper's program; a neuron that holds a feature alone comes near 1.
_LOWEST, _HIGHEST = 0.0, 1.02


@figure(tables.sorted_responses, choose=selection.one_seed, trained_by=_TRAINED_BY)
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
      responses: From `tables.sorted_responses`. Of several seeds, the first is
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
    drawn, panels, missing = _panels(responses, by, "Feature", "Neuron", height)
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


@figure(tables.per_neuron, choose=selection.one_seed, trained_by=_TRAINED_BY)
def sorted_biases(
    neurons: pd.DataFrame,
    by: str | None = None,
    height: float = 1.7,
    head: str = "",
    note: str = "",
) -> Figure:
    """Each neuron's bias, the most monosemantic neuron first.

    Args:
      neurons: From `tables.per_neuron`. Of several seeds, the first is shown.
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
    low, high = _limits(neurons)
    for panel, of_model in panels:
        for kind, of_kind in of_model.groupby("kind"):
            look = {"color": style.KINDS[kind], "linestyle": "", "rasterized": True}
            panel.plot(of_kind["rank"], of_kind["bias"], marker="o", markersize=1.8, **look)
            below = of_kind["rank"][of_kind["bias"] < low]
            edge = low + 0.02 * (high - low)
            panel.plot(below, [edge] * len(below), marker="v", markersize=3, **look)
        panel.axhline(0, **style.REFERENCE)
        style.mark_features(panel, of_model["n"].iloc[0])
        panel.set_ylim(low, high)
    if (neurons["bias"] < low).any():
        note += " Triangles: dead neurons with a bias below the axis."
    style.kinds(drawn)
    style.caption(drawn, neurons, note, head=head)
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
        if place % wide == 0:
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


def _limits(neurons: pd.DataFrame) -> tuple[float, float]:
    """A vertical axis for 0 and all biases, but those of dead neurons far below the rest."""
    alive = neurons[neurons["kind"] != "dead"]
    bias = neurons["bias"] if alive.empty else alive["bias"]
    low, high = min(0.0, bias.min()), max(0.0, bias.max())
    span = high - low or 1.0
    return max(neurons["bias"].min(), low - span / 3) - span / 15, high + span / 15
