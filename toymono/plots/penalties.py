"""Costs and gains of polysemantic penalties, for weights alpha on both sides of 0.

The runs are those of the catalog's sweep PEN: a panel for each kind of penalty.
Blue penalises polysemantic neurons, orange rewards them, black does neither.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from toymono.plots import selection, style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

# The colour of the baseline, in neither of the colour scales of the weights.
_BASELINE = style.CATEGORICAL[2]

# How many of the weights are shown side by side.
_COLUMNS = 5

# Most active features: more are rare in inputs with 4 or 8 on average.
_MOST_ACTIVE = 32


@drawn
def penalty_frontier(runs: pd.DataFrame) -> Figure:
    """Task loss against monosemantic neurons, by weight of a penalty.

    Args:
      runs: From `frames.per_run`, of the sweep PEN.
    """
    runs = _with_weight_0(runs)
    kinds = _kinds(runs)
    palette = style.signed_colors(runs["alpha"])
    figure = plt.figure(figsize=(6.5, 6.4), layout="constrained")
    shape = style.row_by_row(len(kinds), 2)
    panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
    losses = runs[["loss", "zero_loss"]]
    # Of all runs at once, not grown panel by panel.
    limits = (0.9 * losses.min().min(), 1.1 * losses.max().max())
    panels[0, 0].set(yscale="log", ylim=limits)
    for panel, kind in _titled(panels, kinds):
        of_kind = _with_none(runs, kind)
        means = of_kind.groupby("alpha")[["mono_per_feature", "loss"]].mean()
        panel.plot(means["mono_per_feature"], means["loss"], color="0.75", linewidth=1, zorder=1)
        for alpha, of_alpha in of_kind.groupby("alpha"):
            _cross(panel, of_alpha, palette[alpha], "D" if alpha == 0 else "o")
        _cross(panel, _baseline(runs), _BASELINE, "*")
        panel.axhline(runs["zero_loss"].iloc[0], **style.REFERENCE)
    ends = [tick for tick in (0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 3) if _inside(panel, tick)]
    panel.set_yticks(ends, list(map(str, ends)))
    panel.yaxis.set_minor_locator(NullLocator())
    _outer(panels, QUANTITIES["mono_per_feature"].axis, "Task loss (log)")
    handles = _handles(palette, marker="o", linestyle="")
    if len(_baseline(runs)):
        handles.append(_baseline_handle(runs))
    figure.legend(handles=handles, title="Weight α", loc="outside lower center", ncols=4)
    note = (
        "Blue penalises polysemantic neurons, orange rewards them. Loss: mean over the last "
        "sixteenth of the steps. Dotted: loss of an output of 0."
    )
    style.caption(figure, _penalised(runs), note, seeds=("Points", "bars"))
    return figure


@drawn
def multi_feature_by_penalty(several: pd.DataFrame) -> Figure:
    """Monosemanticity on one and on several active features, by a penalty's weight.

    Above the mean score, which for one feature is that of eq. 7; below the
    fraction of groups of features, without its strongest, on which a neuron does
    not fire. Both are means over the living neurons.

    Args:
      several: From `frames.per_active`, of the sweep PEN.
    """
    several = _with_weight_0(several[several["active"] <= _MOST_ACTIVE])
    kinds = _kinds(several)
    palette = style.colors(several, "active")
    figure = plt.figure(figsize=(1.4 + 2.1 * max(2, len(kinds)), 4.6), layout="constrained")
    panels = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False)
    for row, column in zip(panels, ("mean_monosemanticity", "silent_share"), strict=True):
        for panel, kind in zip(row, kinds, strict=True):
            sns.lineplot(
                _with_none(several, kind),
                x="alpha",
                y=column,
                hue="active",
                palette=palette,
                marker="o",
                markersize=4,
                legend=False,
                ax=panel,
                **style.SEEDS,
            )
            _alpha_axis(panel, several["alpha"])
            panel.set(xlabel="", ylabel="", ylim=(0, 1.02))
        row[0].set_ylabel(style.label(column))
    for panel, kind in zip(panels[0], kinds, strict=True):
        panel.set_title(style.value("penalty", kind))
    for panel in panels[-1]:
        panel.set_xlabel("Weight α")
    style.legend(figure, "active", palette, title="Active\nfeatures", marker="o")
    style.caption(figure, _penalised(several), beside=True)
    return figure


@drawn
def responses_by_penalty(outputs: pd.DataFrame) -> Figure:
    """The output for a single feature, of the whole model and of its mono part, by penalty.

    Means over all features and over seeds.

    Args:
      outputs: From `frames.penalty.mean_outputs`, of the sweep PEN.
    """
    outputs = _with_weight_0(outputs)
    kinds = _kinds(outputs)
    alphas = selection.spread(outputs, "alpha", _COLUMNS)
    alphas = sorted({*alphas, 0.0}) if 0.0 in set(outputs["alpha"]) else alphas
    looks = {
        "mean_output": ("whole model", style.CATEGORICAL[0]),
        "mean_output_mono": ("mono part", style.CATEGORICAL[1]),
    }
    figure = plt.figure(figsize=(1.5 * len(alphas) + 0.8, 1.5 * len(kinds) + 1.4))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(len(kinds), len(alphas), sharex=True, sharey=True, squeeze=False)
    for row, kind in zip(panels, kinds, strict=True):
        of_kind = _with_none(outputs, kind)
        for panel, alpha in zip(row, alphas, strict=True):
            shown = of_kind[of_kind["alpha"] == alpha]
            target = shown.drop_duplicates("amplitude")
            panel.plot(target["amplitude"], target["mean_target"], **style.REFERENCE)
            for part, (_, color) in looks.items():
                sns.lineplot(shown, x="amplitude", y=part, color=color, ax=panel, **style.SEEDS)
            panel.set(xlabel="", ylabel="")
        row[0].set_ylabel(f"{style.value('penalty', kind)}\nOutput".replace("random ", "random\n"))
    for panel, alpha in zip(panels[0], alphas, strict=True):
        panel.set_title(f"α = {style.value('alpha', alpha)}")
    for panel in panels[-1]:
        panel.set_xlabel(QUANTITIES["amplitude"].axis)
    handles = [Line2D([], [], color=color, label=words) for words, color in looks.values()]
    handles.append(Line2D([], [], label="target", **style.REFERENCE))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    note = "Mono part: neurons that respond to at most one feature."
    style.caption(figure, _penalised(outputs), note + style.omitted(outputs, "alpha", alphas))
    return figure


def _kinds(frame: pd.DataFrame) -> list[str]:
    """The penalties of the runs."""
    kinds = [kind for kind in selection.values(frame, "penalty") if kind != "none"]
    if not kinds:
        raise ValueError("none of the runs has a penalty")
    return kinds


def _penalised(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["penalty"] != "none"]


def _with_weight_0(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with weight 0 for runs without a penalty, whose weight has no effect."""
    return frame.assign(alpha=frame["alpha"].where(frame["penalty"] != "none", 0.0))


