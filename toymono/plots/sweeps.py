"""What a field of the runs does to the trained models."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from toymono import tables
from toymono.plots import selection, style
from toymono.plots.registry import figure


@figure(
    tables.per_run,
    choose=selection.by_number,
    trained_by="python -m toymono.sweep --task decoder --k 512 --init_bias -1,-0.5,0",
)
def monosemantic_by_field(runs: pd.DataFrame, by: str | None = None) -> Figure:
    """Monosemantic neurons, per neuron and per feature, against any field that holds numbers.

    Args:
      runs: From `tables.per_run`.
      by: The field along the horizontal axis; of several, the one with the
        most values. If the runs differ in a second field, the colours show it.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 8, 17 and 18.
    """
    by, across = selection.axes(runs, by, numeric=True)
    palette = style.colors(runs, across) if across else None
    drawn = plt.figure(figsize=(5.4, 4.8), layout="constrained")
    upper, lower = panels = drawn.subplots(2, sharex=True)
    measures = ("mono_per_neuron", "mono_per_feature")
    for panel, measure in zip(panels, measures, strict=True):
        sns.lineplot(
            runs,
            x=by,
            y=measure,
            hue=across,
            palette=palette,
            color=None if across else style.PLAIN,
            marker="o",
            legend=False,
            ax=panel,
            **style.SEEDS,
        )
    lower.axhline(1, **style.REFERENCE)
    if by == "k" and across != "n":
        for panel in panels:
            style.mark_features(panel, runs["n"].iloc[0])
    for panel in panels:
        style.from_zero(panel)
    upper.set(xlabel="", ylabel="Monosemantic share\nof neurons")
    lower.set(ylabel="Monosemantic neurons\nper feature")
    style.number_axis(lower, by, runs[by])
    drawn.align_ylabels()
    if across:
        style.legend(drawn, across, palette, marker="o")
    style.caption(drawn, runs, beside=bool(across))
    return drawn
