"""The coding-theory lens on toy runs: spectra, redundancy, actions, explanations, capacity.

Frames of `toymono.frames.spectrum` in, matplotlib figures out. Dark: trained
weights; colours: what they are compared with.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D

from toymono.frames import spectrum as frames
from toymono.frames.spectrum.codes import CODES
from toymono.plots import style
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import OfSweeps, Selected

_LAYERS = {
    "hidden": ("hidden", style.CATEGORICAL[0], "o"),
    "hidden_mono": ("hidden, biases ≤ 0", style.CATEGORICAL[2], "v"),
    "hidden_poly": ("hidden, biases > 0", style.CATEGORICAL[1], "^"),
    "output": ("output", style.CATEGORICAL[7], "s"),
}

_SWEEPS = "python -m toymono.sweep --sweep LR1,LR3 --scale small --seeds 3"


@drawn
def toy_spectra(ranks: pd.DataFrame, head: str = "", note: str = "") -> Drawing:
    """Eigenspectra of the hidden layer, trained and of its baselines, on log-log axes.

    Args:
      ranks: From `frames.spectrum.per_rank`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    shown = ranks[ranks["layer_name"] == "hidden"]
    sweeps = list(shown["sweep"].unique())
    figure = plt.figure(figsize=(1.7 + 2.4 * len(sweeps), 3.4), layout="constrained")
    panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for panel, sweep in zip(panels, sweeps, strict=True):
        of_sweep = shown[shown["sweep"] == sweep]
        for weights, (_, color) in style.COPIES.items():
            line = of_sweep[of_sweep["weights"] == weights]
            if len(line):
                _log_log(panel, line, color, 2.0 if weights == "trained" else 1.2)
        bias = style.setting("init_bias", of_sweep["init_bias"].iloc[0])
        panel.set_title(f"{sweep}\n{bias}", fontsize=9)
        panel.axvline(of_sweep["m"].iloc[0], **style.REFERENCE)
    panels[0].set_ylabel("Eigenvalue / variance")
    _weights_legend(figure, shown)
    style.caption(figure, shown, f"{note} Dashes: slope −1; dotted: m.", beside=True, head=head)
    return figure


@drawn
def redundancy_by_learning_rate(layers: pd.DataFrame, head: str = "", note: str = "") -> Drawing:
    """Participation ratio, exponent and action against the learning rate.

    Args:
      layers: From `frames.spectrum.per_layer`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    shown = layers[layers["layer_name"] == "hidden"]
    # A layer that is nearly dead has no spectrum to speak of.
    shown = shown[shown["usable_ranks"] > shown["m"] / 2]
    sweeps = list(shown["sweep"].unique())
    columns = ("participation_ratio", "spectrum_exponent", "normalised_action")
    figure = plt.figure(figsize=(1.7 + 2.4 * len(sweeps), 6.0), layout="constrained")
    grid = figure.subplots(3, len(sweeps), sharey="row", sharex=True, squeeze=False)
    for row, column in zip(grid, columns, strict=True):
        for panel, sweep in zip(row, sweeps, strict=True):
            of_sweep = shown[shown["sweep"] == sweep]
            for weights, (_, color) in style.COPIES.items():
                line = of_sweep[of_sweep["weights"] == weights].dropna(subset=[column])
                if len(line):
                    look = {"color": color, "marker": "o", "markersize": 4}
                    places = {"x": "learning_rate", "y": column, "ax": panel}
                    sns.lineplot(line, **places, **look, **style.SEEDS)
            style.number_axis(panel, "learning_rate", shown["learning_rate"])
            panel.set_ylabel(style.label(column))
            panel.label_outer()
        if column == "normalised_action":
            for panel in row:
                panel.axhline(1, **style.REFERENCE)
    for panel, sweep in zip(grid[0], sweeps, strict=True):
        bias = shown[shown["sweep"] == sweep]["init_bias"].iloc[0]
        panel.set_title(f"{sweep}: {style.setting('init_bias', bias)}", fontsize=9)
    _weights_legend(figure, shown)
    words = f"{note} Dotted: a circle. Without nearly dead layers."
    style.caption(figure, shown, words, beside=True, head=head)
    figure.align_ylabels()
    return figure


@drawn
def action_by_exponent(layers: pd.DataFrame, head: str = "", note: str = "") -> Drawing:
    """Action, relative to a circle's, against the exponent, over trained layers and runs.

    Args:
      layers: From `frames.spectrum.per_layer`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    shown = layers[(layers["weights"] == "trained") & layers["layer_name"].isin(_LAYERS)]
    shown = shown.dropna(subset=["spectrum_exponent", "normalised_action"])
    figure = plt.figure(figsize=(6.4, 3.4), layout="constrained")
    panel = figure.subplots()
    handles = []
    for name, (words, color, marker) in _LAYERS.items():
        of_layer = shown[shown["layer_name"] == name]
        look = {"color": color, "marker": marker, "linestyle": "", "markersize": 4}
        panel.plot(of_layer["spectrum_exponent"], of_layer["normalised_action"], alpha=0.7, **look)
        handles.append(Line2D([], [], label=words, **look))
    panel.axhline(1, **style.REFERENCE)
    panel.axvline(-1, **style.REFERENCE)
    panel.set_xlabel(style.label("spectrum_exponent", 60))
    panel.set_ylabel(style.label("normalised_action"))
    style.legend_of(figure, handles, "Layer")
    words = f"{note} Dotted: a circle; exponent −1."
    style.caption(figure, shown, words, beside=True, head=head, seeds=("", ""))
    return figure


