"""Monosemantic neurons as a function of the fields of the runs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono.plots import selection, style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

Mark = Callable[[Sequence[Axes], pd.DataFrame, dict[Any, Any]], str]
"""Draws lines of reference into panels of runs in these colours; returns a note on them."""

# Columns side by side; more would not fit a page.
_MOST_COLUMNS = 4

# The minimum of gelu, x Phi(x): the zero of its derivative.
_GELU_LOWEST = -0.7518


@drawn
def monosemantic_by_field(runs: pd.DataFrame, by: str | None = None) -> Figure:
    """Monosemantic neurons, per neuron and per feature, against any numerical field.

    Args:
      runs: From `frames.per_run`.
      by: The field along the horizontal axis; of several, the one with the
        most values. If the runs differ in a second field, the colours show it.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 8, 17 and 18.
    """
    by, across = selection.axes(runs, by, numeric=True)
    assert by is not None  # a field that holds numbers, or axes raises
    palette = style.colors(runs, across) if across else None
    figure, panels = _shares(runs, by, across, palette)
    if by == "k" and across != "n":
        for panel in panels.flat:
            style.mark_features(panel, int(runs["n"].iloc[0]))
    if across and palette:
        style.legend(figure, across, palette, marker="o")
    style.caption(figure, runs, beside=bool(across))
    return figure


@drawn
def several_features(several: pd.DataFrame, by: str | None = None) -> Figure:
    """Monosemanticity on inputs with several active features, against their number.

    With one active feature it is the mean of the paper's score. A neuron keeps
    its score if no group makes it fire; its strongest feature is removed from the
    groups that contain it.

    Args:
      several: From `frames.per_active`.
      by: The field that the colours show. If the runs differ in a second
        field, there is a column for each of its values.
    """
    by, across = selection.axes(several, by)
    columns = selection.spread(several, across, _MOST_COLUMNS)
    palette = style.colors(several, by) if by else None
    size = (max(5.4, 1.6 + 2.3 * len(columns)), 4.8)
    figure = plt.figure(figsize=size, layout="constrained")
    grid = figure.subplots(2, len(columns), squeeze=False, sharex=True, sharey="row")
    for row, measure in zip(grid, ("mean_monosemanticity", "silent_share"), strict=True):
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
            panel.set_ylabel(style.label(measure))
            panel.label_outer()
    if across:
        for panel, column in zip(grid[0], columns, strict=True):
            panel.set_title(style.setting(across, column))
    if by and palette:
        style.legend(figure, by, palette, marker="o")
    note = style.omitted(several, across, columns)
    note += (
        " Without dead neurons. Below: of the groups without a neuron's strongest feature, the "
        "fraction on which it does not fire. Groups of half the features overlap."
    )
    style.caption(figure, several, note, beside=bool(by))
    figure.align_ylabels()
    return figure


@drawn
def sweep_shares(
    runs: pd.DataFrame,
    by: str,
    across: str,
    marks: Mark,
    looks: Mapping[str, tuple[str, Any, Any]] | None = None,
    close: tuple[float, float] | None = None,
    head: str = "",
    note: str = "",
) -> Figure:
    """Monosemantic neurons, per neuron and per feature, in sweeps of the catalog.

    Args:
      runs: From `frames.per_run`, with the column `sweep`.
      by: The field along the horizontal axis.
      across: What the colours show, a field or the sweep.
      marks: Draws the lines of reference.
      looks: If `across` is the sweep: words, colour and dashes of each.
      close: A range of `by` that is shown again, close up, with the lines of
        reference, which would be too close to one another in the whole range.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    dashes = None
    palette = style.colors(runs, across)
    if looks:
        looks = {sweep: look for sweep, look in looks.items() if sweep in palette}
        palette = {sweep: color for sweep, (_, color, _) in looks.items()}
        dashes = {sweep: lines for sweep, (_, _, lines) in looks.items()}
    figure, panels = _shares(runs, by, across, palette, dashes, columns=2 if close else 1)
    if close:
        for wide in panels[:, 0]:
            wide.axvspan(*close, color="0.93", zorder=0)
        style.round_ticks(panels[0, -1])
        panels[0, -1].set_xlim(close)
        panels[0, -1].set_title("Close up")
        note += " Grey: the range shown close up."
    note = f"{note} {marks(list(panels[:, -1]), runs, palette)}".strip()
    if looks:
        handles = [
            Line2D([], [], color=color, dashes=lines, label=words, marker="o", markersize=4)
            for words, color, lines in looks.values()
        ]
        style.legend_of(figure, handles, "Sweep")
    else:
        style.legend(figure, across, palette, marker="o")
    shown = (by, across, "init_bias") if looks else (by, across)
    note = f"{note} {style.by_sweep(runs, shown)}".strip()
    style.caption(figure, runs, note, beside=True, head=head)
    return figure


