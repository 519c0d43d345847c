"""What a field of the runs does to the trained models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono import tables
from toymono.plots import selection, style
from toymono.plots.registry import drawn, figure

Mark = Callable[[Sequence[Axes], pd.DataFrame, dict[Any, Any]], str]
"""Draws lines of reference into the panels, of runs in these colours, and says what they are."""

# Columns side by side; more would not fit a page.
_MOST_COLUMNS = 4

# Where gelu is lowest; it is x Phi(x), and this is the zero of its derivative.
_GELU_LOWEST = -0.7518


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
    made, panels = _shares(runs, by, across, palette)
    if by == "k" and across != "n":
        for panel in panels:
            style.mark_features(panel, runs["n"].iloc[0])
    if across:
        style.legend(made, across, palette, marker="o")
    style.caption(made, runs, beside=bool(across))
    return made


@figure(
    tables.per_active,
    choose=selection.comparison,
    trained_by="python -m toymono.sweep --task decoder --k 512 --init_bias -1,-0.5,0",
)
def several_features(several: pd.DataFrame, by: str | None = None) -> Figure:
    """Monosemanticity when several features come together, against how many come.

    At 1 it is the mean of the paper's score. A neuron keeps its score if no
    group makes it fire; from groups that hold its favourite, that is left out.

    Args:
      several: From `tables.per_active`.
      by: The field that the colours show. If the runs differ in a second
        field, there is a column for each of its values.
    """
    by, across = selection.axes(several, by)
    columns = selection.spread(several, across, _MOST_COLUMNS)
    palette = style.colors(several, by) if by else None
    size = (max(5.4, 1.6 + 2.3 * len(columns)), 4.8)
    made = plt.figure(figsize=size, layout="constrained")
    grid = made.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    measures = {
        "monosemanticity": "Monosemanticity\n(mean over neurons)",
        "silent": "Groups that leave\na neuron silent",
    }
    for row, (measure, words) in zip(grid, measures.items(), strict=True):
        for panel, column in zip(row, columns, strict=True):
            frame = selection.part(several, across, column)
            sns.lineplot(
                frame,
                x="active",
                y=measure,
                hue=by,
                palette=palette and {value: palette[value] for value in frame[by].unique()},
                color=None if by else style.PLAIN,
                legend=False,
                marker="o",
                markersize=4,
                ax=panel,
                **style.SEEDS,
            )
            panel.set_ylim(-0.04, 1.04)
            style.number_axis(panel, "active", several["active"])
            panel.set_ylabel(words)
            panel.label_outer()
    if across:
        for panel, column in zip(grid[0], columns, strict=True):
            panel.set_title(style.setting(across, column))
    if palette:
        style.legend(made, by, palette, marker="o")
    note = style.left_out(several, across, columns)
    note += " Without dead neurons. Near n, groups are much alike."
    style.caption(made, several, note, beside=bool(by))
    made.align_ylabels()
    return made


@drawn
def sweep_shares(
    runs: pd.DataFrame,
    by: str,
    across: str,
    marks: Mark,
    looks: Mapping[str, tuple[str, Any, Any]] | None = None,
    head: str = "",
    note: str = "",
) -> Figure:
    """Monosemantic neurons, per neuron and per feature, in sweeps of the paper.

    Args:
      runs: From `tables.per_run`, with the column `sweep`.
      by: The field along the horizontal axis.
      across: What the colours show, a field or the sweep.
      marks: What draws the lines of reference.
      looks: If `across` is the sweep: words, colour and dashes of each.
      head: What the caption begins with.
      note: What it ends with.
    """
    dashes = None
    palette = style.colors(runs, across)
    if looks:
        looks = {sweep: look for sweep, look in looks.items() if sweep in palette}
        palette = {sweep: color for sweep, (_, color, _) in looks.items()}
        dashes = {sweep: lines for sweep, (_, _, lines) in looks.items()}
    made, panels = _shares(runs, by, across, palette, dashes)
    note = f"{note} {marks(panels, runs, palette)}".strip()
    if looks:
        handles = [
            Line2D([], [], color=color, dashes=lines, label=words, marker="o", markersize=4)
            for words, color, lines in looks.values()
        ]
        style.legend_of(made, handles, "Sweep")
    else:
        style.legend(made, across, palette, marker="o")
    shown = (by, across, "init_bias") if looks else (by, across)
    note = f"{note} {style.by_sweep(runs, shown)}".strip()
    style.caption(made, runs, note, beside=True, head=head)
    return made


@drawn
def monosemantic_map(runs: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """Monosemantic neurons by initial bias and feature probability, as coloured dots.

    Args:
      runs: From `tables.per_run`. Of several seeds the mean is shown.
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 9.
    """
    means = runs.groupby(["init_bias", "eps"], as_index=False)["monosemantic"].mean()
    made = plt.figure(figsize=(5.4, 4.4), layout="constrained")
    panel = made.subplots()
    dots = panel.scatter(
        means["init_bias"],
        np.log2(means["eps"]),
        c=means["monosemantic"],
        s=150,
        edgecolor="0.3",
        linewidth=0.5,
        zorder=2,
    )
    made.colorbar(dots, label="Monosemantic neurons")
    low, high = np.log2(means["eps"].min()), np.log2(means["eps"].max())
    exponents = np.linspace(low - 0.4, high + 0.4, 50)
    panel.plot(-(2.0 ** (exponents / 2)), exponents, color="black", zorder=1)
    panel.set_yticks(np.arange(low, high + 1))
    panel.set(xlabel=style.label("init_bias"), ylabel="log$_2$ of feature probability ε")
    style.caption(made, runs, f"{note} Line: bias = −√ε.".strip(), head=head)
    return made


def mark_spread(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """Lines at a bias of −√ε, about the spread of a neuron's input before training."""
    for panel in panels:
        for eps, color in palette.items():
            panel.axvline(-(eps**0.5), **style.REFERENCE | {"color": color, "linestyle": "--"})
    return "Vertical lines: bias = −√ε."


