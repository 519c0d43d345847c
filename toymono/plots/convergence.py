"""Whether monosemanticity converges late in training: consecutive snapshots compared."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from toymono.frames import convergence
from toymono.plots import style
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import OfSweeps
from toymono.quantities import QUANTITIES

_FIELDS = {"K0": "k", "K1": "k", "K2": "k", "LR2": "learning_rate", "LR4": "learning_rate"}
_TITLES = {
    "K0": "K0: bias 0,\nequal",
    "K1": "K1: bias −1,\nequal",
    "K2": "K2: bias −1,\npower law",
    "LR2": "LR2: bias 0,\npower law",
    "LR4": "LR4: bias −1,\npower law",
}
_ROWS = {
    "mono_per_feature": "Mono neurons\nper feature",
    "loss_share": "Loss over\nzero-output loss",
    "unaligned_weight_distance": "Distance of\nthe weights",
    "unaligned_barrier_share": "Barrier over\nzero-output loss",
    "octave_jaccard": "Jaccard of\nmono pairs",
    "octave_retained": "Mono pairs\nretained",
}
_FEWEST = 8
"""Pairs are shown where there are so many at least; our choice."""
_MARKERS = {"converged": "o", "ridge": "^", "moving": ""}


@drawn
def late_convergence(
    octaves: pd.DataFrame, runs: pd.DataFrame, head: str = "", note: str = ""
) -> Canvas:
    """Each octave of training: what it reached, and how far the models at its ends are apart.

    Args:
      octaves: From `frames.convergence.per_octave`. Of several seeds, each has a line.
      runs: From `frames.convergence.per_run`, of the same runs.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    after = octaves["mono_per_feature"] * octaves["n"]
    before = after - octaves["octave_mono_change"] * octaves["n"]
    octaves = octaves.assign(
        octave_jaccard=octaves["octave_jaccard"].where(np.maximum(before, after) >= _FEWEST),
        octave_retained=octaves["octave_retained"].where(before >= _FEWEST),
    )
    sweeps = [sweep for sweep in _FIELDS if (octaves["sweep"] == sweep).any()]
    figure = plt.figure(figsize=(1.75 * len(sweeps) + 2.0, 9.0), layout="constrained")
    axes = figure.subplots(len(_ROWS), len(sweeps), squeeze=False, sharex=True, sharey="row")
    palettes = {
        field: style.colors(octaves[octaves["sweep"].map(_FIELDS) == field], field)
        for field in dict.fromkeys(_FIELDS[sweep] for sweep in sweeps)
    }
    end = dict(zip(runs["run"], runs["convergence"], strict=True))
    for column, sweep in enumerate(sweeps):
        part, field = octaves[octaves["sweep"] == sweep], _FIELDS[sweep]
        for panel, measure in zip(axes[:, column], _ROWS, strict=True):
            for (name, content), line in part.groupby(["run", field]):
                color = palettes[field][content]
                panel.plot(line["log2_step"], line[measure], color=color, linewidth=0.9)
                last = line.iloc[-1]
                marker = _MARKERS[end[name]]
                panel.plot(last["log2_step"], last[measure], marker=marker, color=color, ms=4)
            if measure == "unaligned_weight_distance":
                panel.set_yscale("log")
            if column == 0:
                panel.set_ylabel(_ROWS[measure], fontsize=8)
        settled = [verdict != "moving" for verdict in map(end.get, part["run"].unique())]
        title = f"{_TITLES[sweep]}\n{sum(settled)} of {len(settled)} settled"
        axes[0, column].set_title(title, fontsize=8)
        axes[-1, column].set_xlabel("log$_2$ of steps", fontsize=8)
        ticks = np.arange(part["log2_step"].min(), part["log2_step"].max() + 1, 4)
        axes[-1, column].set_xticks(ticks)
    handles = [
        handle
        for field, palette in palettes.items()
        for handle in (
            Line2D([], [], linestyle="", label=QUANTITIES[field].axis),
            *(
                Line2D([], [], color=color, label=style.value(field, content))
                for content, color in palette.items()
            ),
        )
    ]
    handles += [
        Line2D([], [], color="0.3", linestyle="", marker=marker, label=f"ends: {word}")
        for word, marker in _MARKERS.items()
        if marker and word in end.values()
    ]
    figure.legend(handles=handles, loc="outside right upper", alignment="left", fontsize=8)
    words = "The last four rows compare the models before and after an octave of steps, "
    words += "a pair being a monosemantic neuron with its feature; fewer than "
    words += f"{_FEWEST} pairs are not shown."
    style.caption(figure, octaves, f"{words} {note}", head=head, beside=True, seeds=None)
    return figure


FIGURES: tuple[Figure, ...] = (
    Figure(
        "late_convergence",
        "Whether loss, neurons and weights converge: each octave of training.",
        late_convergence,
        (convergence.per_octave, convergence.per_run),
        OfSweeps(tuple(_FIELDS)),
        "python -m toymono.sweep --sweep K0,K1,K2,LR2,LR4 --scale small --seeds 3",
        slow=True,
        compares=False,
    ),
)
"""The figure of training's last octaves."""
