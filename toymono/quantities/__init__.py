"""Every measured number once: its name, its words on axes and in text, unit, range and format.

A column of a frame is a quantity, a field of a run (which is one too), or one of
`INDEX_COLUMNS`, and means the same in every frame. Figures, pages and tables take
their words and number formats from here. The module imports no JAX.
"""

import dataclasses

from toymono.autoencoders.fields import AUTOENCODER
from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY
from toymono.quantities import (
    agreement,
    connectivity,
    origins,
    overlap,
    polytopes,
    regimes,
    spectrum,
    visualise,
)
from toymono.quantities.formats import plain, truth
from toymono.quantities.quantity import (
    Quantity,
    count_of,
    fraction,
    number,
    of_field,
    signed,
    unbroken,
)

__all__ = ["INDEX_COLUMNS", "QUANTITIES", "Quantity", "plain"]

_RUNS = (
    count_of("step", "training steps"),
    number("log2_step", "log$_2$ of training steps"),
    count_of("diverged", "step of divergence", none="the run did not diverge"),
    number("loss", "task loss", "loss"),
    number(
        "error_share",
        "reconstruction error over variance",
        "error/variance",
        none="the run diverged, or all patches are equal",
    ),
    number("min_loss", "lowest loss so far " + unbroken("(mean of ≤ 256 steps)")),
    signed("min_loss_excess", "lowest loss so far, " + unbroken("minus that at bias 0")),
    count_of("monosemantic", "monosemantic neurons", "mono neurons"),
    count_of("polysemantic", "polysemantic neurons"),
    count_of("dead", "dead neurons", "dead"),
    *(count_of(f"features_with_{i}", f"features with {i} monosemantic neurons") for i in range(4)),
    count_of("features_with_4", "features with 4 or more monosemantic neurons"),
    number("mono_per_feature", "monosemantic neurons per feature", "mono/feature"),
    fraction("mono_per_neuron", "monosemantic fraction " + unbroken("of neurons"), "mono/neuron"),
    count_of("positive_bias", "neurons with a bias above 0", "biases above 0"),
    count_of("bias_above_005", "neurons with a bias above 0.05", "biases above 0.05"),
    signed("mean_bias", "mean bias"),
    fraction(
        "mono_per_live",
        "monosemantic fraction " + unbroken("of living neurons"),
        "mono/live",
        none="all neurons are dead",
    ),
    count_of("nonzero_weights", "weights in use"),
    fraction("weight_density", "share of weights in use"),
    fraction("input_density", "share of input weights in use"),
    fraction("output_density", "share of output weights in use"),
)

_NEURONS_AND_FEATURES = (
    fraction("monosemanticity", "monosemanticity"),
    fraction(
        "mean_monosemanticity",
        "monosemanticity " + unbroken("(mean over neurons)"),
    ),
    fraction("best_monosemanticity", "best neuron's monosemanticity"),
    signed("bias", "bias"),
    count_of("feature_count", "features that a neuron responds to"),
    count_of("active", "active features"),
    fraction("silent_share", "groups without response " + unbroken("(fraction)")),
    count_of("mono_neurons", "monosemantic neurons of a feature", "mono neurons of each"),
    fraction("response_capacity", "capacity among the neurons' responses", "feature capacity"),
    fraction("weight_capacity", "capacity among the input weights"),
    signed("amplitude", "input amplitude"),
    signed("output", "output"),
    signed("output_mono", "output of the mono part (bias ≤ 0)"),
    signed("output_poly", "output of the poly part (bias > 0)"),
    signed("target", "target"),
    fraction("first_kink", "first kink", none="the feature has no monosemantic neuron"),
    fraction("second_kink", "second kink", none="the feature has fewer than two such neurons"),
    signed("mean_output", "output (mean over features)"),
    signed("mean_output_mono", "output of the mono part (≤ 1 feature per neuron)"),
    signed("mean_output_poly", "output of the poly part (> 1 feature per neuron)"),
    signed("mean_target", "target"),
)

