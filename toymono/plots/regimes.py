"""Regimes of features: monosemantic, polysemantic or ignored, by frequency rank and setting."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from matplotlib.ticker import FormatStrFormatter, NullLocator

from toymono.frames import regimes
from toymono.plots import selection, style
from toymono.plots.figure import Figure, NothingToDraw, drawn
from toymono.plots.selection import OfSweeps
from toymono.quantities import QUANTITIES

_REGIMES = {
    "monosemantic": style.CATEGORICAL[0],
    "polysemantic": style.CATEGORICAL[1],
    "ignored": "0.85",
}
_ABSENT = style.CATEGORICAL[2]
_TITLES = {"LR2": "Initial bias 0", "LR4": "Initial bias −1", "K2": "Initial bias −1"}
_PANELS = {
    "K0": "Initial bias 0,\nequal frequencies",
    "K1": "Initial bias −1,\nequal frequencies",
    "K2": "Initial bias −1,\npower law",
}


@drawn
def feature_regimes(ranked: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The regime of each feature, by rank of frequency and k/n or learning rate, and its recovery.

    Args:
      ranked: From `frames.regimes.per_feature`. Of several seeds, the first is shown.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    ranked = _coded(ranked)
    sweeps = [sweep for sweep in ("K2", "LR2", "LR4") if (ranked["sweep"] == sweep).any()]
    if not sweeps:
        raise NothingToDraw("no sweep of a power law")
    figure = plt.figure(figsize=(2.5 * len(sweeps) + 1.5, 6.4), layout="constrained")
    axes = figure.subplots(3, len(sweeps), squeeze=False, sharex=True)
    rows = {
        "code": _LOOK,
        "recovery": {"cmap": "viridis", "vmin": 0, "vmax": 1},
        "best_monosemanticity": {"cmap": "viridis", "vmin": 0, "vmax": 1},
    }
    for column, sweep in enumerate(sweeps):
        part = ranked[ranked["sweep"] == sweep]
        by = "per_feature" if sweep == "K2" else "learning_rate"
        for panel, (measure, look) in zip(axes[:, column], rows.items(), strict=True):
            name = "neurons_per_feature" if sweep == "K2" else by
            table = part.pivot(index=by, columns="frequency_rank", values=measure)
            image = _by_rank(panel, table, name, **look)
            panel.set_ylabel(QUANTITIES[name].axis, fontsize=8)
            if column + 1 == len(sweeps) and measure != "code":
                bar = figure.colorbar(image, ax=list(axes[list(rows).index(measure)]))
                bar.set_label(style.label(measure), fontsize=8)
        axes[0, column].set_title(_TITLES[sweep])
        axes[-1, column].set_xlabel(QUANTITIES["frequency_rank"].axis)
    _legend_and_caption(figure, ranked, head, note)
    return figure


@drawn
def exponent_regimes(ranked: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The regime of each feature, by rank of frequency and k/n, for power laws by their exponent.

    Args:
      ranked: From `frames.regimes.per_feature`. Of several seeds, the first is shown.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    ranked = ranked[ranked["sweep"] == "EXPONENT"]
    if ranked.empty:
        raise NothingToDraw("no runs of the sweep EXPONENT")
    ranked = _coded(ranked)
    exponents, sizes = (sorted(ranked[name].unique()) for name in ("exponent", "per_feature"))
    figure = plt.figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots(1, len(exponents), squeeze=False, sharey=True)[0]
    for panel, exponent in zip(axes, exponents, strict=True):
        part = ranked[ranked["exponent"] == exponent]
        table = part.pivot(index="per_feature", columns="frequency_rank", values="code")
        _by_rank(panel, table.reindex(sizes), "neurons_per_feature", **_LOOK)
        panel.set_title(f"Exponent {style.value('exponent', exponent)}", fontsize=9)
        panel.set_xlabel(style.label("frequency_rank", 18))
    axes[0].set_ylabel(QUANTITIES["neurons_per_feature"].axis)
    _legend_and_caption(figure, ranked, head, note)
    return figure


_LOOK = {"cmap": ListedColormap(list(_REGIMES.values())), "vmin": -0.5, "vmax": 2.5}


def _coded(ranked: pd.DataFrame) -> pd.DataFrame:
    """The first seeds, with k/n and with the regimes as indices."""
    ranked = selection.first_seeds(ranked)
    return ranked.assign(
        per_feature=ranked["k"] / ranked["n"],
        code=ranked["regime"].map(dict(zip(_REGIMES, range(3), strict=True))),
    )


def _by_rank(panel: Axes, table: pd.DataFrame, name: str, **look: Any) -> QuadMesh:
    """An image of a table with one row per setting and one column per rank of frequency."""
    edges = np.arange(1, table.shape[1] + 2) - 0.5
    image = panel.pcolormesh(edges, np.arange(len(table) + 1), table, rasterized=True, **look)
    ticks = [style.value(name, content) for content in table.index]
    panel.set_yticks(np.arange(len(table)) + 0.5, ticks, fontsize=7)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(FormatStrFormatter("%d"))
    panel.xaxis.set_minor_locator(NullLocator())
    return image


def _legend_and_caption(figure: Canvas, ranked: pd.DataFrame, head: str, note: str) -> None:
    handles = [Patch(color=color, label=word) for word, color in _REGIMES.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    caption = "Rank 1 is the most frequent feature."
    style.caption(figure, ranked, f"{caption} {note}", head=head, seeds=("First seed of each", ""))


@drawn
def regime_shares(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Fraction of features in each regime, and their loss, against k/n.

    The frequencies of features are equal or follow a power law.

    Args:
      runs: From `frames.regimes.per_run`. Of several seeds the mean is shown.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    sweeps = [sweep for sweep in _PANELS if (runs["sweep"] == sweep).any()]
    if not sweeps:
        raise NothingToDraw(f"no runs of the sweeps {', '.join(_PANELS)}")
    # The caption and the legend take as much room with one sweep as with three.
    figure = plt.figure(figsize=(6.5, 5.6), layout="constrained")
    axes = figure.subplots(2, len(sweeps), squeeze=False, sharex=True, sharey="row")
    prefixes = dict(zip(("served", "poly", "ignored"), _REGIMES.values(), strict=True))
    for column, sweep in enumerate(sweeps):
        means = runs[runs["sweep"] == sweep].groupby("neurons_per_feature").mean(numeric_only=True)
        for panel, kind in zip(axes[:, column], ("share", "loss"), strict=True):
            names = {f"{prefix}_{kind}": color for prefix, color in prefixes.items()}
            if kind == "loss":
                names["absent_loss"] = _ABSENT
            stack = means[list(names)].to_numpy().T
            panel.stackplot(means.index, stack, colors=list(names.values()), linewidth=0)
            for trained in means.index:  # between these marks areas are interpolated
                panel.axvline(trained, color="white", linewidth=0.6, alpha=0.7)
            style.number_axis(panel, "neurons_per_feature", means.index)
            panel.tick_params(axis="x", rotation=90)
            panel.set_ylim(0, 1.05)
            panel.label_outer()
        axes[0, column].set_title(_PANELS[sweep], fontsize=9)
    axes[0, 0].set_ylabel("Fraction of features")
    axes[1, 0].set_ylabel("Loss over the\nzero-output loss")
    colors = {**_REGIMES, "error where the feature is absent": _ABSENT}
    handles = [Patch(color=color, label=word) for word, color in colors.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, columnspacing=1.0)
    score, recovery = regimes.MONOSEMANTIC_ABOVE, regimes.IGNORED_BELOW
    caption = (
        "Monosemantic features: one neuron responds most to the feature and has a score above "
        f"{score:g}. Ignored features: there is no such neuron, and the loss on the feature is "
        f"less than {100 * recovery:g}\N{NO-BREAK SPACE}% below that of an output of 0. Lower row: "
        "the loss on present features of each regime, and on all absent features. White lines: the "
        "numbers of neurons that were trained; between them, areas are interpolated."
    )
    style.caption(figure, runs, f"{caption} {note}", head=head, seeds=("Areas", ""))
    return figure


def _trained_by(sweeps: str) -> str:
    return f"python -m toymono.sweep --sweep {sweeps} --scale small --seeds 3"


FIGURES: tuple[Figure, ...] = (
    Figure(
        "feature_regimes",
        "The regime of each feature, by rank of frequency and k/n or learning rate.",
        feature_regimes,
        (regimes.per_feature,),
        OfSweeps(("K2", "LR2", "LR4")),
        _trained_by("K2,LR2,LR4"),
        compares=False,
    ),
    Figure(
        "exponent_regimes",
        "The regime of each feature, by rank of frequency and k/n, for four power laws.",
        exponent_regimes,
        (regimes.per_feature,),
        OfSweeps(("EXPONENT",)),
        _trained_by("EXPONENT"),
        compares=False,
    ),
    Figure(
        "regime_shares",
        "Fraction of features in each regime, and their loss, against k/n.",
        regime_shares,
        (regimes.per_run,),
        OfSweeps(("K0", "K1", "K2")),
        _trained_by("K0,K1,K2"),
        compares=False,
    ),
)
"""Figures of the regimes of features."""
