"""Figures of the weight graph: clusterability, ablations, coherence of clusters with classes."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toymono.analysis import class_responses
from toymono.classifiers.data import CLASSES
from toymono.classifiers.experiment import Result
from toymono.frames import classifiers as classifier_frames
from toymono.plots import style
from toymono.plots.classifiers import alpha_legend, alpha_word, figure, one_seed, title


@figure
def clusterability(results: Sequence[Result]) -> Figure:
    """Each network's n-cut beside those of its shuffles; hollow: it did not learn.

    Absolute clusterability is how low a point lies, relative how far below its
    own grey cloud.
    """
    runs, palette = classifier_frames.per_run(results), _palette(results)
    drawn = plt.figure(figsize=(max(6.6, 3.0 + 0.34 * len(results)), 3.4), layout="constrained")
    panel = drawn.subplots()
    rng = np.random.default_rng(0)
    ordered = sorted(results, key=lambda r: (r.job.fields["alpha"], r.job.seed))
    places, gap = [], 0.0
    for place, result in enumerate(ordered):
        alpha, answers = result.job.fields["alpha"], result.answers
        if place and alpha != ordered[place - 1].job.fields["alpha"]:
            gap += 0.8
        x = place + gap
        places.append((alpha, x))
        spread = x + 0.22 * rng.uniform(-1, 1, len(answers["shuffled"]))
        panel.plot(spread, answers["shuffled"], ".", color="0.75", markersize=2.5, zorder=1)
        panel.plot(
            x,
            answers["n_cut"],
            "o",
            color=palette[alpha],
            markersize=6,
            markerfacecolor=palette[alpha] if result.status == "learned" else "white",
        )
        panel.annotate(
            f"{answers['left_p']:.2f}".removeprefix("0"),
            (x, 1),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=6.5,
            color="0.3",
        )
    alphas = sorted(palette)
    panel.set_xticks(
        [np.mean([x for a, x in places if a == alpha]) for alpha in alphas],
        [f"α = {alpha_word(alpha)}" for alpha in alphas],
    )
    panel.tick_params(axis="x", length=0)
    count, shuffles = max(results[0].answers["cluster"]) + 1, len(results[0].answers["shuffled"])
    panel.set_ylabel(f"n-cut of {count} clusters")
    alpha_legend(drawn, runs)
    title(
        drawn,
        runs,
        f"Large: a network, hollow if it did not learn; small: its {shuffles} shuffles, and above "
        "them the left p. Lower is more clusterable.",
    )
    return drawn


@figure
def ablations(found: pd.DataFrame, runs: pd.DataFrame) -> Figure:
    """Damage of silencing a cluster against that of random ablations of the same size.

    Args:
      found: From `classifier_frames.per_ablation`; only runs that learned are lesioned.
      runs: From `classifier_frames.per_run`, for the legend.
    """
    names = {
        "damage": "Loss of accuracy, mean of classes",
        "range": "Loss of accuracy, range over classes",
    }
    palette = style.signed_colors(runs["alpha"])
    drawn = plt.figure(figsize=(8.0, 3.3), layout="constrained")
    for panel, (name, label) in zip(drawn.subplots(1, 2), names.items(), strict=True):
        p_name = "right_p_mean" if name == "damage" else "right_p_range"
        for alpha, of_alpha in found.groupby("alpha"):
            sure = of_alpha[p_name] <= 0.05
            for mask, marker, opacity in ((~sure, ".", 0.35), (sure, "D", 0.9)):
                panel.plot(
                    of_alpha[f"random_{name}"][mask],
                    of_alpha[name][mask],
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
        panel.set(xlim=(-0.004, 1.1), ylim=(min(-0.004, 1.2 * found[name].min()), 1.1))
        panel.set(xlabel="Random ablations of the same size", ylabel="Ablation of a cluster")
        panel.set_title(label, fontsize=9)
    alpha_legend(drawn, runs)
    title(drawn, runs, "One point per cluster and layer; diamonds: right p ≤ 0.05.")
    return drawn


@figure
def coherence(results: Sequence[Result]) -> Figure:
    """Do clusters follow classes? Favourite classes of each cluster's neurons, and the score.

    Left: for one network of each alpha, the share of each cluster's hidden neurons whose strongest
    class it is. Right: the score of every run; filled where p ≤ 0.05.
    """
    runs, palette = classifier_frames.per_run(results), _palette(results)
    shown = [one_seed(results, alpha) for alpha in sorted(palette, reverse=True)]
    drawn = plt.figure(figsize=(4.6 + 2.0 * len(shown), 3.1), layout="constrained")
    *images, panel = drawn.subplots(1, len(shown) + 1)
    shares = [_shares(result) for result in shown]
    highest = max(np.nanmax(share_cy) for share_cy in shares)
    for place, (axes, result, share_cy) in enumerate(zip(images, shown, shares, strict=True)):
        image = axes.imshow(share_cy, aspect="auto", vmin=0, vmax=highest, interpolation="nearest")
        axes.set_facecolor("0.85")
        axes.spines[:].set_visible(True)
        lost = "" if result.status == "learned" else f", {result.status}"
        axes.set_title(f"α = {alpha_word(result.job.fields['alpha'])}{lost}", fontsize=9)
        axes.set_xticks(range(0, CLASSES, 3))
        axes.set(xlabel="Favourite class", ylabel="" if place else "Cluster")
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    drawn.colorbar(image, ax=images, label="Share of the cluster's neurons", shrink=0.8)
    for place, (alpha, color) in enumerate(palette.items()):
        of_alpha = runs[runs["alpha"] == alpha]
        for i, (_, run) in enumerate(of_alpha.iterrows()):
            panel.plot(
                place + 0.3 * ((i + 0.5) / len(of_alpha) - 0.5),
                run["coherence"],
                "o" if run["status"] == "learned" else "x",
                color=color,
                markersize=5,
                markerfacecolor=color if run["coherence_p"] <= 0.05 else "white",
            )
    panel.axhline(0, **style.REFERENCE)
    panel.set_xticks(range(len(palette)), [alpha_word(alpha) for alpha in palette])
    panel.set(xlim=(-0.5, len(palette) - 0.5), xlabel="Penalty weight α")
    panel.set_ylabel("Coherence (0 chance, 1 the same)")
    title(
        drawn,
        runs,
        "Grey: no hidden neurons that fire. Right: every run, filled where p ≤ 0.05, a cross if "
        "it did not learn.",
    )
    return drawn


def _shares(result: Result) -> np.ndarray:
    """Of each cluster's firing hidden neurons, the share that has each class for its strongest.

    Clusters by their most frequent class; NaN, and last, for those without such neurons.
    """
    strongest_k = np.concatenate(
        [class_responses.strongest(f.response_ky) for f in result.firing_l]
    )
    cluster_v = np.array(result.answers["cluster"])
    last = len(cluster_v) - CLASSES
    cluster_k = cluster_v[last - len(strongest_k) : last]
    count_cy = np.zeros((cluster_v.max() + 1, CLASSES))
    used_k = (strongest_k >= 0) & (cluster_k >= 0)
    np.add.at(count_cy, (cluster_k[used_k], strongest_k[used_k]), 1)
    total_c = count_cy.sum(axis=1, keepdims=True)
    order_c = np.lexsort(
        (-(count_cy / np.maximum(total_c, 1)).max(axis=1), count_cy.argmax(axis=1))
    )
    order_c = np.concatenate([order_c[total_c[order_c, 0] > 0], order_c[total_c[order_c, 0] == 0]])
    share_cy = np.divide(count_cy, total_c, out=np.full_like(count_cy, np.nan), where=total_c > 0)
    return share_cy[order_c]


def _palette(results: Sequence[Result]) -> dict[float, tuple]:
    return style.signed_colors([result.job.fields["alpha"] for result in results])
