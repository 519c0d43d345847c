"""Wide models with sparse weights beside a dense one with as many weights in use."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from toymono import frames
from toymono.plots import selection, style
from toymono.plots.figure import Figure, NothingToDraw, drawn
from toymono.plots.selection import OfSweeps

_WORDS = {
    "erdos_renyi": "fixed, random",
    "erk": "fixed, random (ERK):\nmore input weights",
    "set": "SET: grown\nat random",
    "rigl": "RigL: grown\nby gradient",
}
"""What a legend says of a value of `Config.sparsity`; `erk` is a density rule of fixed masks."""

_CUT = "The loss axis does not start at 0."

_ALONE = {"input": ("s", "input alone"), "output": ("^", "output alone")}
"""Marks of models of which one tensor alone is sparse, by `Config.density_rule`."""


@drawn
def sparse_losses(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The loss, and monosemantic neurons, of models of different density with as many weights.

    Lines join models with the number of weights in use that the dense model has.
    Models of which only the input or only the output weights are sparse have more
    and stand by themselves.

    Args:
      runs: From `frames.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    dense, sparse = runs[runs["sparsity"] == "none"], runs[runs["sparsity"] != "none"]
    even = sparse[~sparse["density_rule"].isin(_ALONE)]
    even = even.assign(sparsity=even["sparsity"].mask(even["density_rule"] == "erk", "erk"))
    if even.empty:
        raise NothingToDraw("no run has sparse input and output weights")
    palette = style.colors(even, "sparsity")
    joined = pd.concat([even, *(dense.assign(sparsity=rule) for rule in palette)])
    figure, panels = _panels(joined, "sparsity", palette)
    for panel, measure in zip(panels, _MEASURES, strict=True):
        panel.scatter(
            joined["weight_density"], joined[measure], c=joined["sparsity"].map(palette), s=8
        )
        if len(dense):
            panel.axhline(dense[measure].mean(), **style.REFERENCE)
        for rule, (marker, _) in _ALONE.items():
            alone = sparse[sparse["density_rule"] == rule]
            for name, color in palette.items():
                of_rule = alone[alone["sparsity"] == name]
                means = of_rule.groupby("weight_density")[measure].mean()
                panel.plot(means.index, means, linestyle="", **_mark(marker, color))
    style.from_zero(panels[1])
    _ticks(panels[-1], joined)
    shown = [rule for rule in _ALONE if (sparse["density_rule"] == rule).any()]
    handles = [
        Line2D([], [], color=color, marker="o", label=_WORDS.get(name, name))
        for name, color in palette.items()
    ]
    for rule in shown:
        marker, words = _ALONE[rule]
        of = sparse.loc[sparse["density_rule"] == rule, "sparsity"].iloc[0]
        mark: Any = _mark(marker, palette.get(of, "0.3"))
        handles.append(Line2D([], [], linestyle="", label=words, **mark))
    style.legend_of(figure, handles, "Sparse weights")
    words = f"{_CUT} Dots: seeds. On lines {_numbers(joined)} weights are in use"
    words += "; dotted: the dense model." if len(dense) else "."
    if shown:
        alone = sparse[sparse["density_rule"].isin(shown)]
        words += f" Hollow marks: one tensor alone is sparse, {_numbers(alone)} weights in use."
    style.caption(figure, runs, f"{words} {note}", beside=True, head=head)
    figure.align_ylabels()
    return figure


_MEASURES = ("loss", "mono_per_feature")


def _panels(runs: pd.DataFrame, hue: str, palette: Mapping[Any, Any]) -> tuple[Canvas, Any]:
    """Each measure against the density, a line for each color."""
    figure = plt.figure(figsize=(6.4, 4.8), layout="constrained")
    panels = figure.subplots(len(_MEASURES), 1, sharex=True)
    for panel, measure in zip(panels, _MEASURES, strict=True):
        sns.lineplot(
            runs,
            x="weight_density",
            y=measure,
            hue=hue,
            hue_order=list(palette),
            palette=palette,
            marker="o",
            legend=False,
            ax=panel,
            **style.SEEDS,
        )
        panel.set_ylabel(style.label(measure))
    return figure, panels


def _numbers(runs: pd.DataFrame) -> str:
    """The numbers of weights in use, in figures of three digits."""
    used = selection.values(runs, "nonzero_weights")
    return " or ".join(f"{int(n):,}".replace(",", "\N{NARROW NO-BREAK SPACE}") for n in used)


def _mark(marker: str, color: Any) -> dict[str, Any]:
    look = {"marker": marker, "markersize": 5, "markerfacecolor": "none"}
    return {**look, "markeredgecolor": color, "color": color}


def _ticks(panel: Any, joined: pd.DataFrame) -> None:
    """A tick for each density on a line, with the number of neurons."""
    style.number_axis(panel, "weight_density", joined["weight_density"])
    neurons = joined.groupby("weight_density")["k"].first()
    labels = [f"{style.value('density', density)}\n$k$ = {k}" for density, k in neurons.items()]
    panel.set_xticks(list(neurons.index), labels)


_CONTROLS = {
    "none": "ticket",
    "random_masks": "random masks",
    "new_weights": "new weights",
    "matched": "masks on\nanother run",
}
"""What a legend says of a value of `Config.ticket_control`."""


@drawn
def ticket_losses(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The loss, and monosemantic neurons, of lottery tickets and their controls by density.

    Args:
      runs: From `frames.per_run`: tickets, and the dense runs that they start from.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    tickets, dense = _tickets(runs)
    joined = pd.concat([tickets, dense.assign(ticket_control="none")])
    found = [name for name in _CONTROLS if (joined["ticket_control"] == name).any()]
    palette = dict(zip(found, style.DISTINCT, strict=False))
    controls = [name for name in found if name != "none"]
    title = "Ticket or control"
    figure = _by_density(joined, "ticket_control", palette, _CONTROLS, title, controls)
    words = f"{_CUT} Points of controls: seeds. {_dense_words(dense)}"
    style.caption(figure, tickets, f"{words} {note}", beside=True, head=head)
    return figure


@drawn
def rewound_losses(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The loss, and monosemantic neurons, of lottery tickets by density and the step rewound to.

    Args:
      runs: As in `ticket_losses`; controls are left out.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    tickets, dense = _tickets(runs[runs["ticket_control"] == "none"])
    steps = selection.values(tickets, "rewind_step")
    joined = pd.concat([tickets, *(dense.assign(rewind_step=step) for step in steps)])
    palette = style.colors(tickets, "rewind_step")
    words = {step: f"{step:,}".replace(",", "\N{NARROW NO-BREAK SPACE}") for step in palette}
    figure = _by_density(joined, "rewind_step", palette, words, "Rewound to step")
    style.caption(figure, tickets, f"{_CUT} {_dense_words(dense)} {note}", beside=True, head=head)
    return figure


def _tickets(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lottery tickets, and the dense runs."""
    tickets = runs[runs["origin"] == "ticket"]
    if tickets.empty:
        raise NothingToDraw("no run is a lottery ticket")
    return tickets, runs[runs["sparsity"] == "none"]


