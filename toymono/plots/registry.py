"""Every figure by its name: general ones, those of the paper, those of classifiers."""

import functools
from collections.abc import Iterable

from toymono import frames
from toymono.frames import agreement
from toymono.frames import classifiers as classifier_frames
from toymono.frames import penalty as penalty_frames
from toymono.frames.classifiers import DEFAULT_STRUCTURE, Structure
from toymono.plots import (
    biases,
    classifier_structure,
    classifier_tradeoffs,
    connectivity,
    convergence,
    jermyn2022,
    origins,
    polytopes,
    regimes,
    skip,
    sparsity,
    spectrum,
    spectrum_networks,
    visualise,
)
from toymono.plots import classifiers as classifier_plots
from toymono.plots.agreement import measure_agreement
from toymono.plots.figure import Figure
from toymono.plots.neurons import feature_capacities, single_feature_activations, sorted_biases
from toymono.plots.penalties import multi_feature_by_penalty, penalty_frontier, responses_by_penalty
from toymono.plots.selection import (
    Comparison,
    OfClassifiers,
    OfSweeps,
    by_number,
    comparison,
    one_seed,
)
from toymono.plots.sweeps import monosemantic_by_field, several_features
from toymono.plots.training import training_traces
from toymono.records import Records

_ONE_RUN = "python -m toymono.sweep --task decoder --k 512 --init_bias -1"
_THREE_BIASES = "python -m toymono.sweep --task decoder --k 512 --init_bias -1,-0.5,0"
_PENALTIES = "python -m toymono.sweep --sweep PEN --scale small --seeds 3"
_CLASSIFIERS = "python -m toymono.classifiers --data digits --alpha 0,0.1,-0.001 --seeds 5"
_ALPHAS = "python -m toymono.classifiers --alpha -0.01,-0.001,0,0.01,0.1 --seeds 5"
_WIDTHS = "python -m toymono.classifiers --capacity --seeds 5"

_ONE_NETWORK = OfClassifiers()


def _summary(draw) -> str:
    return draw.__doc__.partition("\n")[0]


def _general(draw, *frame, choose, trained_by: str) -> Figure:
    return Figure(draw.__name__, _summary(draw), draw, frame, Comparison(choose), trained_by)


def _penalty(draw, frame) -> Figure:
    select = OfSweeps(("PEN",), heading=False)
    return Figure(draw.__name__, _summary(draw), draw, (frame,), select, _PENALTIES, compares=False)


def _classifier(draw, *frame, select=_ONE_NETWORK, trained_by: str = _CLASSIFIERS) -> Figure:
    return Figure(
        draw.__name__,
        _summary(draw),
        draw,
        frame,
        select,
        trained_by,
        kind="classifier",
        compares=False,
    )


def structure_figures(structure: Structure) -> tuple[Figure, ...]:
    """The figures of the classifiers' weight graphs, with this analysis."""
    shuffles, classes, ablations = (
        functools.partial(frame, structure=structure)
        for frame in (
            classifier_frames.per_shuffle,
            classifier_frames.cluster_classes,
            classifier_frames.per_ablation,
        )
    )
    return (
        _classifier(classifier_structure.clusterability, shuffles),
        _classifier(classifier_structure.ablations, ablations, classifier_frames.per_run),
        _classifier(classifier_structure.coherence, classes),
    )


GENERAL: tuple[Figure, ...] = (
    _general(
        training_traces,
        frames.per_bin,
        frames.per_snapshot,
        choose=comparison,
        trained_by=_ONE_RUN,
    ),
    _general(
        single_feature_activations,
        frames.sorted_responses,
        choose=one_seed,
        trained_by=_ONE_RUN,
    ),
    _general(sorted_biases, frames.per_neuron, choose=one_seed, trained_by=_ONE_RUN),
    _general(feature_capacities, frames.per_feature, choose=one_seed, trained_by=_ONE_RUN),
    _general(several_features, frames.per_active, choose=comparison, trained_by=_THREE_BIASES),
    _general(monosemantic_by_field, frames.per_run, choose=by_number, trained_by=_THREE_BIASES),
    _penalty(penalty_frontier, frames.per_run),
    _penalty(multi_feature_by_penalty, frames.per_active),
    _penalty(responses_by_penalty, penalty_frames.mean_outputs),
    Figure(
        measure_agreement.__name__,
        _summary(measure_agreement),
        measure_agreement,
        (agreement.per_run,),
        OfSweeps(("LR1", "LR3", "K1", "PEN")),
        "python -m toymono.sweep --sweep LR1,LR3,K1,PEN --scale small --seeds 3",
        slow=True,
        compares=False,
    ),
)
"""Figures of toy runs of any settings, of the penalty sweep, and of all lenses together."""

CLASSIFIERS: tuple[Figure, ...] = (
    _classifier(classifier_plots.learning_curves, classifier_frames.per_epoch),
    _classifier(classifier_plots.firing_by_class, classifier_frames.sorted_firing),
    _classifier(classifier_plots.neuron_monosemanticity, classifier_frames.per_neuron),
    _classifier(classifier_plots.overlap_by_layer, classifier_frames.per_layer),
    _classifier(
        classifier_tradeoffs.accuracy_by_width,
        classifier_frames.per_run,
        select=OfClassifiers(("sizes", "alpha"), "sizes", 2),
        trained_by=_WIDTHS,
    ),
    _classifier(
        classifier_tradeoffs.scores_by_alpha,
        classifier_frames.per_run,
        select=OfClassifiers(("penalty", "alpha"), "alpha", 4),
        trained_by=_ALPHAS,
    ),
)
"""Figures of classifiers, apart from `structure_figures`."""


def by_name(figures: Iterable[Figure]) -> Records[Figure]:
    """Figures by their names.

    Raises:
      ValueError: Two figures have the same name.
    """
    table: dict[str, Figure] = {}
    for figure in figures:
        if figure.name in table:
            raise ValueError(f"two figures are called {figure.name!r}")
        table[figure.name] = figure
    return Records("figure", table)


FIGURES: Records[Figure] = by_name(
    (
        *GENERAL,
        *jermyn2022.FIGURES,
        *CLASSIFIERS,
        *structure_figures(DEFAULT_STRUCTURE),
        *connectivity.FIGURES,
        *origins.FIGURES,
        *biases.FIGURES,
        *sparsity.FIGURES,
        *convergence.FIGURES,
        *regimes.FIGURES,
        *skip.FIGURES,
        *polytopes.FIGURES,
        *spectrum.FIGURES,
        *spectrum_networks.FIGURES,
        *visualise.FIGURES,
    )
)
"""Every figure by its name, in the order in which they are drawn."""

ALIASES: dict[str, str] = {figure.alias: name for name, figure in FIGURES.items() if figure.alias}
"""Names of numbered figures by what they show."""
