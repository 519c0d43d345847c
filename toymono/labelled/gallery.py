"""Which figures a set of results can feed, and drawing them."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from toymono.labelled import figures, tables
from toymono.labelled import structure_figures as structure
from toymono.labelled import tradeoff_figures as tradeoff
from toymono.labelled.experiment import Result


def draw(found: Sequence[Result]) -> dict[str, Figure]:
    """Every figure that the results can feed, by name.

    Those of single networks show the largest sizes, and the first penalty and rate; the others
    the networks that differ from these in what the figure compares alone.
    """
    runs = tables.per_run(found)
    largest = max(found, key=lambda result: sum(result.job.setup.sizes)).job.setup
    first = [r for r in found if r.job.setup == largest]
    first = [r for r in first if r.job.dials.learning_rate == first[0].job.dials.learning_rate]
    neurons, of_first = tables.per_neuron(first), tables.per_run(first)
    drawn = {
        "learning_curves": figures.learning_curves(tables.per_epoch(first)),
        "firing_by_class": figures.firing_by_class(first),
        "neuron_monosemanticity": figures.neuron_monosemanticity(neurons),
        "overlap_by_layer": figures.overlap_by_layer(tables.per_layer(first)),
    }
    by_width = alike(runs, of_first, "sizes", "alpha")
    if by_width["sizes"].nunique() > 1:
        drawn["accuracy_by_width"] = tradeoff.accuracy_by_width(by_width)
    by_alpha = alike(runs, of_first, "penalty", "alpha")
    if by_alpha["alpha"].nunique() > 3:
        drawn["scores_by_alpha"] = tradeoff.scores_by_alpha(by_alpha)
    if asked := [result for result in first if result.answers is not None]:
        drawn["clusterability"] = structure.clusterability(asked)
        drawn["coherence"] = structure.coherence(asked)
        if not (lesioned := tables.per_lesion(asked)).empty:
            drawn["lesions"] = structure.lesions(lesioned, of_first)
    return drawn


def alike(runs: pd.DataFrame, models: pd.DataFrame, *free: str) -> pd.DataFrame:
    """The runs that share with the models, which share it, every setting but those `free`."""
    fixed = [name for name in tables.SETTINGS if name not in free]
    return runs[(runs[fixed] == models[fixed].iloc[0]).all(axis=1)]
