"""Loss and monosemantic neurons between monosemantic and polysemantic models."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from toymono.cli import counted
from toymono.frames import connectivity
from toymono.plots import style
from toymono.plots.figure import Figure, NothingToDraw, drawn
from toymono.plots.selection import OfSweeps
from toymono.quantities import QUANTITIES

_TITLES = {
    "monosemantic": "Two monosemantic models",
    "polysemantic": "Two polysemantic models",
    "mixed": "Mono- to polysemantic",
}
"""Titles of the kinds of pairs; on a mixed path the first model is the monosemantic one."""

_PAIR = ["run", "other_run"]


def paths_by_kind(
    paths: pd.DataFrame,
    pair: list[str],
    by: str,
    words: Mapping[str, str],
) -> Canvas:
    """Loss and monosemantic neurons on paths, a column for each kind of pair; without a caption.

    Args:
      paths: Points of paths, with `pair`, `path_position`, `path_loss` and `path_mono`.
      pair: The columns that tell pairs apart.
      by: The column that tells two paths of a pair apart.
      words: What its values mean, at most four; the first is drawn in grey.

    Raises:
      NothingToDraw: No pair is of these kinds.
    """
    kinds = [kind for kind in _TITLES if (paths["pair"] == kind).any()]
    if not kinds:
        raise NothingToDraw("no two models are both clearly mono- or polysemantic")
    figure = plt.figure(figsize=(1.9 * len(kinds) + 0.8, 5.0), layout="constrained")
    axes = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False)
    every = ("0.6", *sns.color_palette("colorblind")[:3])
    colors: dict[str, Any] = dict(zip(words, every, strict=False))
    for column, kind in enumerate(kinds):
        of_kind = paths[paths["pair"] == kind]
        for row, measure in enumerate(_MEASURES):
            for (*_, which), line in of_kind.groupby([*pair, by]):
                line = line.sort_values("path_position")
                x, y = line["path_position"], line[measure]
                axes[row, column].plot(x, y, color=colors[which], alpha=0.5, linewidth=0.9)
        count = counted(len(of_kind[pair].drop_duplicates()), "pair")
        axes[0, column].set_title(f"{_TITLES[kind]}\n({count})")
        axes[1, column].set_xlabel(style.label("path_position"))
    for row, measure in zip(axes, _MEASURES, strict=True):
        row[0].set_ylabel(style.label(measure))
        style.from_zero(row[0])
    handles = [Line2D([], [], color=colors[key], label=word) for key, word in words.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(words), frameon=False)
    return figure


_MEASURES = ("path_loss", "path_mono")


@drawn
def barriers(paths: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """The loss, and the number of monosemantic neurons, on the line between two models.

    Pairs of one seed, which start from the same weights, are left out.

    Args:
      paths: From `frames.connectivity.paths`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    paths = paths[paths["seed"] != paths["other_seed"]]
    # A mixed line begins at the monosemantic model.
    ends = paths.sort_values("path_position").groupby(_PAIR)["path_mono"]
    back = (paths["pair"] == "mixed") & (ends.transform("first") < ends.transform("last"))
    position = paths["path_position"].where(~back, 1 - paths["path_position"])
    lines = paths.assign(path_position=position)
    words = {"no": "as trained", "yes": "second model aligned to the first"}
    figure = paths_by_kind(lines, _PAIR, "aligned", words)
    style.caption(figure, paths, f"Pairs of different seeds. {note}", head=head, seeds=None)
    return figure


@drawn
def barrier_matrix(pairs: pd.DataFrame, head: str = "", note: str = "") -> Canvas:
    """Barriers between all models of a world, ordered by how monosemantic they are.

    Args:
      pairs: From `frames.connectivity.per_pair`.
      head: First words of the caption.
      note: Last sentences of the caption.
    """
    worlds = [part for _, part in pairs.groupby("world_seed")]
    figure = plt.figure(figsize=(2.5 * len(worlds) + 0.9, 3.7), layout="constrained")
    axes = figure.subplots(1, len(worlds), squeeze=False)[0]
    top = pairs["barrier"].max()
    for panel, part in zip(axes, worlds, strict=True):
        share = dict(zip(part["other_run"], part["other_mono_per_feature"], strict=True))
        share |= dict(zip(part["run"], part["mono_per_feature"], strict=True))
        order = sorted(share, key=lambda name: share[name])
        table = part.pivot(index="run", columns="other_run", values="barrier")
        table = table.reindex(index=order, columns=order).to_numpy()
        both = np.where(np.isnan(table), table.T, table)
        image = panel.imshow(both, cmap="viridis", vmin=0, vmax=top)
        labels = [f"{share[name]:.2f}" for name in order]
        panel.set_xticks(range(len(order)), labels, rotation=90, fontsize=7)
        panel.set_yticks(range(len(order)), labels, fontsize=7)
        panel.grid(visible=False)
        panel.set_title(f"World {int(part['world_seed'].iloc[0])}")
        panel.set_xlabel(style.label("mono_per_feature"), fontsize=8)
    axes[0].set_ylabel(style.label("mono_per_feature"), fontsize=8)
    bar = figure.colorbar(image, ax=list(axes))
    bar.set_label(QUANTITIES["barrier"].axis, fontsize=8)
    words = "Dark off the diagonal: pairs of one seed, which start from the same weights."
    style.caption(figure, pairs, f"{words} {note}", head=head, seeds=None)
    return figure


_TRAINED_BY = "python -m toymono.sweep --sweep BASIN --scale small --seeds 3"

FIGURES: tuple[Figure, ...] = (
    Figure(
        "barriers",
        "Loss and monosemantic neurons on the line between two models.",
        barriers,
        (connectivity.paths,),
        OfSweeps(("BASIN",)),
        _TRAINED_BY,
        compares=False,
        together=True,
    ),
    Figure(
        "barrier_matrix",
        "Barriers between all models of a world, ordered by monosemanticity.",
        barrier_matrix,
        (connectivity.per_pair,),
        OfSweeps(("BASIN",)),
        _TRAINED_BY,
        compares=False,
        together=True,
    ),
)
"""Figures of pairs of models."""