@drawn
def monosemantic_map(runs: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """Monosemantic neurons by initial bias and feature probability, as coloured dots.

    Args:
      runs: From `frames.per_run`. Of several seeds the mean is shown.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 9.
    """
    means = runs.groupby(["init_bias", "eps"], as_index=False)["monosemantic"].mean()
    figure = plt.figure(figsize=(5.4, 4.4), layout="constrained")
    panel = figure.subplots()
    dots = panel.scatter(
        means["init_bias"],
        np.log2(means["eps"]),
        c=means["monosemantic"],
        s=150,
        edgecolor="0.3",
        linewidth=0.5,
        zorder=2,
    )
    figure.colorbar(dots, label=QUANTITIES["monosemantic"].axis)
    low, high = np.log2(means["eps"].min()), np.log2(means["eps"].max())
    exponents = np.linspace(low - 0.4, high + 0.4, 50)
    panel.plot(-(2.0 ** (exponents / 2)), exponents, color="black", zorder=1)
    panel.set_yticks(np.arange(low, high + 1))
    panel.set(xlabel=QUANTITIES["init_bias"].axis, ylabel="log$_2$ of feature probability ε")
    note = f"{note} Line: bias = −√ε. {style.by_sweep(runs, ('init_bias', 'eps'))}".strip()
    style.caption(figure, runs, note, head=head, seeds=("Dots", ""))
    return figure


def mark_spread(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """Lines at a bias of −√ε, about the standard deviation of a neuron's input at the start."""
    for panel in panels:
        for eps, color in palette.items():
            panel.axvline(-(eps**0.5), **style.REFERENCE | {"color": color, "linestyle": "--"})
    return "Vertical lines: bias\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}−√ε."


def mark_gelu(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line at the minimum of gelu."""
    for panel in panels:
        panel.axvline(_GELU_LOWEST, **style.REFERENCE)
    return "Vertical line: the minimum of gelu."


def mark_features(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line where there are as many neurons as features."""
    for panel in panels:
        style.mark_features(panel, int(runs["n"].iloc[0]))
    return ""


def mark_dimensions(panels: Sequence[Axes], runs: pd.DataFrame, palette: dict[Any, Any]) -> str:
    """A line where the mean number of active features equals the embedding's dimensions."""
    for panel in panels:
        line = {"color": style.BASELINE, "linestyle": "--"}
        panel.axvline(runs["m"].iloc[0] / runs["n"].iloc[0], **style.REFERENCE | line)
    return "Vertical line: nε\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}m."


def _shares(
    runs: pd.DataFrame,
    by: str,
    across: str | None,
    palette: dict[Any, Any] | None,
    dashes: dict[Any, Any] | None = None,
    columns: int = 1,
) -> tuple[Figure, np.ndarray]:
    """A row of equal panels for each of the two shares."""
    width = 5.8 if dashes else 5.4
    figure = plt.figure(figsize=(width + 2.4 * (columns - 1), 4.8), layout="constrained")
    panels = figure.subplots(2, columns, sharex="col", sharey="row", squeeze=False)
    for row, measure in zip(panels, ("mono_per_neuron", "mono_per_feature"), strict=True):
        for panel in row:
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
            panel.set_ylabel(style.label(measure))
        style.from_zero(row[0])
    for panel in panels[1]:
        panel.axhline(1, **style.REFERENCE)
        style.number_axis(panel, by, runs[by])
    for panel in panels.flat:
        panel.label_outer()
    figure.align_ylabels()
    return figure, panels
