"""Trade-offs of classifiers: scores against alpha, accuracy against width."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from toymono.classifiers.data import CLASSES
from toymono.frames.classifiers import learned
from toymono.plots import style
from toymono.plots.classifiers import CHANCE, alpha_legend, title
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES


@drawn
def accuracy_by_width(runs: pd.DataFrame) -> Figure:
    """Test error and monosemanticity against the width of the layers.

    Crosses are runs that did not learn.

    Args:
      runs: From `frames.classifiers.per_run`.
    """
    widths = sorted(runs["width"].unique())
    figure = plt.figure(figsize=(8.5, 3.2), layout="constrained")
    columns = ("error", "mean_monosemanticity")
    for panel, column in zip(figure.subplots(1, 2), columns, strict=True):
        for alpha, color in style.signed_colors(runs["alpha"]).items():
            of_alpha = runs[runs["alpha"] == alpha]
            line = {"x": "width", "y": column, "color": color, "marker": "o", "ax": panel}
            sns.lineplot(learned(of_alpha), **line, **style.SEEDS)
            if column == "error":
                failed = of_alpha[of_alpha["status"] != "learned"]
                panel.plot(failed["width"], failed[column], "x", color=color, markersize=5)
        if column == "error":
            panel.axhline(1 - 1 / CLASSES, **CHANCE)
            panel.set_yscale("log")
            ticks = [
                tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if tick > panel.get_ylim()[0]
            ]
            panel.set_yticks(ticks, ticks)
            panel.yaxis.set_minor_locator(NullLocator())
        panel.set_xscale("log", base=2)
        panel.set_xticks(widths, widths)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.set(xlabel=QUANTITIES["width"].axis, ylabel=style.label(column))
    depth = runs["sizes"].str.extract(r"x(\d+)$")[0].unique()
    layers = f"{depth[0]} hidden layers. " if len(depth) == 1 else ""
    note = "Mean and range of the seeds that learned; crosses: runs that did not; dashes: chance."
    alpha_legend(figure, runs)
    title(figure, runs, layers + note)
    return figure


@drawn
def scores_by_alpha(runs: pd.DataFrame) -> Figure:
    """Test accuracy, overlap and monosemanticity by weight of the penalty.

    Args:
      runs: From `frames.classifiers.per_run`.
    """
    kinds = dict(
        zip(sorted(runs["penalty"].unique()), sns.color_palette("colorblind"), strict=False)
    )
    lowest = runs["alpha"][runs["alpha"] != 0].abs().min()
    figure = plt.figure(figsize=(9.5, 3.1), layout="constrained")
    columns = ("accuracy", "mean_overlap", "mean_monosemanticity")
    for panel, column in zip(figure.subplots(1, 3), columns, strict=True):
        for kind, color in kinds.items():
            of_kind = runs[runs["penalty"] == kind]
            line = {"x": "alpha", "y": column, "color": color, "marker": "o", "ax": panel}
            sns.lineplot(learned(of_kind), **line, **style.SEEDS)
            if column == "accuracy":
                failed = of_kind[of_kind["status"] != "learned"]
                look = {"color": color, "markersize": 4, "alpha": 0.7, "clip_on": False}
                panel.plot(failed["alpha"], failed[column], "x", **look)
        if column == "accuracy":
            panel.axhline(1 / CLASSES, **CHANCE)
            panel.set_ylim(0, 1.02)
        panel.set_xscale("symlog", linthresh=lowest)
        alphas = np.unique(runs["alpha"])
        panel.set_xticks(alphas, [style.value("alpha", a) for a in alphas], rotation=60)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.axvline(0, **style.REFERENCE)
        panel.set(xlabel="Penalty weight α", ylabel=style.label(column))
    handles = [Line2D([], [], color=color, label=kind) for kind, color in kinds.items()]
    figure.legend(handles=handles, title="Penalty", loc="outside right upper", alignment="left")
    title(figure, runs, "Mean and range of the seeds that learned; crosses: the others.")
    return figure
