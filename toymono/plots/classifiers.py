"""Figures of classifiers: how they learn, and what their neurons respond to.

Frames of `toymono.frames.classifiers` in, matplotlib figures out. Blue penalises
polysemantic neurons, orange rewards them, grey does neither. Lines are means
over the seeds that learned, with their range; a run that did not learn is drawn
separately or not at all, and counted in the legend.
"""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from toymono.classifiers.data import CLASSES
from toymono.frames.classifiers import learned
from toymono.plots import style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

CHANCE = {**style.REFERENCE, "linestyle": "--"}
"""Lines at the level of chance."""

# What a legend beside the panels takes of a figure's width, and characters per inch of the title.
_LEGEND_INCHES, _CHARACTERS = 2.2, 15


@drawn
def learning_curves(epochs: pd.DataFrame) -> Figure:
    """Test accuracy, cross-entropy and penalty by epoch; dotted: runs that did not learn.

    Args:
      epochs: From `frames.classifiers.per_epoch`.
    """
    figure = plt.figure(figsize=(9.5, 3.0), layout="constrained")
    columns = ("accuracy", "cross_entropy", "penalty_sum")
    for panel, column in zip(figure.subplots(1, 3), columns, strict=True):
        for alpha, color in style.signed_colors(epochs["alpha"]).items():
            of_alpha = epochs[epochs["alpha"] == alpha]
            line = {"x": "epoch", "y": column, "color": color, "ax": panel}
            sns.lineplot(learned(of_alpha), **line, **style.SEEDS)
            for _, failed in of_alpha[of_alpha["status"] != "learned"].groupby("run"):
                look = {"color": color, "linewidth": 0.7, "linestyle": ":"}
                panel.plot(failed["epoch"], failed[column], **look)
        panel.set(xlabel="Epoch", ylabel=style.label(column))
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if column != "accuracy":
            panel.set_yscale("log")
        else:
            panel.axhline(1 / CLASSES, **CHANCE)
            panel.set_ylim(0, 1)
    alpha_legend(figure, epochs)
    title(figure, epochs, "Dotted: single runs that did not learn; dashes: chance.")
    return figure


@drawn
def firing_by_class(layers: pd.DataFrame) -> Figure:
    """The fraction of each class's test examples on which each neuron fires, by layer and alpha.

    One network for each alpha: its first seed that learned, or else its first.
    Neurons are in the order of their strongest class, then of monosemanticity,
    dead ones last. For a channel it is the fraction of its map.

    Args:
      layers: From `frames.classifiers.sorted_firing`.

    Reference:
      Wright, polysemantic-neurons, the images of firing counts.
    """
    layers = first_of_each_alpha(layers)
    networks = [of_alpha for _, of_alpha in sorted(layers.groupby("alpha"), reverse=True)]
    count = layers["layer"].nunique()
    equal = layers["share_ky"].map(len).nunique() == 1
    size = (1.6 + 1.5 * count, 0.9 + 2.1 * len(networks))
    figure = plt.figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(networks), count, squeeze=False, sharex=True)
    for i, (row, of_alpha) in enumerate(zip(panels, networks, strict=True)):
        for panel, (_, of_layer) in zip(row, of_alpha.iterrows(), strict=True):
            image = panel.imshow(
                of_layer["share_ky"],
                aspect="auto",
                vmin=0,
                vmax=1,
                interpolation="nearest",
                rasterized=True,
            )
            panel.spines[:].set_visible(True)
            panel.set_xticks(range(0, CLASSES, 3))
            panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
            panel.set_title("" if i else f"Layer {of_layer['layer']}", fontsize=9)
            panel.tick_params(labelleft=of_layer["layer"] == 1 or not equal)
        row[0].set_ylabel(f"α = {network_words(of_alpha)}\nNeuron")
    for panel in panels[-1]:
        panel.set_xlabel("Class")
    words = "Fraction of the class's test examples on which it fires"
    figure.colorbar(image, ax=panels, label=words, shrink=0.6)
    title(figure, layers, "One network per α; neurons by strongest class.")
    return figure