@drawn
def explanations(units: pd.DataFrame, head: str = "", note: str = "") -> Drawing:
    """How well the best neuron tells a feature, against the best random projection.

    Args:
      units: From `frames.spectrum.explanations`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    figure = plt.figure(figsize=(6.2, 3.6), layout="constrained")
    panel = figure.subplots()
    handles = []
    sweeps = dict(zip(units["sweep"].unique(), "os^v", strict=False))
    for weights, words in {"trained": "trained", "untrained": "untrained"}.items():
        color = style.COPIES["trained" if weights == "trained" else "untrained_spread"][1]
        for sweep, marker in sweeps.items():
            rows = units[(units["weights"] == weights) & (units["sweep"] == sweep)]
            look = {"color": color, "marker": marker, "linestyle": "", "markersize": 5}
            panel.plot(rows["projection_auc"], rows["neuron_auc"], alpha=0.7, **look)
            handles.append(Line2D([], [], label=f"{words}, {sweep}", **look))
    low = min(units["projection_auc"].min(), units["neuron_auc"].min())
    high = max(units["projection_auc"].max(), units["neuron_auc"].max())
    ends = [low - 0.02, min(1.0, high + 0.02)]
    panel.plot(ends, ends, **style.REFERENCE)
    panel.set(xlabel="Best random projection (area under ROC curve)", ylabel="Best neuron")
    panel.set(xlim=ends, ylim=ends)
    style.legend_of(figure, handles, "Weights, sweep")
    words = f"{note} Mean over features; above the dotted line, single neurons tell more."
    style.caption(figure, units, words, beside=True, head=head, seeds=("", ""))
    return figure


@drawn
def dimensions_by_density(models: pd.DataFrame, head: str = "", note: str = "") -> Drawing:
    """Dimensions per feature of tied models against sparsity, beside the entropy optimum.

    Args:
      models: From `frames.spectrum.feature_dimensions`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    models = models.assign(inverse=1 / models["eps"])
    sweeps = list(models["sweep"].unique())
    figure = plt.figure(figsize=(2.8 + 2.8 * len(sweeps), 3.3), layout="constrained")
    panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for panel, sweep in zip(panels, sweeps, strict=True):
        rows = models[models["sweep"] == sweep].sort_values("inverse")
        curve = rows.drop_duplicates("inverse")
        green = style.CATEGORICAL[2]
        panel.fill_between(
            *(curve[name] for name in ("inverse", "optimum_23", "optimum_8")),
            color=green,
            alpha=0.25,
            linewidth=0,
        )
        panel.plot(curve["inverse"], curve["optimum_23"], color=green)
        look = {"color": "0.1", "marker": "o", "markersize": 4}
        places = {"x": "inverse", "y": "feature_dimensions", "ax": panel}
        sns.lineplot(rows, **places, **look, **style.SEEDS)
        for level in (1.0, 0.5, rows["dimension_floor"].iloc[0]):
            panel.axhline(level, **style.REFERENCE)
        panel.set(xscale="log", yscale="log", xlabel="1 / density of features")
        panel.set_ylabel("Dimensions per feature")
        panel.set_title(f"{sweep}: n = {rows['n'].iloc[0]}, m = {rows['m'].iloc[0]}", fontsize=9)
    handles = [
        Line2D([], [], color="0.1", marker="o", markersize=4, label="tied models, D*"),
        Line2D([], [], color=green, label="optimum, 23 bits"),
        Line2D([], [], color=green, alpha=0.25, linewidth=7, label="8 to 23 bits"),
    ]
    style.legend_of(figure, handles, "")
    words = f"{note} Dotted: 1, 1/2 and m / n."
    style.caption(figure, models, words, beside=True, head=head)
    return figure


@drawn
def dropout_capacity(capacity: pd.DataFrame) -> Drawing:
    """Capacity of a neuron under one layer of dropout: exact, and between published bounds.

    Args:
      capacity: From `frames.spectrum.dropout_capacity`.
    """
    figure = plt.figure(figsize=(8.2, 2.9), layout="constrained")
    sizes = sorted(capacity["neuron_bits"].unique())
    for panel, bits in zip(figure.subplots(1, len(sizes), sharex=True), sizes, strict=True):
        rows = capacity[capacity["neuron_bits"] == bits]
        x = rows["code_dropout"]
        band = {"color": style.CATEGORICAL[0], "alpha": 0.2, "linewidth": 0}
        panel.fill_between(x, rows["capacity_lower"], rows["capacity_upper"], **band)
        panel.plot(x, rows["capacity_proven"], color=style.CATEGORICAL[1], linestyle="--")
        panel.plot(x, rows["capacity"], color="0.1")
        panel.set_title(f"{bits:g} bit{'' if bits == 1 else 's'}", fontsize=9)
        panel.set(xlabel="Probability of dropout", xlim=(0, 1), ylim=(0, None))
    figure.axes[0].set_ylabel("Capacity of a neuron (bits)")
    handles = [
        Line2D([], [], color="0.1", label="exact"),
        Line2D([], [], color=style.CATEGORICAL[1], linestyle="--", label="bound of the proof"),
        Line2D(
            [], [], color=style.CATEGORICAL[0], alpha=0.2, linewidth=7, label="published bounds"
        ),
    ]
    style.legend_of(figure, handles, "")
    words = "Closed forms; no run is shown. Panels: bits that a neuron carries without dropout."
    style.small_print(figure, words)
    return figure


