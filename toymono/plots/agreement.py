"""Whether the measures of all lenses agree on how monosemantic a model is."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from toymono.frames import agreement
from toymono.plots import style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

# Correlations beyond these are written in white, on a dark cell.
_DARK = 0.6


@drawn
def measure_agreement(measured: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """Rank correlations of all per-model measures over runs, within sweeps.

    Args:
      measured: From `frames.agreement.per_run`, with the column `sweep`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    names = [m.name for m in agreement.MEASURES if measured[m.name].nunique() > 1]
    pairs = agreement.correlations(measured, names)

    def matrix(column: str) -> np.ndarray:
        table = pairs.pivot(index="measure", columns="other_measure", values=column)
        return table.loc[names, names].to_numpy(float)

    found, low, high = (matrix(f"rank_correlation{end}") for end in ("", "_low", "_high"))
    count = len(names)
    figure = plt.figure(figsize=(2.0 + 0.36 * count, 2.6 + 0.32 * count), layout="constrained")
    panel = figure.subplots()
    below = np.tri(count, k=-1, dtype=bool)
    shown = np.where(below, found, np.nan)[1:, :-1]
    image = panel.imshow(shown, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for i, j in zip(*np.nonzero(below), strict=True):
        if np.isnan(found[i, j]):
            panel.add_patch(
                Rectangle((j - 0.5, i - 1.5), 1, 1, facecolor="0.9", hatch="///", edgecolor="0.7")
            )
            continue
        certain = low[i, j] > 0 or high[i, j] < 0
        panel.text(
            j,
            i - 1,
            f"{found[i, j].round(2) + 0.0:.2f}".replace("-", "−").replace("0.", "."),  # no −.00
            ha="center",
            va="center",
            fontsize=6.5,
            fontweight="bold" if certain else "normal",
            color="white" if abs(found[i, j]) > _DARK else "black" if certain else "0.45",
        )
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    labels = [textwrap.fill(QUANTITIES[name].short, 24) for name in names]
    panel.set_yticks(range(count - 1), labels[1:], fontsize=8)
    panel.set_xticks(range(count - 1), labels[:-1], fontsize=8, rotation=90)
    bar = panel.inset_axes((0.62, 0.96, 0.36, 0.03))
    bar = figure.colorbar(image, cax=bar, orientation="horizontal", ticks=[-1, -0.5, 0, 0.5, 1])
    bar.ax.tick_params(labelsize=8)
    bar.set_label(QUANTITIES["rank_correlation"].axis, fontsize=8)
    runs, sweeps = measured["run"].nunique(), measured["sweep"].unique()
    head = head or f"{', '.join(sweeps)}: "
    bold = "Bold: the 95 % interval, from settings resampled within each sweep, excludes 0."
    words = (
        f"mean over sweeps of Spearman's rank correlation over runs ({runs} runs). {bold} {note}"
    )
    style.small_print(figure, f"{head}{words}".strip())
    return figure
