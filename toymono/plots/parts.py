"""Single models: their scores, their outputs for single features, the poly part's linear map."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from toymono.plots import selection, style
from toymono.plots.figure import drawn
from toymono.quantities import QUANTITIES

# Snapshots whose scores are shown, the last ones.
_LATEST = 7

# The range of colours in figure 26.
_STRONGEST = 0.15

_PARTS = {
    "output": ("whole model", style.CATEGORICAL[0]),
    "output_mono": ("mono part, bias ≤ 0", style.CATEGORICAL[1]),
    "output_poly": ("poly part, bias > 0", style.CATEGORICAL[2]),
}


@drawn
def score_distribution(neurons: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """The fraction of neurons below each score, during training.

    Args:
      neurons: From `frames.per_snapshot_neuron`. Of several seeds, the first is shown.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 2.
    """
    neurons = selection.first_seeds(neurons)
    neurons = neurons[neurons["log2_step"] > neurons["log2_step"].max() - _LATEST]
    palette = style.colors(neurons, "log2_step")
    figure = plt.figure(figsize=(5.4, 3.8), layout="constrained")
    panel = figure.subplots()
    sns.ecdfplot(
        neurons, x="monosemanticity", hue="log2_step", palette=palette, legend=False, ax=panel
    )
    panel.set(
        xlabel=QUANTITIES["monosemanticity"].axis,
        ylabel="Fraction of neurons below",
        ylim=(-0.02, 1.02),
    )
    panel.set_xlim(-0.02, 1.02)
    style.legend(figure, "log2_step", palette, title="log$_2$ of\ntraining steps")
    style.caption(figure, neurons, f"{note} Dead neurons score 0.", beside=True, head=head)
    return figure


@drawn
def feature_outputs(outputs: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """The output for a single feature by its amplitude: whole model, its parts and the target.

    Args:
      outputs: From `frames.parts.feature_outputs`. Of several seeds, the first is shown.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 24 and 25.
    """
    outputs = selection.first_seeds(outputs)
    outputs = outputs[outputs["run"] == outputs["run"].iloc[0]]
    shown = outputs["panel"].unique()
    figure = plt.figure(figsize=(5.6, 5.6), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True).flat
    for number, panel in zip(shown, panels, strict=False):
        of_panel = outputs[outputs["panel"] == number]
        feature, count = of_panel["feature"].iloc[0], of_panel["mono_neurons"].iloc[0]
        panel.plot(of_panel["amplitude"], of_panel["target"], label="target", **style.REFERENCE)
        for part, (words, color) in _PARTS.items():
            wide = 3.0 if part == "output" else 1.4  # visible where a part is all of it
            panel.plot(
                of_panel["amplitude"], of_panel[part], color=color, label=words, linewidth=wide
            )
        noun = "neuron" if count == 1 else "neurons"
        panel.set_title(f"Feature {feature}: {count or 'no'} mono {noun}")
        panel.set(xlabel=QUANTITIES["amplitude"].axis, ylabel=QUANTITIES["output"].axis)
        panel.label_outer()
    narrow = {"ncols": 4, "columnspacing": 1.2, "handlelength": 1.6}
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", **narrow)
    style.caption(figure, outputs, note, head=head)
    return figure


@drawn
def polysemantic_map(maps: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """The poly part near the origin: the effect of each feature on each output.

    Args:
      maps: From `frames.parts.linear_maps`. Of several seeds, the first is shown.
      head: First words of the caption.
      note: Last sentences of the caption.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 26.
    """
    maps = selection.first_seeds(maps).iloc[:1]
    figure = plt.figure(figsize=(5.4, 5.0), layout="constrained")
    panel = figure.subplots()
    image = panel.imshow(
        maps["map_on"].iloc[0],
        cmap="RdBu_r",
        vmin=-_STRONGEST,
        vmax=_STRONGEST,
        interpolation="none",
    )
    panel.spines[:].set_visible(True)
    panel.set(xlabel="Input feature", ylabel="Output feature")
    figure.colorbar(image, label="Output per input amplitude", extend="both", shrink=0.9)
    style.caption(figure, maps, note, head=head)
    return figure
