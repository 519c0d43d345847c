"""Figures of what is given up and gained: scores against alpha, accuracy against width."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from toymono.classifiers.data import CLASSES
from toymono.frames import classifiers as classifier_frames
from toymono.plots import style
from toymono.plots.classifiers import CHANCE, alpha_legend, alpha_word, figure, title


@figure
def accuracy_by_width(runs: pd.DataFrame) -> Figure:
    """The capacity trade-off: test error and monosemanticity against the layers' width.

    Crosses are runs that did not learn.
    """
    runs = runs.assign(
        width=runs["sizes"].str.extract(r"^(\d+)")[0].astype(int), error=1 - runs["accuracy"]
    )
    widths = sorted(runs["width"].unique())
    names = {"error": "Test error (1 − accuracy)", "monosemanticity": "Mean monosemanticity"}
    drawn = plt.figure(figsize=(8.5, 3.2), layout="constrained")
    for panel, (name, label) in zip(drawn.subplots(1, 2), names.items(), strict=True):
        for alpha, color in style.signed_colors(runs["alpha"]).items():
            of_alpha = runs[runs["alpha"] == alpha]
            counted, lost = (
                classifier_frames.learned(of_alpha),
                of_alpha[of_alpha["status"] != "learned"],
            )
            sns.lineplot(
                counted, x="width", y=name, color=color, marker="o", ax=panel, **style.SEEDS
            )
            if name == "error":
                panel.plot(lost["width"], lost[name], "x", color=color, markersize=5)
        if name == "error":
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
        panel.set(xlabel="Neurons of each hidden layer", ylabel=label)
    depth = runs["sizes"].str.extract(r"x(\d+)$")[0].unique()
    layers = f"{depth[0]} hidden layers. " if len(depth) == 1 else ""
    alpha_legend(drawn, runs)
    title(
        drawn,
        runs,
        f"{layers}Mean and range of the seeds that learned; crosses: runs that did not; "
        "dashes: chance.",
    )
    return drawn


@figure
def scores_by_alpha(runs: pd.DataFrame) -> Figure:
    """Test accuracy, overlap and monosemanticity as alpha runs on both sides of zero."""
    names = {
        "accuracy": "Test accuracy",
        "overlap": "Overlap of classes",
        "monosemanticity": "Mean monosemanticity",
    }
    kinds = dict(
        zip(sorted(runs["penalty"].unique()), sns.color_palette("colorblind"), strict=False)
    )
    lowest = runs["alpha"][runs["alpha"] != 0].abs().min()
    drawn = plt.figure(figsize=(9.5, 3.1), layout="constrained")
    for panel, (name, label) in zip(drawn.subplots(1, 3), names.items(), strict=True):
        for kind, color in kinds.items():
            of_kind = runs[runs["penalty"] == kind]
            counted, lost = (
                classifier_frames.learned(of_kind),
                of_kind[of_kind["status"] != "learned"],
            )
            sns.lineplot(
                counted, x="alpha", y=name, color=color, marker="o", ax=panel, **style.SEEDS
            )
            if name == "accuracy":
                panel.plot(
                    lost["alpha"],
                    lost[name],
                    "x",
                    color=color,
                    markersize=4,
                    alpha=0.7,
                    clip_on=False,
                )
        if name == "accuracy":
            panel.axhline(1 / CLASSES, **CHANCE)
            panel.set_ylim(0, 1.02)
        panel.set_xscale("symlog", linthresh=lowest)
        alphas = np.unique(runs["alpha"])
        panel.set_xticks(alphas, [alpha_word(a) for a in alphas], rotation=60)
        panel.xaxis.set_minor_locator(NullLocator())
        panel.axvline(0, **style.REFERENCE)
        panel.set(xlabel="Penalty weight α", ylabel=label)
    handles = [Line2D([], [], color=color, label=kind) for kind, color in kinds.items()]
    drawn.legend(handles=handles, title="Penalty", loc="outside right upper", alignment="left")
    title(drawn, runs, "Mean and range of the seeds that learned; crosses: the others.")
    return drawn
