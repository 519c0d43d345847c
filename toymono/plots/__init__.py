"""Figures: frames of `toymono.frames` in, matplotlib figures out.

    from toymono import plots, store, tables
    runs = store.find("runs", task="decoder")
    plots.training_traces(tables.per_bin(runs), tables.per_snapshot(runs))

`python -m toymono.plots` draws every figure that the kept runs can feed:
those of `FIGURES`, which show runs of any settings, and those of `PAPER`, the
paper's fig01 to fig26, which show the runs of rows of `toymono.catalog`.
Figures compute nothing; both say what they are drawn from.
"""

from toymono.plots.neurons import feature_capacities, single_feature_activations, sorted_biases
from toymono.plots.penalties import multi_feature_by_penalty, penalty_frontier, responses_by_penalty
from toymono.plots.registry import FIGURES, figure
from toymono.plots.sweeps import monosemantic_by_field, several_features
from toymono.plots.training import training_traces

__all__ = [
    "FIGURES",
    "feature_capacities",
    "figure",
    "monosemantic_by_field",
    "multi_feature_by_penalty",
    "penalty_frontier",
    "responses_by_penalty",
    "several_features",
    "single_feature_activations",
    "sorted_biases",
    "training_traces",
]
