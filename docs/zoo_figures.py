"""Draws the documentation's pictures of two models of the zoo, in seconds and without training.

    python docs/zoo_figures.py

`decoder-mono` and `decoder-poly` differ only in their initial bias.
"""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl

from toymono import zoo
from toymono.plots import gallery, style
from toymono.plots.registry import FIGURES

FOLDER = Path(__file__).parent / "figures"
_BOTH = ("decoder-mono", "decoder-poly")
PICTURES = {
    "single_feature_activations": ("single_feature_activations", _BOTH[:1]),
    "activations_by_bias": ("single_feature_activations", _BOTH),
    "sorted_biases": ("sorted_biases", _BOTH),
    "several_features": ("several_features", _BOTH),
    "feature_capacities": ("feature_capacities", _BOTH),
}
"""From the name of a file to the figure and the models that it shows."""


def draw(folder: Path) -> Iterator[Path]:
    """Draws every picture into a folder."""
    for name, (figure_name, models) in PICTURES.items():
        figure, runs = FIGURES[figure_name], [zoo.load(model) for model in models]
        image = figure.draw(*(frame(runs) for frame in figure.frames))
        style.headline(image, figure.title)
        yield from gallery.save(image, folder, name, ["png"])


if __name__ == "__main__":
    mpl.use("Agg")
    for path in draw(FOLDER):
        print(path)