_LINEAR_MAP = (
    count_of("singular_above_half", "singular values of M above 1/2", "singular values above 1/2"),
    number(
        "large_singular_min",
        "smallest singular value of M above 1/2",
        "the smallest of them",
        none="no singular value is above 1/2",
    ),
    number("largest_singular", "largest singular value of M", "the largest"),
    fraction("singular_in_band", "fraction of M's singular values that are 0 or in 0.99 … 1.03"),
    number("effective_rank", "effective rank of M"),
    signed("slope_min", "smallest slope of the poly part along its feature", "smallest slope"),
    signed("slope_max", "largest slope of the poly part along its feature", "largest slope"),
    signed("slope_mean", "mean slope of the poly part along its feature"),
    signed("slope_q05", "5 % quantile of the poly part's slope along its feature"),
    signed("slope_q95", "95 % quantile of the poly part's slope along its feature"),
    number("slope_change", "median change of that slope on [0, 1]"),
    number("poly_offset", "largest output of the poly part for an input of 0"),
    fraction(
        "one_kink",
        "median kink, features with one monosemantic neuron",
        none="no feature has exactly one",
    ),
    signed(
        "one_output",
        "median output of the mono part at full strength, features with one monosemantic neuron",
        none="no feature has exactly one",
    ),
    fraction(
        "two_first_kink",
        "median first kink, features with two monosemantic neurons",
        none="no feature has exactly two",
    ),
    fraction(
        "two_second_kink",
        "median second kink, features with two monosemantic neurons",
        none="no feature has exactly two",
    ),
    count_of("two_kink_features", "features with two monosemantic neurons and two kinks"),
)

_SUMMARY = (
    number("zero_loss", "expected task loss of an output of 0"),
    number("loss_share", "loss over that of an output of 0"),
    signed("loss_fall", "relative fall of the loss in the second half of training"),
    signed("mono_rise", "rise of monosemantic neurons per feature in the second half of training"),
    Quantity("settled", "training had settled", format=truth),
    signed(
        "mono_bias",
        "mean bias of monosemantic neurons",
        none="fewer than 1 in 100 are monosemantic",
    ),
    signed(
        "broad_bias",
        "mean bias of neurons that respond to at least a quarter of the features",
        none="fewer than 1 in 100 neurons are such",
    ),
    count_of(
        "nearly_mono_features", "features with only a mostly monosemantic neuron (score ≥ 0.9)"
    ),
    number("sampled_loss", "task loss on new inputs"),
    number("sampled_loss_mono", "task loss of the mono part on new inputs"),
    number("single_feature_loss", "task loss on single features"),
    number("single_feature_loss_mono", "task loss of the mono part on single features"),
    number("features_per_neuron", "features per neuron"),
    fraction(
        "multi_feature_share",
        "fraction of living neurons that respond to more than one feature",
        none="all neurons are dead",
    ),
    fraction(
        "activated_by_others",
        "fraction of neurons of one feature that some group of four others activates",
        none="no neuron responds to exactly one feature",
    ),
    fraction(
        "pair_monosemanticity",
        "monosemanticity on pairs of features",
        "mono on pairs",
        none="all neurons are dead",
    ),
)

_CLASSIFIERS = (
    fraction("accuracy", "test accuracy"),
    fraction("error", "test error"),
    number("cross_entropy", "test cross-entropy", unit="nats"),
    signed("train_loss", "training loss, with the penalty"),
    number("penalty_sum", "polysemantic penalty, summed over layers", "penalty sum"),
    number("penalty_soft", "soft polysemantic penalty of a layer"),
    fraction(
        "largest_penalty_share",
        "penalty due to one neuron (fraction)",
        none="the penalty is 0",
    ),
    number("overlap", "overlap of classes"),
    number("mean_overlap", "overlap of classes (mean over layers)", "overlap"),
    fraction("dead_share", "fraction of neurons that never fire"),
    count_of("class_count", "classes that a neuron fires on"),
    fraction("firing_share", "fraction of test examples that a neuron fires on"),
    count_of("width", "neurons of each hidden layer"),
    count_of("cluster_count", "clusters of neurons"),
    number("n_cut", "n-cut", none="not analysed"),
    number("shuffled_n_cut", "n-cut of a shuffled network"),
    number(
        "shuffled_n_cut_mean", "n-cut of shuffled networks, mean", "shuffled", none="not analysed"
    ),
    number(
        "shuffled_n_cut_std",
        "n-cut of shuffled networks, standard deviation",
        "shuffled std",
        none="not analysed",
    ),
    fraction("n_cut_p", "left p of the n-cut", "left p", none="not analysed"),
    signed(
        "coherence",
        "coherence of clusters with classes",
        "coherence",
        high=1.0,
        none="not analysed",
    ),
    fraction("coherence_p", "p of the coherence", none="not analysed"),
    fraction(
        "ablation_p_mean",
        "right p of ablations, mean over clusters",
        "ablation p",
        none="no cluster was ablated",
    ),
    fraction(
        "ablation_range_p_mean",
        "right p of the range of damage, mean over clusters",
        none="no cluster was ablated",
    ),
    count_of("cluster_size", "neurons of a cluster in a layer"),
    signed("damage", "loss of accuracy, mean over classes", high=1.0),
    number("damage_range", "loss of accuracy, range over classes"),
    signed("random_damage", "loss of accuracy by random ablations, mean over classes", high=1.0),
    number("random_damage_range", "loss of accuracy by random ablations, range over classes"),
    fraction("ablation_p", "right p of the damage"),
    fraction("ablation_range_p", "right p of the range of damage"),
)


