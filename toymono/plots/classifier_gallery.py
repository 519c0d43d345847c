"""Which figures a set of results can feed, and drawing them."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from toymono.classifiers.experiment import Result
from toymono.frames import classifiers as classifier_frames
from toymono.plots import classifier_structure, classifier_tradeoffs
from toymono.plots import classifiers as classifier_figures


def draw(found: Sequence[Result]) -> dict[str, Figure]:
    """Every figure that the results can feed, by name.

    Those of single networks show the largest sizes, and the first penalty and rate; the others
    the networks that differ from these in what the figure compares alone.
    """
    runs = classifier_frames.per_run(found)
    largest = max(found, key=lambda result: sum(result.job.config.sizes)).job.config
    first = [r for r in found if r.job.config == largest]
    first = [
        r
        for r in first
        if r.job.hyperparams.learning_rate == first[0].job.hyperparams.learning_rate
    ]
    neurons, of_first = classifier_frames.per_neuron(first), classifier_frames.per_run(first)
    drawn = {
        "learning_curves": classifier_figures.learning_curves(classifier_frames.per_epoch(first)),
        "firing_by_class": classifier_figures.firing_by_class(first),
        "neuron_monosemanticity": classifier_figures.neuron_monosemanticity(neurons),
        "overlap_by_layer": classifier_figures.overlap_by_layer(classifier_frames.per_layer(first)),
    }
    by_width = alike(runs, of_first, "sizes", "alpha")
    if by_width["sizes"].nunique() > 1:
        drawn["accuracy_by_width"] = classifier_tradeoffs.accuracy_by_width(by_width)
    by_alpha = alike(runs, of_first, "penalty", "alpha")
    if by_alpha["alpha"].nunique() > 3:
        drawn["scores_by_alpha"] = classifier_tradeoffs.scores_by_alpha(by_alpha)
    if asked := [result for result in first if result.answers is not None]:
        drawn["clusterability"] = classifier_structure.clusterability(asked)
        drawn["coherence"] = classifier_structure.coherence(asked)
        if not (lesioned := classifier_frames.per_ablation(asked)).empty:
            drawn["ablations"] = classifier_structure.ablations(lesioned, of_first)
    return drawn


def alike(runs: pd.DataFrame, models: pd.DataFrame, *free: str) -> pd.DataFrame:
    """The runs that share with the models, which share it, every setting but those `free`."""
    fixed = [name for name in classifier_frames.SETTINGS if name not in free]
    return runs[(runs[fixed] == models[fixed].iloc[0]).all(axis=1)]
