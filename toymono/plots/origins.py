"""Figures of runs that start from stored runs, and of schemes for biases."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from toymono.frames import biases, origins
from toymono.plots import style
from toymono.plots.connectivity import paths_by_kind
from toymono.plots.figure import Figure, NothingToDraw, drawn
from toymono.plots.selection import OfSweeps

_PAIRS = {
    "monosemantic": "Two monosemantic models",
    "polysemantic": "Two polysemantic models",
    "mixed": "Mono- to polysemantic",
}


@drawn
def curves(paths: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Loss and monosemantic neurons on trained curves of low loss between two models.

    Args:
      paths: From `frames.origins.paths`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    words = {"line": "straight line, aligned", "curve": "trained curve"}
    figure = paths_by_kind(paths, _PAIRS, ["run"], "path_kind", words, {})
    style.caption(figure, paths, note, head=head, seeds=None)
    return figure


@drawn
def hops(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """What a pull towards a model of the other kind does, while it lasts and after its release.

    Args:
      runs: From `frames.origins.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    pulled = runs[(runs["pair"] == "mixed") & runs["origin"].isin(["pull", "decoupled_pull"])]
    matched = pulled[pulled["match_parents"] == "weights"]
    if matched.empty:
        raise NothingToDraw("no model was pulled towards one of the other kind")
    directions = {
        "To a monosemantic model": matched["target_mono"] > matched["start_mono"],
        "To a polysemantic model": matched["target_mono"] < matched["start_mono"],
    }
    shown = {title: matched[which] for title, which in directions.items() if which.any()}
    figure = plt.figure(figsize=(3.3 * len(shown) + 0.6, 4.6), layout="constrained")
    axes = figure.subplots(2, len(shown), sharex=True, sharey="row", squeeze=False)
    blue, orange = sns.color_palette("colorblind")[:2]
    rows = (
        ("held_mono", "mono_per_feature", "start_mono", "target_mono"),
        ("held_loss", "task_loss", "start_loss", "target_loss"),
    )
    for column, (title, part) in enumerate(shown.items()):
        for row, (held, freed, start, target) in enumerate(rows):
            panel = axes[row, column]
            for measure, color, marker in ((held, "0.6", "s"), (freed, blue, "o")):
                mean = part.groupby("attraction")[measure].mean()
                panel.plot(mean.index, mean, color=color, lw=1.2)
                panel.plot(part["attraction"], part[measure], marker, color=color, ms=3, alpha=0.6)
            for reference, dashes in ((start, ":"), (target, "--")):
                panel.axhline(part[reference].mean(), color=orange, linestyle=dashes, lw=1)
            style.number_axis(panel, "attraction", part["attraction"])
            panel.tick_params(axis="x", labelsize=7)
            panel.set_xlabel("")
            style.from_zero(panel)
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel(style.label("attraction"))
    axes[0, 0].set_ylabel(style.label("mono_per_feature"))
    axes[1, 0].set_ylabel("task loss")
    handles = [
        Line2D([], [], color="0.6", marker="s", ms=3, label="while pulled"),
        Line2D([], [], color=blue, marker="o", ms=3, label="after release"),
        Line2D([], [], color=orange, linestyle=":", label="model that it started from"),
        Line2D([], [], color=orange, linestyle="--", label="model that pulled"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    style.caption(figure, matched, f"Lines: means. {note}", head=head, seeds=None)
    return figure


@drawn
def bias_schemes(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """How soon training makes progress, and how it ends, by scheme for biases.

    Args:
      runs: From `frames.biases.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    schemes = list(dict.fromkeys(runs["scheme"]))
    columns = ("firing_step", "low_step", "mono_per_feature", "loss")
    names = ("steps until loss < 0.9", "steps until loss < 0.4", "mono. neurons / feature", "loss")
    height = 1.5 + 0.28 * len(schemes)
    figure = plt.figure(figsize=(8.4, height), layout="constrained")
    axes = figure.subplots(1, len(columns), sharey=True)
    blue = sns.color_palette("colorblind")[0]
    for panel, column, name in zip(axes, columns, names, strict=True):
        for place, scheme in enumerate(schemes):
            values = runs.loc[runs["scheme"] == scheme, column].dropna()
            if values.empty:
                panel.annotate("never", (0.02, place), xycoords=("axes fraction", "data"),
                               va="center", fontsize=7, color="0.4")  # fmt: skip
                continue
            panel.plot(values, [place] * len(values), "o", color=blue, ms=3, alpha=0.7)
            panel.plot([values.mean()], [place], "|", color="0.2", ms=9)
        panel.set_xlabel(name)
        panel.set_xlim(0, 1.06 * runs[column].max())
    axes[0].set_yticks(range(len(schemes)), schemes)
    axes[0].set_ylim(len(schemes) - 0.5, -0.5)
    words = "Losses below are shares of the zero-output loss. Points: seeds; ticks: their mean."
    style.caption(figure, runs, f"{words} {note}", head=head, seeds=None)
    return figure


_CURVE = "python -m toymono.sweep --sweep CURVE --scale small --seeds 3"
_HOP = "python -m toymono.sweep --sweep HOP --scale small --seeds 3"
_SCHEMES = "python -m toymono.sweep --sweep START,RULE,PULL --scale small --seeds 3"

_FROM = "Started from models of BASIN."  # whose scale the settings of these runs do not tell

FIGURES: tuple[Figure, ...] = (
    Figure(
        "curves",
        "Loss and monosemantic neurons on trained curves of low loss between two models.",
        curves,
        (origins.paths,),
        OfSweeps(("CURVE",), heading=False, note=_FROM),
        _CURVE,
        compares=False,
    ),
    Figure(
        "hops",
        "What a pull towards a model of the other kind does, and what stays after its release.",
        hops,
        (origins.per_run,),
        OfSweeps(("HOP",), heading=False, note=_FROM),
        _HOP,
        compares=False,
    ),
    Figure(
        "bias_schemes",
        "Steps until training makes progress, and its outcome, by scheme for biases.",
        bias_schemes,
        (biases.per_run,),
        OfSweeps(("START", "RULE", "PULL")),
        _SCHEMES,
        compares=False,
    ),
)
"""Figures of runs that start from stored runs, and of schemes for biases."""
