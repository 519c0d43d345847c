"""Models taken apart: their scores, what single features bring forth, the linear map."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from toymono.plots import selection, style
from toymono.plots.registry import drawn

# Snapshots whose scores are shown, the last ones.
_LATEST = 7

# The range of colours in figure 26.
_STRONGEST = 0.15

_PARTS = {
    "full": ("whole model", style.WORDS[0]),
    "mono": ("mono part, bias ≤ 0", style.WORDS[1]),
    "poly": ("poly part, bias > 0", style.WORDS[2]),
}


@drawn
def score_distribution(neurons: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """The share of neurons below each score, in the course of training.

    Args:
      neurons: From `tables.per_snapshot_neuron`. Of several seeds, the first is shown.
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 2.
    """
    neurons = selection.first_seeds(neurons)
    neurons = neurons[neurons["log2_step"] > neurons["log2_step"].max() - _LATEST]
    palette = style.colors(neurons, "log2_step")
    made = plt.figure(figsize=(5.4, 3.8), layout="constrained")
    panel = made.subplots()
    sns.ecdfplot(
        neurons, x="monosemanticity", hue="log2_step", palette=palette, legend=False, ax=panel
    )
    panel.set(xlabel="Monosemanticity", ylabel="Share of neurons below", ylim=(-0.02, 1.02))
    panel.set_xlim(-0.02, 1.02)
    style.legend(made, "log2_step", palette, title="log$_2$ of\ntraining steps")
    style.caption(made, neurons, f"{note} Dead neurons score 0.", beside=True, head=head)
    return made


@drawn
def feature_outputs(outputs: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """The output for a feature that comes alone, by its amplitude: whole, parts and truth.

    Args:
      outputs: From `dissected.feature_outputs`. Of several seeds, the first is shown.
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figures 24 and 25.
    """
    outputs = selection.first_seeds(outputs)
    outputs = outputs[outputs["run"] == outputs["run"].iloc[0]]
    shown = outputs["panel"].unique()
    made = plt.figure(figsize=(5.6, 5.6), layout="constrained")
    panels = made.subplots(2, 2, sharex=True, sharey=True).flat
    for number, panel in zip(shown, panels, strict=False):
        of_panel = outputs[outputs["panel"] == number]
        feature, served = of_panel["feature"].iloc[0], of_panel["served"].iloc[0]
        panel.plot(of_panel["amplitude"], of_panel["truth"], label="truth", **style.REFERENCE)
        for part, (words, color) in _PARTS.items():
            wide = 3.0 if part == "full" else 1.4  # it shows where a part is all of it
            panel.plot(
                of_panel["amplitude"], of_panel[part], color=color, label=words, linewidth=wide
            )
        noun = "neuron" if served == 1 else "neurons"
        panel.set_title(f"Feature {feature}: {_number(served)} mono {noun}")
        panel.set(xlabel="Input amplitude", ylabel="Output")
        panel.label_outer()
    made.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    style.caption(made, outputs, note, head=head)
    return made


def _number(served: int) -> str:
    return "3 or more" if served == 3 else "no" if served == 0 else str(served)


@drawn
def polysemantic_map(maps: pd.DataFrame, head: str = "", note: str = "") -> Figure:
    """What the poly part does near the origin: each feature's effect on each output.

    Args:
      maps: From `dissected.linear_maps`. Of several seeds, the first is shown.
      head: What the caption begins with.
      note: What it ends with.

    Reference:
      Jermyn, Schiefer & Hubinger (2022), figure 26.
    """
    maps = selection.first_seeds(maps).iloc[:1]
    made = plt.figure(figsize=(5.4, 5.0), layout="constrained")
    panel = made.subplots()
    image = panel.imshow(
        maps["map_on"].iloc[0],
        cmap="RdBu_r",
        vmin=-_STRONGEST,
        vmax=_STRONGEST,
        interpolation="none",
    )
    panel.spines[:].set_visible(True)
    panel.set(xlabel="Input feature", ylabel="Output feature")
    made.colorbar(image, label="Output per input amplitude", extend="both", shrink=0.9)
    style.caption(made, maps, note, head=head)
    return made
