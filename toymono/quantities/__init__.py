"""Every measured number once: its name, its words on axes and in text, unit, range and format.

A column of a frame is a quantity, a field of a run (which is one too), or one of
`INDEX_COLUMNS`, and means the same in every frame. Figures, pages and tables take
their words and number formats from here. The module imports no JAX.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from toymono.classifiers.fields import CLASSIFIER
from toymono.fields import TOY, Field
from toymono.quantities.formats import (
    count,
    general,
    measured,
    plain,
    power_of_ten,
    probability,
    truth,
    word,
)


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One measured number, or one field of a run."""

    name: str
    """Its column in frames."""
    label: str
    """What it is called on axes and in tables, in lower case; may hold mathematical text."""
    short: str = ""
    """Words for lines of text with little room; the label if empty."""
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    format: Callable[[float], str] = measured
    """From a number to mathematical text."""
    none: str = ""
    """What NaN means in a run that did not diverge; empty if it cannot occur."""
    choices: tuple[str, ...] = ()
    """The words that it may take, in order."""
    noun: str = ""
    """Follows a word where it stands alone, as in `equal frequencies`."""

    def __post_init__(self):
        if not self.short:
            object.__setattr__(self, "short", plain(self.label))

    @property
    def axis(self) -> str:
        """The label of an axis or a legend, with the unit."""
        unit = f" ({self.unit})" if self.unit else ""
        starts_small = self.label.startswith(("log", "n-cut", "p "))
        first = self.label[0] if starts_small else self.label[0].upper()
        return first + self.label[1:] + unit

    def math(self, value: Any) -> str:
        """A value for figures, in mathematical text.

        Example:
          >>> QUANTITIES["l1"].math(1e-5), QUANTITIES["init_bias"].math(-0.5)
          ('10$^{-5}$', '−0.5')
        """
        return word(value) if isinstance(value, str | tuple) else self.format(float(value))

    def text(self, value: Any) -> str:
        """A value for terminals and Markdown, without mathematical text.

        Example:
          >>> QUANTITIES["l1"].text(1e-6), QUANTITIES["eps"].text(2**-3.5)
          ('10^-6', '2^-3.5')
        """
        return plain(self.math(value))

    def setting(self, value: Any) -> str:
        """The quantity with its value, as short as can be understood, for figures.

        Example:
          >>> QUANTITIES["optimizer"].setting("adam"), QUANTITIES["k"].setting(512).split()
          ('adam', ['k', '=', '512'])
        """
        if isinstance(value, str):
            return f"{word(value)} {self.noun}".rstrip()
        if self.name == "log2_steps":
            words = f"2$^{{{value}}}$ steps"
        else:
            words = f"{self.short} = {self.math(value)}"
        return words.replace(" ", "\N{NO-BREAK SPACE}")