def _all() -> dict[str, Quantity]:
    kinds = (TOY, CLASSIFIER, AUTOENCODER)
    table = {name: of_field(field) for fields in reversed(kinds) for name, field in fields.items()}
    for name in table:  # a field of several kinds of run takes the words of all
        words = [word for fields in kinds if name in fields for word in fields[name].choices]
        table[name] = dataclasses.replace(table[name], choices=tuple(dict.fromkeys(words)))
    groups = (_RUNS, _NEURONS_AND_FEATURES, _LINEAR_MAP, _SUMMARY, _CLASSIFIERS)
    groups += (
        agreement.QUANTITIES,
        connectivity.QUANTITIES,
        origins.QUANTITIES,
        overlap.QUANTITIES,
        polytopes.QUANTITIES,
        regimes.QUANTITIES,
        spectrum.QUANTITIES,
        visualise.QUANTITIES,
    )
    table |= {quantity.name: quantity for group in groups for quantity in group}
    return table


QUANTITIES: dict[str, Quantity] = _all()
"""Every field of every kind of run, and every measured number, by name."""

INDEX_COLUMNS = {
    "run": "name of the run",
    "seed": "seed of the run",
    "fingerprint": "of the data that a classifier or an autoencoder was trained on",
    "status": "of a classifier: learned, collapsed, dead or diverged",
    "rank": "of a neuron, the most monosemantic first, from 0",
    "neuron": "number of a neuron in its layer, from 0",
    "neuron_kind": "monosemantic, polysemantic or dead",
    "feature": "number of a feature, from 0",
    "strongest_feature": "the feature to which a neuron responds most",
    "strongest_class": "the class to which a neuron responds most; -1 if it never fires",
    "panel": "panel of a figure, from 0",
    "layer": "hidden layer, from 1; 0 for the input",
    "cluster": "number of a cluster of neurons, from 0",
    "class": "number of a class, from 0",
    "epoch": "epoch of training, from 1",
    "shuffle": "number of a shuffled network, from 0",
    "sweep": "name of a sweep of the catalog",
    "position": "of a setting in its sweep, from 0",
    "scale": "of the catalog",
    "second_feature": "the feature to which a neuron responds second most",
    "part": "of a neuron: mono if its bias is not above 0, otherwise poly",
    "response_kn": "array of responses",
    "amplitude_b": "array: input amplitudes of the response curves",
    "curve_b": "array: activation on the strongest feature alone, by amplitude",
    "second_curve_b": "array: activation on the second strongest feature alone, by amplitude",
    "active_s": "array: numbers of features that are active together",
    "monosemanticity_s": "array: monosemanticity with so many active features",
    "share_ky": "array: fraction of each class's test examples that each neuron fires on",
    "share_cy": "array: fraction of each cluster's neurons with each strongest class",
    "map_on": "array: linear map from features to outputs",
    **agreement.INDEX_COLUMNS,
    **connectivity.INDEX_COLUMNS,
    **origins.INDEX_COLUMNS,
    **polytopes.INDEX_COLUMNS,
    **regimes.INDEX_COLUMNS,
    **spectrum.INDEX_COLUMNS,
    **visualise.INDEX_COLUMNS,
}
"""Columns of frames that are no quantities: indices, names and arrays."""