@drawn
def code_survival(survival: pd.DataFrame) -> Drawing:
    """How long values on neurons survive layers of dropout, for three kinds of code.

    Args:
      survival: From `frames.spectrum.survival`.
    """
    rates = sorted(survival["code_dropout"].unique())
    figure = plt.figure(figsize=(2.4 + 2.8 * len(rates), 3.1), layout="constrained")
    colors = dict(zip(CODES, [style.CATEGORICAL[i] for i in (0, 1, 2, 4, 7)], strict=True))
    panels = figure.subplots(1, len(rates), sharey=True)
    for panel, rate in zip(panels, rates, strict=True):
        for code, color in colors.items():
            rows = survival[(survival["code_dropout"] == rate) & (survival["code"] == code)]
            panel.plot(rows["code_layers"], rows["survival"], color=color)
            panel.plot(rows["code_layers"], rows["simulated_survival"], "o", c=color, ms=3)
            panel.plot(rows["code_layers"], rows["information_share"], "x", c=color, ms=6)
        panel.set_title(f"Dropout {rate:g}", fontsize=9)
        panel.set(xlabel="Layers of dropout", ylim=(-0.03, 1.03))
    panels[0].set_ylabel("Values that can be read (fraction)")
    handles = [Line2D([], [], color=color, label=code) for code, color in colors.items()]
    style.legend_of(figure, handles, "Code")
    words = "Lines: closed form; dots: simulated codes; crosses: estimated mutual information."
    note = "Superposed: 16 values mixed over 16 neurons. Rewritten after each layer. No run."
    style.small_print(figure, words, note)
    return figure


def _log_log(panel, ranks: pd.DataFrame, color, width: float) -> None:
    """Mean and range over runs of the shares of eigenvalues, and a line of slope -1."""
    by_rank = ranks.groupby("spectrum_index")["eigenvalue_share"]
    full = by_rank.size()
    full = full.index[full == full.max()]  # ranks that every run has
    low, mean, high = (s[full] for s in (by_rank.min(), by_rank.mean(), by_rank.max()))
    panel.loglog(full, mean, color=color, linewidth=width)
    panel.fill_between(full, low, high, color=color, alpha=0.15, linewidth=0)
    ends = np.array([1, 400])
    panel.plot(ends, 0.3 / ends, **{**style.REFERENCE, "linestyle": "--"})
    panel.set_xlabel("Rank of the eigenvalue")
    panel.set_ylim(1e-5, 1)


def _weights_legend(figure: Drawing, frame: pd.DataFrame) -> None:
    found = set(frame["weights"])
    handles = [
        Line2D([], [], color=color, label=words, linewidth=2 if name == "trained" else 1.4)
        for name, (words, color) in style.COPIES.items()
        if name in found
    ]
    style.legend_of(figure, handles, "Weights")


@dataclasses.dataclass(frozen=True)
class NoRun:
    """For figures of closed forms, which are drawn with those of the sweeps but show no run."""

    beside: OfSweeps

    def __call__(self, runs: pd.DataFrame, by: str | None = None) -> Selected:
        return Selected(self.beside(runs, by).runs.iloc[:1])


def _figure(draw, frame, select, trained_by: str = _SWEEPS) -> Figure:
    summary = draw.__doc__.partition("\n")[0]
    return Figure(draw.__name__, summary, draw, (frame,), select, trained_by, compares=False)


_BOTH = ("LR1", "LR3")

FIGURES: tuple[Figure, ...] = (
    _figure(toy_spectra, frames.per_rank, OfSweeps(_BOTH, positions=(2,))),
    _figure(redundancy_by_learning_rate, frames.per_layer, OfSweeps(_BOTH)),
    _figure(action_by_exponent, frames.per_layer, OfSweeps(_BOTH)),
    _figure(explanations, frames.explanations, OfSweeps(_BOTH)),
    _figure(
        dimensions_by_density,
        frames.feature_dimensions,
        OfSweeps(("DIM10", "DIM100")),
        "python -m toymono.sweep --sweep DIM10,DIM100 --scale small --seeds 5",
    ),
    _figure(dropout_capacity, frames.dropout_capacity, NoRun(OfSweeps(_BOTH))),
    _figure(code_survival, frames.survival, NoRun(OfSweeps(_BOTH))),
)
"""Figures of toy runs, and of closed forms."""