@drawn
def neuron_monosemanticity(neurons: pd.DataFrame) -> Figure:
    """The distribution of neurons' monosemanticity: eq. 7 with classes for features, by layer.

    Args:
      neurons: From `frames.classifiers.per_neuron`.
    """
    shown = learned(neurons)
    shown = shown[shown["strongest_class"] >= 0]
    layers = sorted(neurons["layer"].unique())
    figure = plt.figure(figsize=(2.4 + 1.9 * len(layers), 2.7), layout="constrained")
    panels = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    for panel, layer in zip(panels, layers, strict=True):
        of_layer = shown[shown["layer"] == layer]
        for alpha, color in style.signed_colors(neurons["alpha"]).items():
            of_alpha = of_layer[of_layer["alpha"] == alpha]
            sns.ecdfplot(of_alpha, x="monosemanticity", complementary=True, color=color, ax=panel)
        panel.axvline(1 / CLASSES, **CHANCE)
        words = QUANTITIES["monosemanticity"].axis
        panel.set(xlim=(0, 1.02), xlabel=words, title=f"Layer {layer}")
        panel.title.set_fontsize(9)
    panels[0].set_ylabel("Fraction of firing neurons above")
    alpha_legend(figure, neurons)
    title(figure, neurons, "Seeds that learned, pooled; dashes: equal response to all classes.")
    return figure


@drawn
def overlap_by_layer(layers: pd.DataFrame) -> Figure:
    """Class overlap, penalty due to one neuron, and dead neurons, by layer.

    The overlap is the class-wise metric, from firing counts. The second panel is
    near 1 where one neuron that fires strongly for every class hides the others
    from the soft penalty.

    Args:
      layers: From `frames.classifiers.per_layer`.
    """
    shown = learned(layers)
    figure = plt.figure(figsize=(9.5, 3.0), layout="constrained")
    columns = ("overlap", "largest_penalty_share", "dead")
    for panel, column in zip(figure.subplots(1, 3), columns, strict=True):
        for alpha, color in style.signed_colors(layers["alpha"]).items():
            line = {"x": "layer", "y": column, "color": color, "marker": "o", "ax": panel}
            sns.lineplot(shown[shown["alpha"] == alpha], **line, **style.SEEDS)
        panel.set(xlabel="Hidden layer", ylabel=style.label(column))
        panel.set_ylim(0, 1.02 if column == "largest_penalty_share" else None)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    alpha_legend(figure, layers)
    title(figure, layers, "Lines: mean of the seeds that learned; bands: their range.")
    return figure


def first_of_each_alpha(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of one network for each alpha: its first seed that learned, or else its first."""
    runs = frame.drop_duplicates("run")
    failed = (runs["status"] != "learned").rename("failed")
    ordered = runs.assign(failed=failed).sort_values(["failed", "seed"], kind="stable")
    return frame[frame["run"].isin(ordered.groupby("alpha").head(1)["run"])]


def network_words(frame: pd.DataFrame) -> str:
    """Alpha of a single network, with its status unless it learned."""
    status = frame["status"].iloc[0]
    alpha = style.value("alpha", frame["alpha"].iloc[0])
    return alpha if status == "learned" else f"{alpha}, {status}"


def alpha_legend(figure: Figure, frame: pd.DataFrame) -> None:
    """The colours of the weights, with the number of runs that learned."""
    runs = frame.drop_duplicates("run")
    handles = []
    for alpha, color in style.signed_colors(runs["alpha"]).items():
        status = runs[runs["alpha"] == alpha]["status"]
        count = f"{(status == 'learned').sum()} of {len(status)} learned"
        label = f"{style.value('alpha', alpha)}   ({count})"
        handles.append(Line2D([], [], color=color, label=label))
    figure.legend(
        handles=handles, title="Penalty weight α", loc="outside right upper", alignment="left"
    )


def title(figure: Figure, frame: pd.DataFrame, note: str = "") -> None:
    """Writes above the panels what the runs have in common."""
    named = {"data": "{}", "network": "{}", "sizes": "hidden layers {}"}
    common = [
        words.format(frame[name].iloc[0])
        for name, words in named.items()
        if frame[name].nunique() == 1
    ]
    kinds = sorted(frame["penalty"].unique()) if frame["alpha"].any() else ["no"]
    epochs = sorted(frame["epochs"].unique())
    words = ", ".join([*common, f"{' and '.join(kinds)} penalty"]).capitalize()
    pruned = sorted(set(frame["prune_epochs"]) - {0})
    after = f" and {' or '.join(map(str, pruned))} of pruning" if pruned else ""
    words += f", {' or '.join(map(str, epochs))} epochs{after}. {note}"
    width = int(max(figure.get_figwidth() - _LEGEND_INCHES, 3.0) * _CHARACTERS)
    style.small_print(figure, words.replace("_", " "), width=width)
