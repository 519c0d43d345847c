"""Training curves: loss, monosemantic neurons per feature, mean bias."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono import frames
from toymono.plots import selection, style
from toymono.plots.figure import drawn

# Maximum number of columns of panels.
_MOST_COLUMNS = 4


class _Row(NamedTuple):
    """A row of panels."""

    column: str
    """The data column."""
    words: str
    """Its name in captions."""
    per_snapshot: bool = False
    """Whether the column is one of the snapshots, not of the bins."""


_ROWS = {
    "loss": _Row("loss", "the loss"),
    "min_loss": _Row("min_loss", "the lowest loss"),
    "zoom": _Row("min_loss", "the close-up"),
    "excess": _Row("min_loss_excess", "the difference"),
    "mono": _Row("mono_per_feature", "monosemantic neurons", per_snapshot=True),
    "bias": _Row("mean_bias", "the mean bias", per_snapshot=True),
}

# What the lines of reference mean.
_DOTTED = {
    "mono": "one monosemantic neuron per feature",
    "bias": "a bias of 0",
    "excess": "no difference",
}

# Range of a close-up above the lowest loss, as a fraction of it; as in figure 1.
_CLOSE = 0.12

# log2 of the steps counted as early training.
_EARLY = 4

# Ratio of final losses above which the axis is logarithmic.
_WIDE = 10


@drawn
def training_traces(bins: pd.DataFrame, snapshots: pd.DataFrame, by: str | None = None) -> Figure:
    """Loss, monosemantic neurons per feature and mean bias during training.

    Args:
      bins: From `frames.per_bin`.
      snapshots: From `frames.per_snapshot`, of the same runs.
      by: The field that the colours show. If the runs differ in a second
        field, there is a column for each of its values.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 3, 6, 7 and others.
    """
    by, across = selection.axes(snapshots, by)
    columns = selection.spread(snapshots, across, _MOST_COLUMNS)
    palette = style.colors(snapshots, by) if by else None
    figure, panels = _panels(("loss", "mono", "bias"), len(columns))
    for i, column in enumerate(columns):
        shown = [selection.part(frame, across, column) for frame in (bins, snapshots)]
        _lines([row[i] for row in panels.values()], panels, shown, by, palette)
        if across:
            panels["loss"][i].set_title(style.setting(across, column))
    note = _finish(figure, panels, bins) + style.omitted(snapshots, across, columns)
    if by and palette:
        style.legend(figure, by, palette)
    style.caption(figure, snapshots, note, beside=bool(by))
    return figure


@drawn
def sweep_traces(
    bins: pd.DataFrame,
    snapshots: pd.DataFrame,
    by: str,
    rows: Sequence[str] = ("loss", "mono", "bias"),
    titles: Mapping[str, str] | None = None,
    baseline: tuple[Any, str] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    head: str = "",
    note: str = "",
) -> Figure:
    """Training in sweeps of the catalog: a column for each, a colour for each value of `by`.

    Args:
      bins: From `frames.per_bin_minimum`, with the column `sweep`.
      snapshots: From `frames.per_snapshot`, of the same runs.
      by: The field that the sweeps vary.
      rows: The rows of panels: loss, min_loss, zoom, mono or bias.
      titles: Of the columns, by sweep.
      baseline: The value of `by` that is drawn in red, outside the scale of colours,
        and its legend label.
      limits: Axis limits per row; lines outside are clipped.
      head: Caption prefix.
      note: Caption suffix.
    """
    sweeps = snapshots["sweep"].unique()
    baseline_value, words = baseline or (None, "")
    scale = snapshots[snapshots[by] != baseline_value]
    palette = style.colors(scale if len(scale) else snapshots, by)
    if baseline_value in snapshots[by].unique():
        palette |= {baseline_value: style.BASELINE}
    figure, panels = _panels(rows, len(sweeps))
    for i, sweep in enumerate(sweeps):
        shown = [selection.part(frame, "sweep", sweep) for frame in (bins, snapshots)]
        _lines([row[i] for row in panels.values()], panels, shown, by, palette)
        if titles:
            panels[rows[0]][i].set_title(titles[sweep])
    note += _finish(figure, panels, bins, limits)
    style.legend(figure, by, palette, {baseline_value: words})
    shown = (by, "init_bias") if titles else (by,)
    note = f"{note} {style.by_sweep(snapshots, shown)}".strip()
    style.caption(figure, snapshots, note, beside=True, head=head)
    return figure


@drawn
def paired_traces(
    bins: pd.DataFrame,
    snapshots: pd.DataFrame,
    by: str,
    palettes: Mapping[str, str],
    titles: Mapping[str, str],
    limits: Mapping[str, tuple[float, float]],
    head: str = "",
    note: str = "",
) -> Figure:
    """Two sweeps over the same values, in the same panels, and the difference of their losses.

    Args:
      bins: As in `sweep_traces`.
      snapshots: Of the same runs.
      by: The field that both vary.
      palettes: seaborn's names of the colours, by sweep. One panel shows by how
        much the second sweep's lowest loss exceeds the first's.
      titles: Titles of the sweeps, by sweep.
      limits: Axis limits per row; lines outside are clipped.
      head: Caption prefix.
      note: Caption suffix.
    """
    figure, panels = _panels(("loss", "excess", "mono", "bias"), 1, width=6.8)
    values = selection.values(snapshots, by)
    handles = []
    for sweep, colors in palettes.items():
        # The lightest shades are invisible on white.
        shades = sns.color_palette(colors, len(values) + 2)[2:]
        palette = dict(zip(values, shades, strict=True))
        rows = {row: panels[row] for row in ("loss", "mono", "bias")}
        shown = [selection.part(frame, "sweep", sweep) for frame in (bins, snapshots)]
        _lines([panel for [panel] in rows.values()], rows, shown, by, palette)
        handles.append(Line2D([], [], linestyle="", label=titles[sweep]))
        handles += [
            Line2D([], [], color=color, label=style.value(by, content))
            for content, color in palette.items()
        ]
    first, second = (selection.part(bins, "sweep", sweep) for sweep in palettes)
    excess = frames.excess(second, first, "min_loss", on=(by, "seed", "step"))
    _lines(panels["excess"], {"excess": panels["excess"]}, (excess, excess), by, palette)
    note += _finish(figure, panels, bins, limits)
    style.legend_of(figure, handles, style.label(by), len(palettes))
    note = f"{note} {style.by_sweep(snapshots, (by,))}".strip()
    style.caption(figure, snapshots, note, beside=True, head=head)
    return figure


def _panels(
    rows: Sequence[str], columns: int, width: float = 5.4
) -> tuple[Figure, dict[str, list[Axes]]]:
    """A figure with a row of panels for each of `rows`."""
    size = (max(width, 1.6 + 2.3 * columns), 0.8 + 1.8 * len(rows))
    figure = plt.figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex="col", sharey="row")
    return figure, dict(zip(rows, map(list, grid), strict=True))


def _lines(
    panels: Sequence[Axes],
    rows: Mapping[str, Any],
    shown: Sequence[pd.DataFrame],
    by: str | None,
    palette: dict[Any, Any] | None,
) -> None:
    """The lines of one column of panels, from its bins and snapshots."""
    bins, snapshots = shown
    for panel, row in zip(panels, rows, strict=True):
        frame = snapshots if _ROWS[row].per_snapshot else bins
        sns.lineplot(
            frame,
            x="log2_step",
            y=_ROWS[row].column,
            hue=by,
            palette=palette and {value: palette[value] for value in frame[by].unique()},
            color=None if by else style.PLAIN,
            legend=False,
            ax=panel,
            **style.SEEDS,
        )


def _finish(
    figure: Figure,
    panels: dict[str, list[Axes]],
    bins: pd.DataFrame,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Sets labels, ticks, limits and lines of reference; returns a note on clipped lines."""
    # A loss that rises steeply during training would compress the other curves.
    early = bins["loss"][bins["log2_step"] <= _EARLY].max()
    last = bins["loss"][bins["log2_step"] == bins["log2_step"].max()]
    wide = last.min() > 0 and last.max() > _WIDE * last.min()
    clipped = []
    for row, of_row in panels.items():
        for panel in of_row:
            words = "The same,\nclose up" if row == "zoom" else style.label(_ROWS[row].column)
            panel.set(xlabel="Training steps (log)", ylabel=words)
            panel.label_outer()
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 10], integer=True))
            panel.xaxis.set_major_formatter(lambda log2, _: f"{2**log2:.0f}")
            if row == "mono":
                panel.axhline(1, **style.REFERENCE)
                style.from_zero(panel)
            elif row == "loss" and wide:
                panel.set_yscale("log")
            elif row in ("bias", "excess"):
                panel.axhline(0, **style.REFERENCE)
            elif row == "zoom":
                lowest = bins["min_loss"].min()
                panel.set_ylim((1 - _CLOSE / 10) * lowest, (1 + _CLOSE) * lowest)
        low, high = of_row[0].get_ylim()
        least, most = (limits or {}).get(row, (low, high))
        least, most = max(least, low), min(most, high)
        if row == "loss" and high > 1.5 * early:
            most = 1.1 * early
        if low < least or high > most:
            clipped.append(_ROWS[row].words)
        if (least, most) != (low, high):
            of_row[0].set_ylim(least, most)
    figure.align_ylabels()
    dotted = [words for row, words in _DOTTED.items() if row in panels]
    note = f" Dotted: {_listed(dotted)}." if dotted else ""
    if clipped:
        several = "s" * (len(clipped) > 1)
        note += f" Some lines are clipped in the panel{several} of {_listed(clipped)}."
    return note


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
