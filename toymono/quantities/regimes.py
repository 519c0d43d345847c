"""Quantities of features by frequency, of the last octaves of training, and of skip paths."""

from toymono.quantities.formats import probability
from toymono.quantities.quantity import Quantity, count_of, fraction, number, signed

_BROKEN = "a weight is not finite"
_NO_NEURON = "no monosemantic neuron at either end"
_EQUAL = "features are equally frequent"
_NONE = "no feature is in that regime"

QUANTITIES: tuple[Quantity, ...] = (
    count_of("frequency_rank", "rank of a feature by frequency", "rank"),
    fraction("frequency", "frequency of a feature"),
    fraction("served", "features with a monosemantic neuron (fraction)", none=_BROKEN),
    signed("recovery", "recovery of a feature", high=1.0, none=_BROKEN),
    number("interference", "squared output where a feature is absent", none=_BROKEN),
    signed("present_loss", "loss where a feature is present, over the zero-output loss"),
    number("absent_loss", "loss where features are absent, over the zero-output loss"),
    number("neurons_per_feature", "neurons per feature, k/n", "k/n", format=probability),
    fraction("served_share", "features with a monosemantic neuron", "monosemantic"),
    fraction("poly_share", "features recovered by other neurons", "polysemantic"),
    fraction("ignored_share", "features without a monosemantic neuron, not recovered", "ignored"),
    number("served_rank", "geometric mean rank of monosemantic features", none=_NONE),
    number("poly_rank", "geometric mean rank of polysemantic features", none=_NONE),
    number("ignored_rank", "geometric mean rank of ignored features", none=_NONE),
    number(
        "served_loss",
        "loss where features with a monosemantic neuron are present, over the zero-output loss",
    ),
    number("poly_loss", "loss where polysemantic features are present, over the zero-output loss"),
    number("ignored_loss", "loss where ignored features are present, over the zero-output loss"),
    number(
        "edge_half_rank",
        "rank at which half of the features have a monosemantic neuron",
        none=_EQUAL,
    ),
    number(
        "edge_width",
        "change of log frequency over which the odds of a monosemantic neuron change by e",
        none=f"{_EQUAL}, or none or all of them have a monosemantic neuron",
    ),
    signed(
        "edge_direction", "1 if frequent features have monosemantic neurons, −1 if rare ones have"
    ),
    signed("octave_mono_change", "change of monosemantic neurons per feature in an octave"),
    signed("octave_loss_change", "change of the loss in an octave, over the zero-output loss"),
    fraction(
        "octave_jaccard",
        "similarity of monosemantic pairs before and after an octave",
        "Jaccard",
        none=_NO_NEURON,
    ),
    fraction(
        "octave_retained",
        "monosemantic pairs that an octave retains (fraction)",
        none="no monosemantic neuron before it",
    ),
    number("unaligned_barrier_share", "barrier without alignment over the zero-output loss"),
    count_of("moved_neurons", "neurons that alignment exchanges"),
    fraction("last_jaccard", "similarity of monosemantic pairs, last octave", none=_NO_NEURON),
    number(
        "last_distance_ratio",
        "weight distance of the last octave over the one before",
        none="no weight changed in the octave before",
    ),
    count_of("path_rank", "rank of the path (0: none)", "path rank"),
    fraction("features_without_mono", "features without a monosemantic neuron (fraction)"),
    number("skip_effective_rank", "effective rank of the skip path's map"),
    signed("skip_slope", "mean slope of the skip path along its feature"),
    Quantity(
        "convergence",
        "what training did at its end",
        choices=("converged", "ridge", "moving"),
    ),
)

INDEX_COLUMNS = {
    "regime": "of a feature: monosemantic, polysemantic or ignored",
}