def _with_none(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The runs of a kind, and those without a penalty that are otherwise equal."""
    bias = _penalised(frame)["init_bias"].iloc[0]
    free = (frame["penalty"] == "none") & (frame["init_bias"] == bias)
    return frame[(frame["penalty"] == kind) | free]


def _baseline(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs without a penalty whose biases start lower."""
    bias = _penalised(frame)["init_bias"].min()
    return frame[(frame["penalty"] == "none") & (frame["init_bias"] < bias)]


def _cross(panel: Axes, runs: pd.DataFrame, color: Any, marker: str) -> None:
    """A point at the mean, with bars to the smallest and the largest seed both ways."""
    if runs.empty:
        return
    x, y = runs["mono_per_feature"], runs["loss"]
    panel.errorbar(
        x.mean(),
        y.mean(),
        xerr=[[x.mean() - x.min()], [x.max() - x.mean()]],
        yerr=[[y.mean() - y.min()], [y.max() - y.mean()]],
        color=color,
        marker=marker,
        # The baseline's star is open, large and behind the points.
        markersize=13 if marker == "*" else 6,
        markerfacecolor="none" if marker == "*" else color,
        elinewidth=0.9,
        zorder={"*": 1.5, "o": 3}.get(marker, 4),
    )


def _titled(panels: np.ndarray, kinds: Sequence[str]) -> list[tuple[Axes, str]]:
    """The panels with their kinds; further panels are hidden."""
    for panel in panels.flat[len(kinds) :]:
        panel.set_visible(False)
    shown = list(zip(panels.flat, kinds, strict=False))
    for panel, kind in shown:
        panel.set_title(style.value("penalty", kind))
    return shown


def _outer(panels: np.ndarray, xlabel: str, ylabel: str) -> None:
    for panel in panels[-1]:
        panel.set_xlabel(xlabel)
    for panel in panels[:, 0]:
        panel.set_ylabel(ylabel)


def _inside(panel: Axes, tick: float) -> bool:
    low, high = panel.get_ylim()
    return bool(low <= tick <= high)


def _alpha_axis(panel: Axes, alphas: pd.Series) -> None:
    """Decades on both sides of 0, with ticks at the weights."""
    values = np.unique(alphas)
    panel.set_xscale("symlog", linthresh=abs(values[values != 0]).min(), linscale=0.7)
    panel.set_xticks(values, [style.value("alpha", value) for value in values], rotation=90)
    panel.xaxis.set_minor_locator(NullLocator())
    panel.axvline(0, **style.REFERENCE)


def _handles(palette: dict[float, Any], **line: Any) -> list[Line2D]:
    handles = []
    for alpha, color in palette.items():
        look: dict[str, Any] = line | ({"marker": "D"} if alpha == 0 else {})
        words = style.value("alpha", alpha) + (", no penalty" if alpha == 0 else "")
        handles.append(Line2D([], [], color=color, label=words, **look))
    return handles


def _baseline_handle(runs: pd.DataFrame) -> Line2D:
    bias = style.value("init_bias", _baseline(runs)["init_bias"].iloc[0])
    words = f"no penalty, initial bias {bias}"
    look = {"marker": "*", "markersize": 13, "markerfacecolor": "none", "linestyle": ""}
    return Line2D([], [], color=_BASELINE, label=words, **look)
