"""Figures of schemes for biases: how they start, how they decay, and what pulls them down."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure as Canvas

from toymono.frames import biases
from toymono.plots import style
from toymono.plots.figure import Figure, drawn
from toymono.plots.selection import OfSweeps

_PANELS = {
    "firing_step": f"Steps until loss < {biases.FIRING}\nof the zero-output loss",
    "low_step": f"Steps until loss < {biases.LOW}\nof the zero-output loss",
    "mono_per_feature": "Monosemantic neurons\nper feature",
    "loss": "Task loss",
}


@drawn
def bias_schemes(runs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Steps until the loss falls, and the outcome of training, by scheme for biases.

    Args:
      runs: From `frames.biases.per_run`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    schemes = list(dict.fromkeys(runs["scheme"]))
    height = 1.9 + 0.56 * len(schemes)
    figure = plt.figure(figsize=(6.5, height), layout="constrained")
    grid = figure.subplots(2, len(_PANELS) // 2, sharey=True)
    for panel, (column, name) in zip(grid.flat, _PANELS.items(), strict=True):
        for index, scheme in enumerate(schemes):
            values = runs.loc[runs["scheme"] == scheme, column].dropna()
            if values.empty:
                panel.annotate("never", (0.02, index), xycoords=("axes fraction", "data"),
                               va="center", fontsize=8, color="0.4")  # fmt: skip
                continue
            panel.plot(values, [index] * len(values), "o", color=style.PLAIN, ms=3, alpha=0.7)
            panel.plot([values.mean()], [index], "|", color="0.2", ms=9)
        panel.set_xlabel(name)
        panel.set_xlim(0, 1.06 * runs[column].max())
    labels = [scheme.replace("; ", ";\n").replace("-", "−") for scheme in schemes]
    grid[0, 0].set_yticks(range(len(schemes)), labels)
    for panel in grid[:, 0]:
        panel.tick_params("y", labelsize=8)
    grid[0, 0].set_ylim(len(schemes) - 0.5, -0.5)
    caption = f"Points: seeds; ticks: their means. {note}"
    style.caption(figure, runs, caption, head=head, seeds=None)
    return figure


FIGURES: tuple[Figure, ...] = (
    Figure(
        "bias_schemes",
        "Training time and outcome by how biases start, decay or are pulled.",
        bias_schemes,
        (biases.per_run,),
        OfSweeps(("START", "RULE", "PULL")),
        "python -m toymono.sweep --sweep START,RULE,PULL --scale small --seeds 3",
        compares=False,
    ),
)
"""Figures of schemes for biases."""
