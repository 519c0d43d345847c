"""Figures of runs that start from stored runs."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from toymono.frames import origins
from toymono.plots import style
from toymono.plots.connectivity import paths_by_kind
from toymono.plots.figure import Figure, NothingToDraw, drawn
from toymono.plots.selection import OfSweeps


@drawn
def curves(paths: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Loss and monosemantic neurons on trained curves of low loss between two models.

    If curves of several lengths of training join a pair, each length has a color.

    Args:
      paths: From `frames.origins.paths`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    lengths = sorted(paths["log2_steps"].unique())
    steps = [f", $2^{{{length}}}$ steps" if len(lengths) > 1 else "" for length in lengths]
    words = {"line": "straight line, aligned"}
    words |= {f"curve {n}": f"trained curve{of}" for n, of in zip(lengths, steps, strict=True)}
    line = paths["path_kind"] == "line"
    longest = paths.groupby(_PAIR)["log2_steps"].transform("max")
    shown = paths.assign(path=("curve " + paths["log2_steps"].astype(str)).mask(line, "line"))
    # The line of a pair is the same beside each of its curves.
    shown = shown[~line | (paths["log2_steps"] == longest)]
    figure = paths_by_kind(shown, _PAIR, "path", words)
    style.caption(figure, paths, note, head=head, seeds=None)
    return figure


_PAIR = ["pair", "world_seed", "init_bias", "seed"]
"""What tells the pairs of CURVE and EQUAL apart."""


_NO_HOP = "no run with matched parents was pulled towards a model of the other kind"


@drawn
def hops(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Runs pulled towards a model of the other kind: at the end of the pull, and when trained on.

    Args:
      runs: From `frames.origins.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    pulled = runs[(runs["pair"] == "mixed") & runs["origin"].isin(["pull", "decoupled_pull"])]
    matched = pulled[pulled["match_parents"] == "weights"]
    if matched.empty:
        raise NothingToDraw(_NO_HOP)
    directions = {
        "To a monosemantic model": matched["target_mono"] > matched["start_mono"],
        "To a polysemantic model": matched["target_mono"] < matched["start_mono"],
    }
    shown = {title: matched[which] for title, which in directions.items() if which.any()}
    if not shown:
        raise NothingToDraw(_NO_HOP)
    figure = plt.figure(figsize=(2.8 * len(shown) + 0.9, 4.6), layout="constrained")
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
            panel.set_xlabel("")
            style.from_zero(panel)
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel(style.label("attraction"))
    axes[0, 0].set_ylabel(style.label("mono_per_feature"))
    axes[1, 0].set_ylabel(style.label("task_loss"))
    handles = [
        Line2D([], [], color="0.6", marker="s", ms=3, label="at the end of the pull"),
        Line2D([], [], color=blue, marker="o", ms=3, label="at the end of training"),
        Line2D([], [], color=orange, linestyle=":", label="first parent (start)"),
        Line2D([], [], color=orange, linestyle="--", label="second parent (target)"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    style.caption(figure, matched, f"Lines: means. {note}", head=head, seeds=None)
    return figure


_CURVE = "python -m toymono.sweep --sweep CURVE --scale small --seeds 3"
_EQUAL = "python -m toymono.sweep --sweep EQUAL --scale small --seeds 3"
_HOP = "python -m toymono.sweep --sweep HOP --scale small --seeds 3"

# The scale of the BASIN runs cannot be read from these runs' settings.
_FROM = "Started from models of BASIN."
_FROM_EQUAL = (
    "Monosemantic models are of BASIN; polysemantic ones were trained to about their loss."
)

FIGURES: tuple[Figure, ...] = (
    Figure(
        "curves",
        "Loss and monosemantic neurons on trained curves between two models.",
        curves,
        (origins.paths,),
        OfSweeps(("CURVE",), heading=False, note=_FROM),
        _CURVE,
        compares=False,
    ),
    Figure(
        "equal_loss_curves",
        "Loss and neurons on trained curves between models of equal loss.",
        curves,
        (origins.paths,),
        OfSweeps(("EQUAL",), heading=False, note=_FROM_EQUAL),
        _EQUAL,
        compares=False,
    ),
    Figure(
        "hops",
        "Effect of a pull towards a model of the other kind, at its end and trained on.",
        hops,
        (origins.per_run,),
        OfSweeps(("HOP",), heading=False, note=_FROM),
        _HOP,
        compares=False,
    ),
)
"""Figures of runs that start from stored runs."""