def _dense_words(dense: pd.DataFrame) -> str:
    return "At a density of 1: the dense runs that are pruned." if len(dense) else ""


@drawn
def expanded_losses(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The loss, and monosemantic neurons, of models each of whose neurons was divided.

    Args:
      runs: From `frames.per_run`: such models, and those trained on as they were.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    expanded = runs[runs["origin"] == "expand"]
    if expanded.empty:
        raise NothingToDraw("no run has divided neurons")
    joined = pd.concat([expanded, runs[runs["origin"] == "continued"]])
    palette = style.colors(joined, "init_bias")
    words = {bias: style.value("init_bias", bias) for bias in palette}
    figure = _by_density(joined, "init_bias", palette, words, style.label("init_bias"))
    _ticks(figure.axes[1], joined)
    words = f"{_CUT} {_numbers(joined)} weights are in use; at a density of 1 models were "
    words += "trained on."
    style.caption(figure, expanded, f"{words} {note}", beside=True, head=head)
    return figure


def _by_density(
    joined: pd.DataFrame,
    hue: str,
    palette: Mapping[Any, Any],
    words: Mapping[Any, str],
    title: str,
    alone: Sequence[Any] = (),
) -> Canvas:
    """Each measure against the density, with a legend of what the colors mean.

    Values of `hue` in `alone` are shown by points, one for each seed, and no line.
    """
    lines = {name: color for name, color in palette.items() if name not in alone}
    figure, panels = _panels(joined[joined[hue].isin(list(lines))], hue, lines)
    for panel, measure in zip(panels, _MEASURES, strict=True):
        for name in alone:
            of = joined[joined[hue] == name]
            panel.plot(of["weight_density"], of[measure], "o", ms=4, alpha=0.7, color=palette[name])
    style.from_zero(panels[1])
    style.number_axis(panels[-1], "weight_density", joined["weight_density"])
    handles = [
        Line2D([], [], color=color, marker="o", ls="" if name in alone else "-", label=words[name])
        for name, color in palette.items()
    ]
    style.legend_of(figure, handles, title)
    figure.align_ylabels()
    return figure


FIGURES: tuple[Figure, ...] = (
    Figure(
        "sparse_losses",
        "Loss and monosemantic neurons by density, with as many weights in use.",
        sparse_losses,
        (frames.per_run,),
        OfSweeps(("SPARSE", "ERK")),
        "python -m toymono.sweep --sweep SPARSE,ERK --scale small --seeds 3",
        compares=False,
    ),
    Figure(
        "ticket_losses",
        "Loss and monosemantic neurons of lottery tickets and controls, by density.",
        ticket_losses,
        (frames.per_run,),
        OfSweeps(("TICKET",)),
        "python -m toymono.sweep --sweep TICKET --scale small --seeds 3",
        compares=False,
    ),
    Figure(
        "rewound_losses",
        "Loss and monosemantic neurons of lottery tickets, by density and the step rewound to.",
        rewound_losses,
        (frames.per_run,),
        OfSweeps(("TICKET", "REWIND")),
        "python -m toymono.sweep --sweep TICKET,REWIND --scale small --seeds 3",
        compares=False,
    ),
    Figure(
        "expanded_losses",
        "Loss and monosemantic neurons of models with divided neurons, as many weights in use.",
        expanded_losses,
        (frames.per_run,),
        OfSweeps(("EXPAND",)),
        "python -m toymono.sweep --sweep EXPAND --scale small --seeds 3",
        compares=False,
    ),
)
"""The figures of sparse weights."""
