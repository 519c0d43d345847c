"""The weight graph of classifiers: clusterability, ablations, coherence with classes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toymono.classifiers.data import CLASSES
from toymono.plots import style
from toymono.plots.classifiers import alpha_legend, first_of_each_alpha, network_words, title
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

# A result counts as significant up to this p; a convention.
_SIGNIFICANT = 0.05


@drawn
def clusterability(shuffles: pd.DataFrame) -> Figure:
    """Each network's n-cut beside those of its shuffled copies; hollow: it did not learn.

    Absolute clusterability is a low point, relative clusterability a point far
    below its own grey cloud.

    Args:
      shuffles: From `frames.classifiers.per_shuffle`.
    """
    palette = style.signed_colors(shuffles["alpha"])
    runs = shuffles.drop_duplicates("run").sort_values(["alpha", "seed"], kind="stable")
    figure = plt.figure(figsize=(max(6.6, 3.0 + 0.34 * len(runs)), 3.4), layout="constrained")
    panel = figure.subplots()
    rng = np.random.default_rng(0)
    gap = 0.8 * runs["alpha"].ne(runs["alpha"].shift()).cumsum().sub(1)
    at = np.arange(len(runs)) + gap.to_numpy()
    for x, (_, run) in zip(at, runs.iterrows(), strict=True):
        shuffled_s = shuffles.loc[shuffles["run"] == run["run"], "shuffled_n_cut"]
        jitter = x + 0.22 * rng.uniform(-1, 1, len(shuffled_s))
        panel.plot(jitter, shuffled_s, ".", color="0.75", markersize=2.5, zorder=1)
        color = palette[run["alpha"]]
        fill = color if run["status"] == "learned" else "white"
        panel.plot(x, run["n_cut"], "o", color=color, markersize=6, markerfacecolor=fill)
        panel.annotate(
            f"{run['n_cut_p']:.2f}".removeprefix("0"),
            (x, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=6.5,
            color="0.3",
        )
    centers = pd.Series(at, index=runs["alpha"]).groupby(level=0).mean()
    panel.set_xticks(
        centers.to_numpy(), [f"α = {style.value('alpha', alpha)}" for alpha in centers.index]
    )
    panel.tick_params(axis="x", length=0)
    panel.set_ylabel(f"n-cut of {shuffles['cluster_count'].iloc[0]} clusters")
    alpha_legend(figure, shuffles)
    title(
        figure,
        shuffles,
        f"Large: a network, hollow if it did not learn; small: {shuffles['shuffle'].nunique()} "
        "shuffled copies, and above them the left p. Lower is more clusterable.",
    )
    return figure


@drawn
def ablations(ablated: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Damage of ablating a cluster, against random ablations of the same size.

    Args:
      ablated: From `frames.classifiers.per_ablation`; only runs that learned.
      runs: From `frames.classifiers.per_run`, for the legend.
    """
    palette = style.signed_colors(runs["alpha"])
    figure = plt.figure(figsize=(8.0, 3.3), layout="constrained")
    columns = {"damage": "ablation_p", "damage_range": "ablation_range_p"}
    for panel, (column, p) in zip(figure.subplots(1, 2), columns.items(), strict=True):
        for alpha, of_alpha in ablated.groupby("alpha"):
            significant = of_alpha[p] <= _SIGNIFICANT
            for mask, marker, opacity in ((~significant, ".", 0.35), (significant, "D", 0.9)):
                panel.plot(
                    of_alpha[f"random_{column}"][mask],
                    of_alpha[column][mask],
                    marker,
                    color=palette[alpha],
                    alpha=opacity,
                    markersize=4,
                    markeredgewidth=0,
                )
        ticks = [0, 0.01, 0.03, 0.1, 0.3, 1]
        panel.plot(np.geomspace(1e-3, 1), np.geomspace(1e-3, 1), **style.REFERENCE)
        for set_scale, set_ticks in (
            (panel.set_xscale, panel.set_xticks),
            (panel.set_yscale, panel.set_yticks),
        ):
            set_scale("symlog", linthresh=0.02, linscale=0.7)
            set_ticks(ticks, ticks)
        panel.set(xlim=(-0.004, 1.1), ylim=(min(-0.004, 1.2 * ablated[column].min()), 1.1))
        panel.set(xlabel="Random ablations of the same size", ylabel="Ablation of a cluster")
        panel.set_title(QUANTITIES[column].axis, fontsize=9)
    alpha_legend(figure, runs)
    title(figure, runs, "One point per cluster and layer; diamonds: right p ≤ 0.05.")
    return figure


@drawn
def coherence(clusters: pd.DataFrame) -> Figure:
    """Strongest classes of each cluster's neurons, and the coherence of clusters with classes.

    Left: for one network of each alpha, the fraction of each cluster's hidden
    neurons with each strongest class. Right: the score of every run.

    Args:
      clusters: From `frames.classifiers.cluster_classes`.
    """
    palette = style.signed_colors(clusters["alpha"])
    shown = first_of_each_alpha(clusters).sort_values("alpha", ascending=False)
    figure = plt.figure(figsize=(4.6 + 2.0 * len(shown), 3.1), layout="constrained")
    *images, panel = figure.subplots(1, len(shown) + 1)
    highest = max(np.nanmax(share_cy) for share_cy in shown["share_cy"])
    for i, axes in enumerate(images):
        network = shown.iloc[[i]]
        share_cy = network["share_cy"].iloc[0]
        image = axes.imshow(share_cy, aspect="auto", vmin=0, vmax=highest, interpolation="nearest")
        axes.set_facecolor("0.85")
        axes.spines[:].set_visible(True)
        axes.set_title(f"α = {network_words(network)}", fontsize=9)
        axes.set_xticks(range(0, CLASSES, 3))
        axes.set(xlabel="Strongest class", ylabel="" if i else "Cluster")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    figure.colorbar(image, ax=images, label="Fraction of the cluster's neurons", shrink=0.8)
    for i, (alpha, color) in enumerate(palette.items()):
        of_alpha = clusters[clusters["alpha"] == alpha]
        for j, (_, run) in enumerate(of_alpha.iterrows()):
            panel.plot(
                i + 0.3 * ((j + 0.5) / len(of_alpha) - 0.5),
                run["coherence"],
                "o" if run["status"] == "learned" else "x",
                color=color,
                markersize=5,
                markerfacecolor=color if run["coherence_p"] <= _SIGNIFICANT else "white",
            )
    panel.axhline(0, **style.REFERENCE)
    panel.set_xticks(range(len(palette)), [style.value("alpha", alpha) for alpha in palette])
    panel.set(xlim=(-0.5, len(palette) - 0.5), xlabel="Penalty weight α")
    panel.set_ylabel("Coherence (0: chance, 1: identical)")
    title(
        figure,
        clusters,
        "Grey: clusters without firing hidden neurons. Right: every run, filled where p ≤ 0.05, "
        "a cross if it did not learn.",
    )
    return figure