def _unbroken(words: str) -> str:
    """Words that stay on one line of an axis."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


_FORMATS = {"eps": probability, "l1": power_of_ten}
_NOUNS = {"feature_law": "frequencies", "penalty": "penalty", "schedule": "schedule"}


def _of_field(field: Field) -> Quantity:
    return Quantity(
        field.name,
        field.label,
        field.symbol or plain(field.label),
        low=field.low,
        high=field.high,
        format=_FORMATS.get(field.name, general),
        choices=tuple(field.choices),
        noun=_NOUNS.get(field.name, ""),
    )


def _number(name: str, label: str, short: str = "", *, low: float = 0.0, **more: Any) -> Quantity:
    return Quantity(name, label, short, low=low, **more)


def _signed(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    return Quantity(name, label, short, **more)


def _fraction(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    return Quantity(name, label, short, low=0.0, high=1.0, **more)


def _count(name: str, label: str, short: str = "", **more: Any) -> Quantity:
    return Quantity(name, label, short, low=0.0, format=count, **more)


_RUNS = (
    _count("step", "training steps"),
    _number("log2_step", "log$_2$ of training steps"),
    _count("diverged", "step of divergence", none="the run did not diverge"),
    _number("loss", "task loss", "loss"),
    _number("min_loss", "lowest loss so far " + _unbroken("(mean of ≤ 256 steps)")),
    _signed("min_loss_excess", "lowest loss so far, " + _unbroken("minus that at bias 0")),
    _count("monosemantic", "monosemantic neurons", "mono neurons"),
    _count("polysemantic", "polysemantic neurons"),
    _count("dead", "dead neurons", "dead"),
    *(_count(f"features_with_{i}", f"features with {i} monosemantic neurons") for i in range(4)),
    _count("features_with_4", "features with 4 or more monosemantic neurons"),
    _number("mono_per_feature", "monosemantic neurons per feature", "mono/feature"),
    _fraction("mono_per_neuron", "monosemantic fraction " + _unbroken("of neurons"), "mono/neuron"),
    _count("positive_bias", "neurons with a bias above 0", "biases above 0"),
    _count("bias_above_005", "neurons with a bias above 0.05", "biases above 0.05"),
    _signed("mean_bias", "mean bias"),
)

_NEURONS_AND_FEATURES = (
    _fraction("monosemanticity", "monosemanticity"),
    _fraction(
        "mean_monosemanticity",
        "monosemanticity " + _unbroken("(mean over neurons)"),
    ),
    _fraction("best_monosemanticity", "best neuron's monosemanticity"),
    _signed("bias", "bias"),
    _count("feature_count", "features that a neuron responds to"),
    _count("active", "active features"),
    _fraction("silent_share", "groups without response " + _unbroken("(fraction)")),
    _count("mono_neurons", "monosemantic neurons of a feature", "mono neurons of each"),
    _fraction("response_capacity", "capacity among the neurons' responses"),
    _fraction("weight_capacity", "capacity among the input weights"),
    _signed("amplitude", "input amplitude"),
    _signed("output", "output"),
    _signed("output_mono", "output of the mono part (bias ≤ 0)"),
    _signed("output_poly", "output of the poly part (bias > 0)"),
    _signed("target", "target"),
    _fraction("first_kink", "first kink", none="the feature has no monosemantic neuron"),
    _fraction("second_kink", "second kink", none="the feature has fewer than two such neurons"),
    _signed("mean_output", "output (mean over features)"),
    _signed("mean_output_mono", "output of the mono part (≤ 1 feature per neuron)"),
    _signed("mean_output_poly", "output of the poly part (> 1 feature per neuron)"),
    _signed("mean_target", "target"),
)

_LINEAR_MAP = (
    _count("singular_above_half", "singular values of M above 1/2", "singular values above 1/2"),
    _number(
        "large_singular_min",
        "smallest singular value of M above 1/2",
        "the smallest of them",
        none="no singular value is above 1/2",
    ),
    _number("largest_singular", "largest singular value of M", "the largest"),
    _fraction("singular_in_band", "fraction of M's singular values that are 0 or in 0.99 … 1.03"),
    _number("effective_rank", "effective rank of M"),
    _signed("slope_min", "smallest slope of the poly part along its feature", "smallest slope"),
    _signed("slope_max", "largest slope of the poly part along its feature", "largest slope"),
    _signed("slope_mean", "mean slope of the poly part along its feature"),
    _signed("slope_q05", "5 % quantile of the poly part's slope along its feature"),
    _signed("slope_q95", "95 % quantile of the poly part's slope along its feature"),
    _number("slope_change", "median change of that slope on [0, 1]"),
    _number("poly_offset", "largest output of the poly part for an input of 0"),
    _fraction(
        "one_kink",
        "median kink, features with one monosemantic neuron",
        none="no feature has exactly one",
    ),
    _signed(
        "one_output",
        "median output of the mono part at full strength, features with one monosemantic neuron",
        none="no feature has exactly one",
    ),
    _fraction(
        "two_first_kink",
        "median first kink, features with two monosemantic neurons",
        none="no feature has exactly two",
    ),
    _fraction(
        "two_second_kink",
        "median second kink, features with two monosemantic neurons",
        none="no feature has exactly two",
    ),
    _count("two_kink_features", "features with two monosemantic neurons and two kinks"),
)

_SUMMARY = (
    _number("zero_loss", "expected task loss of an output of 0"),
    _number("loss_share", "loss over that of an output of 0"),
    _signed("loss_fall", "relative fall of the loss in the second half of training"),
    _signed("mono_rise", "rise of monosemantic neurons per feature in the second half of training"),
    Quantity("settled", "training had settled", format=truth),
    _signed(
        "mono_bias",
        "mean bias of monosemantic neurons",
        none="fewer than 1 in 100 are monosemantic",
    ),
    _signed(
        "broad_bias",
        "mean bias of neurons that respond to at least a quarter of the features",
        none="fewer than 1 in 100 neurons are such",
    ),
    _count("nearly_mono_features", "features with only a mostly monosemantic neuron (score ≥ 0.9)"),
    _number("sampled_loss", "task loss on new inputs"),
    _number("sampled_loss_mono", "task loss of the mono part on new inputs"),
    _number("single_feature_loss", "task loss on single features"),
    _number("single_feature_loss_mono", "task loss of the mono part on single features"),
    _number("features_per_neuron", "features per neuron"),
    _fraction(
        "multi_feature_share",
        "fraction of living neurons that respond to more than one feature",
        none="all neurons are dead",
    ),
    _fraction(
        "activated_by_others",
        "fraction of neurons of one feature that some group of four others activates",
        none="no neuron responds to exactly one feature",
    ),
    _fraction(
        "pair_monosemanticity", "monosemanticity on pairs of features", none="all neurons are dead"
    ),
)

_CLASSIFIERS = (
    _fraction("accuracy", "test accuracy"),
    _fraction("error", "test error"),
    _number("cross_entropy", "test cross-entropy", unit="nats"),
    _signed("train_loss", "training loss, with the penalty"),
    _number("penalty_sum", "polysemantic penalty, summed over layers", "penalty sum"),
    _number("penalty_soft", "soft polysemantic penalty of a layer"),
    _fraction(
        "largest_penalty_share",
        "penalty due to one neuron (fraction)",
        none="the penalty is 0",
    ),
    _number("overlap", "overlap of classes"),
    _number("mean_overlap", "overlap of classes (mean over layers)", "overlap"),
    _fraction("dead_share", "fraction of neurons that never fire"),
    _count("class_count", "classes that a neuron fires on"),
    _fraction("firing_share", "fraction of test examples that a neuron fires on"),
    _count("width", "neurons of each hidden layer"),
    _count("cluster_count", "clusters of neurons"),
    _number("n_cut", "n-cut", none="not analysed"),
    _number("shuffled_n_cut", "n-cut of a shuffled network"),
    _number(
        "shuffled_n_cut_mean", "n-cut of shuffled networks, mean", "shuffled", none="not analysed"
    ),
    _number(
        "shuffled_n_cut_std",
        "n-cut of shuffled networks, standard deviation",
        "shuffled std",
        none="not analysed",
    ),
    _fraction("n_cut_p", "left p of the n-cut", "left p", none="not analysed"),
    _signed(
        "coherence",
        "coherence of clusters with classes",
        "coherence",
        high=1.0,
        none="not analysed",
    ),
    _fraction("coherence_p", "p of the coherence", none="not analysed"),
    _fraction(
        "ablation_p_mean",
        "right p of ablations, mean over clusters",
        "ablation p",
        none="no cluster was ablated",
    ),
    _fraction(
        "ablation_range_p_mean",
        "right p of the range of damage, mean over clusters",
        none="no cluster was ablated",
    ),
    _count("cluster_size", "neurons of a cluster in a layer"),
    _signed("damage", "loss of accuracy, mean over classes", high=1.0),
    _number("damage_range", "loss of accuracy, range over classes"),
    _signed("random_damage", "loss of accuracy by random ablations, mean over classes", high=1.0),
    _number("random_damage_range", "loss of accuracy by random ablations, range over classes"),
    _fraction("ablation_p", "right p of the damage"),
    _fraction("ablation_range_p", "right p of the range of damage"),
)


def _all() -> dict[str, Quantity]:
    table = {name: _of_field(field) for name, field in {**CLASSIFIER, **TOY}.items()}
    for name in set(CLASSIFIER) & set(TOY):  # a field of both kinds of run takes the words of both
        words = (*TOY[name].choices, *CLASSIFIER[name].choices)
        table[name] = dataclasses.replace(table[name], choices=tuple(dict.fromkeys(words)))
    groups = (_RUNS, _NEURONS_AND_FEATURES, _LINEAR_MAP, _SUMMARY, _CLASSIFIERS)
    table |= {quantity.name: quantity for group in groups for quantity in group}
    return table


QUANTITIES: dict[str, Quantity] = _all()
"""Every field of toy and classifier runs, and every measured number, by name."""

INDEX_COLUMNS = {
    "run": "name of the run",
    "seed": "seed of the run",
    "fingerprint": "of the data that a classifier was trained on",
    "status": "of a classifier: learned, collapsed, dead or diverged",
    "rank": "of a neuron, the most monosemantic first, from 0",
    "neuron": "number of a neuron in its layer, from 0",
    "neuron_kind": "monosemantic, polysemantic or dead",
    "feature": "number of a feature, from 0",
    "strongest_feature": "the feature to which a neuron responds most",
    "strongest_class": "the class to which a neuron responds most; -1 if it never fires",
    "panel": "panel of a figure, from 0",
    "layer": "hidden layer, from 1",
    "cluster": "number of a cluster of neurons, from 0",
    "class": "number of a class, from 0",
    "epoch": "epoch of training, from 1",
    "shuffle": "number of a shuffled network, from 0",
    "sweep": "name of a sweep of the catalog",
    "position": "of a setting in its sweep, from 0",
    "scale": "of the catalog",
    "response_kn": "array of responses",
    "share_ky": "array: fraction of each class's test examples that each neuron fires on",
    "share_cy": "array: fraction of each cluster's neurons with each strongest class",
    "map_on": "array: linear map from features to outputs",
}
"""Columns of frames that are no quantities: indices, names and arrays."""
