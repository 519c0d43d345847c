"""A linear path beside the hidden layer: whether it takes over the low-rank identity."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono.frames import skip
from toymono.plots import style
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import OfSweeps
from toymono.quantities import QUANTITIES

_MEASURES = (
    *("loss_share", "mono_per_feature", "features_without_mono"),
    *("mono_per_live", "positive_bias", "skip_effective_rank"),
)


@drawn
def skip_path(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Loss, monosemantic neurons and neurons of positive bias against the rank of the skip path.

    Args:
      runs: From `frames.skip.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    figure = plt.figure(figsize=(6.5, 6.6), layout="constrained")
    panels = figure.subplots(3, 2, sharex=True).flat
    palette = style.colors(runs, "init_bias")
    ranks = sorted(runs["path_rank"].unique())
    for panel, measure in zip(panels, _MEASURES, strict=True):
        sns.lineplot(
            runs,
            x="path_rank",
            y=measure,
            hue="init_bias",
            palette=palette,
            legend=False,
            marker="o",
            markersize=4,
            ax=panel,
            **style.SEEDS,
        )
        panel.set_ylabel(style.label(measure))
        panel.set_xlabel(QUANTITIES["path_rank"].axis if measure in _MEASURES[-2:] else "")
        panel.set_xticks(ranks)
        panel.yaxis.set_major_locator(MaxNLocator(5))
        style.from_zero(panel)
    handles = [
        Line2D([], [], color=color, marker="o", label=style.setting("init_bias", bias))
        for bias, color in palette.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    words = "Rank 0: no path. Living neurons respond to some single feature."
    shown = runs.drop(columns=["model", "skip_rank"]).assign(model="two_layer", skip_rank=0)
    style.caption(figure, shown, f"{words} {note}", head=head)
    return figure


FIGURES: tuple[Figure, ...] = (
    Figure(
        "skip_path",
        "Loss, neurons and biases by the rank of a linear path.",
        skip_path,
        (skip.per_run,),
        OfSweeps(("SKIP",)),
        "python -m toymono.sweep --sweep SKIP --scale small --seeds 3",
        compares=False,
    ),
)
"""The figure of models with a skip path."""