def mark_gelu(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line where gelu is lowest."""
    for panel in panels:
        panel.axvline(_GELU_LOWEST, **style.REFERENCE)
    return "Vertical line: where gelu is lowest."


def mark_features(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line where there are as many neurons as features."""
    for panel in panels:
        style.mark_features(panel, runs["n"].iloc[0])
    return ""


def mark_dimensions(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line where as many features are present, on average, as the embedding has dimensions."""
    for panel in panels:
        line = {"color": style.RIVAL, "linestyle": "--"}
        panel.axvline(runs["m"].iloc[0] / runs["n"].iloc[0], **style.REFERENCE | line)
    return "Vertical line: nε\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}m."


def _shares(
    runs: pd.DataFrame,
    by: str,
    across: str | None,
    palette: dict[Any, Any] | None,
    dashes: dict[Any, Any] | None = None,
) -> tuple[Figure, Sequence[Axes]]:
    made = plt.figure(figsize=(5.8 if dashes else 5.4, 4.8), layout="constrained")
    upper, lower = panels = made.subplots(2, sharex=True)
    measures = ("mono_per_neuron", "mono_per_feature")
    for panel, measure in zip(panels, measures, strict=True):
        sns.lineplot(
            runs,
            x=by,
            y=measure,
            hue=across,
            palette=palette,
            style=across if dashes else None,
            dashes=dashes or True,
            markers=dict.fromkeys(dashes, "o") if dashes else None,
            color=None if across else style.PLAIN,
            legend=False,
            ax=panel,
            **({} if dashes else {"marker": "o"}),
            **style.SEEDS,
        )
    lower.axhline(1, **style.REFERENCE)
    for panel in panels:
        style.from_zero(panel)
    upper.set(xlabel="", ylabel="Monosemantic share\nof neurons")
    lower.set(ylabel="Monosemantic neurons\nper feature")
    style.number_axis(lower, by, runs[by])
    made.align_ylabels()
    return made, panels
