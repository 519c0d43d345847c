"""How training goes: what is lost on the way, and when monosemantic neurons appear."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from toymono import tables
from toymono.plots import selection, style
from toymono.plots.registry import figure

# Columns side by side; more would not fit a page.
_MOST_COLUMNS = 4


@figure(
    tables.per_stretch,
    tables.per_snapshot,
    choose=selection.comparison,
    trained_by="python -m toymono.sweep --task decoder --k 512 --init_bias -1",
)
def training_traces(
    stretches: pd.DataFrame, snapshots: pd.DataFrame, by: str | None = None
) -> Figure:
    """Loss, monosemantic neurons per feature and mean bias in the course of training.

    Args:
      stretches: From `tables.per_stretch`.
      snapshots: From `tables.per_snapshot`, of the same runs.
      by: The field that the colours show. If the runs differ in a second
        field, there is a column for each of its values.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 3, 6, 7 and others.
    """
    by, across = selection.axes(snapshots, by)
    columns = selection.spread(snapshots, across, _MOST_COLUMNS)
    palette = style.colors(snapshots, by) if by else None
    drawn = plt.figure(figsize=(max(5.4, 1.6 + 2.3 * len(columns)), 6.2), layout="constrained")
    panels = drawn.subplots(3, len(columns), squeeze=False, sharex="col", sharey="row")
    measures = (
        (stretches, "loss", "Loss"),
        (snapshots, "mono_per_feature", "Monosemantic neurons\nper feature"),
        (snapshots, "mean_bias", "Mean bias"),
    )
    for row, (frame, measure, label) in zip(panels, measures, strict=True):
        for panel, column in zip(row, columns, strict=True):
            sns.lineplot(
                selection.part(frame, across, column),
                x="log2_step",
                y=measure,
                hue=by,
                palette=palette,
                color=None if by else style.PLAIN,
                legend=False,
                ax=panel,
                **style.SEEDS,
            )
            panel.set(xlabel="log$_2$ of training steps", ylabel=label)
            panel.label_outer()
    for panel, column in zip(panels[0], columns, strict=True):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        if across:
            panel.set_title(style.setting(across, column))
    for panel in panels[1]:
        panel.axhline(1, **style.REFERENCE)
        style.from_zero(panel)
    for panel in panels[2]:
        panel.axhline(0, **style.REFERENCE)
    drawn.align_ylabels()
    if palette:
        style.legend(drawn, by, palette)
    style.caption(drawn, snapshots, style.left_out(snapshots, across, columns), beside=bool(by))
    return drawn
