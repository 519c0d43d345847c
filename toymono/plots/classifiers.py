"""Figures of labelled runs: how they learn, and what their neurons answer to.

Frames and results of `toymono.classifiers` in, matplotlib figures out. Blue
penalises, orange encourages, grey does neither. Lines are means over the seeds that learned, with
their range; a run that did not learn is drawn apart or not at all, and counted in
the legend.
"""

import functools
import textwrap
from collections.abc import Callable, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono.analysis import class_responses
from toymono.classifiers.data import CLASSES
from toymono.classifiers.experiment import Result
from toymono.frames import classifiers as classifier_frames
from toymono.plots import style

CHANCE = {**style.REFERENCE, "linestyle": "--"}
"""Lines that show what chance would give."""

# What a legend beside the panels takes of a figure's width, and letters to an inch: for the title.
_LEGEND_INCHES, _LETTERS = 2.2, 15


def figure(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """In the lab's style, and closed once drawn, so that a notebook shows it once."""

    @functools.wraps(draw)
    def drawn(*args, **kwargs) -> Figure:
        with mpl.rc_context(style.RC):
            made = draw(*args, **kwargs)
        plt.close(made)
        return made

    return drawn


def alpha_word(alpha: float) -> str:
    """A weight in print.

    Example:
      >>> alpha_word(-0.001), alpha_word(1.0)
      ('−0.001', '1')
    """
    return f"{alpha:g}".replace("-", "−")


def alpha_legend(figure: Figure, frame: pd.DataFrame) -> None:
    """The colours, with the number of runs that learned."""
    runs = frame.drop_duplicates("run")
    handles = []
    for alpha, color in style.signed_colors(runs["alpha"]).items():
        status = runs[runs["alpha"] == alpha]["status"]
        count = f"{(status == 'learned').sum()} of {len(status)} learned"
        handles.append(Line2D([], [], color=color, label=f"{alpha_word(alpha)}   ({count})"))
    figure.legend(
        handles=handles, title="Penalty weight α", loc="outside right upper", alignment="left"
    )


def title(figure: Figure, frame: pd.DataFrame, note: str = "") -> None:
    """Says above the panels what the runs have in common."""
    common = [
        str(frame[f].iloc[0]) for f in ("data", "network", "sizes") if frame[f].nunique() == 1
    ]
    kinds = sorted(frame["penalty"].unique())
    epochs = sorted(frame["epochs"].unique())
    words = f"{' '.join(common)}, {' and '.join(kinds)} penalty"
    pruned = sorted(set(frame["prune_epochs"]) - {0})
    after = f" and {' or '.join(map(str, pruned))} of pruning" if pruned else ""
    words += f", {' or '.join(map(str, epochs))} epochs{after}. {note}"
    width = int(max(figure.get_figwidth() - _LEGEND_INCHES, 3.0) * _LETTERS)
    lines = textwrap.wrap(words.replace("_", " "), width)
    figure.suptitle("\n".join(lines), fontsize=8, color="0.3", ha="left", x=0.02)


@figure
def learning_curves(epochs: pd.DataFrame) -> Figure:
    """Test accuracy, cross-entropy and penalty over the epochs; dotted: runs that did not learn."""
    names = {
        "accuracy": "Test accuracy (arg-max)",
        "cross_entropy": "Test cross-entropy (nats)",
        "penalty_sum": "Polysemantic penalty",
    }
    drawn = plt.figure(figsize=(9.5, 3.0), layout="constrained")
    for panel, (name, label) in zip(drawn.subplots(1, 3), names.items(), strict=True):
        for alpha, color in style.signed_colors(epochs["alpha"]).items():
            of_alpha = epochs[epochs["alpha"] == alpha]
            sns.lineplot(
                classifier_frames.learned(of_alpha),
                x="epoch",
                y=name,
                color=color,
                ax=panel,
                **style.SEEDS,
            )
            for _, lost in of_alpha[of_alpha["status"] != "learned"].groupby("run"):
                panel.plot(lost["epoch"], lost[name], color=color, linewidth=0.7, linestyle=":")
        panel.set(xlabel="Epoch", ylabel=label)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if name != "accuracy":
            panel.set_yscale("log")
        else:
            panel.axhline(1 / CLASSES, **CHANCE)
            panel.set_ylim(0, 1)
    alpha_legend(drawn, epochs)
    title(drawn, epochs, "Dotted: single runs that did not learn; dashes: chance.")
    return drawn


@figure
def firing_by_class(results: Sequence[Result]) -> Figure:
    """Neurons by classes for each layer and alpha: on what share of a class each neuron fires.

    One network for each alpha, its first seed that learned, else its first.
    Neurons are in the order of their strongest class, then of
    monosemanticity, dead ones last. For a channel: on what share of its maps.

    Reference:
      Wright, polysemantic-neurons, the images of firing counts.
    """
    shown = [
        one_seed(results, alpha) for alpha in sorted({_alpha(r) for r in results}, reverse=True)
    ]
    layers = len(shown[0].firing_l)
    alike = len({len(f.share_ky) for f in shown[0].firing_l}) == 1
    size = (1.6 + 1.5 * layers, 0.9 + 2.1 * len(shown))
    drawn = plt.figure(figsize=size, layout="constrained")
    panels = drawn.subplots(len(shown), layers, squeeze=False, sharex=True)
    for place, (row, result) in enumerate(zip(panels, shown, strict=True)):
        for layer, (panel, f) in enumerate(zip(row, result.firing_l, strict=True), 1):
            order_k = np.asarray(class_responses.neuron_order(f.response_ky))
            image = panel.imshow(
                f.share_ky[order_k],
                aspect="auto",
                vmin=0,
                vmax=1,
                interpolation="nearest",
                rasterized=True,
            )
            panel.spines[:].set_visible(True)
            panel.set_xticks(range(0, CLASSES, 3))
            panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            panel.set_title("" if place else f"Layer {layer}", fontsize=9)
            panel.tick_params(labelleft=layer == 1 or not alike)
        lost = "" if result.status == "learned" else f", {result.status}"
        row[0].set_ylabel(f"α = {alpha_word(_alpha(result))}{lost}\nNeuron")
    for panel in panels[-1]:
        panel.set_xlabel("Class")
    drawn.colorbar(
        image, ax=panels, label="Share of the class's test examples that it fires on", shrink=0.6
    )
    title(
        drawn, classifier_frames.per_layer(shown), "One network per α; neurons by strongest class."
    )
    return drawn


@figure
def neuron_monosemanticity(neurons: pd.DataFrame) -> Figure:
    """How many neurons are how monosemantic: eq. 7 with classes for features, layer by layer."""
    shown = classifier_frames.learned(neurons)
    shown = shown[shown["strongest"] >= 0]
    layers = sorted(neurons["layer"].unique())
    drawn = plt.figure(figsize=(2.4 + 1.9 * len(layers), 2.7), layout="constrained")
    panels = drawn.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for panel, layer in zip(panels, layers, strict=True):
        of_layer = shown[shown["layer"] == layer]
        for alpha, color in style.signed_colors(neurons["alpha"]).items():
            of_alpha = of_layer[of_layer["alpha"] == alpha]
            sns.ecdfplot(of_alpha, x="monosemanticity", complementary=True, color=color, ax=panel)
        panel.axvline(1 / CLASSES, **CHANCE)
        panel.set(xlim=(0, 1.02), xlabel="Monosemanticity", title=f"Layer {layer}")
        panel.title.set_fontsize(9)
    panels[0].set_ylabel("Share of firing neurons above")
    alpha_legend(drawn, neurons)
    title(drawn, neurons, "Seeds that learned, pooled; dashes: all classes alike.")
    return drawn


@figure
def overlap_by_layer(layers: pd.DataFrame) -> Figure:
    """How much classes share neurons in each layer, and how much of the penalty one neuron makes.

    Left: the class-wise overlap metric, from firing counts. Right: the share of the soft
    penalty that is due to a single neuron: near 1 where one neuron that fires strongly for every
    class hides the others from the penalty.
    """
    shown = classifier_frames.learned(layers)
    names = {
        "overlap": "Overlap of classes",
        "largest_share": "Penalty due to one neuron",
        "dead": "Neurons that never fire",
    }
    drawn = plt.figure(figsize=(9.5, 3.0), layout="constrained")
    for panel, (name, label) in zip(drawn.subplots(1, 3), names.items(), strict=True):
        for alpha, color in style.signed_colors(layers["alpha"]).items():
            of_alpha = shown[shown["alpha"] == alpha]
            sns.lineplot(
                of_alpha, x="layer", y=name, color=color, marker="o", ax=panel, **style.SEEDS
            )
        panel.set(xlabel="Hidden layer", ylabel=label)
        panel.set_ylim(0, 1.02 if name == "largest_share" else None)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    alpha_legend(drawn, layers)
    title(drawn, layers, "Lines: mean of the seeds that learned; bands: their range.")
    return drawn


def one_seed(results: Sequence[Result], alpha: float) -> Result:
    """The first result of an alpha that learned, else its first."""
    of_alpha = [result for result in results if _alpha(result) == alpha]
    return next((result for result in of_alpha if result.status == "learned"), of_alpha[0])


def _alpha(result: Result) -> float:
    return result.job.fields["alpha"]
