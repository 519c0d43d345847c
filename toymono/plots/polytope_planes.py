"""Planes through the input space with the boundaries of polytopes, and captions of the lens."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from toymono.plots import style
from toymono.plots.figure import drawn

# Outputs with a colour of their own in a slice; others are grey.
_COLOURED = 6


def caption(
    figure: Figure, frame: pd.DataFrame, note: str, seeds: tuple[str, str] = ("Lines", "bands")
) -> None:
    """As figures of toy runs have it; of classifiers, what they have in common."""
    if "fingerprint" not in frame:
        style.caption(figure, frame, note, beside=True, seeds=seeds)
        return
    run, count = frame.iloc[0], frame["run"].nunique()
    words = f"{run['data']}, {run['network']} {run['sizes']}, {run['epochs']} epochs, no penalty. "
    if count > 1:
        words += f"{seeds[0]}: mean of {count} networks; {seeds[1]}: their range. " * bool(seeds[0])
    width = int(15 * (figure.get_figwidth() - 1.8))
    style.small_print(figure, words + note, width=width)


@drawn
def polytope_slice(planes: pd.DataFrame) -> Figure:
    """A plane through the input space: polytope boundaries, coloured by the largest output.

    Args:
      planes: From `frames.polytopes.feature_square` or `frames.classifier_polytopes.image_plane`.
    """
    planes = planes[planes["run"] == planes["run"].iloc[0]]
    toy = "fingerprint" not in planes
    figure = plt.figure(figsize=(2.4 + 3.4 * len(planes), 3.9), layout="constrained")
    panels = figure.subplots(1, len(planes), squeeze=False)[0]
    area = pd.Series(np.concatenate([grid.ravel() for grid in planes["output_ts"]]))
    common = sorted(area.value_counts().index[:_COLOURED])
    palette = [(0.9, 0.9, 0.9), *sns.color_palette("colorblind", len(common))]
    light = ListedColormap([0.45 * np.array(color) + 0.55 for color in palette])
    for panel, (_, plane) in zip(panels, planes.iterrows(), strict=True):
        number_ts = np.zeros(plane["output_ts"].shape, int)
        for number, output in enumerate(common, 1):
            number_ts[plane["output_ts"] == output] = number
        low, high = plane["extent"]
        panel.imshow(
            number_ts,
            cmap=light,
            vmin=0,
            vmax=len(common),
            extent=(low, high, low, high),
            origin="lower",
            interpolation="nearest",
        )
        if toy and plane["normal_k2"] is not None:
            _lines(panel, plane["normal_k2"], plane["offset_k"], low, high)
            panel.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="0.1", linewidth=0.8, linestyle="--")
            count = f"{plane['square_regions']} in the dashed unit square"
            panel.set(xlabel="Amplitude of a feature", ylabel="Amplitude of another feature")
        else:
            _edges(panel, plane["region_ts"], low, high)
            count = f"at least {plane['square_regions']} seen"
            panel.set(xlabel="s, toward the second image", ylabel="t, toward the third image")
        panel.set_title(f"{plane['copy'].capitalize()}: {count}", fontsize=9)
    handles = [
        Line2D([], [], color=light(n), label=label, linestyle="", marker="s", markersize=7)
        for n, label in enumerate(("another", *map(str, common)))
    ]
    style.legend_of(figure, [*handles[1:], handles[0]], "Largest output")
    where = "of two features" if toy else "in the middle of three test images of different classes"
    caption(figure, planes, f"Plane {where}; lines: boundaries of polytopes.")
    return figure


def _lines(panel: Axes, normal_k2: np.ndarray, offset_k: np.ndarray, low: float, high: float):
    """Draws the exact boundaries: normal · (s, t) + offset = 0."""
    for (a, b), c in zip(normal_k2, offset_k, strict=True):
        if abs(b) >= abs(a) and b:
            s = np.array([low, high])
            panel.plot(s, -(c + a * s) / b, color="0.2", linewidth=0.4)
        elif a:
            t = np.array([low, high])
            panel.plot(-(c + b * t) / a, t, color="0.2", linewidth=0.4)
    panel.set(xlim=(low, high), ylim=(low, high))


def _edges(panel: Axes, region_ts: np.ndarray, low: float, high: float) -> None:
    """Darkens the pixels whose right or upper neighbour has another code."""
    edge_ts = np.zeros(region_ts.shape)
    edge_ts[:, :-1] = region_ts[:, :-1] != region_ts[:, 1:]
    edge_ts[:-1] = np.maximum(edge_ts[:-1], region_ts[:-1] != region_ts[1:])
    mask = np.ma.masked_where(edge_ts == 0, edge_ts)
    panel.imshow(
        mask,
        cmap=ListedColormap(["0.25"]),
        alpha=0.45,
        extent=(low, high, low, high),
        origin="lower",
        interpolation="nearest",
    )
